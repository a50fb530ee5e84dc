"""`make bench`: this job and what people would pick instead, on one broker and one topic, in turn."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.bench.engines import Place, chosen, measured
from tests.bench.load import Load, produce
from tests.broker import kafka

RECORDS, WARM_SHARE, ROUNDS, PARTITIONS = 4_000_000, 0.25, 3, 4


def main() -> None:
    records = int(os.environ.get("RECORDS", RECORDS))
    rounds = int(os.environ.get("ROUNDS", ROUNDS))
    engines = chosen(os.environ.get("ONLY", "").replace(",", " ").split())
    load = Load(os.environ.get("LOAD", "ordinary"), hours=float(os.environ.get("HOURS", "0")))
    with tempfile.TemporaryDirectory() as scratch:
        broker = kafka.Kafka(Path(scratch) / "kafka").start()
        try:
            broker.create_topics(partitions=PARTITIONS, app_id="bench")
            warm = int(records * WARM_SHARE)
            produce(broker.bootstrap, warm + records, load)
            place = Place(broker, Path(scratch), warm, records)
            for number in range(rounds):
                for engine in engines:
                    run = measured(engine, place, number)
                    print(
                        f"{run.engine:24} {run.records:9,} records  {run.per_second:9,.0f}/s  {run.cpu_us:7.2f} µs  "
                        f"{run.closed_cpu_us:7.2f} µs closed  {run.peak_mb:6,.0f} MB  {run.kafka_bytes_each:6.1f} B",
                        flush=True,
                    )
        finally:
            broker.stop()


if __name__ == "__main__":
    reason = kafka.missing()
    if reason is not None:
        sys.exit(reason)
    main()
