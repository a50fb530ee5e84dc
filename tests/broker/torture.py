"""A run of real workers on real brokers under faults from one seed, and the verdict of the oracle."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from streams import cluster
from tests.broker import clock, judge
from tests.broker.brokers import Brokers
from tests.broker.clock import Clock
from tests.broker.registry import StandIn
from tests.broker.upstream import Upstream
from tests.broker.worker import NO_WORD, Quiet, Worker

APP = "torture"
SESSION_SECONDS, TRANSACTION_SECONDS = 3.0, 3.0
CAUGHT_UP_SECONDS_MAX = 120.0
STEP_SECONDS = 0.1
#: In which the producer writes what falls to one fault; what is longer, it waits for.
_PACE_SECONDS = 4.0
_LEFT_IN_ORDER, _FAILED = 0, 1


@dataclass(frozen=True)
class Plan:
    """What a run is made of."""

    seed: int
    faults: tuple[str, ...]
    brokers: int = 1
    workers: int = 1
    registry: bool = False
    clocks: bool = False
    again: bool = False  # a second run over the same log, which needs one without ticks
    records_max: int = 1_500
    settings: dict[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ("-m", "streams", "worker")


class Torture:
    """Brokers, a producer, workers that somebody starts again when they end, and what is done to them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.plan = plan
        self.folder = folder
        self.chance = random.Random(f"torture-{plan.seed}")
        self.story: list[str] = []
        self.did: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.problems: list[str] = []
        self.differences: list[str] = []  # those of them that the judge has found
        self.seen: Counter[str] = Counter()  # messages that were right, by kind
        self.began = time.monotonic()
        self.brokers = Brokers(folder / "kafka", plan.brokers)
        self.registry = StandIn() if plan.registry else None
        self.workers: list[Worker] = []
        self.clocks: list[Clock] = []
        self.paused: dict[Worker, float] = {}  # and when each is woken
        self.slowest_end = 0.0
        self.outage = False
        self.upstream: Upstream | None = None
        self.settings = self._settings()

    def _settings(self) -> dict[str, Any]:
        chance = self.chance
        found = {f"cascade_{scope}_floor_usd": floor for scope, floor in judge.FLOORS.items()}
        found |= {
            "transaction_timeout_ms": int(TRANSACTION_SECONDS * 1000),
            "session_timeout_ms": int(SESSION_SECONDS * 1000),
            "flush_interval_ms": chance.choice([20, 50, 200, 500]),
            "idle_timeout_ms": chance.choice([0, 300, 1_000]),
            "log_format": "json",
        }
        if self.registry is not None:
            found["registry_url"] = self.registry.url
        return found | self.plan.settings

    # ---------------------------------------------------------------- a run

    def begin(self) -> None:
        """Start everything, with records in each partition before anybody looks."""
        self.brokers.start()
        seconds = _PACE_SECONDS * len(self.plan.faults)
        self.upstream = Upstream(self.brokers, self.plan.seed, self.plan.records_max, seconds)
        self.brokers.create_topics(self.upstream.partitions, APP)
        self.upstream.first()
        self.upstream.start()
        for _ in range(self.plan.workers):
            self.add_worker()

    def await_moment(self) -> None:
        """Wait until there is something to lose, mostly; sometimes strike at once."""
        chance = self.chance
        if chance.random() < 0.75:
            self.wait(30.0, lambda: any(worker.has_flushed() for worker in self.awake()))
        self.wait(chance.choice([0.0, chance.uniform(0, 0.3), chance.uniform(0, 2.0)]))

    def release(self, number: int) -> None:
        """Let the producer write what falls to a fault (from 1): none shall find that all has been written."""
        assert self.upstream is not None
        self.upstream.keep(1 - number / len(self.plan.faults))

    def heal(self) -> None:
        """Let everything run, write the rest, and let one last worker come to the end of it; judge what is there."""
        if self.registry is not None:
            self.registry.mode = "fine"
        assert self.upstream is not None
        self.upstream.finish()
        for worker in list(self.paused):
            self.wake(worker)
        for worker in list(self.workers):
            self.leave(worker)
        # Time that is given for ever would never be at its end.
        self.settings["idle_timeout_ms"] = 0
        if self.read_to_the_end(APP):
            verdict = judge.verdict(self.brokers, APP)
            self.differences, self.seen = verdict.problems, verdict.seen
            self.problems += verdict.problems
        if self.plan.again and not self.problems:
            self.run_again()

    def read_to_the_end(self, app_id: str) -> bool:
        """Let one worker that nobody hurts come to the end of the log."""
        self.tell(f"the last worker of {app_id}")
        worker, quiet = self.add_worker(app_id), Quiet(self.brokers, app_id)
        if not self.wait(CAUGHT_UP_SECONDS_MAX, lambda: _answered(quiet)):
            behind = quiet.behind()
            self.problems.append(f"not at the end within {CAUGHT_UP_SECONDS_MAX:g} s; (at, end): {behind}")
            return False
        self.leave(worker)
        return True

    def run_again(self) -> None:
        """A second run over the same log says the same."""
        assert self.upstream is not None
        before = judge.said(self.brokers)
        self.brokers.empty_outputs(self.upstream.partitions, "again")
        if self.read_to_the_end("again"):
            after = judge.said(self.brokers)
            self.problems += [f"the second run has other {name}" for name in before if before[name] != after[name]]

    def leave(self, worker: Worker) -> None:
        """Ask a worker to go for good; it has 10 seconds."""
        self.workers.remove(worker)
        if worker.process is None:
            return
        began = time.monotonic()
        try:
            self.count_end(worker, worker.stop())
        except subprocess.TimeoutExpired:
            self.problems.append(f"SIGTERM was not enough within 20 s:\n{worker.log_tail()}")
        took = time.monotonic() - began
        self.slowest_end = max(took, self.slowest_end)

    def end(self) -> None:
        for worker in self.workers:
            if worker.process is not None:
                worker.kill()
        self.brokers.kill()
        if self.registry is not None:
            self.registry.stop()

    # ---------------------------------------------------------------- somebody looks after them

    def add_worker(self, app_id: str = APP) -> Worker:
        environment = {}
        if self.plan.clocks and clock.missing() is None:
            self.clocks.append(Clock(self.folder))
            self.clocks[-1].set(self.chance.choice([-3_600.0, 0.0, 3_600.0]))
            environment = self.clocks[-1].environment
        worker = Worker(
            self.brokers, app_id, self.folder, command=self.plan.command, environment=environment, **self.settings
        )
        self.workers.append(worker.start())
        return worker

    def wait(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, looking after the workers; return whether the condition has come true."""
        deadline = time.monotonic() + seconds
        while True:
            self.tend()
            if until is not None and until():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(STEP_SECONDS, left))

    def tend(self) -> None:
        """Wake who has slept enough, and start again who has ended."""
        for worker, due in list(self.paused.items()):
            if time.monotonic() >= due:
                self.wake(worker)
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is not None:
                self.count_end(worker, worker.process.returncode)
                worker.process = None
            if worker.process is None and not self.outage:
                worker.start()

    def count_end(self, worker: Worker, code: int) -> None:
        reason = worker.last_words() if code == _FAILED else ""
        self.ended[f"{code} {reason}".strip()] += 1
        if reason == NO_WORD:
            self.problems.append(f"a worker ended with 1 and did not say why:\n{worker.log_tail(80)}")
        if code not in {_LEFT_IN_ORDER, _FAILED, -signal.SIGKILL, -signal.SIGTERM}:
            self.problems.append(f"a worker ended with {code}:\n{worker.log_tail()}")

    def awake(self) -> list[Worker]:
        return [
            worker
            for worker in self.workers
            if worker.process is not None and worker.process.poll() is None and worker not in self.paused
        ]

    def sleep(self, worker: Worker, seconds: float) -> None:
        worker.pause()
        self.paused[worker] = time.monotonic() + seconds

    def wake(self, worker: Worker) -> None:
        if self.paused.pop(worker, None) is not None and worker.process is not None:
            self.tell("a zombie wakes")
            worker.resume()

    def worker_at(self, port: int) -> Worker | None:
        """Return the worker that holds a connection from a port."""
        return next((each for each in self.awake() if each.process and port in ports_of(each.process.pid)), None)

    def tell(self, what: str) -> None:
        self.story.append(f"{time.monotonic() - self.began:7.1f} s  {what}")


def _answered(condition: Callable[[], bool]) -> bool:
    """Ask something of brokers that may just be choosing a leader."""
    try:
        return condition()
    except (KafkaException, KafkaError, cluster.ClusterProblem):
        return False


def ports_of(pid: int) -> set[int]:
    """Return the local ports of a process's connections, as Linux tells them."""
    try:
        links = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return set()
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    return {int(line.split()[1].split(":")[1], 16) for line in lines if line.split()[9] in sockets}
