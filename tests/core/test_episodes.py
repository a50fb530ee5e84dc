"""How large a total is beside the episodes that people remember."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streams.core.coverage import midnight_ms
from streams.core.episodes import LANDMARK_HOUR_USD, SHARE_MIN, Episodes

DATA = yaml.safe_load((Path(__file__).parents[2] / "schemas" / "episodes.yaml").read_text())
KNOWN = Episodes(DATA)


def episode(date: str, hour: float | None = None, day: float | None = None, **others: Any) -> dict[str, Any]:
    return {"date": date, "name": date, "one_hour_usd": hour, "day_usd": day, "confirmed": True, **others}


def shares(found: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    return [(each["date"], each["window"], each["share"]) for each in found]


def compare(hour: float | None, day: float | None, *known: dict[str, Any]) -> list[tuple[str, str, float]]:
    return shares(Episodes({"episodes": list(known)}).compare(hour, day))


def test_the_hour_of_the_story_is_a_third_of_that_of_2025_09_22() -> None:
    hour, day, story = KNOWN.compare(352e6, 1.05e9)

    assert ("2025-09-22", "1h", 0.33, True) == (
        hour["date"],
        hour["window"],
        round(hour["share"], 2),
        hour["confirmed"],
    )
    assert ("2025-08-14", "24h", 1.0) == (day["date"], day["window"], day["share"])
    assert ("2021-05-19", "1h", 0.352, False) == (story["date"], story["window"], story["share"], story["confirmed"])


def test_a_replayed_crash_is_not_compared_with_itself_nor_with_the_future() -> None:
    found = KNOWN.compare(7e9, 19e9, before_ms=midnight_ms("2025-10-10") + 76_000_000)

    assert [] == [each for each in found if each["date"] >= "2025-10-10"]


def test_an_episode_is_known_from_the_end_of_its_day() -> None:
    known = Episodes({"episodes": [episode("2025-09-22", hour=1e9)]})
    end = midnight_ms("2025-09-23")

    assert [] == known.compare(1e9, None, before_ms=end - 1)
    assert [("2025-09-22", "1h", 1.0)] == shares(known.compare(1e9, None, before_ms=end))


def test_nearest_is_by_ratio_not_by_difference() -> None:
    # 2 is 1.5 from 0.5 and 3 from 5, but four times the one and 2.5 times under the other.
    assert [("2021-01-02", "24h", 0.4)] == compare(
        None, 2e9, episode("2021-01-01", day=5e8), episode("2021-01-02", day=5e9)
    )


def test_of_equally_near_episodes_the_newest_is_named() -> None:
    old, new = episode("2021-01-01", day=1e9), episode("2022-01-01", day=1e9)

    assert compare(None, 1e9, old, new) == compare(None, 1e9, new, old) == [("2022-01-01", "24h", 1.0)]


def test_an_hour_is_a_landmark_from_a_billion_dollars_on() -> None:
    assert [("2021-01-01", "1h", 1.0)] == compare(
        LANDMARK_HOUR_USD, None, episode("2021-01-01", hour=LANDMARK_HOUR_USD)
    )
    assert [] == compare(LANDMARK_HOUR_USD, None, episode("2021-01-01", hour=LANDMARK_HOUR_USD - 1))


def test_what_one_report_says_is_no_landmark_and_no_day() -> None:
    assert [] == compare(2e9, 3e9, episode("2021-01-01", hour=2e9, day=3e9, confirmed=False))


def test_the_hour_of_the_story_is_marked_as_not_confirmed() -> None:
    story = episode("2021-05-19", hour=1e9, confirmed=False, story=True)

    assert [False] == [each["confirmed"] for each in Episodes({"episodes": [story]}).compare(5e8, None)]


@pytest.mark.parametrize("share", [SHARE_MIN, 1 / SHARE_MIN])
def test_a_twentieth_and_twenty_times_are_still_compared(share: float) -> None:
    assert [("2021-01-01", "24h", share)] == compare(None, share * 1e9, episode("2021-01-01", day=1e9))


@pytest.mark.parametrize("share", [SHARE_MIN * 0.999, 1.001 / SHARE_MIN])
def test_what_is_far_below_or_above_is_not_compared(share: float) -> None:
    assert [] == compare(None, share * 1e9, episode("2021-01-01", day=1e9))


@pytest.mark.parametrize("nothing", [None, 0.0])
def test_a_total_that_is_not_there_is_not_compared(nothing: float | None) -> None:
    assert [] == compare(nothing, nothing, episode("2021-01-01", hour=1e9, day=1e9))


def test_without_episodes_nothing_is_compared() -> None:
    assert [] == compare(1e9, 1e9)


@given(st.floats(1, 1e12), st.floats(1, 1e12))
def test_there_are_at_most_three_comparisons_and_none_is_meaningless(hour: float, day: float) -> None:
    found = KNOWN.compare(hour, day)

    assert len(found) <= 3
    assert all(SHARE_MIN <= each["share"] <= 1 / SHARE_MIN for each in found)
    assert all(set(each) == {"episode", "date", "window", "share", "confirmed"} for each in found)


def test_the_story_of_may_2021_is_in_the_file_as_reported_and_not_confirmed() -> None:
    story = [each for each in DATA["episodes"] if each.get("story")]

    assert [("2021-05-19", 1_000_000_000, False)] == [
        (str(e["date"]), e["one_hour_usd"], e["confirmed"]) for e in story
    ]


def test_each_episode_of_the_file_has_a_source_and_possible_numbers() -> None:
    for each in DATA["episodes"]:
        hour, day, share = each["one_hour_usd"], each["day_usd"], each["long_share"]

        assert each["source"], each
        assert hour is None or day is None or hour <= day, each
        assert share is None or 0 <= share <= 1, each


def test_episodes_are_in_order_and_have_names_of_their_own() -> None:
    dates = [str(each["date"]) for each in DATA["episodes"]]

    assert sorted(dates) == dates
    assert len(dates) == len({each["name"] for each in DATA["episodes"]})
