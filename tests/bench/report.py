"""Writes ``RESULTS.md`` from what a bench has found: tables, targets, plots, and a sentence for each curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import NamedTuple

from tests.bench.engines import ENGINES
from tests.bench.growth import Cost
from tests.bench.latency import Latency
from tests.bench.load import KINDS
from tests.bench.measure import Run
from tests.bench.results import Results

HOW = """\
One worker or one thread of each, on one broker that shares the machine, on one topic, in turn; the engines take turns
within a round. A record is about 70 bytes of Avro of eleven fields, keyed by its asset, so that nobody has to
repartition. The topic is filled before anybody starts. A quarter as many records again come first and are the warm-up.
CPU is the engine's own process, user and system; *closed* adds what an engine had put off until it was stopped.

* **This job** does all of its work: six sliding windows by the second for 500 instruments, 100 assets, five exchanges
  and the market, price bands, duplicates removed, cascades, dead letters, every flush a transaction. A record counts
  when its transaction is committed. As shipped.
* **The others** keep long, short and count of each key (100 assets) in one 60 s window, and decode three fields by
  hand, because that is faster than any Avro library. A record counts when it has been added, though nothing may have
  been written by then.
* **Kafka Streams**: its store in RocksDB or (`-memory`) in memory, with a changelog, at least once, 64 MiB of cache
  (default 10), commits every 30 s (default), 5,000 records a poll, fetches of 4 MiB, 100 ms of linger, batches of
  256 KiB, a retention of a day (with its default of a little over the window, RocksDB opens a store for each minute of
  event time); 1 GiB heap, parallel collector.
* **Flink**: parallelism 1, state on the heap, checkpoints every 5 s to files, object reuse, no `keyBy` (the stream is
  reinterpreted as keyed, so that nothing is shuffled), closed windows thrown away; heap and fetches as above.
* **Quix Streams**: RocksDB with its changelog, commits every 5 s (default), fetches of 4 MiB, 100 ms of linger.
* **Bytewax**: batches of 1,000 from Kafka, one worker, no recovery store, so nothing is kept anywhere.
* **Faust** as its guide shows it: a windowed table and `+=`, one sum for each key and side, in memory, with its
  changelog.
