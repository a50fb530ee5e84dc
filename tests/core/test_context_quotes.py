"""Volatility and spread around a cascade: each bound at its edge."""

import math

import pytest

from streams.core.context import Before, ContextRule, ContextTracker
from streams.core.reading import Reading
from tests.core.context_builders import DAY, HOUR, MINUTE, SECOND, T, fed, minutes, quote

MINUTELY = math.log(1.01) * math.sqrt(525_600)

# -- volatility ------------------------------------------------------------------------------------------------


def test_volatility_is_annualised_from_the_last_price_of_each_minute():
    tracker = fed(*minutes(3))

    assert math.isclose(MINUTELY, tracker.before("BTC", T + 3 * MINUTE).volatility.value)


def test_nothing_known_is_not_available():
    assert Before(at_ms=T) == ContextTracker(ContextRule()).before("BTC", T)


@pytest.mark.parametrize(("closed", "known"), [(720, False), (721, True)])
def test_a_day_must_hold_720_returns(closed, known):
    tracker = fed(*minutes(closed), rule=ContextRule())

    assert known == (tracker.before("BTC", T + closed * MINUTE).volatility is not None)


def test_the_mark_price_goes_before_the_mid():
    tracker = fed(*[quote(T + m * MINUTE, 100.0 + m, mark=99.0) for m in range(4)])

    assert tracker.before("BTC", T + 3 * MINUTE).volatility.value == 0.0


@pytest.mark.parametrize(("mark", "counts"), [(80.0, True), (79.9, False), (120.0, True), (120.1, False)])
def test_a_mark_price_more_than_a_fifth_off_the_mid_does_not_go_before_it(mark, counts):
    tracker = fed(*[quote(T + m * MINUTE, mark=each) for m, each in enumerate([100.0, mark, 100.0, 100.0])])

    assert counts == (tracker.before("BTC", T + 3 * MINUTE).volatility.value > 0.0)


@pytest.mark.parametrize("mark", [0.0, -100.0, 1e30, math.inf, math.nan])
def test_a_mark_price_that_cannot_be_is_passed_over_for_the_mid(mark):
    assert fed(quote(T, mark=mark)).dirty_rows() == fed(quote(T)).dirty_rows() != []


def test_there_is_no_return_from_a_mark_price_to_a_mid():
    tracker = fed(*[quote(T + m * MINUTE, mark=99.0 if m < 2 else None) for m in range(12)])

    # One at minute 1; the mids wait for the mark until minute 7, and follow on each other from 8 on.
    assert [1, 8, 9, 10] == steps_of(tracker)
    assert tracker.before("BTC", T + 11 * MINUTE).volatility.value == 0.0


def test_a_mark_price_that_is_missing_now_and_then_is_no_hole():
    tracker = fed(*[quote(T + m * MINUTE, mark=None if m in {2, 4} else 99.0) for m in range(7)])

    assert [1, 2, 3, 4, 5] == steps_of(tracker)


