"""The parts of the bench that can be wrong without being slow; the bench itself is run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streams.codec.values import ValueReader
from streams.registries import file_registry
from tests.bench import report
from tests.bench.engines import ENGINES, chosen
from tests.bench.growth import Cost
from tests.bench.latency import Latency
from tests.bench.load import KINDS, Load, liquidations
from tests.bench.measure import Run
from tests.bench.results import Results
from tests.bench.scale import Day, Scaled

PLOTS = ("engines", "latency", "growth")


def run(engine, per_second=1e6, number=0):
    return Run(engine, number, 1_000_000, 1e6 / per_second, 2.0, 2.5, 100.0, 0.0, {"x-changelog": 7.5, "y": 2.5}, 75.0)


def results():
    return Results(
        {"machine": "any"},
        [run("ours"), run("ours", 3e6, 1), run("kafka-streams", 1e6), run("faust-hopping", 1_000)],
        [run("ours")],
        [Latency("idle", 0, 0, 0.0, 0.0, 0.0, 0.02), Latency("calm", 5_000, 100, 10.0, 60.0, 90.0, 0.1)],
        [Cost("instruments", x, 1.0, 0.5) for x in (500, 50_000)],
        [Scaled("workers", 1, 1e6, 2.0, 0.7), Scaled("workers", 2, 1.5e6, 2.0, 0.0)],
        [Day(5_000, 600_000, 300.0, 20.0, 1.5, 1.9)],
    )


def test_targets_are_judged_by_medians_at_their_bounds():
    verdicts = {each.what: report.verdict(each) for each in report.targets(results())}

    assert "aim met" == verdicts["events/s against Kafka Streams, tumbling"]  # 2 million against 1
    assert "aim met" == verdicts["events/s against Faust, hopping"]
    assert "not measured" == verdicts["events/s against Quix Streams, hopping"]
    assert "must met" == verdicts["p99 at 5,000 events/s, ms"]
    assert "aim met" == verdicts["changelog bytes ÷ input bytes in the storm"]  # 0.1 exactly
    assert "**missed**" == verdicts["two workers against one"]


def test_the_report_has_each_part_and_each_plot():
    text = report.text(results())

    for wanted in ("Medians of 2 rounds", "2,000,000 (1,000,000–3,000,000)", *(f"{name}.png" for name in PLOTS)):
        assert wanted in text
    assert "2: 1,500,000 events/s, 2.00 µs, 0.00 cores free" in text
    assert "| idle | 0 | 0 | – | – | – | 0.02 |" in text
    assert [] == [name for name in KINDS if f"`{name}`" not in text]


def test_engines_are_chosen_by_name():
    assert ["kafka-streams", "flink"] == [engine.name for engine in chosen(["flink", "kafka-streams"])]
    assert list(ENGINES) == chosen([])
    with pytest.raises(ValueError, match="ONLY names nobody"):
        chosen(["nobody"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_load_is_what_it_says(kind):
    load, reader = Load(kind, instruments=50, duplicates=0.1), ValueReader(file_registry())
    found = list(liquidations(5_000, load))
    records = [reader.read(value) for _, value in found]
    times = [record["event_time"] for record in records]

    assert found == list(liquidations(5_000, load)), "the same each time"
    assert all(key.decode() == record["asset"] for key, record in zip((key for key, _ in found), records, strict=True))
    assert pytest.approx(0.1, abs=0.02) == 1 - len({record["liquidation_id"] for record in records}) / 5_000
    assert max(times) - min(times) <= load.span_ms(5_000) + load.disorder_ms
    behind = max(newest - now for newest, now in zip(newest_so_far(times), times, strict=True))
    assert 0 < behind <= load.disorder_ms


def newest_so_far(times):
    newest = 0
    for each in times:
        newest = max(newest, each)
        yield newest


def test_the_peers_read_what_the_job_reads(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "bench" / "peers"))
    import liquidation

    reader = ValueReader(file_registry())
    for _, value in liquidations(500, Load()):
        ours, theirs = reader.read(value), liquidation.read(value)
        assert ((ours["position_side"] == "LONG"), ours["notional_usd"], ours["event_time"]) == theirs
    del sys.modules["liquidation"]
