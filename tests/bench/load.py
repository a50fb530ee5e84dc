"""A topic of liquidations as markets make them: Zipf over instruments, bursts, disorder, duplicates.

Deterministic from the seed. Each asset's records lie on the partition that Kafka's own partitioner gives its key.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from streams.codec import wire

EXCHANGES = ("binance", "bybit", "okx", "bitmex", "deribit")
START_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
SCHEMA_ID = 1
LONG_SHARE = 0.7
_LONG_SIDE, _SHORT_SIDE, _BANKRUPTCY = 1, 2, 2


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of days a load is made of: how many records an hour, how large, and how many of them in bursts."""

    per_hour: float
    mean_usd: float
    #: Share of the records that come in bursts, minutes that a burst takes, and bursts a day.
    burst_share: float
    burst_minutes: float
    bursts_a_day: float


KINDS = {
    # 400,000 orders and $0.4B a day: a usual day with every order counted. A burst is $10M in two minutes: some of
    # the largest instruments and assets cross their floors, for about 3 % of the time.
    "ordinary": Kind(400_000 / 24, 1_000, 0.1, 2, 4),
    # 4,000,000 orders and $20B a day, half of them in two hours: 2025-10-10. Cascades are open nearly all the time.
    "storm": Kind(4_000_000 / 24, 5_000, 0.5, 120, 1),
}


@dataclass(frozen=True, slots=True)
class Load:
    """What to make.

    Parameters
    ----------
    kind
        A name of ``KINDS``.
    instruments
        Contracts, shared among the five exchanges; a fifth as many assets.
    hours
        Event time that all records span together; 0: what is usual for so many of this kind.
    disorder_ms
        How far behind the time of its arrival a record may be dated.
    duplicates
        Share of records that are the one before, sent again.

    """

    kind: str = "ordinary"
    instruments: int = 500
    hours: float = 0.0
    disorder_ms: int = 2_000
    duplicates: float = 0.01
    seed: int = 1

    def span_ms(self, count: int) -> int:
        """Return the event time that ``count`` records span."""
        return int((self.hours or count / KINDS[self.kind].per_hour) * HOUR_MS) + 1


def _long(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    return _long(len(text)) + text.encode()


def _times(load: Load, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return event times in order of arrival."""
    kind, span = KINDS[load.kind], load.span_ms(count)
    # Bursts keep their share of the time, whatever that is: a short load is a short piece of the same days.
    bursts = max(1, math.ceil(span / 24 / HOUR_MS * kind.bursts_a_day))
    length = max(1, int(kind.bursts_a_day * kind.burst_minutes / 24 / 60 * span / bursts))
    starts = rng.integers(0, max(1, span - length), bursts)
    calm = rng.integers(0, span, count)
    stormy = starts[rng.integers(0, bursts, count)] + rng.integers(0, length, count)
    arrived = np.sort(np.where(rng.random(count) < kind.burst_share, stormy, calm))
    return START_MS + arrived - rng.integers(0, load.disorder_ms + 1, count)


class Writer:
    """Makes keys and values of liquidations, of instruments that are known from the start."""

    _order = _long(_BANKRUPTCY)
    _sides = (_long(_SHORT_SIDE), _long(_LONG_SIDE))
    _pack = staticmethod(struct.Struct("<d").pack)

    def __init__(self, instruments: int, prefix: str = "A") -> None:
        venues = len(EXCHANGES)
        assets = [f"{prefix}{number // venues}" for number in range(instruments)]
        self.keys = [asset.encode() for asset in assets]
        self._heads = [
            wire.header(SCHEMA_ID) + _text(EXCHANGES[number % venues]) + _text(f"{asset}USDT") + _text(asset)
            for number, asset in enumerate(assets)
        ]

    def write(self, at: int, event_ms: int, is_long: bool, price: float, usd: float, name: str) -> tuple[bytes, bytes]:
        """Return (key, value) of one liquidation of instrument number ``at``."""
        pack = self._pack
        return self.keys[at], b"".join((
            self._heads[at], self._sides[is_long], pack(price), self._order, pack(usd / price), pack(usd),
            _long(event_ms), _long(event_ms + 5), _text(name),
        ))  # fmt: skip


def zipf(instruments: int) -> NDArray[np.float64]:
    """Return the share that each instrument has of all records."""
    weight = 1.0 / np.arange(1, instruments + 1)
    return weight / weight.sum()


def liquidations(count: int, load: Load) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of ``count`` liquidations."""
    rng = np.random.default_rng(load.seed)
    code = rng.choice(load.instruments, count, p=zipf(load.instruments))
    time = _times(load, count, rng)
    long = rng.random(count) < LONG_SHARE
    price = np.exp(rng.normal(0, 0.01, count)) * (10.0 ** (5 - code // len(EXCHANGES) % 8))
    # Heavy-tailed: the mean of Lomax(1.2) is 5.
    usd = np.minimum(rng.pareto(1.2, count) * KINDS[load.kind].mean_usd / 5 + 10, 5e6)
    repeats = rng.random(count) < load.duplicates
    columns = (code, time, long, price, usd, repeats)
    writer, last = Writer(load.instruments), None
    for number, (*fields, repeat) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if last is None or not repeat:
            last = writer.write(*fields, f"L{number}")
        yield last


def produce(broker: str, records: Iterable[tuple[bytes, bytes]], topic: str = "liquidations") -> None:
    """Write records to a topic."""
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for key, value in records:
        while True:
            try:
                producer.produce(topic, key=key, value=value)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
