"""The market goes on from where a flush stood."""

from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.core.market import Market
from streams.core.minutes import Snapshot

M = 29_497_680  # a minute; the first of an hour
S = M * 60
RULES = {scope: CascadeRule(1_000, hour_min=1) for scope in Scope}
SEEN = Snapshot(0, "okx", M, {10: [7, 0, 1, 0, 7]}, {10: [7, 0, 1, 0, 7]}, {})
LATE = SEEN._replace(on_time={})


def before(snapshot, clock_s=S + 60):
    made = Market(RULES, 5_000)
    made.snapshot(snapshot)
    made.watermark(0, clock_s * 1_000, 1)
    return made


def resumed(made):
    again = Market(RULES, 5_000)
    for key in made.minutes:
        again.snapshot(made.minute(key))
    again.resume(made.clock_ms, made.closed)
    return again


def sums(panes):
    rows = list(range(len(panes.instruments)))
    return panes.totals([rows]).sums.tolist() if panes.newest is not None else None


def test_what_was_told_and_decided_stands_as_it_stood():
    made = before(SEEN)
    again = resumed(made)

    assert (made.clock_ms, made.closed) == (again.clock_ms, again.closed)
    assert sums(made.told) == sums(again.told)
    assert sums(made.decided) == sums(again.decided)


def test_nothing_has_changed_and_nothing_is_announced_again():
    again = resumed(before(SEEN))

    assert set() == again.told.changed | again.decided.changed
    assert [] == again.watermark(0, again.clock_ms, 1)


def test_where_nothing_was_on_time_nothing_is_decided():
    again = resumed(before(LATE))

    assert sums(again.told) is not None
    assert sums(again.decided) is None


def test_what_lies_ahead_of_the_clock_waits_as_before():
    again = resumed(before(SEEN, clock_s=S + 9))
    assert 0 == sums(again.told)[5][0][0]

    again.watermark(0, (S + 10) * 1_000, 1)
    assert 7 == sums(again.told)[5][0][0]


def test_a_market_that_had_no_clock_has_none():
    again = resumed(Market(RULES, 5_000))

    assert (-1, -1, None) == (again.clock_ms, again.closed, again.told.newest)
