"""One sentence that a news desk could print, and nothing in it that is not known."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.headline import BASE_RATE_ANNUALISED, crowded_headline, headline
from streams.core.phrases import money, percent

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
SUBSIDED = json.loads((EXAMPLES / "cascade" / "market_subsided.json").read_text())
CROWDED = json.loads((EXAMPLES / "crowded-position" / "asset_longs.json").read_text())
CONTEXT: dict[str, Any] = dict.fromkeys(SUBSIDED["context"])


def highest(long_usd: float, short_usd: float = 0.0) -> dict[str, Any]:
    return {"long_usd": long_usd, "short_usd": short_usd, "at": 0}


def venue(exchange: str, usd: float) -> dict[str, Any]:
    return {"exchange": exchange, "long_usd": usd, "short_usd": 0.0}


def reading(value: float = 1.0, percentile: float | None = None) -> dict[str, Any]:
    return {"value": value, "percentile": percentile, "age_ms": 0}


def cascade(**others: Any) -> dict[str, Any]:
    """A cascade of which nothing but the hour is known."""
    return {
        **copy.deepcopy(SUBSIDED),
        "phase": "PEAK",
        "position_side": "UNKNOWN",
        "at_least": False,
        "highest_hour": highest(1e6),
        "highest_day": highest(1e6),
        "exchanges": [],
        "context": CONTEXT,
        "aftermath": None,
        "comparisons": [],
        **others,
    }


def said(**others: Any) -> str:
    """What a headline says beside the amount."""
    text = headline(cascade(**others))
    assert text.startswith("$1.00M of crypto futures ")
    return text.removesuffix(".").partition("; ")[2]


def before(**context: Any) -> str:
    return said(context={**CONTEXT, **context})


def after(**aftermath: Any) -> str:
    return (
        said(phase="SUBSIDED", position_side="LONG", aftermath=aftermath)
        .removeprefix("longs took 100 %")
        .removeprefix("; ")
    )


def test_the_story_reads_as_it_was_told() -> None:
    expected = (
        "At least $352M of crypto futures were liquidated in one hour and $1.05B in 24 hours"
        "; since onset on Binance, Bybit and OKX; longs took 94 %"
        "; BTC funding had been positive (crowded longs), volatility low, transfers to exchanges large"
        "; afterwards BTC spreads 4.2 times as wide, open interest down 6 %, volatility 3.4 times as high"
        ", crowding over; 33 % of the hour of 2025-09-22."
    )

    assert expected == headline(SUBSIDED)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("c*/*.json")), ids=lambda path: path.stem)
def test_each_example_carries_its_own_headline(path: Path) -> None:
    record = json.loads(path.read_text())

    assert record["headline"] == (headline if "cascade_id" in record else crowded_headline)(record)


def test_what_is_null_is_left_out() -> None:
    assert headline(cascade()) == "$1.00M of crypto futures liquidated in one hour."


def test_a_context_without_fields_is_like_one_of_nulls() -> None:
    assert headline(cascade(context={})) == headline(cascade())


def test_at_least_rounds_down_and_without_it_to_the_nearest() -> None:
    hour = highest(352_999_999.0)

    assert headline(cascade(highest_hour=hour, at_least=True)).startswith("At least $352M of")
    assert headline(cascade(highest_hour=hour, at_least=False)).startswith("$353M of")


@pytest.mark.parametrize("phase", ["ONSET", "ESCALATED", "PEAK", "SUBSIDED"])
def test_in_every_phase_hour_and_day_are_the_highest_and_windows_are_not_read(phase: str) -> None:
    record = cascade(phase=phase, highest_hour=highest(3e8, 5e7), highest_day=highest(9e8, 2e8), position_side="LONG")
    text = headline(record)

    assert text.startswith("$350M of ")
    assert "in one hour and $1.10B in 24 hours; longs took 86 %" in text
    assert text == headline({name: value for name, value in record.items() if name != "windows"})


def test_a_day_that_reads_like_its_hour_is_left_out() -> None:
    assert " in 24 hours" not in headline(cascade(highest_day=highest(1_004_999.0)))
    assert "$1.01M in 24 hours" in headline(cascade(highest_day=highest(1_005_000.0)))


def test_what_was_liquidated_is_named_as_closely_as_known() -> None:
    assert "of BTCUSDT futures" in headline(cascade(symbol="BTCUSDT", asset="BTC"))
    assert "of BTC futures" in headline(cascade(asset="BTC"))


def test_venues_come_by_size_and_those_with_nothing_not_at_all() -> None:
    venues = [venue("bybit", 2.0), venue("okx", 0.0), venue("binance", 3.0)]

    assert headline(cascade(exchanges=venues)).endswith("in one hour; since onset on Binance and Bybit.")
    assert headline(cascade(exchanges=venues[:1], exchange="bybit")).endswith("in one hour on Bybit.")


def test_of_more_than_four_venues_three_are_named() -> None:
    four = [venue(name, 1.0) for name in ("binance", "bitmex", "bybit", "okx")]

    assert headline(cascade(exchanges=four)).endswith("on Binance, BitMEX, Bybit and OKX.")
    assert headline(cascade(exchanges=[*four, venue("htx", 0.5)])).endswith("on Binance, BitMEX, Bybit and 2 more.")


def test_the_share_is_that_of_the_hour_just_named() -> None:
    hour = highest(6e5, 4e5)

    assert said(highest_hour=hour, position_side="LONG", side_share=0.9) == "longs took 60 %"
    assert said(highest_hour=hour, position_side="SHORT", side_share=0.7) == "shorts took 70 % since onset"


def test_of_an_empty_hour_the_share_is_that_since_onset() -> None:
    nothing = highest(0.0)
    text = headline(cascade(highest_hour=nothing, highest_day=nothing, position_side="SHORT", side_share=0.71))

    assert text == "$0 of crypto futures liquidated in one hour; shorts took 71 % since onset."


def test_a_price_that_moved_half_a_percent_is_mentioned_and_less_is_not() -> None:
    assert said(price_change=-0.005) == "price down under 1 %"
    assert said(price_change=0.072) == "price up 7 %"
    assert said(price_change=-0.00499) == ""


def test_funding_at_the_base_rate_is_neutral_and_above_it_positive() -> None:
    assert before(funding_rate_annualised=reading(BASE_RATE_ANNUALISED)) == "funding had been neutral"
    assert before(funding_rate_annualised=reading(0.00125 / 100 * 24 * 365)) == "funding had been neutral"
    assert before(funding_rate_annualised=reading(0.0)) == "funding had been neutral"
    assert before(funding_rate_annualised=reading(BASE_RATE_ANNUALISED + 0.0051)) == "funding had been positive"
    assert before(funding_rate_annualised=reading(-0.0051)) == "funding had been negative"
    assert before(funding_rate_annualised=reading(-0.0049)) == "funding had been neutral"


@pytest.mark.parametrize(
    ("grade", "words"),
    [("ELEVATED", "somewhat crowded"), ("CROWDED", "crowded"), ("EXTREME", "extremely crowded")],
)
def test_crowding_is_named_with_its_side_and_grade(grade: str, words: str) -> None:
    context = {**CONTEXT, "crowded": grade}

    assert said(position_side="LONG", context=context) == f"longs took 100 %; longs had been {words}"
    negative = {**context, "funding_rate_annualised": reading(-0.5)}
    assert said(position_side="SHORT", side_share=1.0, context=negative) == (
        f"shorts took 100 % since onset; funding had been negative ({words} shorts)"
    )


def test_crowding_of_an_unknown_side_is_left_out() -> None:
    assert before(crowded="CROWDED") == ""
    assert before(crowded="CROWDED", funding_rate_annualised=reading(0.5)) == "funding had been positive"


def test_volatility_is_low_up_to_the_lowest_quarter_and_high_from_the_highest() -> None:
    assert before(volatility=reading(0.3, 25.0)) == "volatility had been low"
    assert before(volatility=reading(0.3, 25.1)) == ""
    assert before(volatility=reading(0.3, 74.9)) == ""
    assert before(volatility=reading(0.3, 75.0)) == "volatility had been high"
    assert before(volatility=reading(0.3, None)) == ""


def test_transfers_are_large_from_the_highest_quarter_on() -> None:
    assert before(exchange_inflow=reading(9e4, 75.0)) == "transfers to exchanges had been large"
    assert before(exchange_inflow=reading(9e4, 74.9)) == ""
    assert before(exchange_inflow=reading(9e4, None)) == ""


def test_context_of_another_asset_is_said_to_be_its_own() -> None:
    context = {**CONTEXT, "asset": "BTC", "volatility": reading(0.3, 5.0), "spread_multiple": reading(3.0)}

    assert said(context=context) == "BTC volatility had been low; BTC spreads 3.0 times as wide"
    assert headline(cascade(asset="BTC", context=context)).endswith(
        "; volatility had been low; spreads 3.0 times as wide."
    )


def test_meanwhile_spreads_are_wide_from_one_and_a_half_times_on() -> None:
    assert before(spread_multiple=reading(1.5)) == "spreads 1.5 times as wide"
    assert before(spread_multiple=reading(1.49)) == ""


def test_open_interest_may_fall_rise_or_stay() -> None:
    assert before(open_interest_change=reading(-0.12)) == "open interest down 12 %"
    assert before(open_interest_change=reading(0.03)) == "open interest up 3 %"
    assert before(open_interest_change=reading(-0.0049)) == "open interest unchanged"


def test_a_cascade_that_is_over_speaks_of_what_came_after_not_of_what_goes_on() -> None:
    context = {**CONTEXT, "spread_multiple": reading(9.0)}

    assert (
        said(phase="SUBSIDED", context=context, aftermath={"spread_multiple": 4.0})
        == "afterwards spreads 4.0 times as wide"
    )
    assert said(phase="SUBSIDED", context=context, aftermath=None) == ""
    assert said(phase="PEAK", context=context, aftermath={"spread_multiple": 4.0}) == "spreads 9.0 times as wide"


def test_each_part_of_the_aftermath_stands_alone() -> None:
    assert after(open_interest_change=-0.06) == "afterwards open interest down 6 %"
    assert after(volatility_multiple=1.5) == "afterwards volatility 1.5 times as high"
    assert after(volatility_multiple=1.49) == ""
    assert after(crowding_ended=True) == "afterwards crowding over"
    assert after(crowding_ended=False) == "afterwards crowding not over"


def test_how_far_the_price_came_back_is_said_for_the_side_that_was_hit() -> None:
    assert after(price_recovered=1.0) == "afterwards all of the fall regained"
    assert after(price_recovered=0.996) == "afterwards 99 % of the fall regained"
    assert after(price_recovered=0.0) == "afterwards none of the fall regained"
    assert after(price_recovered=-0.2) == "afterwards none of the fall regained"
    assert said(phase="SUBSIDED", position_side="SHORT", aftermath={"price_recovered": 0.5}).endswith(
        "50 % of the rise given back"
    )
    assert said(phase="SUBSIDED", aftermath={"price_recovered": 0.5}) == ""


def comparison(window: str, share: float, *, confirmed: bool = True) -> dict[str, Any]:
    return {"episode": "x", "date": "2025-09-22", "window": window, "share": share, "confirmed": confirmed}


def test_the_hour_is_compared_before_the_day_and_what_is_not_confirmed_never() -> None:
    story, day, hour = comparison("1h", 0.35, confirmed=False), comparison("24h", 0.62), comparison("1h", 0.33)

    assert said(comparisons=[story, day, hour]) == "33 % of the hour of 2025-09-22"
    assert said(comparisons=[story, day]) == "62 % of the day of 2025-09-22"
    assert said(comparisons=[story]) == ""


def test_from_one_and_a_half_on_a_comparison_is_in_times() -> None:
    assert said(comparisons=[comparison("1h", 1.49)]) == "149 % of the hour of 2025-09-22"
    assert said(comparisons=[comparison("1h", 1.5)]) == "1.5 times the hour of 2025-09-22"


def test_crowded_longs_start_change_and_end() -> None:
    def starts(**others: Any) -> str:
        return crowded_headline({**CROWDED, **others}).partition(":")[0]

    assert starts(phase="STARTED", grade="ELEVATED") == "Longs in BTC are somewhat crowded"
    assert starts(phase="GRADE_CHANGED", grade="EXTREME") == "Longs in BTC are now extremely crowded"
    assert starts(phase="ENDED", grade="EXTREME") == "Longs in BTC are no longer crowded"
    assert (
        starts(phase="STARTED", grade="CROWDED", symbol="BTCUSDT", position_side="SHORT")
        == "Shorts in BTCUSDT are crowded"
    )


def test_a_rank_is_a_percentile_for_both_sides() -> None:
    low = {**CROWDED, "position_side": "SHORT", "funding_rate_annualised": -0.35, "percentile": 3.0}

    assert "funding at 43.8 % a year on Binance and Bybit, percentile 98 of 180 days, for 3 days." in crowded_headline(
        CROWDED
    )
    assert "funding at -35.0 % a year on Binance and Bybit, percentile 3 of 180 days" in crowded_headline(low)


def test_what_ended_for_want_of_funding_is_not_said_to_be_over() -> None:
    lost = {**CROWDED, "phase": "ENDED", "exchanges": []}

    assert crowded_headline(lost) == "Longs in BTC are not known to be crowded any more: no funding."


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.4, ""), (1.0, ", for 1 hour"), (47.4, ", for 47 hours"), (48.0, ", for 2 days")],
)
def test_a_streak_is_in_hours_and_from_two_days_on_in_days(hours: float, words: str) -> None:
    bare = {**CROWDED, "percentile": None, "exchanges": [], "streak_hours": hours}

    assert crowded_headline(bare) == f"Longs in BTC are now crowded: funding at 43.8 % a year{words}."


def test_a_venue_with_two_instruments_is_named_once() -> None:
    twice = [{"exchange": "binance"}, {"exchange": "binance"}]

    assert " on Binance, " in crowded_headline({**CROWDED, "exchanges": twice})


UNITS = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


def worth(text: str) -> float:
    match = re.fullmatch(r"\$([0-9.]+)([KMB]?)", text)
    assert match, text
    return float(match[1]) * UNITS[match[2]]


@given(st.floats(0, 1e13))
def test_money_that_is_at_least_never_says_more_than_is_known(usd: float) -> None:
    shown = worth(money(usd, floor=True))

    assert shown <= usd * (1 + 1e-12)
    assert usd - shown <= max(1.0, usd / 100)


@given(st.floats(0, 1e13))
def test_money_is_within_half_a_percent(usd: float) -> None:
    assert abs(worth(money(usd, floor=False)) - usd) <= max(1.0, usd / 199)


@given(st.floats(0, 0.9999))
def test_a_part_never_reads_as_the_whole(part: float) -> None:
    assert percent(part) != "100 %"


MAYBE = st.none() | st.floats(-5, 5)
READING = st.none() | st.builds(reading, st.floats(-5, 5), st.none() | st.floats(0, 100))


@given(
    st.sampled_from(["ONSET", "ESCALATED", "PEAK", "SUBSIDED"]),
    st.sampled_from(["UNKNOWN", "LONG", "SHORT"]),
    st.fixed_dictionaries({name: READING for name in CONTEXT if name not in ("asset", "crowded", "crowded_age_ms")}),
    st.none() | st.fixed_dictionaries({name: MAYBE for name in SUBSIDED["aftermath"] if name != "crowding_ended"}),
)
def test_whatever_is_missing_the_headline_is_one_sentence(phase: str, side: str, context: Any, aftermath: Any) -> None:
    text = headline(cascade(phase=phase, position_side=side, context=context, aftermath=aftermath))

    assert re.fullmatch(r"\$\S.*[^;, ]\.", text)
    assert not re.search(r"None|nan|; ;|;;|, ,|  ", text)
