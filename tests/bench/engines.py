"""Who takes part: how each is started, on how many records, and what is said about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.bench import jvm, peers_python
from tests.bench.catch_up import catch_up
from tests.bench.measure import Run, log_bytes, spoken
from tests.broker.kafka import Kafka

TOPIC = "liquidations"
PEERS = Path(__file__).with_name("peers")


class Place(NamedTuple):
    """Where a run takes place; ``records`` are what one of share 1 reads behind its warm-up of ``warm``."""

    broker: Kafka
    folder: Path
    warm: int
    records: int


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to do the work.

    Parameters
    ----------
    name
        As ``ONLY=`` and the table name it.
    work
        What it does, in the table's words.
    command
        Makes the command line from a place, the name of this run, warm-up and total; None: this job.
    share
        Part of the records that it is given: a slow one would take hours for all of them.
    missing
        Says why it cannot run here.

    """

    name: str
    work: str
    command: Callable[[Place, str], list[str]] | None
    share: float = 1.0
    missing: Callable[[], str | None] = lambda: None

    def counts(self, place: Place) -> tuple[int, int]:
        """Return the records of its warm-up and all of them."""
        return max(1, int(place.warm * self.share)), max(2, int((place.warm + place.records) * self.share))


def jvm_peer(peer: str, main: str, window: str, *options: str) -> Callable[[Place, str], list[str]]:
    def command(place: Place, name: str) -> list[str]:
        path = jvm.compiled(peer, place.folder)
        state = place.folder / name
        return ["java", *jvm.HEAP, *options, "-cp", path, main, place.broker.bootstrap, TOPIC, name, str(state), window]

    return command


def python_peer(module: str, *arguments: str, ours: bool = False) -> Callable[[Place, str], list[str]]:
    """Return the command of a peer in Python: in its own environment, or in ours where ours has what it needs."""

    def command(place: Place, name: str) -> list[str]:
        python = sys.executable if ours else str(peers_python.python())
        state = place.folder / name
        script = str(PEERS / f"{module}.py")
        return [python, script, place.broker.bootstrap, TOPIC, name, str(state), *(arguments or ["-"])]

    return command


ENGINES = (
    Engine("ours", "the whole job: six sliding windows for instruments, assets, exchanges and the market", None),
    Engine(
        "kafka-streams", "tumbling 60 s", jvm_peer("kafka_streams", "KafkaStreamsPeer", "tumbling"),
        missing=jvm.missing,
    ),
    Engine(
        "kafka-streams-memory", "tumbling 60 s, store in memory",
        jvm_peer("kafka_streams", "KafkaStreamsPeer", "tumbling", "-Dstore=memory"), missing=jvm.missing,
    ),
    Engine(
        "kafka-streams-hopping", "60 s every 5 s", jvm_peer("kafka_streams", "KafkaStreamsPeer", "hopping"), 0.25,
        missing=jvm.missing,
    ),
    Engine("flink", "tumbling 60 s", jvm_peer("flink", "FlinkPeer", "tumbling"), missing=jvm.missing),
    Engine("flink-hopping", "60 s every 5 s", jvm_peer("flink", "FlinkPeer", "hopping"), 0.25, missing=jvm.missing),
    Engine("quix", "tumbling 60 s", python_peer("quix_peer", "tumbling"), 1 / 16),
    Engine("quix-hopping", "60 s every 5 s", python_peer("quix_peer", "hopping"), 1 / 64),
    Engine("bytewax", "tumbling 60 s, without a changelog", python_peer("bytewax_peer", "tumbling"), 1 / 16),
    Engine("bytewax-hopping", "60 s every 5 s, without a changelog", python_peer("bytewax_peer", "hopping"), 1 / 32),
    Engine("faust", "tumbling 60 s, one sum", python_peer("faust_guide", "tumbling", ours=True), 1 / 160),
    Engine("faust-hopping", "60 s every 5 s, one sum", python_peer("faust_guide", "hopping", ours=True), 1 / 800),
    Engine("confluent-kafka", "reading alone, in batches", python_peer("read_confluent", ours=True)),
    Engine("aiokafka", "reading alone, getmany", python_peer("read_aiokafka", ours=True)),
)  # fmt: skip


def chosen(names: Iterable[str]) -> list[Engine]:
    """Return the engines of these names, all where there is none."""
    wanted, known = set(names), [engine.name for engine in ENGINES]
    if not wanted <= set(known):
        msg = f"ONLY names {', '.join(sorted(wanted - set(known)))}; there are {', '.join(known)}"
        raise ValueError(msg)
    return [engine for engine in ENGINES if not wanted or engine.name in wanted]


def measured(engine: Engine, place: Place, number: int) -> Run:
    """Run an engine once."""
    name = f"bench-{engine.name}-{number}"
    warm, total = engine.counts(place)
    data = place.broker.folder / "data"
    before = log_bytes(data)
    if engine.command is None:
        span = catch_up(place.broker, place.folder, name, warm, total)
    else:
        span = spoken([*engine.command(place, name), str(warm), str(total)], place.folder / f"{name}.log")
    return Run.of(engine.name, number, span, log_bytes(data) - before, before[TOPIC] / (place.warm + place.records))
