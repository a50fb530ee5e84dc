"""What windows hold when a stretch begins, and the cells around their starts: all that is needed to slide them on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.panes import Panes
from streams.core.stretch import Stretch
from streams.core.windows import FIVE_MINUTES, HOUR, LENGTHS, MINUTE, ONE_HOUR, window_start

Ints = NDArray[np.int64]


class Edge(NamedTuple):
    """What a scope held in a window before a stretch, and its cells around the window's start.

    Attributes
    ----------
    start
        The window's first second, as the panes have it.
    held
        (2,) micro-USD by side from there on.
    second, usd
        Cells, sorted by second, (m, 2) micro-USD by side: all that windows of the stretch lose or still hold.

    """

    start: int
    held: Ints
    second: Ints
    usd: Ints

    def since(self, start: Ints) -> Ints:
        """Return what was held from other starts on."""
        before = np.zeros((len(self.second) + 1, 2), np.int64)
        self.usd.cumsum(axis=0, out=before[1:])
        held: Ints = self.held + before[self.second.searchsorted(self.start)]
        return held - before[self.second.searchsorted(start)]


class Around(NamedTuple):
    """What the rows of an asset held in a window before a stretch, (rows, 2) micro-USD, and cells as in ``Edge``."""

    start: int
    held: Ints
    row: Ints
    second: Ints
    usd: Ints

    def of_row(self, number: int, row: int) -> Edge:
        """Return the edge of the asset's row ``number``."""
        here = (self.row == row).nonzero()[0]
        return Edge(self.start, self.held[number], self.second[here], self.usd[here])

    def of_all(self) -> Edge:
        """Return the asset's own edge."""
        return Edge(self.start, self.held.sum(axis=0), self.second, self.usd)


def starts(clock_ms: Ints, asset_clock_ms: Ints) -> list[Ints]:
    """Return the first second of the windows that decide, five minutes and an hour, at each record."""
    kept = (clock_ms // 1000 + 1 - HOUR) // MINUTE * MINUTE
    return [np.maximum(asset_clock_ms // 1000 + 1 - length, kept) for length in (LENGTHS[FIVE_MINUTES], HOUR)]


def edges(panes: Panes, assets: Iterable[int], stretch: Stretch) -> dict[int, list[Around]]:
    """Return what assets hold in the windows that decide, five minutes and an hour, before a stretch."""
    wanted = sorted(assets)
    mine = np.isin(stretch.asset, wanted).nonzero()[0]
    rows = np.array([row for asset in wanted for row in panes.rows_of_asset[asset]], np.int64)
    newest = -1 if panes.newest is None else panes.newest
    found: dict[int, list[Around]] = {asset: [] for asset in wanted}
    firsts = starts(stretch.clock_ms[mine], stretch.asset_clock_ms[mine])
    for window, first in zip((FIVE_MINUTES, ONE_HOUR), firsts, strict=True):
        start = window_start(LENGTHS[window], newest)
        lines = panes.cells_of(rows, min(start, int(first.min(initial=start))), int(first.max(initial=start)))
        asset = panes.asset_of_row[lines.row]
        order = asset.argsort(kind="stable")
        cuts = asset[order].searchsorted(wanted), asset[order].searchsorted(wanted, side="right")
        held = panes.held_of(rows, window)
        for each, begin, end in zip(wanted, *(cut.tolist() for cut in cuts), strict=True):
            here, its = order[begin:end], panes.asset_of_row[rows] == each
            found[each].append(Around(start, held[its], lines.row[here], lines.second[here], lines.sums[here, :2]))
    return found
