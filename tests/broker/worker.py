"""`streams worker` as a process against a real Kafka, and what it has written, read back."""

from __future__ import annotations

import http.client
import json
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
from tests.broker.kafka import free_ports

READY_SECONDS_MAX = 60.0
CAUGHT_UP_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 20.0
#: Longer than the flush interval, so that what a flush leads to has been written when nothing new has come for so long.
QUIET_SECONDS = 2.0
#: Of a worker that ended by itself and did not say why.
NO_WORD = "without a word"
#: What readers do not see may lie behind the last record of a partition: markers of transactions, and aborted ones.
_TAIL_COUNT = 2_000


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
    command
        What to run instead of ``streams worker``.
    environment
        What the process finds there beside its settings.
    **settings
        Fields of ``Settings``, written as in the environment: ``idle_timeout_ms=0``.

    """

    def __init__(
        self,
        broker: Any,
        app_id: str,
        folder: Path,
        /,
        *,
        command: tuple[str, ...] = ("-m", "streams", "worker"),
        environment: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.broker = broker
        self.app_id = app_id
        self.command = command
        self.environment = environment or {}
        self.settings = settings
        self.log = folder / f"{app_id}-{id(self):x}.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Worker:
        """Start the process; it is not waited for."""
        assert self.process is None, "already running"
        (self.port,) = free_ports(1)
        way = getattr(self.broker, "proxied", self.broker.bootstrap)
        ours = {"broker": way, "app_id": self.app_id, "web_port": self.port, **self.settings}
        # Where Python may not keep what it has compiled, a start is mostly compiling: two to three seconds of it.
        left = (PREFIX, "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(left)}
        environment = inherited | {PREFIX + name.upper(): str(value) for name, value in ours.items()} | self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
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

    def pause(self) -> None:
        assert self.process is not None, "not running"
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None, "not running"
        self.process.send_signal(signal.SIGCONT)

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
        quiet = Quiet(self.broker, self.app_id)
        self.wait_until(quiet, seconds, "at the end of its topics")

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str, poll_seconds: float = 0.2) -> None:
        """Return when a condition holds; a worker that has gone, or time that has run out, is an error with its log."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is not None, "not running"
            code = self.process.poll()
            assert code is None, f"the worker ended with {code}; its log ends:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"not {what} within {seconds:g} s; its log ends:\n{self.log_tail()}"
            time.sleep(poll_seconds)

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def last_words(self) -> str:
        """Return the reason that it gave last for ending by itself."""
        lines = self.log.read_text(errors="replace").splitlines()
        # Python itself may write in front of it, from another thread, and knows no lock of logging's.
        found = [line[line.index('{"') :] for line in lines if '"worker_stopped"' in line and '{"' in line]
        return str(json.JSONDecoder().raw_decode(found[-1])[0]["reason"]) if found else NO_WORD

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

    def has_flushed(self) -> bool:
        """Say whether it has committed a transaction since it started."""
        return "streams_last_flush_age_seconds{" in (self._page("metrics") or "")

    def folded(self, topic: str) -> int:
        """Return how many records of a topic it has read; whether or not that is committed."""
        begin = f'streams_records_consumed_total{{topic="{topic}"}} '
        page = self._page("metrics")
        assert page is not None, "the worker did not say"
        return sum(int(float(line.removeprefix(begin))) for line in page.splitlines() if line.startswith(begin))

    def _says_ready(self) -> bool:
        return self._page("readyz") is not None

    def _page(self, name: str) -> str | None:
        """Return a page of it; None where it does not answer, or not well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=1) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            return None


class Quiet:
    """Whether a group has committed all that there is, in both stages, and writes nothing more."""

    def __init__(self, broker: Any, group: str) -> None:
        self.broker, self.group = broker, group
        declared = topics.declared(group)
        self._inputs = [topic.name for topic in declared if topic.role == "input"]
        self._written = [topic.name for topic in declared if topic.role != "input"]
        self._since, self._last = time.monotonic(), dict[TopicPartition, int]()

    def __call__(self) -> bool:
        ends = log_ends(self.broker, self._written)
        if ends != self._last or self.behind():
            self._since, self._last = time.monotonic(), ends
        return time.monotonic() - self._since >= QUIET_SECONDS

    def behind(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (committed, end) of the partitions in which readers see more than the group has committed."""
        committed = committed_offsets(self.broker, self.group)
        ends = last_records(self.broker, *self._inputs, "pane-snapshots")
        named = {(tp.topic, tp.partition): end for tp, end in ends.items()}
        return {name: (committed.get(name, 0), end) for name, end in named.items() if committed.get(name, 0) < end}


def committed_offsets(broker: Any, group: str) -> dict[tuple[str, int], int]:
    """Return what a group has committed."""
    with cluster.admin(Settings(broker=broker.bootstrap)) as client:
        found = _offsets(client, group)
    return {(tp.topic, tp.partition): offset.offset for tp, offset in found.items()}


def _offsets(client: KafkaAdminClient, group: str) -> dict[Any, Any]:
    listed = client.list_group_offsets([group])
    return dict(listed[group])


def log_ends(broker: Any, names: list[str]) -> dict[TopicPartition, int]:
    """Return the offset behind the last record, control records included, of each partition."""
    with closing(_consumer(broker)) as consumer:
        return {each: _end(consumer, each) for each in _listed(consumer, names)}


def listed(broker: Any, names: list[str]) -> list[TopicPartition]:
    """Return the partitions of those topics that exist."""
    with closing(_consumer(broker)) as consumer:
        return _listed(consumer, names)


def _listed(consumer: Consumer, names: list[str]) -> list[TopicPartition]:
    found = consumer.list_topics(timeout=10).topics
    return [TopicPartition(name, number) for name in names if name in found for number in found[name].partitions]


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    deadline = time.monotonic() + 30
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, timeout=10)[1])
        except KafkaException:
            # A topic that has just been made, or whose broker has just died, may have no leader yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def last_records(broker: Any, *names: str) -> dict[TopicPartition, int]:
    """Return the offset behind the last record that readers see: a group's offset never gets beyond that."""
    ends = log_ends(broker, list(names))
    found = dict.fromkeys(ends, 0)
    begins = [TopicPartition(each.topic, each.partition, max(0, end - _TAIL_COUNT)) for each, end in ends.items()]
    for message in _messages(broker, begins):
        found[TopicPartition(message.topic(), message.partition())] = message.offset() + 1
    return found


def read_topic(broker: Any, topic: str, *, value_format: str = "avro") -> list[tuple[str, dict[str, Any] | None]]:
    """Return key and record (None: a tombstone) of all committed messages, partition by partition."""
    reader = ValueReader(file_registry(), value_format)
    return [
        ((message.key() or b"").decode(), None if message.value() is None else reader.read(message.value()))
        for message in read_messages(broker, topic)
    ]


def read_messages(broker: Any, topic: str) -> list[Message]:
    """Return all committed messages, partition by partition."""
    begins = [TopicPartition(each.topic, each.partition, 0) for each in log_ends(broker, [topic])]
    return sorted(_messages(broker, begins), key=lambda message: (message.partition(), message.offset()))


def compacted(messages: list[tuple[str, dict[str, Any] | None]]) -> dict[str, dict[str, Any]]:
    """Return the last record of each key, as compaction leaves it."""
    return {key: record for key, record in dict(messages).items() if record is not None}


def _messages(broker: Any, begins: list[TopicPartition]) -> Iterator[Message]:
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


def _consumer(broker: Any) -> Consumer:
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
