"""How the job grows where Kafka matters: partitions, workers, a whole day of state. Each on a broker of its own."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.bench.catch_up import CATCH_UP_SECONDS_MAX, POLL_SECONDS, catch_up, group
from tests.bench.load import Load, liquidations, produce
from tests.bench.measure import log_bytes, sample
from tests.broker.kafka import Kafka
from tests.broker.worker import Worker

PARTITIONS = (1, 4, 16, 48)
WORKERS = (1, 2)
INSTRUMENTS = (50, 500, 5_000)
STARTS_MAX = 3
REBALANCE_SECONDS = 3
DAY = Load(hours=24)
#: Written while nobody works: what a worker that comes back has to catch up with.
MISSED_COUNT = 20_000
#: The least that a broker allows, and a little: then the dead worker's partitions are free.
SESSION_MS, SESSION_OVER_SECONDS = 6_000, 7


@dataclass(frozen=True, slots=True)
class Scaled:
    """The job at a number of partitions or workers.

    ``free_cores`` of the machine had nothing to do meanwhile; with none left, the machine is the limit.
    """

    curve: str
    x: int
    per_second: float
    cpu_us: float
    free_cores: float


@dataclass(frozen=True, slots=True)
class Day:
    """A worker that holds a day of some instruments, and one that takes it up after a SIGKILL."""

    instruments: int
    records: int
    memory_mb: float
    changelog_mb: float
    ready_seconds: float
    caught_up_seconds: float


@contextmanager
def fresh_kafka() -> Iterator[Kafka]:
    """Give a broker with nothing on it."""
    with tempfile.TemporaryDirectory() as scratch:
        broker = _started(Path(scratch))
        try:
            yield broker
        finally:
            broker.stop()


def _started(folder: Path) -> Kafka:
    # A port that was free may be taken before the broker has it: a bench of many brokers must not end by that.
    for attempt in range(STARTS_MAX - 1):
        try:
            return Kafka(folder / f"kafka-{attempt}").start()
        except RuntimeError as error:
            print(str(error).partition("\n")[0], "trying again")
    return Kafka(folder / "kafka").start()


def by_partitions(partitions: int, count: int) -> Scaled:
    with fresh_kafka() as broker:
        broker.create_topics(partitions=partitions, app_id="scale")
        produce(broker.bootstrap, liquidations(count, Load()))
        span = catch_up(broker, broker.folder, "scale", count // 4, count, partitions)
    records = span.done.records - span.warm.records
    begun, ended = span.warm.sample, span.done.sample
    seconds = ended.at - begun.at
    free = (ended.machine_idle - begun.machine_idle) / seconds
    return Scaled("partitions", partitions, records / seconds, (ended.cpu - begun.cpu) / records * 1e6, free)


def by_workers(workers: int, count: int) -> Scaled:
    """Let workers that share the partitions already begin all at once: they stand still while the topic is filled."""
    with fresh_kafka() as broker, ExitStack() as stack:
        broker.create_topics(partitions=4, app_id="scale")
        settings = {"session_timeout_ms": 120_000}
        started = [stack.enter_context(Worker(broker, "scale", broker.folder, **settings)) for _ in range(workers)]
        for pause in (REBALANCE_SECONDS, 0):  # the last to come makes the first ones share, and they are ready again
            for worker in started:
                worker.wait_until_ready()
            time.sleep(pause)
        processes = [worker.process for worker in started if worker.process is not None]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        produce(broker.bootstrap, liquidations(count, Load()))
        commits = stack.enter_context(group(broker, "scale"))
        for process in processes:
            process.send_signal(signal.SIGCONT)
        marks = []
        for wanted in (count // 4, count):
            now = _wait(started[0], lambda wanted=wanted: commits.committed("liquidations", 4) >= wanted)
            samples = [sample(process.pid) for process in processes]
            cpu, idle = sum(each.cpu for each in samples), samples[0].machine_idle
            marks.append((sum(worker.folded("liquidations") for worker in started), now, cpu, idle))
    (first, began, cpu, idle), (last, ended, end_cpu, end_idle) = marks
    seconds, records = ended - began, last - first
    return Scaled("workers", workers, records / seconds, (end_cpu - cpu) / records * 1e6, (end_idle - idle) / seconds)


def _wait(worker: Worker, condition: object) -> float:
    worker.wait_until(condition, CATCH_UP_SECONDS_MAX, "done", POLL_SECONDS)  # type: ignore[arg-type]
    return time.monotonic()


def of_a_day(instruments: int, count: int) -> Day:
    """Fill a day, kill the worker, and time the next one from its start, without the dead one's session."""
    load = Load(hours=DAY.hours, instruments=instruments)
    with fresh_kafka() as broker, group(broker, "scale") as commits:
        broker.create_topics(partitions=4, app_id="scale")
        records = liquidations(count, load)
        produce(broker.bootstrap, islice(records, count - MISSED_COUNT))
        # Nothing is written behind the last record: partitions are not given time, each in its own rhythm.
        settings = {"session_timeout_ms": SESSION_MS, "idle_timeout_ms": 0}
        with Worker(broker, "scale", broker.folder, **settings) as worker:
            _wait(worker, lambda: commits.committed("liquidations", 4) >= count - MISSED_COUNT)
            worker.wait_until_caught_up()
            assert worker.process is not None
            memory = sample(worker.process.pid).now_mb
            worker.kill()
        written = log_bytes(broker.folder / "data")["scale-state-changelog"] / 2**20
        produce(broker.bootstrap, records)
        time.sleep(SESSION_OVER_SECONDS)
        began = time.monotonic()
        with Worker(broker, "scale", broker.folder, **settings) as worker:
            worker.wait_until(worker._says_ready, CATCH_UP_SECONDS_MAX, "ready", POLL_SECONDS)
            ready = time.monotonic() - began
            caught_up = _wait(worker, lambda: commits.committed("liquidations", 4) >= count) - began
    return Day(instruments, count, memory, written, ready, caught_up)


def scaled(count: int) -> Iterator[Scaled]:
    """Measure both curves, each point on so many records."""
    for partitions in PARTITIONS:
        yield by_partitions(partitions, count)
    for workers in WORKERS:
        yield by_workers(workers, count)


def days(count: int) -> Iterator[Day]:
    """Measure days of so many records."""
    for instruments in INSTRUMENTS:
        yield of_a_day(instruments, count)
