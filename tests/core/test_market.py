"""Which seconds the market sees and on which it decides."""

import pytest

from streams.core.cascade import CascadeRule, Phase
from streams.core.events import Scope
from streams.core.market import ALL, Market
from streams.core.minutes import Snapshot, chunks, with_total

M = 29_497_680  # a minute; the first of an hour
S = M * 60
RULES = {scope: CascadeRule(1_000, hour_min=1) for scope in Scope}


def snapshot(usd, *, partition=0, exchange="okx", minute=M, on_time=True, total=None):
    seconds = {second: [each, 0, 1, 0, each] for second, each in usd.items()}
    if total is not None:
        return Snapshot(partition, exchange, minute, {0: [total, 0, 9, 0, total]}, None, {})
    return Snapshot(partition, exchange, minute, seconds, seconds if on_time else {}, {"BTC": (1, 0)})


def market(*snapshots, clock_s, partitions=1, lateness_ms=5_000):
    made = Market(RULES, lateness_ms)
    for each in snapshots:
        made.snapshot(each)
    return made, made.watermark(0, clock_s * 1_000, partitions)


def told(made):
    made.flush_late()
    return made.told.totals([list(range(len(made.told.instruments)))]).sums[5, 0, 0]


def test_nothing_is_told_or_decided_before_every_partition_has_been_heard_of():
    made, notices = market(snapshot({0: 5_000}), clock_s=S + 60, partitions=2)
    assert (-1, []) == (made.clock_ms, notices)

    notices = made.watermark(1, (S + 30) * 1_000, 2)
    assert (S + 30) * 1_000 == made.clock_ms
    assert [Scope.EXCHANGE, Scope.MARKET] == [notice.scope for notice in notices]


def test_a_partition_that_has_nothing_to_read_holds_nobody_back():
    made, _ = market(clock_s=S, partitions=2)
    made.watermark(1, None, 2)
    assert S * 1_000 == made.clock_ms

    made.watermark(1, (S - 60) * 1_000, 2)
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
    made, _ = market(snapshot({10: 7}), clock_s=clock_s)

    assert usd == told(made)


@pytest.mark.parametrize(("clock_ms", "scopes"), [(15_999, []), (16_000, [Scope.EXCHANGE, Scope.MARKET])])
def test_a_second_is_decided_when_its_end_is_the_markets_lateness_behind_the_clock(clock_ms, scopes):
    made = Market(RULES, 5_000)
    made.snapshot(snapshot({10: 1_000}))
    notices = made.watermark(0, S * 1_000 + clock_ms, 1)

    assert scopes == [notice.scope for notice in notices]


def test_what_was_not_on_time_is_told_and_not_decided():
    made, notices = market(snapshot({10: 5_000}, on_time=False), clock_s=S + 60)

    assert ([], 5_000) == (notices, told(made))


def test_a_snapshot_that_comes_twice_changes_nothing():
    made, _ = market(snapshot({10: 700}), snapshot({10: 700}), clock_s=S + 60)
    made.snapshot(snapshot({10: 700}))

    assert 700 == told(made)
    assert [] == made.watermark(0, (S + 90) * 1_000, 1)


def test_a_snapshot_replaces_the_one_before_it():
    made, _ = market(snapshot({10: 400}), snapshot({10: 700, 12: 1}), clock_s=S + 60)

    assert 701 == told(made)


def test_partitions_and_exchanges_add_up():
    found = [snapshot({10: 400}), snapshot({10: 500}, partition=1), snapshot({10: 600}, exchange="binance")]
    made = Market(RULES, 5_000)
    for each in found:
        made.snapshot(each)
    made.watermark(0, (S + 60) * 1_000, 2)
    notices = made.watermark(1, (S + 60) * 1_000, 2)

    assert [(Scope.MARKET, ALL)] == [(notice.scope, notice.record["key"]) for notice in notices]
    assert ["binance", "okx"] == [each["exchange"] for each in notices[0].record["exchanges"]]
    assert {"count": 3, "largest_usd": 0.0006} == {name: notices[0].record[name] for name in ("count", "largest_usd")}


def test_seconds_that_are_decided_stay_as_they_were():
    made, _ = market(snapshot({10: 400}), clock_s=S + 60)
    made.snapshot(snapshot({11: 5_000}, partition=1))

    assert [] == made.watermark(0, (S + 120) * 1_000, 1)
    assert 5_400 == told(made)


def test_a_minute_that_lost_its_seconds_keeps_those_that_are_known():
    made, _ = market(snapshot({10: 400}), snapshot({}, total=450), clock_s=S + 60)

    assert 450 == told(made)
    assert {0: 50, 10: 400} == {second: line[0] for second, line in made.minute((0, "okx", M)).seconds.items()}


def test_the_total_of_a_minute_adds_what_is_new_to_its_first_second():
    known = {10: [400, 0, 1, 0, 400]}

    assert known == with_total(known, [400, 0, 1, 0, 400])
    assert [100, 0, 1, 0, 100] == with_total(known, [500, 0, 2, 0, 400])[0]
    assert [100, 0, 2, 0, 50] == with_total(known, [500, 0, 3, 0, 400])[0]
    assert [900, 0, 2, 0, 800] == with_total(known, [1_300, 0, 3, 0, 800])[0]


def test_a_cascade_subsides_when_the_closed_seconds_reach_its_end():
    quiet_s = RULES[Scope.MARKET].quiet_ms // 1_000
    made, _ = market(snapshot({10: 5_000}), clock_s=S + 60)
    due = S + 10 + quiet_s + 5

    assert [] == made.watermark(0, due * 1_000 - 1, 1)
    notices = made.watermark(0, due * 1_000, 1)
    assert [Phase.PEAK, Phase.SUBSIDED] * 2 == [notice.phase for notice in notices]
    assert {(due - 5) * 1_000} == {notice.record["event_time"] for notice in notices}


def test_the_asset_of_the_context_is_the_one_with_most_on_that_side():
    made, _ = market(snapshot({10: 5_000}), clock_s=S + 60)

    assert "BTC" == made.largest_asset(0, M)
    assert made.largest_asset(0, M + 1) is None


def test_minutes_that_no_window_can_see_are_forgotten():
    made, _ = market(snapshot({10: 5_000}), clock_s=S + 1_441 * 60 + 59)
    assert [] == made.forget()

    made.watermark(0, (S + 1_442 * 60) * 1_000, 1)
    assert [(0, "okx", M)] == made.forget()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([0, 299], [[0, 299]]), ([0, 300], [[0], [300]]), ([3_599, 3_600], [[3_599], [3_600]]), ([], [])],
)
def test_seconds_are_decided_in_chunks_of_five_minutes_that_cross_no_hour(seconds, expected):
    assert expected == [list(chunk) for chunk in chunks({second: [] for second in seconds})]
