"""A topic of liquidations as a busy market makes them: Zipf over instruments, bursts, disorder, duplicates.

Deterministic from the seed. Each asset's records lie on the partition that Kafka's own partitioner gives its key.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Producer

from streams.codec import wire

EXCHANGES = ("binance", "bybit", "okx", "bitmex", "deribit")
START_MS = 1_760_000_000_000
SCHEMA_ID = 1


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


def liquidations(
    count: int, *, instruments: int = 500, hours: float = 2.0, seed: int = 1, duplicates: float = 0.01
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of ``count`` liquidations over ``hours`` of event time, a tenth in bursts of two minutes."""
    rng = np.random.default_rng(seed)
    assets = max(1, instruments // len(EXCHANGES))
    heads = [
        wire.header(SCHEMA_ID)
        + _text(EXCHANGES[i % len(EXCHANGES)])
        + _text(f"A{i // len(EXCHANGES)}USDT")
        + _text(f"A{i // len(EXCHANGES)}")
        for i in range(instruments)
    ]
    keys = [f"A{i // len(EXCHANGES)}".encode() for i in range(instruments)]
    weight = 1.0 / np.arange(1, instruments + 1)
    code = rng.choice(instruments, count, p=weight / weight.sum())
    span = int(hours * 3_600_000)
    burst = rng.random(count) < 0.1
    starts = rng.integers(0, span, 40)
    time = np.where(
        burst, starts[rng.integers(0, 40, count)] + rng.integers(0, 120_000, count), rng.integers(0, span, count)
    )
    time = np.sort(time) + START_MS
    time -= rng.integers(0, 2_000, count)
    long = rng.random(count) < 0.7
    price = np.exp(rng.normal(0, 0.01, count)) * (10.0 ** (5 - code % assets % 8))
    usd = np.minimum(rng.pareto(1.2, count) * 600 + 10, 5e6)
    prefix_long, prefix_short = _long(1), _long(2)
    pack = struct.Struct("<d").pack
    kind = _long(2)
    last: tuple[bytes, bytes] | None = None
    repeats = rng.random(count) < duplicates
    columns = zip(
        code.tolist(), time.tolist(), long.tolist(), price.tolist(), usd.tolist(), repeats.tolist(), strict=True
    )
    for number, (at, event, is_long, cost, notional, repeat) in enumerate(columns):
        if repeat and last is not None:
            yield last
            continue
        quantity = notional / cost
        last = keys[at], b"".join((
            heads[at], prefix_long if is_long else prefix_short, pack(cost), kind, pack(quantity), pack(notional),
            _long(event), _long(event + 5), _text(f"L{number}"),
        ))  # fmt: skip
        yield last


def produce(broker: str, count: int, topic: str = "liquidations", **options: object) -> int:
    """Write the load to a topic; return its bytes."""
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    size = 0
    for key, value in liquidations(count, **options):  # type: ignore[arg-type]
        while True:
            try:
                producer.produce(topic, key=key, value=value)
                break
            except BufferError:
                producer.poll(0.1)
        size += len(value)
    producer.flush()
    return size


if __name__ == "__main__":
    print(produce(sys.argv[1], int(sys.argv[2])))
