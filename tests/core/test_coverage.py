"""What each venue's feed can show, at which time, and what that makes of a sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streams.core.coverage import Coverage, Venues, at_least, midnight_ms

DATA = yaml.safe_load((Path(__file__).parents[2] / "schemas" / "venues.yaml").read_text())
VENUES = Venues(DATA)
NOW = midnight_ms("2026-11-22")


def venues(*lines: tuple[str, str]) -> dict[str, Any]:
    return {"venues": {"bybit": {"coverage": [{"from": start, "coverage": coverage} for start, coverage in lines]}}}


def test_bybit_is_full_from_the_first_millisecond_of_2025_02_25() -> None:
    change = midnight_ms("2025-02-25")

    assert Coverage.SAMPLED is VENUES.coverage("bybit", change - 1)
    assert Coverage.FULL is VENUES.coverage("bybit", change)


def test_binance_is_a_sample_from_2021_04_27_and_claims_nothing_before() -> None:
    change = midnight_ms("2021-04-27")

    assert Coverage.UNKNOWN is VENUES.coverage("binance", change - 1)
    assert Coverage.SAMPLED is VENUES.coverage("binance", change)
    assert Coverage.SAMPLED is VENUES.coverage("binance", NOW)


def test_okx_is_a_sample() -> None:
    assert Coverage.SAMPLED is VENUES.coverage("okx", NOW)


def test_a_venue_that_is_not_listed_claims_nothing() -> None:
    assert Coverage.UNKNOWN is VENUES.coverage("nowhere", NOW)


def test_a_silent_feed_is_stale_whatever_was_declared() -> None:
    silent = frozenset({"bybit", "nowhere"})

    assert Coverage.STALE is VENUES.coverage("bybit", NOW, stale=silent)
    assert Coverage.STALE is VENUES.coverage("nowhere", NOW, silent)
    assert Coverage.SAMPLED is VENUES.coverage("okx", NOW, silent)


def test_a_venue_without_a_feed_cannot_go_silent() -> None:
    assert Coverage.ABSENT is VENUES.coverage("hyperliquid", NOW, frozenset({"hyperliquid"}))


def test_hyperliquid_is_named_as_absent_from_a_total_over_the_market() -> None:
    assert ["hyperliquid"] == VENUES.absent(midnight_ms("2025-10-10"))


def test_venues_without_a_feed_are_named_in_order() -> None:
    data = {"venues": {name: {"coverage": [{"from": "2024-01-01", "coverage": "ABSENT"}]} for name in ("b", "a")}}

    assert ["a", "b"] == Venues(data).absent(midnight_ms("2024-01-01"))
    assert [] == Venues(data).absent(midnight_ms("2024-01-01") - 1)


def test_venues_are_named_in_order_whatever_their_feeds_can_show() -> None:
    names = VENUES.names()

    assert names == sorted(DATA["venues"])
    assert {"binance", "bybit", "hyperliquid", "okx"} <= set(names)
    assert [] == Venues({"venues": {}}).names()


@pytest.mark.parametrize("partial", [c for c in Coverage if c is not Coverage.FULL])
def test_a_sum_with_anything_but_full_is_a_lower_bound(partial: Coverage) -> None:
    assert at_least([Coverage.FULL, partial, Coverage.FULL])


def test_a_sum_of_full_feeds_is_the_whole() -> None:
    assert not at_least(iter([Coverage.FULL, Coverage.FULL]))


def test_a_sum_over_no_feed_is_a_lower_bound() -> None:
    assert at_least([])


@given(st.lists(st.sampled_from(Coverage)), st.lists(st.sampled_from(Coverage)))
def test_a_sum_of_two_sums_is_a_lower_bound_if_either_is(left: list[Coverage], right: list[Coverage]) -> None:
    assert at_least(left + right) == (at_least(left) or at_least(right) if left and right else at_least(left or right))


def test_lines_on_one_date_are_refused_by_the_name_of_the_venue() -> None:
    with pytest.raises(ValueError, match=r"bybit.*rising dates"):
        Venues(venues(("2021-09-01", "SAMPLED"), ("2021-09-01", "FULL")))


def test_lines_in_falling_order_are_refused() -> None:
    with pytest.raises(ValueError, match="rising dates"):
        Venues(venues(("2025-02-25", "FULL"), ("2021-09-01", "SAMPLED")))


def test_stale_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="was STALE"):
        Venues(venues(("2021-09-01", "STALE")))


def test_a_coverage_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="PARTIAL"):
        Venues(venues(("2021-09-01", "PARTIAL")))


def test_a_date_reads_the_same_from_yaml_and_from_json() -> None:
    assert midnight_ms("2025-02-25") == midnight_ms(yaml.safe_load("2025-02-25")) == 1_740_441_600_000


def test_each_line_of_the_file_has_a_source_a_grade_and_a_date() -> None:
    lines = [line for venue in DATA["venues"].values() for line in venue["coverage"]]

    assert all(line["source"] and line["grade"] in "ABC" and midnight_ms(line["checked"]) for line in lines)


def test_no_line_of_one_report_claims_every_liquidation() -> None:
    lines = [line for venue in DATA["venues"].values() for line in venue["coverage"]]

    assert [] == [line for line in lines if line["coverage"] == "FULL" and line["grade"] == "C"]
