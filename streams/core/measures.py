"""What the decisions see: five minutes and an hour of one scope, at each of its records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import runs
from streams.core.edges import Edge, starts
from streams.core.stretch import Stretch

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Measures:
    """One scope in a stretch, in log order, in the windows that end with its asset's newest pane.

    Attributes
    ----------
    at
        Position in the stretch of the record that is measured.
    done
        How many of the asset's records there are up to this one.
    usd_5m, usd_1h
        (k, 2) micro-USD by side.
    row, sums, largest, price
        The scope's records.
    ends
        How many of them there are up to each measure; None where each is measured.

    """

    at: Ints
    done: Ints
    time_ms: Ints
    asset_clock_ms: Ints
    clock_ms: Ints
    usd_5m: Ints
    usd_1h: Ints
    row: Ints
    sums: Ints
    largest: Ints
    price: NDArray[np.float64]
    ends: Ints | None = None

    def records(self, index: Ints) -> Ints:
        """Return the positions of the records behind some measures."""
        if self.ends is None:
            return index
        return np.isin(self.ends.searchsorted(np.arange(len(self.row)), side="right"), index).nonzero()[0]


def measures(stretch: Stretch, at: Ints, done: Ints, edges: list[Edge], *, by_second: bool = False) -> Measures:
    """Return the measures of a scope.

    Parameters
    ----------
    stretch, at, done
        The scope's records are those at positions ``at``; ``done`` of its asset's there are up to each.
    edges
        What the scope held before the stretch in five minutes and in an hour.
    by_second
        Measure once a second, behind its last record; times must rise.

    """
    row, sums, largest, price = stretch.row[at], stretch.sums.take(at, axis=0), stretch.largest[at], stretch.price[at]
    added, ends = sums[:, :2], None
    if by_second:
        _, first = runs(stretch.time_ms[at] // 1000)
        added, ends = np.add.reduceat(added, first, axis=0), np.append(first, len(at))[1:]
        at, done = at[ends - 1], done[ends - 1]
    clock, asset_clock, time = stretch.clock_ms[at], stretch.asset_clock_ms[at], stretch.time_ms[at]
    second = time // 1000
    usd_5m, usd_1h = (
        edge.since(start) + sliding(second, added, start)
        for edge, start in zip(edges, starts(clock, asset_clock), strict=True)
    )
    return Measures(at, done, time, asset_clock, clock, usd_5m, usd_1h, row, sums, largest, price, ends)


def sliding(second: Ints, usd: Ints, start: Ints) -> Ints:
    """Return the sums by side, after each record, of the records so far from that record's ``start`` on.

    A record is in from where it stands until the first record whose start lies behind it.

    Parameters
    ----------
    second, usd
        The records, (k, 2) micro-USD by side.
    start
        First second of the window at each record; never falls.

    Examples
    --------
    >>> second = np.array([10, 11, 15])
    >>> sliding(second, np.array([[5, 0], [0, 7], [9, 0]]), second - 4).tolist()
    [[5, 0], [5, 7], [9, 7]]

    """
    count = len(second)
    lines = np.arange(count)
    leaves = np.maximum(start.searchsorted(second, side="right"), lines)
    change = np.zeros((count + 1, 2), np.int64)
    change[:count] = usd
    for side in (0, 1):
        np.subtract.at(change[:, side], leaves, usd[:, side])
    held: Ints = change[:count].cumsum(axis=0)
    return held
