"""When one side of a market is crowded, by its funding, and when that starts, changes grade and ends.

The rate of an instrument holds from its event time until its next record, or until it is stale. When an asset's
clock, its newest event time, passes the end of a UTC hour, that hour is closed: each instrument's rates become a mean
over time, the asset's is their mean by open interest (where each of them says one; else each counts the same), and
every series is judged. What runs on an asset that has fallen silent is ended by the others, a week after its last
rate has expired. Nothing else decides anything, so the result is a function of the records in log order, and the same
for settlements and for a feed that repeats those rates every second.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from streams.core import crowding_rows as rows
from streams.core.crowding_asset import Asset, Identity, Member, Part, RateInForce, mean_of, weigh
from streams.core.crowding_rows import Key
from streams.core.crowding_rule import GRADES, NANO, CrowdingRule, annualised_nano
from streams.core.crowding_series import DAY_MS, HOUR_MS, Change, Series
from streams.core.errors import InvalidEvent, Reason, other_asset, too_many
from streams.core.events import Funding, PositionSide, Scope, micro_usd
from streams.core.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]
#: What is running ends when its asset has been without a rate for so long by the clocks of the others.
_ENDED_MS = 7 * DAY_MS
#: A rate so little ahead of a moment is of "now", as quotes are.
_AHEAD_MS = 5_000


def _without_headline(_: Record) -> str:
    return ""


class Crowding:
    """The crowded positions of one source partition of ``funding``.

    Parameters
    ----------
    rule
        Thresholds.
    headline
        Makes the sentence of a record, which is complete but for it.

    Examples
    --------
    Three days at 0.10 % per 8 h, as settlements. The grade comes with the 48th hour in a row:

    >>> from streams.core.events import Instrument
    >>> def settled(number, rate):
    ...     time = 1_700_006_400_000 + number * 8 * HOUR_MS
    ...     return Funding(Instrument("binance", "BTCUSDT", "BTC"), rate, 8.0, None, None, None, 2e9, time, time)
    >>> crowding = Crowding(CrowdingRule())
    >>> found = [record for number in range(7) for record in crowding.step(settled(number, 0.001))]
    >>> [(record["scope"], record["phase"], record["grade"]) for record in found]
    [('INSTRUMENT', 'STARTED', 'EXTREME'), ('ASSET', 'STARTED', 'EXTREME')]
    >>> found[1]["event_time"] == 1_700_006_400_000 + 48 * HOUR_MS
    True
    >>> crowding.crowded("BTC", PositionSide.LONG, 1_700_179_200_000)
    ('EXTREME', 1700179200000)

    Three days at the base rate are not crowded:

    >>> crowding = Crowding(CrowdingRule())
    >>> [record for number in range(10) for record in crowding.step(settled(number, 0.0001))]
    []

    """

    def __init__(
        self,
        rule: CrowdingRule,
        headline: Callable[[Record], str] = _without_headline,
        instruments_max: int = 20_000,
        exchanges_max: int = 200,
    ) -> None:
        self.rule = rule
        self._headline = headline
        self._instruments_max, self._exchanges_max = instruments_max, exchanges_max
        self._assets: dict[str, Asset] = {}
        self._exchanges: Counter[str] = Counter()  # instruments of each
        self._asset_of: dict[Identity, str] = {}  # by exchange and symbol
        self._day = -1  # the newest that any asset has seen
        self._dirty: dict[Key, RateInForce | Series | list[int | None] | None] = {}

    def step(self, funding: Funding) -> list[Record]:
        """Fold one record and return what follows, as ``CrowdedPosition`` records.

        A record that is not newer than the newest of its instrument changes nothing: the first one said of a time
        stands, so that a repeat is harmless wherever it comes.

        Raises
        ------
        InvalidEvent
            If it is of one instrument more than there may be, or of one exchange, or its exchange's symbol is
            remembered as another asset's: both would be one key and one id.

        """
        name, time_ms = funding.instrument.asset, funding.event_time_ms
        asset = self._assets.get(name) or Asset((name,))
        identity: Identity = tuple(funding.instrument)
        known = asset.members.get(identity)
        if known is None:
            self._admit(*funding.instrument)
            self._assets[name] = asset
        elif time_ms <= known.rate.event_time_ms:
            return []
        records = self._move_clock(asset, time_ms)
        member = self._member(asset, identity)
        if member is not known:
            member.rate.open_hour(_hour_of(asset.clock_ms))
            member.rate.since_ms = max(member.rate.since_ms, time_ms)
        member.rate.replace(
            time_ms,
            time_ms + round(self.rule.stale_after_intervals * funding.funding_interval_hours * HOUR_MS),
            annualised_nano(funding.funding_rate, funding.funding_interval_hours),
            None if funding.open_interest_usd is None else micro_usd(funding.open_interest_usd),
        )
        self._dirty[Key("r", identity)] = member.rate
        return records

    def _admit(self, exchange: str, symbol: str, asset: str) -> None:
        known = self._asset_of.get((exchange, symbol))
        if known is not None:
            raise InvalidEvent(Reason.OTHER_ASSET, f"{exchange} {symbol} {other_asset(known, asset)}")
        detail = too_many(self.instruments, self._instruments_max, self._exchanges, self._exchanges_max, exchange)
        if detail:
            raise InvalidEvent(Reason.TOO_MANY_INSTRUMENTS, f"funding of {exchange} {symbol} {detail}")

    def _member(self, asset: Asset, identity: Identity) -> Member:
        if identity not in asset.members:
            self._exchanges[identity[0]] += 1
            self._asset_of[identity[:2]] = identity[-1]
        return asset.member(identity)

    def reading(self, asset: str, at_ms: int) -> Reading | None:
        """Return an asset's funding, annualised: the mean of its horizon, or of the rates in force in its first hour.

        Parameters
        ----------
        asset
            Base asset.
        at_ms
            When it is asked for; the age is from the asset's newest record to this. Nothing is known where the asset
            has passed the end of this moment's UTC hour by more than seconds (that hour is in its mean then, and what
            the mean was before is not remembered), or where all its rates are stale.

        """
        found = self._known(asset, at_ms)
        if found is None:
            return None
        value = found.series.value if found.series.hours else found.rate_in_force()
        if value is None:
            return None
        percentile = found.series.percentile(self.rule, value)
        return Reading(value / NANO, percentile, max(0, at_ms - found.clock_ms))

    def crowded(self, asset: str, side: PositionSide, at_ms: int) -> tuple[str, int] | None:
        """Return the grade that is running for an asset's side and since when (ms); None if none was at a moment.

        None too where ``reading`` knows nothing.
        """
        found = self._known(asset, at_ms)
        running = found.series.running if found else None
        if running is None or running.side is not side:
            return None
        return GRADES[running.grade - 1], running.started_ms

    def _known(self, name: str, at_ms: int) -> Asset | None:
        """Return an asset that had a rate in force at a moment, unless it is too far ahead of it to say which."""
        found = self._assets.get(name)
        end_ms = _hour_of(at_ms + _AHEAD_MS) + HOUR_MS
        return found if found and 0 <= found.clock_ms < end_ms and found.knows_a_rate_after(at_ms) else None

    def running(self, at_ms: int) -> Iterator[tuple[str, PositionSide, str]]:
        """Yield asset, side and grade of what is running on assets of which a rate is in force at a moment."""
        for name, asset in self._assets.items():
            running = asset.series.running
            if running is not None and asset.knows_a_rate_after(at_ms):
                yield name, running.side, GRADES[running.grade - 1]

    def rates_in_force(self, at_ms: int) -> Iterator[tuple[Identity, float]]:
        """Yield each instrument whose rate is in force at a moment and its asset's clock, and that rate, annualised."""
        for asset in self._assets.values():
            for identity, member in asset.members.items():
                if member.rate.valid_until_ms > max(asset.clock_ms, at_ms):
                    yield identity, member.rate.annualised / NANO

    @property
    def instruments(self) -> int:
        """How many instruments are remembered."""
        return self._exchanges.total()

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows that changed since the last call, by key; a value of None deletes its row."""
        changed = [(key.encode(), rows.encode(state)) for key, state in self._dirty.items()]
        self._dirty.clear()
        return sorted(changed)

    def load(self, key: bytes, value: bytes) -> None:
        """Put one saved row back; rows may come in any order, all of them before the next step."""
        kind, identity, block = Key.decode(key)
        asset = self._assets.setdefault(identity[-1], Asset((identity[-1],)))
        owner = asset if len(identity) == 1 else self._member(asset, identity)
        if kind == "r":
            rate = rows.decode_rate(value)
            asset.member(identity).rate = rate
            asset.clock_ms = max(asset.clock_ms, rate.event_time_ms)
            self._day = max(self._day, asset.clock_ms // DAY_MS)
        elif block is None:
            owner.series = rows.decode_series(value, owner.series.history)
        else:
            owner.series.history.load(block, rows.decode_block(value))

    def _move_clock(self, asset: Asset, to_ms: int) -> list[Record]:
        if asset.clock_ms < 0:
            asset.clock_ms = to_ms
        records: list[Record] = []
        hour_ms, last_ms = _hour_of(asset.clock_ms), _hour_of(to_ms)
        # A gap of a year is some hours until all rates are stale, and then one step.
        while hour_ms < last_ms and asset.knows_a_rate_at(hour_ms + HOUR_MS):
            hour_ms += HOUR_MS
            records += self._close_hour(asset, hour_ms)
        if hour_ms < last_ms:
            self._open_hour(asset, last_ms)
        if to_ms // DAY_MS > self._day:
            self._day = to_ms // DAY_MS
            for _, each in sorted(self._assets.items()):
                # One that was delisted never speaks again: the others say that its time is over.
                if each is not asset and not each.knows_a_rate_after(to_ms - _ENDED_MS):
                    records += self._end(each)
                self._forget_before(each, to_ms - self.rule.history_days_max * DAY_MS)
                if each is not asset and not each.members:
                    self._forget(each)
                    del self._assets[each.identity[0]]
        asset.clock_ms = max(asset.clock_ms, to_ms)
        return records

    def _open_hour(self, asset: Asset, start_ms: int) -> None:
        for member in asset.members.values():
            member.rate.open_hour(start_ms)
            self._dirty[Key("r", member.identity)] = member.rate

    def _close_hour(self, asset: Asset, end_ms: int) -> list[Record]:
        parts: list[Part] = []
        records: list[Record] = []
        for member in asset.members.values():
            value = member.rate.close_hour(end_ms)
            part = [] if value is None else [Part(member, value, member.rate.weight)]
            parts += part
            records += self._close_series(member, value, part, end_ms)
            self._dirty[Key("r", member.identity)] = member.rate
        return records + self._close_series(asset, mean_of(parts), parts, end_ms)

    def _close_series(self, owner: Asset | Member, value: int | None, parts: list[Part], end_ms: int) -> list[Record]:
        series = owner.series
        if value is None and not series.hours:
            return []
        changes = series.close_empty_hour(self.rule) if value is None else series.close_hour(self.rule, value, end_ms)
        self._dirty[Key("s", owner.identity)] = series
        for number in series.history.changed:
            self._dirty[Key("d", owner.identity, number)] = series.history.blocks.get(number)
        series.history.changed.clear()
        return [self._record(owner, change, parts, end_ms) for change in changes]

    def _end(self, asset: Asset) -> list[Record]:
        """End what is running on an asset of which no rate is in force any more, and let none be in force again."""
        records: list[Record] = []
        owners: list[Asset | Member] = [*asset.members.values(), asset]
        if not any(owner.series.running for owner in owners):
            return records
        until_ms = {member.identity: member.rate.valid_until_ms for member in asset.members.values()}
        for owner in owners:
            end_ms = _hour_of(until_ms.get(owner.identity, max(until_ms.values()))) + HOUR_MS
            records += self._close_series(owner, None, [], end_ms)
        for member in asset.members.values():
            member.rate.valid_until_ms = min(member.rate.valid_until_ms, asset.clock_ms)
            self._dirty[Key("r", member.identity)] = member.rate
        return records

    def _forget_before(self, asset: Asset, oldest_ms: int) -> None:
        for member in [member for member in asset.members.values() if member.rate.event_time_ms < oldest_ms]:
            self._forget(member)
            self._dirty[Key("r", member.identity)] = None
            self._exchanges[member.identity[0]] -= 1
            self._asset_of.pop(member.identity[:2], None)  # state of a version that refused none may have two
            del asset.members[member.identity]
        self._exchanges += Counter()  # without those that have none left

    def _forget(self, owner: Asset | Member) -> None:
        self._dirty[Key("s", owner.identity)] = None
        for number in owner.series.history.blocks:
            self._dirty[Key("d", owner.identity, number)] = None

    def _record(self, owner: Asset | Member, change: Change, parts: list[Part], end_ms: int) -> Record:
        running = change.running
        scope = Scope.ASSET if len(owner.identity) == 1 else Scope.INSTRUMENT
        exchange, symbol = owner.identity[:2] if scope is Scope.INSTRUMENT else (None, None)
        key = "|".join(owner.identity[:2])
        record = {
            "crowded_id": _identify(scope, key, running.side.name, running.started_ms, running.rule_version),
            "sequence": running.sequence,
            "rule_version": running.rule_version,
            "scope": scope.value,
            "key": key,
            "exchange": exchange,
            "symbol": symbol,
            "asset": owner.identity[-1],
            "position_side": running.side.name,
            "phase": change.phase,
            "grade": GRADES[running.grade - 1],
            "funding_rate_annualised": change.value / NANO,
            "percentile": change.percentile,
            "history_days": float(len(owner.series.history.ranked)),
            "streak_hours": float(change.streak_hours),
            "exchanges": _exchanges(parts, end_ms),
            "started": running.started_ms,
            "event_time": end_ms,
            "ended": end_ms if change.phase == "ENDED" else None,
            "headline": "",
        }
        record["headline"] = self._headline(record)
        return record


def _hour_of(time_ms: int) -> int:
    return time_ms // HOUR_MS * HOUR_MS


def _exchanges(parts: list[Part], end_ms: int) -> list[Record]:
    total = sum(weights := weigh(parts))
    return [
        {
            "exchange": part.member.identity[0],
            "symbol": part.member.identity[1],
            "funding_rate_annualised": part.member.series.value / NANO,
            "weight": weight / total,
            "age_ms": max(0, end_ms - part.member.rate.event_time_ms),
        }
        for part, weight in zip(parts, weights, strict=True)
    ]


def _identify(*parts: object) -> str:
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).hexdigest()
