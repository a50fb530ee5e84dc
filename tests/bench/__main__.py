"""`make bench`: this job and what people would pick instead, on one broker and one topic, in turn.

Environment: ``ROUNDS``, ``RECORDS`` behind the warm-up; ``LOAD`` and ``HOURS`` of event time, the main table's topic;
``ONLY`` some engines, or parts (``storm latency growth scale``). ``RESULTS.md`` is written where neither ``ONLY`` nor
another load is asked for; ``RESUME=1`` then does only what a run that fell over has left undone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import growth, peers_python, report, scale
from tests.bench.engines import Engine, Place, chosen, measured
from tests.bench.latency import latencies
from tests.bench.load import Load, liquidations, produce
from tests.bench.measure import Run
from tests.bench.results import Results, machine
from tests.broker import kafka

HERE = Path(__file__).parent
SAVED = HERE.parents[1] / "build" / "bench" / "results.json"
PARTITIONS, WARM_SHARE = 4, 0.25
#: With fewer, a worker is at the end before its first commit.
SCALE_COUNT_MIN = 200_000
PARTS = ("storm", "latency", "growth", "scale")
#: Who is measured in the storm too: those that come near.
NEAR = ("ours", "kafka-streams", "kafka-streams-memory", "kafka-streams-hopping", "flink", "flink-hopping")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    records: int
    rounds: int
    load: Load
    engines: list[Engine]
    parts: list[str]
    whole: bool

    @classmethod
    def from_environment(cls) -> Plan:
        only = os.environ.get("ONLY", "").replace(",", " ").split()
        parts = [name for name in only if name in PARTS]
        names = [name for name in only if name not in PARTS]
        load = Load(os.environ.get("LOAD", "ordinary"), hours=float(os.environ.get("HOURS", "0")))
        return cls(
            int(os.environ.get("RECORDS", "4_000_000")),
            int(os.environ.get("ROUNDS", "3")),
            load,
            chosen(names) if names or not only else [],
            parts if only else list(PARTS),
            not only and load == Load(),
        )


def runs(plan: Plan, engines: list[Engine], load: Load, rounds: int) -> Iterator[Run]:
    """Run the engines in turn, round by round, on a topic of their own."""
    with scale.fresh_kafka() as broker, tempfile.TemporaryDirectory() as scratch:
        broker.create_topics(partitions=PARTITIONS, app_id="bench")
        warm = int(plan.records * WARM_SHARE)
        produce(broker.bootstrap, liquidations(warm + plan.records, load))
        place = Place(broker, Path(scratch), warm, plan.records)
        for number in range(rounds):
            for engine in engines:
                reason = engine.missing()
                if reason is not None:
                    print(f"{engine.name} {reason}")
                    continue
                run = measured(engine, place, number)
                print(
                    f"{run.engine:22} {run.records:9,} records {run.per_second:9,.0f}/s {run.cpu_us:8.2f} µs "
                    f"({run.closed_cpu_us:.2f} closed) {run.peak_mb:6,.0f} MB {run.kafka_bytes:6.1f} B "
                    f"({run.changelog_bytes:.1f} changelog)",
                    flush=True,
                )
                yield run


def said(found: Iterator[Any]) -> Iterator[Any]:
    for each in found:
        print(each, flush=True)
        yield each


def main() -> None:
    reason = kafka.missing()
    if reason is not None:
        sys.exit(reason)
    try:
        plan = Plan.from_environment()
    except ValueError as error:
        sys.exit(f"{error}, and the parts {', '.join(PARTS)}")
    results = begun(plan)
    try:
        measure(plan, results)
    finally:
        if plan.whole:
            results.save(SAVED)  # also what was found before something fell over
    if plan.whole:
        write(results)


def begun(plan: Plan) -> Results:
    """Return what there is before anything is measured."""
    if plan.whole and os.environ.get("RESUME"):
        return Results.load(SAVED)
    return Results(machine()) if plan.whole else Results()


def measure(plan: Plan, results: Results) -> None:
    """Do what is planned and not done yet, one part after the other."""
    if plan.engines and not results.ordinary:
        results.ordinary += runs(plan, plan.engines, plan.load, plan.rounds)
    if "storm" in plan.parts and not results.storm:
        results.storm += runs(plan, chosen(NEAR), Load("storm"), 1)
    if "latency" in plan.parts and not results.latencies:
        with scale.fresh_kafka() as broker:
            results.latencies += said(latencies(broker, broker.folder))
    if "growth" in plan.parts and not results.costs:
        results.costs += said(growth.costs(plan.records // 20))
    if "scale" in plan.parts:
        few = max(SCALE_COUNT_MIN, plan.records * 3 // 20)
        if not results.scaled:
            results.scaled += said(scale.scaled(few))
        results.days += said(scale.days(few))


def write(results: Results) -> None:
    """Make ``RESULTS.md`` and its plots from the figures that were kept."""
    (HERE / "RESULTS.md").write_text(report.text(results))
    subprocess.run([str(peers_python.python()), str(HERE / "plots.py"), str(SAVED), str(HERE)], check=True)
    print(report.targets_table(results))


if __name__ == "__main__":
    main()
