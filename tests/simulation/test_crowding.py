"""Crowded positions are those of the definition, whatever the venues say and whenever."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from streams.core.crowding import Crowding
from streams.core.crowding_rule import CrowdingRule
from streams.core.errors import InvalidEvent
from tests.core.crowding_records import DAY, HOUR, START, funding
from tests.simulation import oracle_crowding

SEEDS = range(int(os.environ.get("STREAMS_SIMULATION_SEEDS", "6")) * 4)
VENUES = ("binance", "okx", "bybit")


def rule(chance):
    hours = chance.choice([1, 2, 24])
    return CrowdingRule(
        horizon_hours=hours,
        streak_hours=chance.choice([(2, 2, 2), (2, 3, 5), (hours + 1, hours + 1, hours + 4)]),
        history_days_min=chance.choice([2, 3, 90]),
        history_days_max=chance.choice([90, 92]),
        history_day_hours_min=chance.choice([1, 6, 12]),
        stale_after_intervals=chance.choice([1.0, 2.0, 2.5]),
        keep_share=chance.choice([0.75, 1.0]),
        keep_points=chance.choice([0.0, 10.0]),
    )


def log(chance):
    """Records of three venues, some of them late, repeated, silent for hours, and now and then for months."""
    at, found = START + chance.choice([0, chance.randrange(DAY)]), []
    interval, weighed, level = chance.choice([1.0, 4.0, 8.0]), chance.random() < 0.5, 0.1
    for _ in range(chance.choice([60, 400])):
        at += chance.choice([0, 1, 1, 1, 1, 1, 2, 8, 30, 24 * 40 if chance.random() < 0.1 else 1]) * HOUR
        if chance.random() < 0.1:
            level = chance.choice([0.1095, 0.0, 0.25, 0.35, 0.6, 1.2, -0.25, -0.3, -0.5, -1.2])
        for venue in VENUES[: chance.choice([1, 3, 3])]:
            rate = level + chance.gauss(0, 0.02)
            when = at + chance.choice([0, 0, chance.randrange(HOUR), -chance.randrange(3 * HOUR)])
            weight = chance.choice([0.0, 1e6, 2.5e7, 3.3e8, chance.choice([0.0, None])]) if weighed else None
            given = funding(when, rate, venue, chance.choice(["BTC", "BTC", "ETH"]), interval, weight)
            if chance.random() < 0.02:
                given = replace(given, instrument=given.instrument._replace(asset=chance.choice(["BTC", "ETH"])))
            found += [given] * chance.choice([1, 1, 1, 2])
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_said_the_definition_says_too(seed):
    chance = random.Random(f"crowding-{seed}")
    rules, records = rule(chance), log(chance)
    crowding = Crowding(rules)
    said, refused, due_refused = [], [], []
    for record in records:
        try:
            said += crowding.step(record)
        except InvalidEvent:
            refused.append(record)
    due = [record | {"headline": ""} for record in oracle_crowding.run(records, rules, due_refused)]

    assert due == said
    assert due_refused == refused


def test_there_is_something_to_say_of_each_kind():
    said, refused = [], []
    for seed in SEEDS:
        chance = random.Random(f"crowding-{seed}")
        rules, records = rule(chance), log(chance)
        said += oracle_crowding.run(records, rules, refused)

    assert {"STARTED", "GRADE_CHANGED", "ENDED"} == {each["phase"] for each in said}
    assert {"LONG", "SHORT"} == {each["position_side"] for each in said}
    assert {"ELEVATED", "CROWDED", "EXTREME"} == {each["grade"] for each in said}
    assert any(each["percentile"] is not None for each in said)
    assert any(not each["exchanges"] for each in said), "a silence that ends one"
    assert refused
    assert len(said) > 200
