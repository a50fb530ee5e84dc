"""Open interest and flows around a cascade, and what came after: each bound at its edge."""

import json
import math

import pytest

from streams.core.context import Before, ContextRule, ContextTracker
from streams.core.context_flows import PERIODS_MAX
from streams.core.context_rule import OF_ASSET_MAX
from streams.core.errors import InvalidEvent, Reason
from streams.core.events import PositionSide
from streams.core.reading import Reading
from tests.core.context_builders import DAY, HOUR, MINUTE, SECOND, SHORT, T, fed, flow, interest, minutes, quote

# -- open interest ---------------------------------------------------------------------------------------------

LONG, SHORT_SIDE = PositionSide.LONG, PositionSide.SHORT


def test_the_change_is_in_coins_over_all_instruments():
    tracker = fed(interest(T, 60.0), interest(T, 40.0, "okx"))
    before = tracker.before("BTC", T)
    tracker.open_interest(interest(T + 1, 40.0))
    tracker.open_interest(interest(T + 2, 35.0, "okx"))

    assert before.open_interest == {"binance|BTCUSDT": 60.0, "okx|BTCUSDT": 40.0}
    assert tracker.open_interest_change(before, "BTC", T + 10) == Reading(-0.25, None, 8)


def test_an_instrument_that_was_missing_before_is_no_rise():
    tracker = fed(interest(T, 60.0))
    before = tracker.before("BTC", T)
    tracker.open_interest(interest(T + 1, 60.0))
    tracker.open_interest(interest(T + 1, 1_000.0, "okx"))

    assert tracker.open_interest_change(before, "BTC", T + 1) == Reading(0.0, None, 0)


def test_an_instrument_not_heard_from_since_is_left_out():
    tracker = fed(interest(T, 60.0), interest(T, 40.0, "okx"))
    before = tracker.before("BTC", T)
    assert tracker.open_interest_change(before, "BTC", T + 1) is None
    tracker.open_interest(interest(T + 1, 30.0))

    assert tracker.open_interest_change(before, "BTC", T + 1) == Reading(-0.5, None, 0)


def test_a_change_from_nothing_is_not_available():
    tracker = fed(interest(T, 0.0))
    before = tracker.before("BTC", T)
    tracker.open_interest(interest(T + 1, 30.0))

    assert tracker.open_interest_change(before, "BTC", T + 1) is None


def test_open_interest_an_hour_old_is_known_and_older_is_not():
    tracker = fed(interest(T, 60.0))

    assert tracker.before("BTC", T + HOUR).open_interest == {"binance|BTCUSDT": 60.0}
    assert tracker.before("BTC", T + HOUR + 1).open_interest == {}


def test_an_instrument_no_longer_remembered_has_no_change():
    before = fed(interest(T, 60.0)).before("BTC", T)

    assert ContextTracker(SHORT).open_interest_change(before, "BTC", T + 1) is None


@pytest.mark.parametrize("useless", [-1.0, math.nan, 1e30])
def test_open_interest_that_cannot_be_says_nothing(useless):
    assert fed(interest(T, useless)).dirty_rows() == []


def test_repeated_and_late_open_interest_changes_nothing():
    tracker = fed(interest(T, 60.0), interest(T, 60.0), interest(T - 1, 70.0))

    assert tracker.before("BTC", T).open_interest == {"binance|BTCUSDT": 60.0}


def test_open_interest_five_seconds_ahead_is_now_and_further_ahead_is_not():
    tracker = fed(interest(T + 5 * SECOND, 60.0))

    assert tracker.before("BTC", T).open_interest == {"binance|BTCUSDT": 60.0}
    assert tracker.before("BTC", T - 1).open_interest == {}


def test_the_last_whole_five_minutes_stand_in_for_open_interest_read_ahead():
    tracker = fed(interest(T + 1, 60.0), interest(T + MINUTE, 61.0), interest(T + 2 * HOUR, 90.0))

    assert tracker.before("BTC", T + 5 * MINUTE - 1).open_interest == {}
    assert tracker.before("BTC", T + 5 * MINUTE).open_interest == {"binance|BTCUSDT": 61.0}
    assert tracker.before("BTC", T + HOUR).open_interest == {"binance|BTCUSDT": 61.0}
    assert tracker.before("BTC", T + HOUR + 1).open_interest == {}


