"""What the decisions see: five minutes and an hour of one scope, at each of its records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import Lines
from streams.core.stretch import Stretch
from streams.core.windows import DAY, FIVE_MINUTES, HOUR, LENGTHS, MINUTE

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Measures:
    """The records of one scope in a stretch, in log order, each with the windows that end with its asset's newest pane.

    Attributes
    ----------
    at
        Position in the stretch.
    done
        How many of the asset's records there are up to this one.
    remembered
        Whether the partition still remembers the record's minute; if not it is in no window.
    usd_5m, usd_1h
        (k, 2) micro-USD by side.

    """

    at: Ints
    done: Ints
    remembered: NDArray[np.bool_]
    time_ms: Ints
    asset_clock_ms: Ints
    clock_ms: Ints
    side: Ints
    notional: Ints
    price: NDArray[np.float64]
    row: Ints
    usd_5m: Ints
    usd_1h: Ints


def measures(stretch: Stretch, at: Ints, done: Ints, past: Lines) -> Measures:
    """Return the measures of the records at positions ``at``, given the scope's cells before the stretch."""
    clock, asset_clock, time = stretch.clock_ms[at], stretch.asset_clock_ms[at], stretch.time_ms[at]
    now, newest, second = clock // 1000, asset_clock // 1000, time // 1000
    remembered = second // MINUTE >= (now + 1 - DAY) // MINUTE
    kept = (now + 1 - HOUR) // MINUTE * MINUTE
    side, notional = stretch.side[at], stretch.notional[at]
    counted = np.where(remembered, notional, 0)
    order = np.argsort(past.second, kind="stable")
    held = past.second[order], past.sums[order, :2]
    usd = [
        sliding(*held, second, side, counted, np.maximum(newest + 1 - length, kept))
        for length in (LENGTHS[FIVE_MINUTES], HOUR)
    ]
    return Measures(
        at, done, remembered, time, asset_clock, clock, side, notional, stretch.price[at], stretch.row[at], *usd
    )


def sliding(past_second: Ints, past_usd: Ints, second: Ints, side: Ints, notional: Ints, start: Ints) -> Ints:
    """Return the sums by side, after each record, of everything from that record's ``start`` on.

    A record is in from where it stands until the first record whose start lies behind it.

    Parameters
    ----------
    past_second, past_usd
        What was there before: seconds, rising, and (m, 2) micro-USD by side.
    second, side, notional
        The records.
    start
        First second of the window at each record; never falls.

    Examples
    --------
    >>> none = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    >>> second = np.array([10, 11, 15])
    >>> sliding(*none, second, np.array([0, 1, 0]), np.array([5, 7, 9]), second - 4).tolist()
    [[5, 0], [5, 7], [9, 7]]

    """
    count = len(second)
    from_here = np.zeros((len(past_second) + 1, 2), np.int64)
    from_here[:-1] = past_usd[::-1].cumsum(axis=0)[::-1]
    lines = np.arange(count)
    leaves = np.maximum(np.searchsorted(start, second, side="right"), lines)
    change = np.zeros((count + 1, 2), np.int64)
    np.add.at(change, (lines, side), notional)
    np.subtract.at(change, (leaves, side), notional)
    held: Ints = from_here[np.searchsorted(past_second, start)] + change[:count].cumsum(axis=0)
    return held