def steps_of(tracker):
    """Minutes that have a return."""
    return [int(step) - T // MINUTE for step in tracker._quotes._returns.samples("BTC", 0, 1 << 40).steps]


def returns_of(tracker):
    return tracker._quotes._returns.samples("BTC", 0, 1 << 40).values.tolist()


def said(*prices, exchange="binance"):
    """Quotes of one instrument, by minute."""
    return [quote(T + m * MINUTE, price, exchange=exchange) for m, price in enumerate(prices) if price]


def by_time(*quotes):
    return fed(*sorted((q for each in quotes for q in each), key=lambda q: q.event_time_ms))


@pytest.mark.parametrize(("minute", "known"), [(6, [1, 2, 3, 4, 5, 6]), (7, [1])])
def test_a_move_over_five_minutes_counts_in_the_last_of_them_and_a_longer_one_nowhere(minute, known):
    tracker = fed(*said(100.0, 100.0), quote(T + minute * MINUTE, 90.0), quote(T + (minute + 1) * MINUTE, 90.0))

    assert known == steps_of(tracker)
    assert math.isclose(0.9 if minute == 6 else 1.0, math.exp(sum(returns_of(tracker))))


def test_an_instrument_that_skipped_minutes_while_others_spoke_does_not_count_its_move_again():
    steady, skipping = said(100.0, 95.0, 90.0, 90.0, 90.0), said(100.0, None, None, 91.0, exchange="okx")

    assert pytest.approx([math.log(0.95), math.log(90 / 95), 0.0]) == returns_of(by_time(steady, skipping))


def test_of_instruments_that_take_turns_each_counts_what_is_new():
    odd, even = said(100.0, 95.0, None, 90.0, 90.0), said(100.0, None, 92.0, None, 90.0, 90.0, exchange="okx")
    returns = returns_of(by_time(odd, even))

    assert pytest.approx([math.log(each) for each in (0.95, 92 / 95, 90 / 92, 1.0)]) == returns


def test_the_returns_of_an_asset_are_the_mean_of_its_instruments():
    still = [quote(T + m * MINUTE, exchange="okx") for m in range(4)]
    both = [q for pair in zip(minutes(3), still, strict=True) for q in pair]

    assert math.isclose(MINUTELY / 2, fed(*both).before("BTC", T + 3 * MINUTE).volatility.value)


def test_volatility_five_minutes_old_is_given_with_its_age():
    assert fed(*minutes(3)).before("BTC", T + 8 * MINUTE).volatility.age_ms == 5 * MINUTE


def test_volatility_more_than_five_minutes_old_is_not_available():
    assert fed(*minutes(3)).before("BTC", T + 8 * MINUTE + 1).volatility is None


def test_a_minute_counts_from_its_end():
    tracker = fed(*minutes(3))

    assert tracker.before("BTC", T + 3 * MINUTE - 1).volatility is None
    assert tracker.before("BTC", T + 3 * MINUTE).volatility is not None


def test_quotes_read_ahead_do_not_change_what_was_before():
    expected = fed(*minutes(3)).before("BTC", T + 3 * MINUTE).volatility
    wild = [quote(T + (4 + m) * MINUTE, 10.0**m) for m in range(9)]

    assert expected == fed(*minutes(3), *wild).before("BTC", T + 3 * MINUTE).volatility


def test_a_quote_for_a_closed_minute_changes_nothing():
    late = quote(T + 3 * MINUTE - 1, 500.0, 5.0)
    expected = fed(*minutes(5)).before("BTC", T + 5 * MINUTE)

    assert expected == fed(*minutes(3), late, *minutes(5)[4:]).before("BTC", T + 5 * MINUTE)


@pytest.mark.parametrize(
    "useless",
    [
        quote(T + MINUTE, 100.0, -0.1),
        quote(T + MINUTE, 0.0, 0.0),
        quote(T + MINUTE, 0.0, 1.0),
        quote(T + MINUTE, 1e30, 0.0),
        quote(T + MINUTE, math.nan),
    ],
)
def test_a_quote_without_a_possible_price_says_nothing(useless):
    tracker = fed(useless)

    assert tracker.dirty_rows() == []


def hours_of_quotes(hours):
    """Three quotes at the start of each hour, calmer by the hour, and one that closes the last hour."""
    for hour in range(hours):
        for m, price in enumerate((100.0, 100.0 + 1 / (hour + 1), 100.0)):
            yield quote(T + hour * HOUR + m * MINUTE, price)
    yield quote(T + hours * HOUR)


HOURLY = ContextRule(returns_count_min=2, window_ms=HOUR, history_ms_min=DAY)


def test_volatility_is_ranked_in_its_own_hourly_history():
    calm = fed(*hours_of_quotes(26), rule=HOURLY).before("BTC", T + 25 * HOUR + 4 * MINUTE)

    assert calm.volatility.percentile == 0.0


def test_a_history_an_hour_short_of_its_least_gives_no_rank():
    early = fed(*hours_of_quotes(26), rule=HOURLY).before("BTC", T + 24 * HOUR + 4 * MINUTE)

    assert early.volatility.percentile is None


def test_an_hour_is_sampled_by_the_first_quote_after_it():
    *inside, after = hours_of_quotes(1)
    tracker = fed(*inside, rule=HOURLY)
    assert not any(key.startswith(b"x|v|") for key, _ in tracker.dirty_rows())

    tracker.quote(after)

    assert any(key.startswith(b"x|v|") for key, _ in tracker.dirty_rows())


def test_an_hour_with_too_few_returns_is_no_history():
    two_in_an_hour = [q for q in hours_of_quotes(27) if q.event_time_ms % HOUR != 2 * MINUTE]
    tracker = fed(*two_in_an_hour, *minutes(3, T + 27 * HOUR), rule=HOURLY)

    assert tracker.before("BTC", T + 27 * HOUR + 3 * MINUTE).volatility.percentile is None


# -- spread ----------------------------------------------------------------------------------------------------


def test_the_spread_is_a_multiple_of_its_own_median():
    tracker = fed(*minutes(3, spread=0.1), quote(T + 3 * MINUTE + 1, 101.0, 0.3))
    before = tracker.before("BTC", T + 3 * MINUTE + 1)

    assert math.isclose(0.1 / 100, before.spread_median)
    assert math.isclose(3.0 * 100 / 101, before.spread_multiple.value)


@pytest.mark.parametrize(("closed", "known"), [(59, False), (60, True)])
def test_a_median_spread_needs_60_minutes(closed, known):
    before = fed(*minutes(closed), rule=ContextRule()).before("BTC", T + closed * MINUTE)

    assert [known] * 2 == [before.spread_median is not None, before.spread_multiple is not None]


def test_a_locked_book_has_no_multiple():
    before = fed(*minutes(3, spread=0.0)).before("BTC", T + 3 * MINUTE)

    assert (before.spread_median, before.spread_multiple) == (0.0, None)


def test_the_spread_is_the_mean_of_the_instruments_with_a_fresh_quote():
    stale, fresh = quote(T, spread=50.0, exchange="okx"), quote(T + 5 * MINUTE, spread=0.3, exchange="bybit")
    tracker = fed(stale, *minutes(5), fresh)

    with_it = tracker.before("BTC", T + 5 * MINUTE).spread_multiple
    without = tracker.before("BTC", T + 5 * MINUTE + 1).spread_multiple

    assert math.isclose((50.0 / 100 + 0.1 / 101 + 0.3 / 100) / 3, with_it.value * fed_median(tracker))
    assert math.isclose((0.1 / 101 + 0.3 / 100) / 2, without.value * fed_median(tracker))


def fed_median(tracker):
    return tracker.before("BTC", T + 5 * MINUTE).spread_median


@pytest.mark.parametrize(("quoted_ms", "percent"), [(T + MINUTE, 0.3775), (T + MINUTE - 1, 0.255)])
def test_a_minute_counts_a_quote_that_is_five_minutes_old_at_its_end_and_none_older(quoted_ms, percent):
    wide, narrow = quote(quoted_ms, spread=0.5), quote(T + 5 * MINUTE, spread=0.01, exchange="okx")
    tracker = fed(wide, narrow, quote(T + 6 * MINUTE), rule=ContextRule(spreads_count_min=1))

    # Two minutes closed: 0.5 %, and 0.01 % alone or averaged with it.
    assert math.isclose(percent / 100, tracker.before("BTC", T + 6 * MINUTE).spread_median)


def test_a_minute_whose_quotes_are_stale_at_its_end_has_no_spread():
    tracker = fed(*minutes(4), rule=ContextRule(quote_age_ms_max=MINUTE - 1, spreads_count_min=1))

    assert tracker.before("BTC", T + 4 * MINUTE).spread_median is None


def test_a_spread_five_minutes_old_is_given_with_its_age():
    assert fed(*minutes(3)).before("BTC", T + 8 * MINUTE).spread_multiple.age_ms == 5 * MINUTE


def test_a_spread_more_than_five_minutes_old_is_not_available():
    assert fed(*minutes(3)).before("BTC", T + 8 * MINUTE + 1).spread_multiple is None


def test_a_quote_five_seconds_ahead_is_now():
    tracker = fed(*minutes(3), quote(T + 3 * MINUTE + 5 * SECOND, 101.0, 0.3))

    multiple = tracker.before("BTC", T + 3 * MINUTE).spread_multiple
    assert (300, 0) == (round(multiple.value * 101), multiple.age_ms)


def test_a_quote_further_ahead_is_passed_over_for_the_last_whole_minute():
    tracker = fed(*minutes(3), quote(T + 3 * MINUTE + 5 * SECOND + 1, 101.0, 0.3))

    assert tracker.before("BTC", T + 3 * MINUTE).spread_multiple == Reading(1.0, None, 0)


def test_a_whole_minute_stands_in_until_it_is_five_minutes_old():
    tracker = fed(*minutes(2), quote(T + 30 * MINUTE), rule=ContextRule(spreads_count_min=1))

    assert tracker.before("BTC", T + 8 * MINUTE).spread_multiple.age_ms == 5 * MINUTE
    assert tracker.before("BTC", T + 8 * MINUTE + 1).spread_multiple is None