# -- exchange flows --------------------------------------------------------------------------------------------


def test_the_inflow_is_scaled_to_a_day_and_summed_over_exchanges():
    tracker = fed(flow(T, 10.0, hours=1), flow(T, 60.0, "okx", hours=24))

    assert tracker.before("BTC", T + 7).inflow == Reading(300.0, None, 7)


def test_a_correction_replaces_and_an_older_period_does_not():
    corrected = flow(T, 50.0, published_ms=T + HOUR)
    tracker = fed(flow(T, 10.0), corrected, flow(T, 10.0), flow(T - HOUR, 99.0))

    assert tracker.before("BTC", T).inflow.value == 10.0, "the correction was not known yet"
    assert tracker.before("BTC", T + HOUR).inflow.value == 50.0


def test_an_inflow_is_that_of_24_hours_however_often_it_is_told():
    hours = [flow(T + number * HOUR, 100.0, hours=1) for number in range(-30, 0)]
    tracker = fed(*hours, flow(T, 1_000.0, hours=1))

    assert tracker.before("BTC", T).inflow.value == pytest.approx(23 * 100.0 + 1_000.0)


def test_a_period_that_comes_late_fills_its_place_if_it_is_of_the_last_day():
    hours = [flow(T + number * HOUR, 100.0, hours=1) for number in range(-23, 1)]
    late, old = flow(T - 5 * HOUR, 600.0, hours=1, published_ms=T), flow(T - 24 * HOUR, 9_999.0, hours=1)

    assert fed(*hours[:18], *hours[19:], late, old).before("BTC", T).inflow.value == pytest.approx(23 * 100.0 + 600.0)


def test_of_short_periods_so_many_are_remembered():
    tracker = fed(*[flow(T + number * MINUTE, 1.0, hours=1 / 60) for number in range(200)])

    assert tracker.before("BTC", T + 4 * HOUR).inflow.value == pytest.approx(1_440.0)
    ((_, row),) = [(key, value) for key, value in tracker.dirty_rows() if key == b"x|f|BTC"]
    assert row.count(b"[") == 1 + PERIODS_MAX


def test_an_inflow_48_hours_old_is_given_and_older_is_not():
    tracker = fed(flow(T, 10.0))

    assert tracker.before("BTC", T + 48 * HOUR).inflow.age_ms == 48 * HOUR
    assert tracker.before("BTC", T + 48 * HOUR + 1).inflow is None


def test_an_exchange_48_hours_behind_the_newest_is_in_the_sum_and_later_is_not():
    assert fed(flow(T, 10.0), flow(T + 48 * HOUR, 5.0, "okx")).before("BTC", T + 48 * HOUR).inflow.value == 15.0
    assert fed(flow(T - 1, 10.0), flow(T + 48 * HOUR, 5.0, "okx")).before("BTC", T + 48 * HOUR).inflow.value == 5.0


def test_a_period_counts_from_the_full_hour_at_its_end():
    tracker = fed(flow(T - HOUR, 1.0), flow(T - HOUR + 1, 5.0))

    assert tracker.before("BTC", T - 1).inflow.value == 1.0
    assert tracker.before("BTC", T).inflow.value == 5.0


@pytest.mark.parametrize("useless", [flow(T, 1.0, hours=0), flow(T, -1.0), flow(T, math.nan), flow(T, 1e30)])
def test_a_flow_that_cannot_be_says_nothing(useless):
    assert fed(useless).dirty_rows() == []


@pytest.mark.parametrize(("days", "percentile"), [(6, None), (7, 100.0)])
def test_an_inflow_is_ranked_once_its_history_covers_seven_days(days, percentile):
    tracker = fed(*[flow(T + d * DAY, 10.0 + d) for d in range(days + 1)])

    assert percentile == tracker.before("BTC", T + days * DAY).inflow.percentile


def test_a_history_goes_back_90_days_and_no_further():
    spike = [flow(T, 1_000.0), flow(T + DAY, 1_000.0)]
    tracker = fed(*spike, *[flow(T + d * DAY, 10.0) for d in range(2, 91)], flow(T + 91 * DAY, 11.0))

    assert tracker.before("BTC", T + 91 * DAY).inflow.percentile == 100 * 89 / 90


