"""Quix Streams: long, short and count by key in windows of 60 s. `broker topic app folder kind warm total`."""

from __future__ import annotations

import sys

import liquidation
from progress import Progress
from quixstreams import Application
from quixstreams.models import Deserializer, SerializationContext


class Reader(Deserializer):
    def __call__(self, value: bytes, ctx: SerializationContext) -> liquidation.Liquidation:
        return liquidation.read(value)


def start(each: liquidation.Liquidation) -> list[float]:
    return add([0.0, 0.0, 0], each)


def add(totals: list[float], each: liquidation.Liquidation) -> list[float]:
    totals[not each.is_long] += each.notional_usd
    totals[2] += 1
    return totals


def main() -> None:
    broker, topic, group, folder, kind, warm, total = sys.argv[1:]
    app = Application(
        broker_address=broker,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
        consumer_extra_config={"fetch.message.max.bytes": 4 << 20},
        producer_extra_config={"linger.ms": 100, "batch.size": 256 << 10},
    )
    source = app.topic(
        topic,
        key_deserializer="bytes",
        value_deserializer=Reader(),
        timestamp_extractor=lambda each, headers, timestamp, timestamp_type: each.event_time_ms,
    )
    frame = app.dataframe(source)
    if kind == "hopping":
        windows = frame.hopping_window(60_000, 5_000, grace_ms=2_000)
    else:
        windows = frame.tumbling_window(60_000, grace_ms=2_000)
    progress = Progress(int(warm), int(total), app.stop)
    frame.update(lambda _: progress.step())
    windows.reduce(add, start).final()
    app.run()


if __name__ == "__main__":
    main()
