"""The units agree with the oracle, however the log is cut and wherever they crash.

``STREAMS_SIMULATION_SEEDS=1000`` runs so many seeds, ``STREAMS_SIMULATION_FIRST=17`` begins with that one.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from streams.codec import rows as codec
from streams.core import panes
from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.core.headline import headline
from streams.core.screen import ScreenRule
from streams.core.slots import Slots
from streams.units import entries, keep
from streams.units.to_market import SNAPSHOTS
from streams.units.unit import Tally
from tests.simulation import generate, oracle, oracle_feeds
from tests.simulation.records import LIQUIDATIONS
from tests.simulation.world import CALM, DESCRIBER, FEEDS, Rules, Schedule, World

FIRST = int(os.environ.get("STREAMS_SIMULATION_FIRST", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("STREAMS_SIMULATION_SEEDS", "6")))
#: What is a matter of other topics, or of when a message was sent, or made of the rest.
LEFT_OUT = {"at_least", "context", "aftermath", "headline", "comparisons"}


def rules(seed: int) -> Rules:
    chance = random.Random(f"rules-{seed}")
    quiet_ms = chance.choice([60_000, 300_000, 1_800_000])

    def rule(floor_usd: int) -> CascadeRule:
        floor = floor_usd * chance.choice([100_000, 1_000_000, 3_000_000])
        bars = {"multiples": (2, 4, 8), "hour_multiples": (3, 9, 20)} if chance.random() < 0.7 else {}
        return CascadeRule(
            floor,
            multiple=chance.choice([2, 8, 60]),
            quiet_ms=quiet_ms,
            hour_min=chance.choice([1, 1, 2, 3]),
            release=chance.choice([250, 500]),
            share_min=chance.choice([650, 500, 750]),
            peak_fall=chance.choice([300, 100, 500]),
            **bars,
        )

    screen = ScreenRule(
        lateness_ms=chance.choice([0, 2_000, 2_000, 30_000]),
        market_lateness_ms=chance.choice([0, 5_000, 5_000, 60_000]),
        duplicate_horizon_ms=chance.choice([1_000, 3_600_000, 86_400_000]),
        instruments_max=chance.choice([20_000, 20_000, 8]),
    )
    floors = {Scope.INSTRUMENT: 150_000, Scope.ASSET: 200_000, Scope.EXCHANGE: 400_000, Scope.MARKET: 500_000}
    found = {scope: rule(floor) for scope, floor in floors.items()}
    found[Scope.MARKET] = replace(found[Scope.MARKET], assets_min=chance.choice([0, 2, 3, 5]))
    return Rules(screen, found)


def world(seed: int, schedule: Schedule, records_max: int = 400, **screen: int) -> tuple[World, oracle.Outcome]:
    print(f"seed {seed}")
    rule = rules(seed)
    rule = replace(rule, screen=replace(rule.screen, **screen))
    logs = generate.logs(seed, rule.screen.duplicate_horizon_ms, records_max)
    made = World(str(seed), logs, rule, schedule)
    made.run()
    return made, oracle.run(logs.liquidations, made.ticks, rule.screen, rule.cascades)


def covered(key: str, row: dict, outcome: oracle.Outcome) -> dict:
    whole = row["scope"] in {"ASSET", "MARKET"}
    return row | DESCRIBER.coverage(outcome.present[key], row["as_of"], whole=whole)


def told(cascades: list) -> list:
    kept = [{name: value for name, value in each.items() if name not in LEFT_OUT} for each in cascades]
    return sorted(kept, key=lambda each: (each["cascade_id"], each["sequence"]))


def with_coverage(cascades: list, watermarks: list) -> list:
    """Return the oracle's cascades with the coverage of each line: STALE is what was silent at their event time."""
    closings = {(each["cascade_id"], each["event_time"]) for each in cascades if each["phase"] == "SUBSIDED"}
    for each in cascades:
        at_ms, stale = each["event_time"], frozenset()
        if each["scope"] in {"EXCHANGE", "MARKET"}:
            closing = (each["cascade_id"], at_ms) in closings
            stale = oracle_feeds.silent_at(watermarks, at_ms, at_ms if closing else at_ms + 1_000)
        for line in each["exchanges"]:
            line["coverage"] = DESCRIBER.venues.coverage(line["exchange"], at_ms, stale).value
    return cascades


def astray(cascades: list) -> list[str]:
    """Return where what is left out of ``told`` because it is made of the rest is not what the rest makes."""
    found = []
    for each in cascades:
        hour, day = (each[name]["long_usd"] + each[name]["short_usd"] for name in ("highest_hour", "highest_day"))
        stage_1, closes = each["scope"] in {"INSTRUMENT", "ASSET"}, each["phase"] == "SUBSIDED"
        whole = each["scope"] == "INSTRUMENT" and all(line["coverage"] == "FULL" for line in each["exchanges"])
        due = {
            "at_least": not whole,  # of several venues one has no feed
            "comparisons": DESCRIBER.episodes.compare(hour, day, each["started"]) if each["scope"] == "MARKET" else [],
            "headline": headline(each),
        }
        found += [f"{name} of {each['cascade_id']}: {each[name]}" for name in due if each[name] != due[name]]
        if (each["aftermath"] is not None) != closes and (stage_1 or not closes):
            found.append(f"aftermath of {each['cascade_id']} at {each['phase']}: {each['aftermath']}")
    return found


