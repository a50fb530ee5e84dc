"""Random logs from one seed: bursts and quiet, disorder, very late ones, lagging feeds, duplicates, poison."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.simulation.records import LIQUIDATIONS, Record, encoder

T0 = 1_769_860_800_000  # 2026-01-31 12:00 UTC
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
EXCHANGES = ("binance", "bybit", "okx", "bitmex", "nobody")
SHAPES = ("quiet", "burst", "burst", "waves", "squeeze", "lagging", "hours", "gap", "week")


class Venue(NamedTuple):
    """Where an asset is traded: its instrument there, and what a quantity of the symbol is in base units."""

    exchange: str
    symbol: str
    asset: str
    unit: int


@dataclass
class Logs:
    """A log per partition, as ``Record``s with rising offsets."""

    liquidations: list[list[Record]]
    funding: list[list[Record]]
    instruments: int


@dataclass
class Writer:
    """Delivers what happens: (arrival time, key, value)."""

    chance: random.Random
    venues: list[list[Venue]]  # by asset, the busiest first
    horizon_ms: int
    now: int = T0
    number: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    delivered: list[tuple[int, str, bytes | None, bytes | None]] = field(default_factory=list)

    # ---------------------------------------------------------------- time goes by

    def quiet(self) -> None:
        for _ in range(self.chance.randint(2, 12)):
            self.now += self.chance.randint(1, 20) * MINUTE
            self.one(self.venue(), self.side(0.5), 4.0)

    def hours(self) -> None:
        """A day and more of something in most hours: what a normal hour is made of."""
        busy = self.venue()
        for _ in range(self.chance.randint(26, 40)):
            self.now += self.chance.randint(30, 70) * MINUTE
            for venue in [busy, self.venue()][: self.chance.choice([1, 1, 2])]:
                self.one(venue, self.side(0.5), 5.0)

    def burst(self, long_share: float = 0.95, wide: bool = True) -> None:
        """Tens of millions in minutes, mostly of one side."""
        asset = self.venue().asset
        for _ in range(self.chance.randint(10, 60)):
            self.now += self.chance.choice([0, 1, 300, SECOND, 5 * SECOND, 12 * SECOND])
            venue = self.venue() if wide and self.chance.random() < 0.4 else self.venue(asset)
            self.one(venue, self.side(long_share), self.chance.choice([4.5, 5.0, 5.5]))

    def waves(self) -> None:
        for _ in range(self.chance.randint(2, 4)):
            self.burst()
            # Quiet times and latenesses of the rules, so that a cascade is due exactly then.
            exact = [60_000, 62_000, 90_000, 300_000, 302_000]
            self.now += self.chance.choice([*exact, self.chance.randint(1, 40) * MINUTE])

    def squeeze(self) -> None:
        self.burst(long_share=self.chance.choice([0.05, 0.4]), wide=False)

    def lagging(self) -> None:
        """One asset's feed falls minutes or hours behind the others, for a while."""
        asset = self.venue().asset
        self.lag[asset] = self.chance.choice([3 * MINUTE, 40 * MINUTE, 3 * HOUR, 26 * HOUR])
        self.burst()
        self.quiet()
        if self.chance.random() < 0.7:
            self.lag.pop(asset)

    def gap(self) -> None:
        self.now += self.chance.choice([HOUR - 1, 2 * HOUR, 23 * HOUR, DAY, 25 * HOUR, 3 * DAY])

    def week(self) -> None:
        self.now += 8 * DAY

    # ---------------------------------------------------------------- one liquidation

    def venue(self, asset: str | None = None) -> Venue:
        weights = [1 / (rank + 1) for rank in range(len(self.venues))]
        known = self.chance.choices(self.venues, weights)[0]
        if asset is not None:
            known = next(venues for venues in self.venues if venues[0].asset == asset)
        # Venues open one after the other: what is known of the older ones must stand.
        opened = 1 + min(self.number // 60, len(known) - 1)
        return self.chance.choice(known[:opened])

    def side(self, long_share: float) -> str:
        return "LONG" if self.chance.random() < long_share else "SHORT"

    def one(self, venue: Venue, side: str, magnitude: float) -> None:
        event_time = self.now - self.lag.get(venue.asset, 0) - self.chance.choice([0, 0, 1, 999])
        # Round ones, so that sums meet thresholds exactly.
        notional = self.chance.choice([1e5, 1e5, 5e4, 10 ** self.chance.gauss(magnitude, 0.6)])
        price = (1 + len(venue.asset) * 37 % 90) * self.chance.choice([0.99, 1.0, 1.0, self.chance.uniform(0.9, 1.1)])
        self.number += 1
        record = {
            "exchange": venue.exchange,
            "symbol": venue.symbol,
            "asset": venue.asset,
            "position_side": side,
            "price": price / venue.unit,
            "price_kind": "AVERAGE_FILL",
            "quantity": notional / price * venue.unit,
            "notional_usd": notional,
            "event_time": event_time,
            "ingest_time": event_time + self.chance.randint(0, 500),
            "liquidation_id": f"id-{self.number}",
        }
        self.deliver(record, self.now + self.delay())
        if self.chance.random() < 0.05:
            self.repeat(record)
        if self.chance.random() < 0.03:
            self.poison(record)

    def delay(self) -> int:
        kinds = [0, 100, 1_500, 2_001, 5_000, 5_001, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, DAY - MINUTE, DAY + MINUTE]
        weights = [60, 20, 6, 6, 4, 4, 6, 3, 3, 2, 1, 1]
        most = self.chance.choices(kinds, weights)[0]
        return self.chance.choice([most, self.chance.randint(0, most)])

    def repeat(self, record: dict[str, Any]) -> None:
        near = [0, 1, MINUTE, self.horizon_ms, self.horizon_ms + HOUR, 3 * HOUR]
        after = self.chance.choice(near) + self.chance.choice([-1, 0, 1, 2_000, -2_000])
        changed = record | self.chance.choice([{}, {"event_time": record["event_time"] - 1}])
        self.deliver(changed, self.now + max(after, 0))

    # ---------------------------------------------------------------- poison

    def poison(self, record: dict[str, Any]) -> None:
        field = self.chance.choice(
            [
                {"price": float("nan")},
                {"notional_usd": float("inf")},
                {"notional_usd": 2e10},
                {"notional_usd": record["notional_usd"] * 1.02},
                {"quantity": -1.0},
                {"position_side": "UNKNOWN"},
                {"price_kind": "UNKNOWN"},
                {"liquidation_id": ""},
                {"event_time": 0},
                {"event_time": record["ingest_time"] + 5_001},
                {"ingest_time": self.now + DAY, "event_time": self.now + DAY},
                {"asset": f"{record['asset']}B"},
            ]
        )
        poisoned = {**record, "liquidation_id": f"bad-{self.number}", **field}
        value = encoder().encode(LIQUIDATIONS, poisoned)
        key = poisoned["asset"].encode()
        values = [value] * 5 + [value[:-3], value + b"x", b"\0\0\0\x03\xe7" + value[5:], b"{}", b"", None]
        keys = [key] * 5 + [b"", None, b"NOBODY"]
        arrival = self.now + self.delay()
        self.delivered.append((arrival, record["asset"], self.chance.choice(keys), self.chance.choice(values)))

    def deliver(self, record: dict[str, Any], arrival: int) -> None:
        asset = record["asset"]
        self.delivered.append((arrival, asset, asset.encode(), encoder().encode(LIQUIDATIONS, record)))


def logs(seed: int, horizon_ms: int = HOUR, records_max: int = 1_500) -> Logs:
    chance = random.Random(f"logs-{seed}")
    assets = [f"A{rank:02}{'X' * (rank % 7)}" for rank in range(chance.randint(10, 30))]
    venues = [[_venue(asset, exchange) for exchange in _some(chance, EXCHANGES)] for asset in assets]
    writer = Writer(chance, venues, horizon_ms)
    while len(writer.delivered) < records_max:
        getattr(writer, chance.choice(SHAPES))()
    count = chance.choice([1, 2, 3, 4])
    partition_of = {asset: chance.randrange(count) for asset in assets}
    liquidations: list[list[Record]] = [[] for _ in range(count)]
    for arrival, asset, key, value in sorted(writer.delivered, key=lambda each: each[0]):
        log = liquidations[partition_of[asset]]
        offset = log[-1].offset + chance.choice([1, 1, 1, 2]) if log else chance.choice([0, 7])
        log.append(Record(offset, key, value, arrival + 20))
    return Logs(liquidations, [_funding(log, chance) for log in liquidations], sum(map(len, venues)))


def _venue(asset: str, exchange: str) -> Venue:
    unit = 1_000 if asset.endswith("X") else 1
    return Venue(exchange, f"{unit if unit > 1 else ''}{asset}USDT", asset, unit)


def _some(chance: random.Random, names: tuple[str, ...]) -> list[str]:
    return chance.sample(names, chance.randint(1, len(names)))


def _funding(log: list[Record], chance: random.Random) -> list[Record]:
    """Another topic of the partition: here and there some minutes in which an exchange, so they say, is alive."""
    times = [T0] if log else []
    for record in log:
        if chance.random() < 0.1:
            minutes = chance.sample(range(12), chance.randint(1, 12))
            times += [record.timestamp + minute * MINUTE for minute in sorted(minutes)]
    return [_rate(number, time, chance.choice(EXCHANGES)) for number, time in enumerate(sorted(times))]


def _rate(offset: int, time: int, exchange: str) -> Record:
    record = {
        "exchange": exchange, "symbol": "ZUSDT", "asset": "Z", "funding_rate": 0.0001, "funding_interval_hours": 8.0,
        "next_funding_time": None, "predicted_rate": None, "mark_price": None, "open_interest_usd": None,
        "event_time": time, "ingest_time": time,
    }  # fmt: skip
    return Record(offset, b"Z", encoder().encode("funding", record), time)
