"""From a record's hand-over to a producer to its cascade, readable by a read-committed consumer.

Every tenth of a second one record of $3M goes to an asset that has had none, and so begins a cascade, among a steady
rate of others: small ones that lead to nothing (*calm*), or $2M a second, which keeps cascades open (*storm*).
Before that, what a worker takes that has nothing to do (*idle*).
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from confluent_kafka import Consumer, Producer

from tests.bench.load import Writer
from tests.bench.measure import sample
from tests.broker.kafka import Kafka
from tests.broker.worker import Worker

RATES = (100, 1_000, 5_000, 20_000)
SECONDS, WARM_SECONDS, PROBES_PER_SECOND = 12, 4, 10
PROBE_USD, CALM_USD, STORM_USD_PER_SECOND = 3e6, 2.0, 2e6
ANSWER_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Latency:
    """What was found at one rate; milliseconds."""

    kind: str
    rate: int
    probes: int
    p50: float
    p99: float
    most: float
    #: CPU of the worker, as a share of one core.
    cores: float


class Watcher:
    """Reads ``cascades`` as a user would and notes when each key is seen first."""

    def __init__(self, broker: Kafka) -> None:
        self.seen: dict[bytes, float] = {}
        self._broker = broker.bootstrap
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        options = {"isolation.level": "read_committed", "auto.offset.reset": "earliest", "group.id": f"w{id(self)}"}
        consumer = Consumer({"bootstrap.servers": self._broker, "fetch.wait.max.ms": 10, **options})
        consumer.subscribe(["cascades"])
        while not self._stop.is_set():
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.seen.setdefault(message.key(), time.monotonic())
        consumer.close()


class Probes:
    """Writes the records that begin cascades and notes when each was handed to the producer.

    The broker's acknowledgement would come a few ms later: what the producer says of it was up to 60 ms wrong.
    """

    def __init__(self, broker: Kafka, count: int, prefix: str) -> None:
        self.sent: dict[bytes, float] = {}
        self._count = count
        # Every fifth instrument is the first of an asset: its key is an asset of its own.
        self._writer = Writer(5 * count, prefix)
        self._producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2_random", "linger.ms": 0}
        )

    def send(self) -> None:
        for number in range(self._count):
            self._one(number)
            self._producer.poll(0)
            time.sleep(1 / PROBES_PER_SECOND)
        self._producer.flush()

    def _one(self, number: int) -> None:
        key, value = self._writer.write(5 * number, int(time.time() * 1000), True, 100.0, PROBE_USD, f"probe{number}")
        self.sent[b"INSTRUMENT|binance|" + key + b"USDT"] = time.monotonic()
        self._producer.produce("liquidations", key=key, value=value)


def at_rate(broker: Kafka, worker: Worker, watcher: Watcher, kind: str, rate: int) -> Latency:
    """Measure one rate."""
    assert worker.process is not None
    usd = CALM_USD if kind == "calm" else STORM_USD_PER_SECOND / rate
    command = [sys.executable, "-m", "tests.bench.pace", broker.bootstrap, str(rate), str(SECONDS + WARM_SECONDS)]
    with subprocess.Popen([*command, str(usd)]):
        time.sleep(WARM_SECONDS)
        probes = Probes(broker, SECONDS * PROBES_PER_SECOND, f"{kind.upper()}{rate}X")
        before = sample(worker.process.pid)
        probes.send()
        after = sample(worker.process.pid)
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while len(probes.sent.keys() & watcher.seen.keys()) < len(probes.sent):
        assert time.monotonic() < deadline, f"cascades are missing at {rate}/s; the log:\n{worker.log_tail()}"
        time.sleep(0.1)
    waited = [(watcher.seen[key] - at) * 1000 for key, at in probes.sent.items()]
    p50, p99 = np.percentile(waited, [50, 99]).tolist()
    cores = (after.cpu - before.cpu) / (after.at - before.at)
    return Latency(kind, rate, len(waited), p50, p99, max(waited), cores)


def idle(worker: Worker) -> Latency:
    """Measure what a worker takes that has nothing to do."""
    assert worker.process is not None
    time.sleep(WARM_SECONDS)
    before = sample(worker.process.pid)
    time.sleep(SECONDS)
    after = sample(worker.process.pid)
    return Latency("idle", 0, 0, 0.0, 0.0, 0.0, (after.cpu - before.cpu) / (after.at - before.at))


def latencies(broker: Kafka, folder: Path, rates: tuple[int, ...] = RATES) -> Iterator[Latency]:
    """Measure all rates, calm ones before the storm's: its cascades stay open."""
    broker.create_topics(partitions=4, app_id="latency")
    with Worker(broker, "latency", folder) as worker, Watcher(broker) as watcher:
        worker.wait_until_ready()
        yield idle(worker)
        for kind in ("calm", "storm"):
            for rate in rates:
                yield at_rate(broker, worker, watcher, kind, rate)
