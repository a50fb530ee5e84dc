"""Which seconds the market sees and on which it decides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.baseline import HOURS_MIN
from streams.core.cascade import CascadeRule, Phase
from streams.core.cells import Cells
from streams.core.events import Scope
from streams.core.market import ALL, Market

M = 29_497_680  # a minute; the first of an hour
S = M * 60
RULES = {scope: CascadeRule(1_000, hour_min=1) for scope in Scope}
QUIET_S = RULES[Scope.MARKET].quiet_ms // 1_000


def growth(usd, *, exchange="okx", on_time=True):
    """What an exchange has grown: micro-USD of a long by second behind S."""
    second, amount = np.array(sorted(usd.items()), np.int64).reshape(-1, 2).T
    sums = np.zeros((len(usd), 4), np.int64)
    sums[:, 0], sums[:, 2] = amount, 1
    return [exchange], Cells(np.full(len(usd), int(on_time)), second + S, sums, amount)


def market(*growths, clock_s, partitions=1, lateness_ms=5_000):
    made = Market(RULES, lateness_ms)
    for each in growths:
        made.grow(*each)
    return made, made.watermark(0, clock_s * 1_000, partitions)


def told(made):
    made.flush_late()
    return made.told.totals([list(range(len(made.told.instruments)))]).sums[5, 0, 0]


def test_nothing_is_told_or_decided_before_every_partition_has_been_heard_of():
    made, notices = market(growth({0: 5_000}), clock_s=S + 60, partitions=2)
    made.flush_late()
    assert (-1, None, []) == (made.clock_ms, made.told.newest, notices)

    notices = made.watermark(1, (S + 30) * 1_000, 2)
    assert (S + 30) * 1_000 == made.clock_ms
    assert [Scope.EXCHANGE, Scope.MARKET] == [notice.scope for notice in notices]


def test_a_partition_that_has_nothing_to_read_holds_nobody_back():
    made, _ = market(clock_s=S, partitions=2)
    made.watermark(1, None, 2)
    assert S * 1_000 == made.clock_ms

    made.watermark(1, (S - 60) * 1_000, 2)
    assert S * 1_000 == made.clock_ms


@pytest.mark.parametrize(("behind_ms", "clock_s"), [(5_000, S), (5_001, S + 60)])
def test_a_partition_that_was_empty_and_is_behind_what_is_closed_is_not_waited_for(behind_ms, clock_s):
    made, _ = market(clock_s=S, partitions=2)
    made.watermark(1, None, 2)
    made.watermark(1, S * 1_000 - behind_ms, 2)
    made.watermark(0, (S + 60) * 1_000, 2)
    assert clock_s * 1_000 == made.clock_ms

    made.watermark(1, (S + 90) * 1_000, 2)  # and counts again once it has come so far
    made.watermark(0, (S + 200) * 1_000, 2)
    assert (S + 90) * 1_000 == made.clock_ms


def test_a_clock_that_holds_the_market_back_does_so_however_far_the_others_are():
    made, _ = market(clock_s=S, partitions=3)
    made.watermark(1, (S + 3_600) * 1_000, 3)
    made.watermark(2, None, 3)
    made.watermark(2, (S - 3_600) * 1_000, 3)

    assert [] == made.watermark(1, (S + 7_200) * 1_000, 3)
    assert S * 1_000 == made.clock_ms


def test_partitions_without_any_record_give_no_time():
    made = Market(RULES, 0)

    assert [] == made.watermark(0, None, 1)
    assert -1 == made.clock_ms


def test_the_market_goes_with_the_oldest_clock():
    made, _ = market(clock_s=S + 100, partitions=2)
    made.watermark(1, S * 1_000, 2)
    made.watermark(0, (S + 200) * 1_000, 2)

    assert S * 1_000 == made.clock_ms


@pytest.mark.parametrize(("clock_s", "usd"), [(S + 9, 0), (S + 10, 7)])
def test_rows_hold_the_second_in_which_the_clock_stands(clock_s, usd):
    made, _ = market(growth({10: 7}), clock_s=clock_s)

    assert usd == told(made)


def test_what_lies_ahead_of_the_clock_waits_for_it():
    made, _ = market(growth({10: 7, 70: 5, 130: 4}), clock_s=S + 69)
    made.grow(*growth({70: 1}))
    assert 7 == told(made)

    made.watermark(0, (S + 70) * 1_000, 1)
    assert 13 == told(made)


@pytest.mark.parametrize(("clock_ms", "scopes"), [(15_999, []), (16_000, [Scope.EXCHANGE, Scope.MARKET])])
def test_a_second_is_decided_when_its_end_is_the_markets_lateness_behind_the_clock(clock_ms, scopes):
    made = Market(RULES, 5_000)
    made.grow(*growth({10: 1_000}))
    notices = made.watermark(0, S * 1_000 + clock_ms, 1)

    assert scopes == [notice.scope for notice in notices]


def test_what_is_decided_stays_decided_where_the_lateness_has_grown():
    made, _ = market(growth({0: 5_000}), clock_s=S + 60)
    made.lateness_ms = 30_000

    assert [] == made.watermark(0, (S + 61) * 1_000, 1)
    assert S + 55 == made.closed


def test_what_was_not_on_time_is_told_and_not_decided():
    made, notices = market(growth({10: 5_000}, on_time=False), clock_s=S + 60)

    assert ([], 5_000) == (notices, told(made))


def test_growth_adds_up():
    made, notices = market(growth({10: 400}), growth({10: 700, 12: 1}), clock_s=S + 60)

    assert 1_101 == told(made)
    assert [(2, 0.0007)] * 2 == [(notice.record["count"], notice.record["largest_usd"]) for notice in notices]


def test_partitions_and_exchanges_add_up():
    made = Market(RULES, 5_000)
    for each in (growth({10: 400}), growth({10: 500}), growth({10: 600}, exchange="binance")):
        made.grow(*each)
    made.watermark(0, (S + 60) * 1_000, 2)
    notices = made.watermark(1, (S + 60) * 1_000, 2)

    assert [(Scope.MARKET, ALL)] == [(notice.scope, notice.record["key"]) for notice in notices]
    assert ["binance", "okx"] == [each["exchange"] for each in notices[0].record["exchanges"]]
    assert {"count": 3, "largest_usd": 0.0006} == {name: notices[0].record[name] for name in ("count", "largest_usd")}


def test_exchanges_go_by_their_names_and_not_by_their_numbers_in_a_report():
    made = Market(RULES, 5_000)
    for names, slots in ((["okx", "bybit"], [1, 3]), (["bybit", "okx"], [1, 3])):
        _, cells = growth({10: 700, 11: 20})
        made.grow(names, cells._replace(slot=np.array(slots)))
    notices = made.watermark(0, (S + 60) * 1_000, 1)

    assert [720, 720] == made.told.totals([[0], [1]]).sums[5, :, 0].tolist()
    assert [(Scope.MARKET, 2)] == [(notice.scope, notice.record["count"]) for notice in notices]


def test_what_has_ever_grown_is_known_by_side_late_or_not():
    made = Market(RULES, 5_000)
    exchanges, cells = growth({10: 700}, on_time=False)
    made.grow(exchanges, cells._replace(sums=np.array([[700, 30, 1, 1]])))
    made.grow(*growth({10: 5}))

    assert [705, 30] == made.grown.tolist()


def test_seconds_that_are_decided_stay_as_they_were():
    made, _ = market(growth({10: 400}), clock_s=S + 60)
    made.grow(*growth({11: 5_000}))

    assert [] == made.watermark(0, (S + 120) * 1_000, 1)
    assert 5_400 == told(made)


@pytest.mark.parametrize(("second", "decided"), [(54, 0), (55, 5_000)])
def test_the_first_second_that_is_not_decided_still_takes_what_was_on_time(second, decided):
    made, _ = market(clock_s=S + 60)
    made.grow(*growth({second: 5_000}))
    notices = made.watermark(0, (S + 120) * 1_000, 1)

    assert decided == sum(round(notice.record["notional_usd"] * 1e6) for notice in notices[:1])


@pytest.mark.parametrize(("then", "scopes"), [(1, []), (2, [Scope.EXCHANGE, Scope.MARKET])])
def test_five_minutes_count_what_was_decided_before_them(then, scopes):
    made, _ = market(growth({10: 998}), clock_s=S + 60)
    made.grow(*growth({309: then}))
    notices = made.watermark(0, (S + 600) * 1_000, 1)

    assert scopes == [notice.scope for notice in notices]


def test_what_has_left_the_five_minutes_does_not_count():
    made, _ = market(growth({10: 999}), clock_s=S + 60)
    made.grow(*growth({310: 999}))

    assert [] == made.watermark(0, (S + 600) * 1_000, 1)


def test_an_open_cascade_counts_what_would_open_none():
    made, _ = market(growth({10: 5_000}), clock_s=S + 60)
    made.grow(*growth({400: 1}))
    assert [Phase.PEAK] * 2 == [notice.phase for notice in made.watermark(0, (S + 600) * 1_000, 1)]

    notices = made.watermark(0, (S + 9_999) * 1_000, 1)
    assert [(Phase.SUBSIDED, 2)] * 2 == [(notice.phase, notice.record["count"]) for notice in notices]


def test_a_cascade_subsides_when_the_closed_seconds_reach_its_end():
    made, _ = market(growth({10: 5_000}), clock_s=S + 60)
    due = S + 10 + QUIET_S + 5

    assert [] == made.watermark(0, due * 1_000 - 1, 1)
    notices = made.watermark(0, due * 1_000, 1)
    assert [Phase.PEAK, Phase.SUBSIDED] * 2 == [notice.phase for notice in notices]
    assert {(due - 5) * 1_000} == {notice.record["event_time"] for notice in notices}


def test_an_hour_is_closed_before_the_next_one_is_decided():
    hours = {hour * 3_600: 600 for hour in range(HOURS_MIN)}
    last = HOURS_MIN * 3_600
    made, _ = market(growth({0: 500}), clock_s=S + 10)
    made.grow(*growth(hours | {last - 1: 1, last: 9_000}))
    notices = made.watermark(0, (S + last + 60) * 1_000, 1)

    onset = next(notice.record for notice in notices if notice.record["started"] == (S + last) * 1_000)
    assert 0.00005 == onset["normal_usd"]
    assert 601 == made.baseline.totals[0][S // 3_600 + HOURS_MIN - 1]


SECONDS = st.integers(0, 9_000) | st.sampled_from([3_599, 3_600, 299, 300, 10, 10 + QUIET_S])
GROWTHS = st.lists(
    st.builds(
        lambda second, usd, exchange: growth({second: usd}, exchange=exchange),
        SECONDS, st.sampled_from([1, 499, 500, 999, 1_000, 3_000]), st.sampled_from(["okx", "bybit"]),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@settings(max_examples=200)
@given(GROWTHS, st.lists(st.integers(-1, 12_000), max_size=8))
def test_however_the_clock_comes_on_the_same_is_said(growths, clocks):
    def said(*stops):
        made = Market(RULES, 5_000)
        for each in growths:
            made.grow(*each)
        notices = [notice for stop in [-1, *stops, 12_000] for notice in made.watermark(0, (S + stop) * 1_000, 1)]
        # What closes with one watermark has no order, but each cascade has its own.
        records = sorted((notice.record for notice in notices), key=lambda each: (each["cascade_id"], each["sequence"]))
        return records, made.baseline.totals, told(made)

    assert said() == said(*sorted(clocks))


@pytest.mark.parametrize(("clock_s", "until"), [(S + 86_458, S - 1), (S + 86_459, S + 59)])
def test_what_no_window_can_see_is_told(clock_s, until):
    made, _ = market(growth({10: 5_000}, on_time=False), clock_s=clock_s)

    assert until == made.settle()


@pytest.mark.parametrize(("newest", "until"), [(86_458, S - 1), (86_459, S + 59)])
def test_what_a_decision_can_see_is_not_gone(newest, until):
    made, _ = market(growth({10: 5_000, newest: 1}), clock_s=S + 90_000)

    assert until == made.settle()


def test_a_market_without_a_clock_forgets_nothing():
    made = Market(RULES, 5_000)
    made.grow(*growth({10: 5_000}))

    assert -1 == made.settle()
