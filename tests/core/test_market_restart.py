"""The market goes on from where a flush stood."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.cascade import CascadeRule
from streams.core.cells import joined, where
from streams.core.events import Scope
from streams.core.market import Market
from tests.core.test_market import RULES, S, growth, told

NEVER = {scope: CascadeRule(10**18) for scope in Scope}


def before(*growths, clock_s=S + 60):
    made = Market(RULES, 5_000)
    for each in growths:
        made.grow(*each)
    made.watermark(0, clock_s * 1_000, 1)
    return made


def resumed(made, cells=None):
    again = Market(made.rules, made.lateness_ms)
    for instrument in made.told.instruments:
        again.row(instrument.exchange)
    again.resume(made.clock_ms, made.closed, made.take() if cells is None else cells)
    return again


def sums(panes):
    """Totals by exchange, whichever row it has."""
    if panes.newest is None or not panes.instruments:
        return {}
    totals = panes.totals([[row] for row in range(len(panes.instruments))])
    return {
        instrument.exchange: (totals.sums[:, row].tolist(), totals.largest[:, row].tolist())
        for row, instrument in enumerate(panes.instruments)
        if totals.sums[:, row].any()
    }


def test_what_was_told_and_decided_stands_as_it_stood():
    made = before(growth({10: 7}), growth({20: 5}, exchange="bybit"))
    again = resumed(made)

    assert (made.clock_ms, made.closed) == (again.clock_ms, again.closed)
    assert {"okx", "bybit"} == sums(made.told).keys()
    assert sums(made.told) == sums(again.told)
    assert sums(made.decided) == sums(again.decided)


def test_nothing_has_changed_and_nothing_is_announced_again():
    again = resumed(before(growth({10: 5_000})))

    assert [[], [], 0] == [again.told.take_changed(), again.decided.take_changed(), len(again.take().slot)]
    assert [] == again.watermark(0, again.clock_ms, 1)


def test_a_partition_that_was_not_waited_for_is_not_waited_for_after_a_restart():
    made = before()
    for clock_ms in (None, S * 1_000):
        made.watermark(1, clock_ms, 2)
    again = resumed(made)
    for number, clock_ms in made.clocks.items():  # which rows have, but not what they were before
        again.hear(number, clock_ms, 2)
    for each in (made, again):
        each.watermark(0, (S + 90) * 1_000, 2)

    assert [(S + 90) * 1_000] * 2 == [made.clock_ms, again.clock_ms]


def test_where_nothing_was_on_time_nothing_is_decided():
    again = resumed(before(growth({10: 7}, on_time=False)))

    assert 7 == told(again)
    assert {} == sums(again.decided)


def test_what_lies_ahead_of_the_clock_waits_as_before():
    again = resumed(before(growth({10: 7}), clock_s=S + 9))
    assert 0 == told(again)

    again.watermark(0, (S + 10) * 1_000, 1)
    assert 7 == told(again)


def test_what_was_told_and_not_yet_decided_is_decided_later():
    again = resumed(before(growth({10: 5_000}), clock_s=S + 15))
    assert 5_000 == told(again)

    notices = again.watermark(0, (S + 16) * 1_000, 1)
    assert [Scope.EXCHANGE, Scope.MARKET] == [notice.scope for notice in notices]


def test_what_was_decided_is_still_in_the_five_minutes():
    again = resumed(before(growth({10: 999})))
    again.grow(*growth({309: 1}))

    assert [Scope.EXCHANGE, Scope.MARKET] == [notice.scope for notice in again.watermark(0, (S + 600) * 1_000, 1)]


def test_a_market_that_had_no_clock_has_none_and_keeps_what_it_was_told():
    made = Market(RULES, 5_000)
    made.grow(*growth({10: 7}))
    again = resumed(made)
    assert (-1, -1, None) == (again.clock_ms, again.closed, again.told.newest)

    again.watermark(0, (S + 60) * 1_000, 1)
    assert 7 == told(again)


def test_what_was_heard_is_written_once_and_says_what_decisions_have_heard():
    made = before(growth({10: 7, 70: 5}), growth({10: 2}, on_time=False))
    assert [(S + 10, 0, 2), (S + 10, 1, 7), (S + 70, 1, 5)] == written(made.take())
    assert [] == written(made.take())

    made.grow(*growth({10: 1}))  # its second is decided
    assert [(S + 10, 0, 1)] == written(made.take())


def written(cells):
    return list(zip(cells.second.tolist(), cells.slot.tolist(), cells.sums[:, 0].tolist(), strict=True))


def test_what_is_taken_up_may_have_to_be_written_again():
    made = before(growth({10: 7}))
    again = Market(made.rules, made.lateness_ms)
    again.row("okx")
    cells = made.take()
    again.resume(made.clock_ms, made.closed, cells, new=True)

    assert written(cells) == written(again.take())


STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 100_000), st.integers(1, 10**12), max_size=3),
        st.sampled_from(["okx", "bybit", "binance"]),
        st.booleans(),
        st.sampled_from([0, 1, 59, 60, 3_600, 50_000]),
    ),
    max_size=8,
)


@settings(max_examples=200)
@given(STEPS)
def test_a_restart_after_every_flush_changes_nothing(steps):
    made, again, kept, clock = Market(NEVER, 5_000), Market(NEVER, 5_000), [], S
    for usd, exchange, on_time, later in steps:
        clock += later
        for each in (made, again):
            each.grow(*growth(usd, exchange=exchange, on_time=on_time))
            each.watermark(0, clock * 1_000, 1)
            each.flush_late()
        kept.append(again.take())
        until = again.settle()
        kept = [where(cells, cells.second > until) for cells in kept]
        again = resumed(again, joined(kept))

        assert sums(made.told) == sums(again.told)
        assert sums(made.decided) == sums(again.decided)
