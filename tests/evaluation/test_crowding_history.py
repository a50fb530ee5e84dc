"""Crowding against the published funding of seven venues, 2020 to 2025, and what is known of those days.

Running means any grade: ELEVATED is announced, so it counts against the rule where it should be silent. Where it
should speak, CROWDED is asked for.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from streams.core.crowding import Crowding
from streams.core.crowding_rule import CrowdingRule
from tests.evaluation.funding_history import HISTORY, settlements

pytestmark = pytest.mark.skipif(not HISTORY.exists(), reason=f"no funding history at {HISTORY}")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def found():
    crowding = Crowding(CrowdingRule())
    return [record for settlement in settlements("BTC") for record in crowding.step(settlement)]


def running(found, day, key="BTC"):
    """Side and grade at each hour of a UTC day, without repeats."""
    return {at(found, key, hour) for hour in hours(day)} - {None}


def hours(day):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return [start.timestamp() * 1000 + hour * HOUR_MS for hour in range(24)]


def at(found, key, time_ms):
    before = [record for record in found if record["key"] == key and record["event_time"] <= time_ms]
    if not before or before[-1]["phase"] == "ENDED":
        return None
    return before[-1]["position_side"], before[-1]["grade"]


@pytest.mark.parametrize("day", ["2021-04-17", "2024-03-04"])
def test_longs_were_crowded_all_day_before_the_fall(found, day):
    assert running(found, day) <= {("LONG", "CROWDED"), ("LONG", "EXTREME")}
    assert all(at(found, "BTC", hour) for hour in hours(day))


@pytest.mark.parametrize("fall", ["2023-08-17", "2024-08-05"])
def test_nobody_was_crowded_in_the_fortnight_before_a_fall_out_of_calm(found, fall):
    day = datetime.fromisoformat(fall).replace(tzinfo=UTC)

    assert [running(found, f"{day - timedelta(back):%Y-%m-%d}") for back in range(1, 15)] == [set()] * 14


def test_shorts_were_crowded_on_bybit_alone_before_the_squeeze_of_january_2023(found):
    sides = {side for side, _ in running(found, "2023-01-13", "bybit|BTCUSDT")}

    assert sides == {"SHORT"}
    assert ("SHORT", "CROWDED") in running(found, "2023-01-13", "bybit|BTCUSDT")
    assert not running(found, "2023-01-13", "binance|BTCUSDT")


def test_crowded_is_rare(found):
    """A condition that holds a third of the time would say nothing."""
    events = [record for record in found if record["key"] == "BTC"]
    crowded_ms = sum(
        after["event_time"] - before["event_time"]
        for before, after in pairwise(events)
        if before["phase"] != "ENDED" and before["grade"] in {"CROWDED", "EXTREME"}
    )

    assert 0.02 < crowded_ms / (6 * 365 * 24 * HOUR_MS) < 0.10
