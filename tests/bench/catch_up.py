"""This job, catching up: one worker from the beginning of a topic of liquidations to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.bench.measure import Mark, Span, sample
from tests.broker.kafka import Kafka
from tests.broker.worker import Worker

POLL_SECONDS = 0.02
CATCH_UP_SECONDS_MAX = 300.0


class Group:
    """What the job's consumer group has committed; asking costs neither the job nor the broker much."""

    def __init__(self, broker: Kafka, app: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": app})

    def close(self) -> None:
        self._consumer.close()

    def committed(self, topic: str, partitions: int) -> int:
        """Return the sum of a topic's committed offsets."""
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        try:
            return sum(max(0, each.offset) for each in self._consumer.committed(asked, timeout=60))
        except KafkaException:  # the coordinator is being found: ask again
            return 0

    def end(self, topic: str) -> int:
        """Return the end of partition 0."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)
        return int(end)


@contextmanager
def group(broker: Kafka, app: str) -> Iterator[Group]:
    with closing(Group(broker, app)) as found:
        yield found


def catch_up(broker: Kafka, folder: Path, app: str, warm: int, total: int, partitions: int = 4) -> Span:
    """Run a worker to the end of ``liquidations``, which hold ``total`` records, and say what it took.

    It begins with what is folded when the warm-up is committed, or CPU of before would make records of after.
    At the end a record counts when its transaction is committed: its totals, its outputs and its state are readable.
    """
    broker.create_topics(partitions=partitions, app_id=app)
    # What runs before this one have told their second stages is none of this one's business.
    old = TopicPartition("pane-snapshots", 0, OFFSET_END)
    client = AdminClient({"bootstrap.servers": broker.bootstrap})
    client.delete_records([old])[old].result(60)
    with Worker(broker, app, folder) as worker, group(broker, app) as commits:
        assert worker.process is not None
        pid = worker.process.pid
        marks: list[Mark] = []

        def reached(records: int) -> bool:
            now = commits.committed("liquidations", partitions)
            if now >= records:
                marks.append(Mark(now if marks else worker.folded("liquidations"), sample(pid)))
            return now >= records

        for records in (warm, total):
            worker.wait_until(partial(reached, records), CATCH_UP_SECONDS_MAX, "fast enough", POLL_SECONDS)
        assert marks[0].records < marks[1].records, "too few records: one commit was warm-up and end at once"
        # The second stage has to come as far as the first has told it.
        told = commits.end("pane-snapshots")
        worker.wait_until(
            lambda: commits.committed("pane-snapshots", 1) >= told - 1, CATCH_UP_SECONDS_MAX, "through", POLL_SECONDS
        )
        return Span(*marks, sample(pid).cpu)
