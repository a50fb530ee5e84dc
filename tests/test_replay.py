"""What a replay says of recorded files."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from aiokafka.partitioner import DefaultPartitioner
from click.testing import CliRunner

from streams.cli import main
from streams.replay import run
from streams.replay.load import partition_of
from streams.settings import Settings

T0 = 1_700_000_000_000
#: What depends on where the run was cut: context, what follows from it, and which exchanges were known at that moment.
LEFT_OUT = {"context", "aftermath", "headline", "at_least"}
LOW = {"floor_usd": 100_000, "hour_min": 1, "quiet_ms": 300_000}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("STREAMS_")]:
        monkeypatch.delenv(name)


def liquidation(at_ms, number, asset="BTC", usd=10_000.0, **other):
    return {
        "exchange": "binance",
        "symbol": f"{asset}USDT",
        "asset": asset,
        "position_side": "LONG",
        "price": 100.0,
        "price_kind": "AVERAGE_FILL",
        "quantity": usd / 100,
        "notional_usd": usd,
        "event_time": at_ms,
        "liquidation_id": str(number),
        **other,
    }


def funding(at_ms, asset="BTC", rate=0.0001, **other):
    return {
        "exchange": "binance",
        "symbol": f"{asset}USDT",
        "asset": asset,
        "funding_rate": rate,
        "funding_interval_hours": 8.0,
        "event_time": at_ms,
        **other,
    }


def jsonl(path, *records):
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def settings(**changed):
    scopes = ("instrument", "asset", "exchange", "market")
    low = {f"cascade_{scope}": LOW for scope in scopes}
    return Settings(**(low | {"cascade_market": {**LOW, "assets_min": 0}} | changed))


def replay(folder, *files, partitions=4, **options):
    out = folder / "out.jsonl"
    summary = run(settings(), files, file_format=None, out=out, partitions=partitions, **options)
    return summary, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def row(lines, key):
    (found,) = [line["record"] for line in lines if line["key"] == key and line["topic"] == "liquidation-windows"]
    return found


def stormy(seed, count=250):
    """Two quiet hours and a storm, of several assets and exchanges; times repeat, some records too."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        at_ms = T0 + chance.choice([chance.randrange(7_200), 5_400 + chance.randrange(120)]) * 1_000
        asset, exchange = (
            chance.choice(["BTC", "ETH", "SOL", "DOGE", "XRP"]),
            chance.choice(["binance", "bybit", "okx"]),
        )
        side, usd = chance.choice(["LONG", "LONG", "LONG", "SHORT"]), 10 ** chance.uniform(0, 5)
        found.append(liquidation(at_ms, number, asset, usd, exchange=exchange, position_side=side))
    return found + chance.sample(found, count // 10)


def comparable(lines):
    def kept(line):
        record = {name: value for name, value in line["record"].items() if name not in LEFT_OUT}
        if line["topic"] == "cascades":
            record["exchanges"] = [{**each, "coverage": None} for each in record["exchanges"]]
        return {**line, "record": record}

    return sorted((kept(line) for line in lines), key=lambda line: json.dumps(line, sort_keys=True))


def test_a_replay_loads_no_faust():
    command = "import streams.replay, sys; print({'faust', 'mode'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)

    assert "set()" == told.stdout.strip()


def test_totals_are_exact_and_each_record_is_read_aggregated_duplicate_or_refused(tmp_path):
    once, again = liquidation(T0, 1, usd=0.000001), liquidation(T0 + 1, 2, usd=12_345.678901, position_side="SHORT")
    bad = liquidation(T0 + 2, 3, position_side="BUY")

    summary, lines = replay(tmp_path, jsonl(tmp_path / "a.jsonl", once, again, once, bad))

    assert (4, 2, 1) == (summary.consumed.total(), summary.aggregated.total(), summary.duplicates.total())
    assert {("liquidations", "unknown_side"): 1} == dict(summary.refused)
    assert (1, 12_345_678_901) == (summary.long_micro_usd, summary.short_micro_usd)
    assert 12_345.678901 == row(lines, "ASSET|BTC")["windows"][0]["short_usd"]


def test_totals_are_of_all_time_while_windows_forget(tmp_path):
    days = [liquidation(T0 + day * 90_000_000, day, usd=1_000.0) for day in range(5)]

    summary, lines = replay(tmp_path, jsonl(tmp_path / "a.jsonl", *days), flush_count=1)

    assert 5_000_000_000 == summary.long_micro_usd
    assert 1_000.0 == row(lines, "MARKET|ALL")["windows"][-1]["long_usd"]


def test_a_dead_letter_names_the_file_and_the_line(tmp_path):
    good = jsonl(tmp_path / "good.jsonl", liquidation(T0, 1), liquidation(T0 + 9, 2))
    bad = jsonl(tmp_path / "bad.jsonl", liquidation(T0 + 1, 1), liquidation(T0 + 2, 3, price=None))

    _, lines = replay(tmp_path, good, bad)

    (letter,) = [line for line in lines if line["topic"] == "dead-letters"]
    assert ("bad.jsonl", 2) == (letter["file"], letter["line"])
    assert "missing_field" == letter["record"]["reason"]


@pytest.mark.parametrize("count", [1, 30])  # one by one, and by columns
def test_a_record_dated_in_the_future_is_refused_as_it_is_live(tmp_path, count):
    good = [liquidation(T0 + number, number) for number in range(count)]
    in_2099 = liquidation(4_070_908_800_000, "future")

    summary, lines = replay(tmp_path, jsonl(tmp_path / "a.jsonl", *good, in_2099), partitions=1)

    assert {("liquidations", "event_time_in_future"): 1} == dict(summary.refused)
    assert count * 10_000.0 == row(lines, "MARKET|ALL")["windows"][0]["long_usd"]


@pytest.mark.parametrize("price", ["100.0", "1_00", True])
def test_what_is_no_number_to_the_worker_is_none_to_a_replay(tmp_path, price):
    summary, _ = replay(tmp_path, jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), liquidation(T0, 2, price=price)))

    assert {("liquidations", "impossible_number"): 1} == dict(summary.refused)


