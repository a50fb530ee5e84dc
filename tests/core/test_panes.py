"""What a window holds, to the second, and what it holds no longer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.bands import band_price, price_bands
from streams.core.cells import Cells, gather, joined
from streams.core.events import Instrument
from streams.core.panes import Panes
from streams.core.windows import LENGTHS, WINDOWS, minutes_kept, seconds_kept, window_start

S = 1_769_860_800  # the start of a minute
LONG, SHORT, LONGS, SHORTS = range(4)


def add(panes, second, usd, *, side=LONG, price=100.0, newest=None, symbol="BTCUSDT"):
    row = panes.row(Instrument("binance", symbol, symbol.removesuffix("USDT")))
    now = max(second if newest is None else newest, panes.newest or 0)
    panes.advance(now)
    panes.touch(np.array([row]), np.array([now]))
    slot = panes.slots(np.array([row]), price_bands(np.array([price])))
    sums = np.zeros((1, 4), np.int64)
    sums[0, side], sums[0, 2 + side] = usd, 1
    panes.add(gather(slot, np.array([second]), sums, np.array([usd])))
    return row


def held(panes, rows=(0,), side=LONG):
    return dict(zip(WINDOWS, panes.totals([list(rows)]).sums[:, 0, side].tolist(), strict=True))


@pytest.mark.parametrize(("window", "length"), [("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3_600)])
def test_up_to_an_hour_a_pane_leaves_with_the_second_that_is_a_length_later(window, length):
    panes = Panes()
    add(panes, S, 7)

    panes.advance(S + length - 1)
    assert 7 == held(panes)[window]
    panes.advance(S + length)
    assert 0 == held(panes)[window]
    assert S + length == panes.as_of[0]


@pytest.mark.parametrize(("window", "length"), [("4h", 14_400), ("24h", 86_400)])
@pytest.mark.parametrize("second", [0, 59])
def test_longer_windows_lose_a_minute_as_a_whole(window, length, second):
    panes = Panes()
    add(panes, S + second, 7)

    panes.advance(S + 59 + length - 1)
    assert 7 == held(panes)[window]
    panes.advance(S + 59 + length)
    assert 0 == held(panes)[window]
    assert S + 59 + length == panes.as_of[0]


def test_a_row_says_when_it_last_changed_and_not_when_it_was_looked_at():
    panes = Panes()
    add(panes, S, 7)
    panes.advance(S + 59)
    assert S == panes.as_of[0]

    panes.advance(S + 299)
    assert S + 60 == panes.as_of[0]


def test_what_comes_and_has_left_at_once_is_in_the_longer_windows_only():
    panes = Panes()
    add(panes, S, 7, newest=S + 600)

    assert {"1m": 0, "5m": 0, "15m": 7, "1h": 7, "4h": 7, "24h": 7} == held(panes)


def test_the_largest_is_that_of_what_the_window_still_holds():
    panes = Panes()
    for second, usd in ((0, 9), (30, 3), (45, 5), (50, 4)):
        add(panes, S + second, usd)
    totals = panes.totals([[0]])
    assert [9] * 6 == totals.largest[:, 0].tolist()

    panes.advance(S + 60)
    assert [5, 9] == panes.totals([[0]]).largest[:2, 0].tolist()
    panes.advance(S + 45 + 60)
    assert 4 == panes.totals([[0]]).largest[0, 0]


def test_prices_are_the_edges_of_the_lowest_and_the_highest_band():
    panes = Panes()
    add(panes, S, 7, price=100.0)
    add(panes, S, 7, price=110.0)
    totals = panes.totals([[0]])

    assert 100.0 == totals.price_low[0, 0]
    assert float(band_price(int(price_bands(np.array([110.0]))[0]) + 1)) == totals.price_high[0, 0]


def test_of_equally_dense_wide_bands_the_lowest_counts():
    panes = Panes()
    for price in (120.0, 80.0, 100.0):
        add(panes, S, 7, price=price)
    totals = panes.totals([[0]])

    assert totals.densest_low[0, 0] <= 80.0 < totals.densest_high[0, 0]
    assert 7 == totals.densest[0, 0]


def test_both_sides_of_a_wide_band_make_it_dense():
    panes = Panes()
    add(panes, S, 7, price=80.0)
    add(panes, S, 4, price=100.0)
    add(panes, S, 4, price=100.001, side=SHORT)

    assert 8 == panes.totals([[0]]).densest[0, 0]


def test_a_scope_without_anything_has_neither_totals_nor_prices():
    panes = Panes()
    add(panes, S, 7)
    panes.advance(S + 60)
    totals = panes.totals([[0]])

    assert np.isnan([totals.price_low[0, 0], totals.densest_low[0, 0]]).all()
    assert (0, 0) == (totals.densest[0, 0], totals.largest[0, 0])


def test_an_asset_is_the_sum_of_its_rows():
    panes = Panes()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        add(panes, S, 7, symbol=symbol)

    assert [[7, 7, 14]] == panes.totals([[0], [1], [0, 1]]).sums[:1, :, LONG].tolist()


@pytest.mark.no_cover
def test_prices_that_wander_leave_no_slots_behind():
    panes, price = Panes(), 100.0
    for hour in range(1_000):
        for at in range(20):
            price *= 1.001
            add(panes, S + hour * 3_600 + at, 7, price=price)
        panes.settle()
    panes.advance(S + hour * 3_600 + 59)

    assert 24 * 20 <= panes._slots.count < 6_000
    assert 20 * 7 * 24 == held(panes)["24h"]
    assert 20 * 7 == held(panes)["1h"]
    assert price / 1.02 < panes.totals([[0]]).price_low[3, 0] < price


def lines(cells):
    """(second, slot, long micro-USD, long count, largest) of cells."""
    columns = (cells.second, cells.slot, cells.sums[:, LONG], cells.sums[:, LONGS], cells.largest)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_after_an_hour_only_the_total_of_a_minute_is_remembered():
    panes = Panes()
    add(panes, S + 10, 7)
    add(panes, S + 20, 5)
    panes.advance(S + 3_658)
    panes.settle()
    assert [S + 10, S + 20] == panes.cells_of([0], S, S + 60).second.tolist()

    panes.advance(S + 3_659)
    assert set() == panes.settle()
    found = panes.cells_of([0], S, S + 60)
    assert ([S], [12], [7]) == (found.second.tolist(), found.sums[:, LONG].tolist(), found.largest.tolist())


def test_after_24_hours_a_minute_is_forgotten_and_its_rows_are_told():
    panes = Panes()
    add(panes, S, 7)
    panes.advance(S + 86_400 + 58)
    assert set() == panes.settle()

    panes.advance(S + 86_400 + 59)
    assert {0} == panes.settle()
    assert (0, -1) == panes.span()


def test_what_is_a_day_old_at_once_becomes_a_minute_and_is_gone():
    panes = Panes()
    add(panes, S + 7, 7)
    panes.advance(S + 90_000)

    assert {0} == panes.settle()


def test_before_the_first_pane_there_is_nothing_to_settle():
    assert set() == Panes().settle()


def test_rows_that_have_changed_are_told_once():
    panes = Panes()
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        add(panes, S, 7, symbol=symbol)
    assert [0, 1, 2] == panes.take_changed()
    assert [] == panes.take_changed()

    add(panes, S + 30, 7, symbol="ETHUSDT")
    assert [1] == panes.take_changed()
    panes.advance(S + 60)
    assert [0, 1, 2] == panes.take_changed(), "what leaves a window changes its row"


def test_the_span_goes_over_minutes_and_seconds():
    panes = Panes()
    add(panes, S + 10, 7)
    assert (S + 10, S + 10) == panes.span()
    add(panes, S + 4_000, 5)
    panes.settle()

    assert (S, S + 4_000) == panes.span()


def test_columns_grow_with_instruments_assets_and_bands():
    panes = Panes()
    for number in range(130):
        add(panes, S, 1, symbol=f"A{number}USDT")
    for number in range(300):
        add(panes, S, 1, symbol="A0USDT", price=10.0 + number)

    assert 301 == panes.totals([[0]]).sums[0, 0, LONG]
    assert 430 == panes.totals([list(range(130))]).sums[5, 0, LONG]
    assert list(range(130)) == panes.filled_rows().tolist()
    assert [f"A{number}" for number in range(130)] == panes.assets
    assert [S] * 130 == panes.as_of[:130].tolist()
    assert [[1, 1]] * 129 == panes.bounds[:, 1:130, LONG].T.tolist()
    assert [1] * 129 == panes.totals([[row] for row in range(1, 130)]).largest[5].tolist()


def test_money_is_summed_over_both_sides_by_row_and_hour():
    panes = Panes()
    for second, usd, side, symbol in ((0, 7, LONG, "BTCUSDT"), (30, 5, SHORT, "BTCUSDT"), (60, 2, LONG, "ETHUSDT")):
        add(panes, S + second, usd, side=side, symbol=symbol)

    assert {0: 12} == panes.totals_between(S, S + 60)
    assert {0: 12, 1: 2} == panes.totals_between(S, S + 3_600)
    assert {} == panes.totals_between(S + 61, S + 3_600)


def test_a_row_whose_day_is_over_is_no_longer_filled():
    panes = Panes()
    add(panes, S, 7)
    add(panes, S + 120, 0, symbol="ETHUSDT")
    assert [0, 1] == panes.filled_rows().tolist()

    panes.advance(S + 86_400 + 59)
    assert [1] == panes.filled_rows().tolist()


def largest_in(panes, start, rows=(0,)):
    """Ask for the largest in the minute up to the newest pane that starts elsewhere."""
    theirs = window_start(60, panes.newest)
    between = panes.cells_of(rows, min(start, theirs), max(start, theirs))
    return panes.largest_in(list(rows), 0, start, between)


@pytest.mark.parametrize(("start", "largest"), [(-10, 9), (0, 9), (1, 7), (21, 7), (30, 7), (31, 6), (60, 6), (61, 2)])
def test_the_largest_is_known_on_both_sides_of_where_the_window_starts(start, largest):
    #  0    20    30      60    79
    #  9     5     7       6     2     the minute starts at 20
    panes = Panes()
    for second, usd in ((0, 9), (20, 5), (30, 7), (60, 6), (79, 2)):
        add(panes, S + second, usd)

    assert largest == largest_in(panes, S + start)


def test_the_largest_of_some_rows_is_not_that_of_others():
    panes = Panes()
    for second, usd, symbol in ((0, 9, "BTCUSDT"), (5, 3, "ETHUSDT"), (5, 4, "SOLUSDT"), (30, 2, "ETHUSDT")):
        add(panes, S + second, usd, symbol=symbol)

    assert [3, 2] == [largest_in(panes, S + start, rows=[1]) for start in (5, 6)]
    assert [4, 2, 0] == [largest_in(panes, S + start, rows=[1, 2]) for start in (5, 6, 31)]


SECONDS = st.tuples(st.integers(0, 200), st.integers(1, 9), st.sampled_from(["BTCUSDT", "ETHUSDT"]))


@given(st.lists(SECONDS, min_size=1, max_size=12), st.integers(0, 250))
def test_the_largest_from_any_second_on_is_that_of_what_lies_there(found, start):
    panes, rows = Panes(), []
    for second, usd, symbol in found:
        rows.append(add(panes, S + second, usd, symbol=symbol))

    for wanted in ([0], sorted(set(rows))):
        mine = [usd for (second, usd, _), row in zip(found, rows, strict=True) if row in wanted and second >= start]
        assert max(mine, default=0) == largest_in(panes, S + start, wanted)


# Steps: (time passes, then one comes so far behind, so much, where); what settles is asked now and then.
STEPS = st.tuples(
    st.sampled_from([0, 1, 59, 60, 299, 900, 3_599, 3_600, 14_400, 86_400]),
    st.sampled_from([0, 1, 60, 3_000, 3_599, 3_600, 14_399, 86_000]),
    st.integers(1, 9),
    st.sampled_from(["BTCUSDT", "ETHUSDT"]),
    st.booleans(),
)


@given(st.lists(STEPS, max_size=10))
def test_windows_hold_what_a_list_would(steps):
    panes, found, newest = Panes(), [], S
    for passed, behind, usd, symbol, settled in steps:
        newest += passed
        panes.advance(newest)
        row, second = panes.row(Instrument("binance", symbol, symbol.removesuffix("USDT"))), newest - behind
        late = second < seconds_kept(newest)
        second -= second % 60 * late
        cells = one(panes, row, second, usd)
        panes.add(cells, minutes=late)
        found.append((row, second, usd))
        if settled:
            panes.settle()
        rows = range(len(panes.instruments))
        totals = panes.totals([*([row] for row in rows), list(rows)])
        for window, length in enumerate(LENGTHS):
            inside = [each for each in found if each[1] >= window_start(length, newest)]
            mine = [[usd for r, _, usd in inside if r == row] for row in rows] + [[usd for _, _, usd in inside]]
            assert [sum(each) for each in mine] == totals.sums[window, :, LONG].tolist()
            assert [max(each, default=0) for each in mine] == totals.largest[window].tolist()


def one(panes, row, second, usd):
    slot = panes.slots(np.array([row]), np.array([3]))
    return Cells(slot, np.array([second]), np.array([[usd, 0, 1, 0]]), np.array([usd]))


def test_what_was_settled_and_taken_up_again_holds_the_same():
    panes, again = Panes(), Panes()
    for second in (0, 7, 3_000, 6_600):
        add(panes, S + second, 1 + second)
    panes.settle()
    assert 0 == again.row(panes.instruments[0])
    again.advance(panes.newest)
    for minutes, start, end in ((True, minutes_kept(panes.newest) * 60, S + 60), (False, S + 60, panes.newest + 1)):
        found = panes.cells_of([0], start, end)
        again.add(joined([Cells(again.slots(found.row, found.band), *found[2:])]), minutes=minutes)

    for later in (0, 60, 3_600, 14_400, 86_400):
        for each in (panes, again):
            each.advance(S + 6_600 + later)
        assert held(panes) == held(again)
        assert panes.totals([[0]]).largest.tolist() == again.totals([[0]]).largest.tolist()


def test_panes_know_what_they_have_met():
    panes = Panes()
    add(panes, S, 1)

    assert panes.knows(Instrument("binance", "BTCUSDT", "BTC"))
    assert not panes.knows(Instrument("okx", "BTCUSDT", "BTC"))
    assert (0, None) == (panes.asset_number("BTC"), panes.asset_number("ETH"))


def test_a_scope_that_holds_nothing_has_zeros_and_no_prices():
    panes = Panes()
    panes.advance(S)
    totals = panes.totals([[]])

    assert not totals.sums.any()
    assert np.isnan(totals.price_low).all()
