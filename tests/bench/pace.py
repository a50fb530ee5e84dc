"""Liquidations at a steady rate, as they happen: `python -m tests.bench.pace broker rate seconds usd`.

A process of its own, so that what it costs delays nothing that is measured.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from confluent_kafka import Producer

from tests.bench.load import EXCHANGES, LONG_SHARE, Writer, zipf

INSTRUMENTS = 500
STEP_SECONDS = 0.005


def pace(broker: str, rate: float, seconds: float, usd: float) -> None:
    """Write ``rate`` records a second, of ``usd`` each on the average."""
    rng = np.random.default_rng(1)
    writer = Writer(INSTRUMENTS)
    producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random", "linger.ms": 1})
    count = int(rate * seconds)
    code = rng.choice(INSTRUMENTS, count, p=zipf(INSTRUMENTS)).tolist()
    sizes = (rng.exponential(usd, count) + 0.01).tolist()
    long = (rng.random(count) < LONG_SHARE).tolist()
    began, sent = time.monotonic(), 0
    while sent < count:
        now = time.monotonic() - began
        due, event_ms = min(count, int(now * rate)), int(time.time() * 1000)
        for number in range(sent, due):
            at = code[number]
            price = 10.0 ** (5 - at // len(EXCHANGES) % 8)
            key, value = writer.write(at, event_ms, long[number], price, sizes[number], f"P{number}")
            producer.produce("liquidations", key=key, value=value)
        sent = due
        producer.poll(0)
        time.sleep(STEP_SECONDS)
    producer.flush()


if __name__ == "__main__":
    pace(sys.argv[1], *map(float, sys.argv[2:5]))