def test_times_that_only_a_replay_takes_are_those_that_its_help_names(tmp_path):
    times = [float(T0), f"{T0}", f"{T0}.0", "2023-11-14T22:13:20Z"]
    records = [liquidation(at, number) for number, at in enumerate(times)]

    summary, _ = replay(tmp_path, jsonl(tmp_path / "a.jsonl", *records))

    assert (4, 40_000_000_000) == (summary.aggregated.total(), summary.long_micro_usd)


def test_a_line_that_is_no_record_is_reported_with_its_number_and_harms_nothing(tmp_path, capsys):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), {**liquidation(T0, 2), "topic": "cascades"})
    path.write_text("not JSON\n" + path.read_text())

    summary, _ = replay(tmp_path, path)

    assert (2, 1) == (summary.unreadable, summary.aggregated.total())
    assert "a.jsonl line 1: " in capsys.readouterr().err


def test_two_files_are_one_in_the_order_of_event_time(tmp_path):
    records = sorted(stormy(1), key=lambda record: record["event_time"])
    odd, even = jsonl(tmp_path / "odd.jsonl", *records[1::2]), jsonl(tmp_path / "even.jsonl", *records[::2])

    together, whole = replay(tmp_path, jsonl(tmp_path / "all.jsonl", *records))
    merged, halves = replay(tmp_path, odd, even)

    assert (together.long_micro_usd, together.duplicates) == (merged.long_micro_usd, merged.duplicates)
    assert [each for each in whole if each["topic"] == "liquidation-windows"] == [
        each for each in halves if each["topic"] == "liquidation-windows"
    ]


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_one_record_at_a_time_gives_the_same_as_all_at_once(tmp_path, seed, partitions):
    more = [funding(T0 + hour * 600_000, asset) for hour in range(12) for asset in ("BTC", "ETH", "LINK")]
    path = jsonl(tmp_path / "a.jsonl", *stormy(seed), *more)

    at_once, whole = replay(tmp_path, path, partitions=partitions)
    one_by_one, single = replay(tmp_path, path, partitions=partitions, flush_count=1)

    assert comparable(whole) == comparable(single)
    assert at_once == one_by_one
    assert {"ASSET", "EXCHANGE", "MARKET"} <= {line["record"]["scope"] for line in whole if line["topic"] == "cascades"}


def test_partitions_without_liquidations_do_not_hold_the_market_back(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), funding(T0, "ETH"), liquidation(T0 + 5_000, 2))

    summary, lines = replay(tmp_path, path, partitions=16)

    assert 20_000.0 == row(lines, "MARKET|ALL")["windows"][0]["long_usd"]
    assert 0 == summary.market_behind_ms


