"""What a window held before a stretch can be slid on to wherever the stretch's windows start."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.cells import NO_PRICE, gather
from streams.core.edges import Edge, edges, starts
from streams.core.events import Instrument
from streams.core.panes import Panes
from streams.core.stretch import Stretch
from streams.core.windows import FIVE_MINUTES, HOUR, LENGTHS, ONE_HOUR, window_start

S = 1_769_860_800  # the start of a minute
#: Row by row: BTC on two exchanges, ETH on one.
ROWS = [Instrument(exchange, asset, asset) for exchange, asset in (("x", "BTC"), ("x", "ETH"), ("y", "BTC"))]
BTC, ETH = 0, 1


def ints(values):
    return np.array(list(values), np.int64)


def panes_of(found, newest):
    """Panes of (row, second, micro-USD), each of one liquidation of a long."""
    panes = Panes()
    for instrument in ROWS:
        panes.row(instrument)
    panes.advance(newest)
    if found:
        row, second, usd = (ints(column) for column in zip(*found, strict=True))
        sums = np.zeros((len(usd), 4), np.int64)
        sums[:, 0], sums[:, 2] = usd, 1
        panes.add(gather(panes.slots(row, np.full(len(row), NO_PRICE)), second, sums, usd))
    return panes


def stretch_of(*clocks):
    """Records of (asset, its clock, the partition's clock), seconds."""
    asset, asset_clock, clock = (ints(column) for column in zip(*clocks, strict=True))
    none, nothing = np.zeros(len(asset), np.int64), np.zeros((len(asset), 4), np.int64)
    return Stretch(
        none, asset, nothing, none, none.astype(float), none, asset_clock * 1000, clock * 1000, asset_clock * 1000,
        none.astype(bool),
    )  # fmt: skip


def since(edge, *seconds):
    return edge.since(ints(seconds))[:, 0].tolist()


def test_a_window_that_starts_elsewhere_holds_more_or_less_by_what_lies_between():
    #  7 at S, 5 at S + 10 and at S + 20; the window starts at S + 10 and holds 3 more that came later
    edge = Edge(S + 10, ints([13, 0]), ints([S, S + 10, S + 20]), ints([[7, 0], [5, 0], [5, 0]]))

    assert [20, 20, 13, 13, 8, 8, 3] == since(edge, S - 1, S, S + 1, S + 10, S + 11, S + 20, S + 21)


def test_an_hour_starts_with_a_remembered_minute_and_five_minutes_with_their_second():
    newest = S + 4_000
    clock, asset_clock = ints([newest, newest]) * 1000, ints([newest, newest - 3_990]) * 1000
    kept = (newest + 1 - HOUR) // 60 * 60

    assert [[newest - 299, kept], [newest - HOUR + 1, kept]] == [each.tolist() for each in starts(clock, asset_clock)]


CELL = st.tuples(st.integers(0, 2), st.integers(0, 4_000), st.integers(0, 10**12))


@given(
    st.lists(CELL, max_size=12),
    st.integers(4_000, 4_400),
    st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 400)), min_size=1, max_size=4),
)
def test_an_asset_holds_from_any_start_what_a_list_would(found, newest, steps):
    found = [(row, S + second, usd) for row, second, usd in found]
    panes = panes_of(found, S + newest)
    clock, asset_clock, clocks = S + newest, S, []
    for behind, on in steps:
        clock += on
        asset_clock = max(asset_clock, clock - behind)
        clocks += [(BTC, asset_clock, clock), (ETH, clock, clock)]
    stretch = stretch_of(*clocks)
    around = edges(panes, [ETH, BTC], stretch)

    assert [BTC, ETH] == sorted(around)
    for asset, rows in ((BTC, [0, 2]), (ETH, [1])):
        mine = stretch.asset == asset
        firsts = starts(stretch.clock_ms[mine], stretch.asset_clock_ms[mine])
        for each, first in zip(around[asset], firsts, strict=True):
            parts = [([row], each.of_row(number, row)) for number, row in enumerate(rows)]
            for members, edge in (*parts, (rows, each.of_all())):
                expected = [
                    sum(usd for row, second, usd in found if row in members and second >= start)
                    for start in first.tolist()
                ]
                assert expected == since(edge, *first.tolist())


def test_an_asset_without_records_here_has_its_windows_as_they_are():
    panes = panes_of([(1, S, 7)], S + 100)
    (five, hour), newest = edges(panes, [ETH], stretch_of((BTC, S + 200, S + 200)))[ETH], S + 100

    assert [window_start(LENGTHS[window], newest) for window in (FIVE_MINUTES, ONE_HOUR)] == [five.start, hour.start]
    assert [[[7, 0]], [[7, 0]]] == [five.held.tolist(), hour.held.tolist()]


def test_before_the_first_pane_there_is_nothing_around():
    panes = Panes()
    panes.row(ROWS[0])

    assert [[0], [0]] == [since(each.of_all(), S) for each in edges(panes, [BTC], stretch_of((BTC, S, S)))[BTC]]