def assert_agrees(made: World, outcome: oracle.Outcome) -> None:
    assert sorted(outcome.dead) == sorted(made.dead())
    rows = {key: covered(key, row, outcome) for key, row in outcome.rows.items()}
    assert rows == made.rows()
    for row in rows.values():
        listed = {each["exchange"]: each["coverage"] for each in row["coverage"]}
        assert row["at_least"] == (set(listed.values()) != {"FULL"})
        assert (listed.get("hyperliquid") == "ABSENT") == (row["scope"] in {"ASSET", "MARKET"})
    assert [] == astray(made.cascades())
    log, lateness_ms = made.exchanges.logs[SNAPSHOTS], made.rules.screen.market_lateness_ms
    watermarks = oracle_feeds.history(log, lateness_ms, FEEDS)
    assert told(with_coverage(outcome.cascades, watermarks)) == told(made.cascades())
    assert [each for _, said in watermarks for each in said] == [status(each) for each in made.feeds()]


def status(record: dict) -> dict:
    """Return what the oracle says of a feed, too."""
    return {name: value for name, value in record.items() if name not in {"coverage", "detail"}}


def test_whatever_happens_the_job_says_what_the_oracle_says():
    said: Counter[str] = Counter()
    for seed in SEEDS:
        made, outcome = world(seed, Schedule())
        assert_agrees(made, outcome)
        said.update(each[name] for each in outcome.cascades for name in ("scope", "phase", "severity"))
        said.update(each["status"] for each in made.feeds())

    assert {"INSTRUMENT", "ASSET", "EXCHANGE", "MARKET"} < said.keys()
    assert {"ONSET", "ESCALATED", "PEAK", "SUBSIDED", "MINOR", "MAJOR", "SILENT", "OK"} < said.keys()


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_one_record_at_a_time_is_the_same_as_all_at_once(seed):
    one_by_one, outcome = world(seed, Schedule(batches=(1,), crash=0.0, idle=0.0), 200)
    at_once, _ = world(seed, Schedule(batches=(10**6,), crash=0.0, idle=0.0), 200)

    assert_agrees(one_by_one, outcome)
    assert_agrees(at_once, outcome)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_a_restart_after_every_flush_changes_nothing(seed):
    assert_agrees(*world(seed, Schedule(batches=(1, 3, 20), always_restart=True), 200))


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_what_takes_several_rows_and_what_was_written_anew_comes_back_whole(seed, monkeypatch):
    for name in ("GROWN_MAX", "ENTRY_MAX", "ASSETS_MAX"):
        monkeypatch.setattr(keep, name, 4)
    monkeypatch.setattr(entries, "SMALL_LINES", 3)
    monkeypatch.setattr(entries, "SMALL_ENTRIES", 3)
    made, outcome = world(seed, Schedule(batches=(1, 3, 20)), 200)
    assert_agrees(made, outcome)
    numbers = [codec.entry_number(key) for key in made.exchanges.rows if key[:1] == keep.GROWN]
    assert len(numbers) <= max(numbers)  # some were small


@pytest.mark.parametrize("seed", SEEDS)
def test_what_would_lift_a_partition_above_the_ceiling_is_refused_however_the_log_is_cut(seed):
    counts: Counter[str] = Counter()
    for most in (3 * 10**11, 3 * 10**12):
        made, outcome = world(seed, Schedule(batches=(1, 3, 20, 400)), 200, remembered_max=most)
        assert_agrees(made, outcome)
        counts += outcome.counts

    assert min(counts["above_ceiling"], counts["accepted"]) > 10


def test_bands_in_which_nothing_is_left_are_given_up_and_change_nothing(monkeypatch):
    monkeypatch.setattr(panes, "_MANY", 2)
    given_up, keep_used = [], Slots.keep
    monkeypatch.setattr(Slots, "keep", lambda self, used: given_up.append((~used).sum()) or keep_used(self, used))
    for seed in SEEDS:
        assert_agrees(*world(seed, Schedule(batches=(1, 3, 20))))

    assert sum(given_up) > 20


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_everything_consumed_is_aggregated_or_a_duplicate_or_a_dead_letter(seed):
    made, outcome = world(seed, CALM)
    tallies: list[Tally] = [shard.unit.tally for shard in made.shards]
    refused = sum(count for tally in tallies for (topic, _), count in tally.refused.items() if topic == LIQUIDATIONS)

    assert len(outcome.dead) == refused
    assert outcome.counts["accepted"] == sum(tally.aggregated[LIQUIDATIONS] for tally in tallies)
    assert outcome.counts["duplicate"] == sum(tally.duplicates[LIQUIDATIONS] for tally in tallies)
    assert outcome.counts["late"] == sum(tally.late[LIQUIDATIONS] for tally in tallies)
    assert sum(tally.consumed[LIQUIDATIONS] for tally in tallies) == sum(
        outcome.counts[name] for name in ("accepted", "duplicate")
    ) + len(outcome.dead)