# -- afterwards ------------------------------------------------------------------------------------------------


def test_what_came_after_is_told_in_multiples_of_what_was_before():
    onset_ms = T + 10 * MINUTE
    tracker = fed(*minutes(10), interest(onset_ms, 100.0))
    before = tracker.before("BTC", onset_ms)
    for m in range(11, 17):
        tracker.quote(quote(T + m * MINUTE, 102.0 if m % 2 else 100.0, 0.3))
    tracker.open_interest(interest(onset_ms + MINUTE, 80.0))

    after = tracker.after(before, "BTC", LONG, onset_ms, T + 16 * MINUTE)

    # The minute of the onset still came back from 101 to 100, at the old spread; the other five are wild.
    calm, wild = math.log(1.01) ** 2, math.log(1.02) ** 2
    assert math.isclose(math.sqrt((calm + 5 * wild) / 6 / calm), after.volatility_multiple)
    assert math.isclose(0.3 / 102 / before.spread_median, after.spread_multiple)
    assert math.isclose(-0.2, after.open_interest_change)


@pytest.mark.parametrize(("closed", "known"), [(4, False), (5, True)])
def test_what_came_after_needs_five_minutes(closed, known):
    tracker = fed(*minutes(10 + closed))
    onset_ms = T + 10 * MINUTE

    after = tracker.after(tracker.before("BTC", onset_ms), "BTC", LONG, onset_ms, onset_ms + closed * MINUTE)

    assert [known] * 2 == [after.volatility_multiple is not None, after.spread_multiple is not None]


def test_what_came_after_is_not_available_where_nothing_was_known_before():
    after = fed(*minutes(10)).after(Before(at_ms=T), "BTC", LONG, T, T + 10 * MINUTE)

    assert (after.volatility_multiple, after.spread_multiple, after.open_interest_change) == (None, None, None)


def test_a_price_that_stands_still_afterwards_is_zero_times_as_volatile():
    still = [quote(T + m * MINUTE, 100.0) for m in range(11, 17)]
    tracker = fed(*minutes(10), *still)
    before = tracker.before("BTC", T + 10 * MINUTE)

    assert tracker.after(before, "BTC", LONG, T + 11 * MINUTE, T + 16 * MINUTE).volatility_multiple == 0.0


def test_nothing_is_a_multiple_of_a_price_that_stood_still():
    tracker = fed(*[quote(T + m * MINUTE) for m in range(11)], *minutes(6, T + 11 * MINUTE))
    before = tracker.before("BTC", T + 10 * MINUTE)

    assert before.volatility.value == 0.0
    assert tracker.after(before, "BTC", LONG, T + 10 * MINUTE, T + 16 * MINUTE).volatility_multiple is None


def test_what_came_after_is_not_available_once_the_quotes_are_stale():
    tracker = fed(*minutes(10))
    before = tracker.before("BTC", T + 5 * MINUTE)

    assert tracker.after(before, "BTC", LONG, T, T + 15 * MINUTE).spread_multiple is not None
    assert tracker.after(before, "BTC", LONG, T, T + 15 * MINUTE + 1).spread_multiple is None


def recovered(side, *prices):
    """Prices of minutes, the first before all else; the onset is five minutes behind it."""
    tracker = fed(*[quote(T + m * MINUTE, price) for m, price in enumerate([*prices, prices[-1]])])
    return tracker.after(Before(at_ms=T), "BTC", side, T + 6 * MINUTE, T + len(prices) * MINUTE).price_recovered


def test_what_of_its_move_the_quoted_price_took_back_is_told_by_side():
    assert recovered(LONG, 100.0, 99.0, 95.0, 90.0, 92.0, 94.0) == pytest.approx(0.4)
    assert recovered(LONG, 100.0, 99.0, 95.0, 90.0, 92.0, 101.0) == pytest.approx(1.1)
    assert recovered(SHORT_SIDE, 100.0, 104.0, 105.0, 110.0, 106.0, 104.0) == pytest.approx(0.6)