* **Reading alone**: batches of 10,000 (`confluent-kafka`), `getmany` (`aiokafka`), nothing decoded.
"""

CURVES = {
    "instruments": "Folding does not ask how many instruments there are; a cut writes one row for each that changed.",
    "batch": "A batch has a fixed price, and few records must share it: this is why small fetches are waited for.",
    "disorder": "A record finds its pane by its second wherever that lies. More panes are touched, and rows written.",
    "duplicates": "A repeat costs its decoding and its look-up, and nothing behind that.",
    "density, ordinary": "The thinner the time, the more seconds there are to keep, to let go of and to write.",
    "density, storm": "The same where cascades are open, whose assets are followed record by record.",
}

SCALES = {
    "partitions": "Each is a unit with transactions of its own, and a fetch brings fewer records of each.",
    "workers": "They share the machine with each other and with the broker: with few cores that is the limit.",
}


class Target(NamedTuple):
    """One line of the targets; ``at_least`` says which way is better."""

    what: str
    must: float
    aim: float
    value: float | None
    at_least: bool = True


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), ["---"] * len(list(head)), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def of(runs: list[Run], engine: str) -> list[Run]:
    return [run for run in runs if run.engine == engine]


def spread(runs: list[Run], value: Callable[[Run], float]) -> str:
    """Return median and, of several, the least and the most."""
    values = sorted(map(value, runs))
    text = number(median(values))
    return text if len(values) == 1 else f"{text} ({number(values[0])}–{number(values[-1])})"


def speed(runs: list[Run], engine: str) -> float | None:
    mine = of(runs, engine)
    return median(run.per_second for run in mine) if mine else None


def engines_table(runs: list[Run]) -> str:
    ours = speed(runs, "ours")
    rows = []
    for engine in ENGINES:
        mine = of(runs, engine.name)
        if mine:
            theirs = median(run.per_second for run in mine)
            rows.append((
                engine.name, engine.work, number(mine[0].records), spread(mine, lambda run: run.per_second),
                spread(mine, lambda run: run.cpu_us), spread(mine, lambda run: run.closed_cpu_us),
                spread(mine, lambda run: run.peak_mb), spread(mine, lambda run: run.kafka_bytes),
                spread(mine, lambda run: run.disk_bytes),
                number(ours / theirs) if ours else "",
            ))  # fmt: skip
    head = ("engine", "work", "records", "events/s", "µs CPU/event", "closed", "peak MB", "bytes to Kafka/event",
            "to disk", "ours is faster, ×")  # fmt: skip
    return table(head, rows)


def targets(results: Results) -> list[Target]:
    runs, ours = results.ordinary, speed(results.ordinary, "ours")

    def against(engine: str) -> float | None:
        theirs = speed(runs, engine)
        return ours / theirs if ours and theirs else None

    def cpu(runs: list[Run]) -> float | None:
        return median(run.cpu_us for run in runs) if runs else None

    calm = {each.rate: each for each in results.latencies if each.kind == "calm"}.get(5_000)
    costs = {each.x: each.fold_us + each.cut_us for each in results.costs if each.curve == "instruments"}
    workers = {each.x: each.per_second for each in results.scaled if each.curve == "workers"}
    day = {each.instruments: each for each in results.days}.get(5_000)
    storm = of(results.storm, "ours")
    written = median(run.changelog_bytes / run.input_bytes for run in storm) if storm else None
    return [
        Target("events/s against Kafka Streams, tumbling", 1, 1.5, against("kafka-streams")),
        Target("events/s against Kafka Streams, hopping", 4, 4, against("kafka-streams-hopping")),
        Target("events/s against Flink, hopping", 2.5, 2.5, against("flink-hopping")),
        Target("events/s against Quix Streams, hopping", 40, 40, against("quix-hopping")),
        Target("events/s against Faust, hopping", 600, 600, against("faust-hopping")),
        Target("µs CPU an event", 2.5, 1.3, cpu(of(runs, "ours")), at_least=False),
        Target("p50 at 5,000 events/s, ms", 100, 20, calm and calm.p50, at_least=False),
        Target("p99 at 5,000 events/s, ms", 100, 50, calm and calm.p99, at_least=False),
        Target("cores at 5,000 events/s", 0.4, 0.15, calm and calm.cores, at_least=False),
        Target("CPU of 50,000 instruments against 500", 2, 1.3,
               costs[50_000] / costs[500] if costs else None, at_least=False),
        Target("changelog bytes ÷ input bytes in the storm", 0.3, 0.1, written, at_least=False),
        Target("MB with a day of 5,000 instruments", 500, 250, day and day.memory_mb, at_least=False),
        Target("s from start to caught up behind a SIGKILL, 5,000 instruments", 5, 2,
               day and day.caught_up_seconds, at_least=False),
        Target("two workers against one", 1.6, 1.9, workers[2] / workers[1] if workers else None),
    ]  # fmt: skip


def verdict(target: Target) -> str:
    if target.value is None:
        return "not measured"
    met = [bound for bound in ("aim", "must") if _meets(target, getattr(target, bound))]
    return f"{met[0]} met" if met else "**missed**"


def _meets(target: Target, bound: float) -> bool:
    assert target.value is not None
    return target.value >= bound if target.at_least else target.value <= bound


def targets_table(results: Results) -> str:
    rows = [
        (each.what, ("≥ " if each.at_least else "≤ ") + number(each.must), number(each.aim),
         "–" if each.value is None else number(each.value), verdict(each))
        for each in targets(results)
    ]  # fmt: skip
    return table(("target", "must", "aim", "measured", ""), rows)


def latency_table(latencies: list[Latency]) -> str:
    rows = [
        (each.kind, number(each.rate), str(each.probes),
         *(number(ms) if each.probes else "–" for ms in (each.p50, each.p99, each.most)), f"{each.cores:.2f}")
        for each in latencies
    ]  # fmt: skip
    return table(("", "events/s", "onsets", "p50 ms", "p99 ms", "max ms", "cores of the worker"), rows)


def curve_lines(costs: list[Cost]) -> str:
    lines = []
    for curve, why in CURVES.items():
        points = [each for each in costs if each.curve == curve]
        if points:
            said = ", ".join(f"{number(each.x)}: {each.fold_us + each.cut_us:.2f}" for each in points)
            lines.append(f"* **{curve}** → µs an event: {said}. {why}")
    return "\n".join(lines)


def scaled_lines(results: Results) -> str:
    lines = []
    for curve, why in SCALES.items():
        points = [each for each in results.scaled if each.curve == curve]
        if points:
            said = ", ".join(
                f"{each.x}: {number(each.per_second)} events/s, {each.cpu_us:.2f} µs, {each.free_cores:.2f} cores free"
                for each in points
            )
            lines.append(f"* **{curve}**, through Kafka → {said}. {why}")
    lines += [
        f"* **A day of {number(each.instruments)} instruments** ({number(each.records)} records): "
        f"{each.memory_mb:.0f} MB, {each.changelog_mb:.1f} MB of changelog before compaction; after a SIGKILL ready in "
        f"{each.ready_seconds:.1f} s and caught up in {each.caught_up_seconds:.1f} s."
        for each in results.days
    ]
    return "\n".join(lines)


def loads_line() -> str:
    return "\n".join(
        f"* `{name}`: {kind.per_hour * 24:,.0f} records and ${kind.per_hour * 24 * kind.mean_usd / 1e9:.1f}B a day "
        f"({kind.per_hour / 3_600:.1f} records a second of event time), {kind.burst_share:.0%} of them in bursts of "
        f"{kind.burst_minutes:g} minutes, {kind.bursts_a_day:g} a day."
        for name, kind in KINDS.items()
    )


def catching_up(results: Results) -> str:
    return f"""\
