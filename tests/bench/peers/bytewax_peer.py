"""Bytewax: long, short and count by key in windows of 60 s. `broker topic - - kind warm total`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import liquidation
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import cluster_main
from progress import Progress, leave

BATCH = 1_000
LENGTH = timedelta(seconds=60)
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class Nowhere(DynamicSink):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition:
        return Nothing()


class Nothing(StatelessSinkPartition):
    def write_batch(self, items: list) -> None:
        pass


def read(batch: list) -> list[tuple[str, liquidation.Liquidation]]:
    return [(message.key.decode(), liquidation.read(message.value)) for message in batch]


def start() -> list[float]:
    return [0.0, 0.0, 0]


def add(totals: list[float], each: liquidation.Liquidation) -> list[float]:
    totals[not each.is_long] += each.notional_usd
    totals[2] += 1
    return totals


def merge(one: list[float], other: list[float]) -> list[float]:
    return [left + right for left, right in zip(one, other, strict=True)]


def main() -> None:
    broker, topic, _, _, kind, warm, total = sys.argv[1:]
    progress = Progress(int(warm), int(total), leave)  # it has nothing to write when it ends

    def time_of(each: liquidation.Liquidation) -> datetime:
        progress.step()  # asked once for each record
        return datetime.fromtimestamp(each.event_time_ms / 1000, UTC)

    clock = windowing.EventClock(time_of, wait_for_system_duration=timedelta(seconds=2))
    windower = (
        windowing.SlidingWindower(length=LENGTH, offset=timedelta(seconds=5), align_to=EPOCH)
        if kind == "hopping"
        else windowing.TumblingWindower(length=LENGTH, align_to=EPOCH)
    )
    flow = Dataflow("bench")
    messages = op.input("read", flow, KafkaSource([broker], [topic], tail=False, batch_size=BATCH))
    keyed = op.flat_map_batch("decode", messages, read)
    totals = windowing.fold_window("fold", keyed, clock, windower, start, add, merge)
    op.output("out", totals.down, Nowhere())
    cluster_main(flow, [], 0)


if __name__ == "__main__":
    main()
