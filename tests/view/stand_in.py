"""A stand-in for ``streams worker``: reads liquidations, writes the row of the market and one cascade, says ready.

It lets the demo's own wiring be tested apart from the worker. Its figures are real sums of what it read.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from streams.codec.encode import Encoder
from streams.codec.values import ValueReader
from streams.registries import file_registry

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
HOUR_MS = 3_600_000
QUIET_MS = 30 * 60_000


class Ready(BaseHTTPRequestHandler):
    """Always ready."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Sum:
    """A sliding sum by event time, and the most that it was."""

    def __init__(self, length_ms):
        self.length_ms, self.now, self.most, self.held = length_ms, 0.0, 0.0, deque()

    def add(self, time, usd):
        self.held.append((time, usd))
        self.now += usd
        while self.held[0][0] <= time - self.length_ms:
            self.now -= self.held.popleft()[1]
        self.most = max(self.most, self.now)


def records(broker):
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "stand-in"})
    consumer.assign([TopicPartition("liquidations", n, 0) for n in range(4)])
    reader = ValueReader(file_registry())
    while True:
        found = [reader.read(message.value()) for message in consumer.consume(5_000, 0.1)]
        yield from sorted(found, key=lambda record: record["event_time"])


def example(schema, case, **changes):
    return {**json.loads((EXAMPLES / schema / f"{case}.json").read_text()), **changes}


def highest(usd, at):
    return {"long_usd": usd * 0.9, "short_usd": usd * 0.1, "at": at}


def windows(hour, day):
    bare = dict.fromkeys(("price_low", "price_high", "densest_price_low", "densest_price_high", "densest_usd"))
    counts = {"short_usd": 0.0, "long_count": 1, "short_count": 0, "largest_usd": 1.0}
    return [{"window": name, "long_usd": usd, **counts, **bare} for name, usd in (("1h", hour), ("24h", day))]


def main():
    port, broker = int(os.environ["STREAMS_WEB_PORT"]), os.environ["STREAMS_BROKER"]
    threading.Thread(target=HTTPServer(("127.0.0.1", port), Ready).serve_forever, daemon=True).start()
    encoder, producer = Encoder(file_registry().writers()), Producer({"bootstrap.servers": broker})
    hour, day, loud, written = Sum(HOUR_MS), Sum(24 * HOUR_MS), 0, 0
    for record in records(broker):
        now = record["event_time"]
        hour.add(now, record["notional_usd"])
        day.add(now, record["notional_usd"])
        if record["notional_usd"] > 500_000 and hour.now > 100e6:
            loud = now
        quiet = loud and now > loud + QUIET_MS
        if now < written + 60_000 and not quiet:
            continue
        written = now
        row = example("liquidation-windows", "market", as_of=now, windows=windows(hour.now, day.now))
        producer.produce("liquidation-windows", encoder.encode("liquidation-windows", row), b"MARKET|ALL")
        if quiet:
            changes = {"headline": "Said by a stand-in.", "event_time": now}
            changes |= {"highest_hour": highest(hour.most, now), "highest_day": highest(day.most, now)}
            cascade = example("cascade", "market_subsided", **changes)
            producer.produce("cascades", encoder.encode("cascades", cascade), b"stand-in")
            loud = 0
        producer.flush()


if __name__ == "__main__":
    main()