def test_a_partition_whose_liquidations_are_all_refused_does_not_hold_it_back_either(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), liquidation(T0, 2, "ETH", price=-1))
    assert partition_of(b"BTC", 16) != partition_of(b"ETH", 16)

    _, lines = replay(tmp_path, path, partitions=16)

    assert 10_000.0 == row(lines, "MARKET|ALL")["windows"][0]["long_usd"]


def test_the_market_hears_a_partition_in_time_that_began_with_refused_ones(tmp_path):
    storm = liquidation(T0 + 60_000, 3, "SOL", usd=200_000.0)
    begin, later = [liquidation(T0, 1), liquidation(T0, 2, "SOL", price=-1)], liquidation(T0 + 120_000, 4)
    assert partition_of(b"BTC", 4) < partition_of(b"SOL", 4)
    path = jsonl(tmp_path / "a.jsonl", *begin, storm, later, {**later, "asset": "SOL"})

    _, lines = replay(tmp_path, path, flush_count=2)

    assert "MARKET|ALL" in {line["key"] for line in lines if line["topic"] == "cascades"}


def test_the_market_waits_for_a_partition_that_has_had_funding_and_will_have_liquidations(tmp_path):
    path = jsonl(
        tmp_path / "a.jsonl",
        *(funding(T0, "ETH"), liquidation(T0 + 1, 1), liquidation(T0 + 60_000, 2), liquidation(T0 + 60_001, 3, "ETH")),
    )
    assert partition_of(b"BTC", 16) != partition_of(b"ETH", 16)

    _, at_once = replay(tmp_path, path, partitions=16)
    _, one_by_one = replay(tmp_path, path, partitions=16, flush_count=1)

    assert row(at_once, "MARKET|ALL") == row(one_by_one, "MARKET|ALL")


def test_funding_becomes_a_crowded_position(tmp_path):
    ticks = [funding(T0 + number * 3_600_000, rate=0.01) for number in range(24 * 9)]

    summary, _ = replay(tmp_path, jsonl(tmp_path / "a.jsonl", *ticks))

    assert summary.events["crowded-longs", "STARTED"] >= 1


def test_context_is_no_older_and_no_newer_than_a_second(tmp_path):
    """Years of funding beside a few liquidations fit into one flush; the cascade must not see funding from after it."""
    ticks = [funding(T0 + number * 3_600_000, rate=0.0001 * number) for number in range(100)]
    storm = liquidation(T0 + 50 * 3_600_000 + 5_000, 1, usd=200_000.0)

    _, lines = replay(tmp_path, jsonl(tmp_path / "a.jsonl", *ticks, storm))

    onset = next(line["record"] for line in lines if line["topic"] == "cascades" and line["record"]["scope"] == "ASSET")
    assert 5_000 == onset["context"]["funding_rate_annualised"]["age_ms"]


@pytest.mark.parametrize("asset", ["BTC", "ETH", "1INCH", "PEPE", "币安人生", ""])
def test_a_key_goes_to_the_partition_that_kafkas_clients_choose(asset):
    everywhere = list(range(7))

    assert DefaultPartitioner()(asset.encode(), everywhere, everywhere) == partition_of(asset.encode(), 7)


def test_the_command_writes_events_to_stdout_and_the_summary_to_stderr(tmp_path):
    path = tmp_path / "capture.txt"
    line = "BTCUSDT,SELL,LIMIT,IOC,0.025,59935.28,59697.40,FILLED,0.025,0.025,1723971641090,1498.382\n"
    path.write_text(line + line)

    result = CliRunner().invoke(main, ["replay", "--format", "binance-forceorder-csv", str(path)])

    topics = Counter(json.loads(line)["topic"] for line in result.stdout.splitlines())
    assert (0, {"liquidation-windows": 4}) == (result.exit_code, topics)
    assert ["liquidations", "2", "1", "1", "0"] in [line.split() for line in result.stderr.splitlines()]
    assert "1,492.44" in result.stderr


def test_a_file_whose_form_is_not_known_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "capture.txt"
    path.write_text("")

    result = CliRunner().invoke(main, ["replay", str(path)])

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("streams: --format must be given for capture.txt")
