"""What a window holds, to the second, and what it holds no longer."""

import numpy as np
import pytest

from streams.core.bands import band_price, price_bands
from streams.core.cells import Staircase, gather
from streams.core.events import Instrument
from streams.core.panes import Panes
from streams.core.windows import WINDOWS

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


def test_after_an_hour_only_the_total_of_a_minute_is_remembered():
    panes = Panes()
    add(panes, S + 10, 7)
    add(panes, S + 20, 5)
    panes.advance(S + 3_658)
    panes.settle()
    assert [S + 10, S + 20] == sorted(panes.lines_of(S // 60).second.tolist())

    panes.advance(S + 3_659)
    panes.settle()
    lines = panes.lines_of(S // 60)
    assert ([S], [12], [7]) == (lines.second.tolist(), lines.sums[:, LONG].tolist(), lines.largest.tolist())


def test_after_24_hours_a_minute_is_forgotten():
    panes = Panes()
    add(panes, S, 7)
    panes.advance(S + 86_400 + 58)
    assert [] == panes.settle()

    panes.advance(S + 86_400 + 59)
    assert [(S // 60, frozenset({0}))] == panes.settle()
    assert (0, -1) == panes.span()


def test_columns_grow_with_instruments_bands_and_chunks():
    panes = Panes()
    for number in range(130):
        add(panes, S, 1, symbol=f"A{number}USDT")
    for number in range(300):
        add(panes, S, 1, symbol="A0USDT", price=10.0 + number)

    assert 301 == panes.totals([[0]]).sums[0, 0, LONG]
    assert 430 == panes.totals([list(range(130))]).sums[5, 0, LONG]
    assert 130 == len(panes.filled_rows())


def test_panes_know_what_they_have_met():
    panes = Panes()
    add(panes, S, 1)

    assert panes.knows(Instrument("binance", "BTCUSDT", "BTC"))
    assert not panes.knows(Instrument("okx", "BTCUSDT", "BTC"))
    assert (0, None) == (panes.asset_number("BTC"), panes.asset_number("ETH"))


def test_a_staircase_knows_the_largest_of_any_suffix():
    seconds = [(5, 3), (1, 9), (3, 3), (3, 7), (4, 2), (9, 1), (5, 4)]
    stairs = Staircase()
    for second, largest in seconds:
        stairs.add(second, largest)

    expected = [max((largest for second, largest in seconds if second >= start), default=0) for start in range(12)]
    assert expected == [stairs.since(start) for start in range(12)]
    stairs.forget_before(5)
    assert expected[5:] == [stairs.since(start) for start in range(5, 12)]