def test_of_no_move_and_of_too_few_quotes_nothing_was_taken_back():
    assert recovered(LONG, 1000.0, 1000.0, 995.1, 996.0, 1000.0, 1000.0) is None
    assert recovered(LONG, 1000.0, 1000.0, 994.9, 996.0, 1000.0, 1000.0) == pytest.approx(1.0)
    assert recovered(LONG, 100.0, 105.0, 106.0, 107.0, 108.0, 109.0) is None
    assert recovered(LONG, 100.0, 90.0, 90.0, 90.0, 95.0) is None


FALL = [*[100.0] * 15, 95.0, *[90.0] * 4, 89.0, *[90.0] * 10]


def after_fall(at_minute, *missing, prices=FALL):
    """What came after an onset at minute 12, some minutes being without a quote; each is fed after a restart."""
    tracker, rows = fed(), {}
    for minute, price in enumerate(prices):
        if minute not in missing:
            tracker.quote(quote(T + minute * MINUTE, price))
        rows.update(tracker.dirty_rows())
        tracker = ContextTracker(SHORT)
        for key, value in rows.items():
            if value is not None:
                tracker.load(key, value)
    before = Before(at_ms=T, volatility=Reading(1.0, None, 0), spread_median=0.001)
    return tracker.after(before, "BTC", LONG, T + 12 * MINUTE, T + at_minute * MINUTE)


def test_minutes_without_a_quote_hide_no_move():
    whole, gaps = after_fall(30), after_fall(30, 15, 17, 18, 19, 24)

    assert whole.price_recovered == gaps.price_recovered == pytest.approx(1 / 11)
    assert gaps.volatility_multiple > whole.volatility_multiple > 5


def test_what_came_after_does_not_reach_over_more_than_five_minutes_without_a_quote():
    hole = after_fall(30, 14, 15, 16, 17, 18)

    assert (hole.price_recovered, hole.volatility_multiple) == (None, None)
    assert hole.spread_multiple is not None
    assert after_fall(30, 14, 15, 16, 17).price_recovered is not None


@pytest.mark.parametrize(("hours", "known"), [(26, True), (27, False)])
def test_what_came_after_does_not_reach_back_further_than_is_kept(hours, known):
    last = 12 - 5 + hours * 60
    after = after_fall(last, prices=[*FALL, *[90.0] * (last - len(FALL) + 1)])

    assert [known] * 2 == [after.price_recovered is not None, after.volatility_multiple is not None]


def test_a_spread_is_not_one_since_an_onset_whose_minute_is_no_longer_kept():
    after = [
        after_fall(last, prices=[*FALL, *[90.0] * (last - len(FALL) + 1)]) for last in (12 + 26 * 60, 13 + 26 * 60)
    ]

    assert [True, False] == [each.spread_multiple is not None for each in after]


def test_what_was_before_survives_json():
    before = fed(*minutes(3), interest(T, 7.0), flow(T, 1.0)).before("BTC", T + 3 * MINUTE)

    assert before == Before.from_json(json.loads(json.dumps(before.to_json())))


# -- limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "refused"),
    [
        (quote(T), quote(T, exchange="okx")),
        (quote(T), quote(T, asset="ETH")),
        (interest(T, 1.0), interest(T, 1.0, "okx")),
        (flow(T, 1.0), flow(T, 1.0, "okx")),
    ],
)
def test_one_more_than_the_limit_is_refused_and_the_known_ones_go_on(known, refused):
    with pytest.raises(InvalidEvent, match="number 2 of this partition; STREAMS_INSTRUMENTS_MAX is 1") as caught:
        fed(known, known, refused, rule=ContextRule(instruments_max=1))

    assert caught.value.reason == Reason.TOO_MANY_INSTRUMENTS


@pytest.mark.parametrize(
    "make",
    [
        lambda name: quote(T, exchange=name),
        lambda name: interest(T, 1.0, name),
        lambda name: flow(T, 1.0, name),
    ],
)
def test_an_asset_is_one_row_and_has_so_many_and_no_more(make):
    known = [make(f"e{number}") for number in range(OF_ASSET_MAX)]

    with pytest.raises(InvalidEvent, match="number 2001 of its asset; there may be 2000"):
        fed(*known, known[0], make("one more"))
