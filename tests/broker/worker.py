"""`streams worker` as a process against a real Kafka, and what it has written, read back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from kafka.admin import KafkaAdminClient

from streams import cluster, topics
from streams.codec.values import ValueReader
from streams.registries import file_registry
from streams.settings import PREFIX, Settings
from tests.broker.kafka import Kafka, free_ports

READY_SECONDS_MAX = 60.0
CAUGHT_UP_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 20.0
#: Longer than the flush interval, so that what a flush leads to has been written when nothing new has come for so long.
QUIET_SECONDS = 2.0
#: Control records that may lie behind the last record of a partition: two a transaction, most of them aborted.
_TAIL_COUNT = 200


class Worker:
    """A worker that can be started, stopped, killed and started again.

    Parameters
    ----------
    broker
        Its topics must exist.
    app_id
        Consumer group, and prefix of the changelogs.
    folder
        Where its log goes.
    **settings
        Fields of ``Settings``, written as in the environment: ``idle_timeout_ms=0``.

    """

    def __init__(self, broker: Kafka, app_id: str, folder: Path, /, **settings: Any) -> None:
        self.broker = broker
        self.app_id = app_id
        self.settings = settings
        self.log = folder / f"{app_id}-{id(self):x}.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Worker:
        """Start the process; it is not waited for."""
        assert self.process is None, "already running"
        (self.port,) = free_ports(1)
        ours = {"broker": self.broker.bootstrap, "app_id": self.app_id, "web_port": self.port, **self.settings}
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        environment = inherited | {PREFIX + name.upper(): str(value) for name, value in ours.items()}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", "worker"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def stop(self) -> int:
        """Ask it to end in order, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        return self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()

    def wait_until_ready(self, seconds: float = READY_SECONDS_MAX) -> None:
        """Return when it says that it has its partitions and its state."""
        self.wait_until(self._says_ready, seconds, "ready")

    def wait_until_caught_up(self, seconds: float = CAUGHT_UP_SECONDS_MAX) -> None:
        """Return when everything is read and committed, in both stages, and nothing more is written."""
        declared = topics.declared(self.app_id)
        inputs = [topic.name for topic in declared if topic.role == "input"]
        written = [topic.name for topic in declared if topic.role != "input"]
        since, last = time.monotonic(), dict[TopicPartition, int]()

        def quiet() -> bool:
            nonlocal since, last
            ends = log_ends(self.broker, written)
            if ends != last or not self._committed({**log_ends(self.broker, inputs), **last_records(self.broker)}):
                since, last = time.monotonic(), ends
            return time.monotonic() - since >= QUIET_SECONDS

        self.wait_until(quiet, seconds, "at the end of its topics")

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Return when a condition holds; a worker that has gone, or time that has run out, is an error with its log."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is not None, "not running"
            code = self.process.poll()
            assert code is None, f"the worker ended with {code}; its log ends:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"not {what} within {seconds:g} s; its log ends:\n{self.log_tail()}"
            time.sleep(0.2)

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _end(self, how: signal.Signals) -> int:
        assert self.process is not None, "not running"
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _says_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _committed(self, ends: dict[TopicPartition, int]) -> bool:
        committed = committed_offsets(self.broker, self.app_id)
        return all(committed.get((tp.topic, tp.partition), 0) >= end for tp, end in ends.items())


def committed_offsets(broker: Kafka, group: str) -> dict[tuple[str, int], int]:
    """Return what a group has committed."""
    with cluster.admin(Settings(broker=broker.bootstrap)) as client:
        found = _offsets(client, group)
    return {(tp.topic, tp.partition): offset.offset for tp, offset in found.items()}


def _offsets(client: KafkaAdminClient, group: str) -> dict[Any, Any]:
    listed = client.list_group_offsets([group])
    return dict(listed[group])


def log_ends(broker: Kafka, names: list[str]) -> dict[TopicPartition, int]:
    """Return the offset behind the last record, control records included, of each partition."""
    with closing(_consumer(broker)) as consumer:
        partitions = [
            TopicPartition(name, number)
            for name, topic in consumer.list_topics(timeout=10).topics.items()
            if name in names
            for number in topic.partitions
        ]
        return {each: _end(consumer, each) for each in partitions}


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    deadline = time.monotonic() + 10
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, timeout=10)[1])
        except KafkaException as error:
            # A topic that has just been made may have no leader yet.
            if time.monotonic() > deadline or not error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            time.sleep(0.1)


def last_records(broker: Kafka, topic: str = "pane-snapshots") -> dict[TopicPartition, int]:
    """Return the offset behind the last record that readers see: a group's offset never gets beyond that."""
    ends = log_ends(broker, [topic])
    found = dict.fromkeys(ends, 0)
    begins = [TopicPartition(each.topic, each.partition, max(0, end - _TAIL_COUNT)) for each, end in ends.items()]
    for message in _messages(broker, begins):
        found[TopicPartition(topic, message.partition())] = message.offset() + 1
    return found


def read_topic(broker: Kafka, topic: str, *, value_format: str = "avro") -> list[tuple[str, dict[str, Any] | None]]:
    """Return key and record (None: a tombstone) of all committed messages, partition by partition."""
    reader = ValueReader(file_registry(), value_format)
    begins = [TopicPartition(each.topic, each.partition, 0) for each in log_ends(broker, [topic])]
    found = sorted(_messages(broker, begins), key=lambda message: (message.partition(), message.offset()))
    return [
        ((message.key() or b"").decode(), None if message.value() is None else reader.read(message.value()))
        for message in found
    ]


def compacted(messages: list[tuple[str, dict[str, Any] | None]]) -> dict[str, dict[str, Any]]:
    """Return the last record of each key, as compaction leaves it."""
    return {key: record for key, record in dict(messages).items() if record is not None}


def _messages(broker: Kafka, begins: list[TopicPartition]) -> Iterator[Message]:
    with closing(_consumer(broker)) as consumer:
        consumer.assign(begins)
        left = len(begins)
        while left:
            message = consumer.poll(10)
            assert message is not None, f"the broker does not answer; {left} partitions are left to read"
            error = message.error()
            if error is None:
                yield message
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error.str()
                left -= 1


def _consumer(broker: Kafka) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