## Catching up: `ordinary`

{loads_line()}

Zipf over 500 instruments of five exchanges, up to 2 s of disorder, 1 % duplicates. The table is of `ordinary`.

{engines_table(results.ordinary)}

![events/s and CPU](engines.png)

Medians of {max(run.round for run in results.ordinary) + 1} rounds, with (least–most). Slow engines get fewer records,
or a round would take hours.

{HOW}
## Catching up: `storm`

The job's dearest case, and the others' cheapest: the same windows get ten times as many records.

{engines_table(results.storm)}
"""


def growing(results: Results) -> str:
    return f"""\
## Growth

One shard without Kafka, CPU of decoding, folding and cutting; *batch* with few cuts, so read it for its shape.
The six windows are part of the schema and cannot be switched off, so there is no curve over windows. Times behind a
SIGKILL are from the start of the next worker, Python's own included, without the dead one's session. A day of state
grows with the instruments and minutes that have something in them, not with the records.

{curve_lines(results.costs)}
{scaled_lines(results)}

![growth](growth.png)
"""


def text(results: Results) -> str:
    """Return the whole of ``RESULTS.md``."""
    return f"""\
# What the bench measured

Written by `make bench`; do not edit.

{table(("", ""), results.machine.items())}

{catching_up(results)}
## Targets

{targets_table(results)}

## Latency

From handing the record that crosses the floor to a producer to its onset in the hands of a read-committed consumer;
producer, broker, worker and consumer share the machine.
*idle*: nothing comes at all; *calm*: nothing else happens; *storm*: $2M of liquidations a second keep cascades open.

{latency_table(results.latencies)}

![latency](latency.png)

{growing(results)}"""
