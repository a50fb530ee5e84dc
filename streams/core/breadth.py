"""How many assets a side's hour is made of: what tells a market from one large asset.

Stage 1 reports what was on time by asset, side and second (``AssetGrowth``);
stage 2 keeps an hour of that (``Breadth``) and counts only where the market
would have its onset by every other term.

The count is *known* where the assets add up to the market's own hour, to the
last micro-USD. They do not where somebody has reported totals without assets:
a worker of a version before this one, or one less than an hour ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.cascade import asset_bar
from streams.core.cells import SHORT_COUNT, in_order_of_time, part, runs, where
from streams.core.windows import HOUR

Ints = NDArray[np.int64]
#: Seconds between two looks at what is too old to count: until then it costs memory and nothing else.
_FORGET_S = 600
_NEVER = -(1 << 60)


class AssetCells(NamedTuple):
    """On-time totals as columns: slot (asset × 2, and one more for shorts), second, micro-USD."""

    slot: Ints
    second: Ints
    usd: Ints


_NONE = np.zeros(0, np.int64)
NO_ASSETS = AssetCells(_NONE, _NONE, _NONE)


class AssetGrowth:
    """What a source partition has added on time since its last flush, by asset, side and second."""

    def __init__(self) -> None:
        self._parts: list[AssetCells] = []

    def add(self, asset: Ints, second: Ints, sums: Ints, usd: Ints, on_time: NDArray[np.bool_]) -> None:
        """Add single liquidations."""
        self._parts.append(where(AssetCells(asset * 2 + sums[:, SHORT_COUNT], second, usd), on_time))

    def take(self) -> AssetCells:
        """Return it all, one line per (second, slot) and sorted by both, and begin anew."""
        parts, self._parts = self._parts, []
        slot, second, usd = (np.concatenate(column) for column in zip(NO_ASSETS, *parts, strict=True))
        key = second << 32 | slot
        order = key.argsort()
        key, first = runs(key[order])
        return AssetCells(key & 0xFFFFFFFF, key >> 32, np.add.reduceat(usd[order], first) if len(first) else usd)


class Breadth:
    """An hour of on-time totals by asset and side, over all source partitions.

    Attributes
    ----------
    names
        Number of each asset.

    """

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._parts: list[AssetCells] = []  # each sorted by second
        self._new: list[AssetCells] = []
        self._hours = _Hour(), _Hour()
        self._forgotten_s = 0

    def grow(self, names: list[str], cells: AssetCells, closed: int) -> None:
        """Hear of growth, assets by their number in ``names``; seconds before ``closed`` are decided and stay so.

        Cells are sorted by second.
        """
        found = self._add(names, cells, closed)
        if len(found.slot):
            self._new.append(found)

    def resume(self, names: list[str], cells: AssetCells, closed: int) -> None:
        """Take up what a flush had written, as far as an hour from ``closed`` on can see it."""
        self._add(names, cells, closed + 1 - HOUR)

    def _add(self, names: list[str], cells: AssetCells, first: int) -> AssetCells:
        number = np.array([self.names.setdefault(name, len(self.names)) for name in names], np.int64)
        found = where(cells._replace(slot=number[cells.slot >> 1] * 2 + cells.slot % 2), cells.second >= first)
        self._parts.append(found)
        # Few parts, each at least twice as long as the next: a cell is copied as often as there are parts.
        while len(self._parts) > 1 and len(self._parts[-2].slot) < 2 * len(self._parts[-1].slot):
            self._parts[-2:] = [in_order_of_time(self._parts[-2:])]
        return found

    def counts(self, second: Ints, side: int, threshold: int, hour: Ints) -> Iterator[int | None]:
        """Yield how many assets take part in the hour of a side, at each of some rising seconds.

        Parameters
        ----------
        second, hour
            Last second of each hour, and what the market holds in it, micro-USD.
        side, threshold
            Of the onset: an asset takes part with a tenth of the threshold.

        Yields
        ------
        The number of assets; None where they do not add up to the market's hour.

        """
        held, bar, last = self._hours[side], asset_bar(threshold), int(second[-1])
        held.begin(int(second[0]), len(self.names))
        new = self._of(side, held.until_s + 1, last + 1)
        old = self._of(side, held.start_s, last + 1 - HOUR)
        added = gone = 0
        to = new.second.searchsorted(second, side="right"), old.second.searchsorted(second - HOUR, side="right")
        for at, stop, left, total in zip(second.tolist(), *(each.tolist() for each in to), hour.tolist(), strict=True):
            np.add.at(held.usd, new.slot[added:stop] >> 1, new.usd[added:stop])
            np.subtract.at(held.usd, old.slot[gone:left] >> 1, old.usd[gone:left])
            added, gone, held.start_s, held.until_s = stop, left, at + 1 - HOUR, at
            yield int((held.usd >= bar).sum()) if int(held.usd.sum()) == total else None

    def _of(self, side: int, start: int, end: int) -> AssetCells:
        """Return the cells of a side in seconds [start, end), sorted by second."""
        found = []
        for cells in self._parts:
            first, last = cells.second.searchsorted((start, end)).tolist()
            found.append(part(cells, first, last))
        together = in_order_of_time([NO_ASSETS, *found])
        return where(together, together.slot % 2 == side)

    def take(self) -> AssetCells:
        """Return what has been heard since the last flush, sorted by second."""
        new, self._new = self._new, []
        return in_order_of_time([NO_ASSETS, *new])

    def forget(self, closed: int) -> None:
        """Forget now and then what no hour from ``closed`` on can see."""
        if closed - self._forgotten_s < _FORGET_S:
            return
        self._forgotten_s = closed
        kept = in_order_of_time([NO_ASSETS, *self._parts])
        self._parts, self._hours = [where(kept, kept.second > closed - HOUR)], (_Hour(), _Hour())


class _Hour:
    """What the assets hold of one side in the hour that was last asked for: it is slid on, not summed up anew."""

    def __init__(self) -> None:
        self.usd = _NONE
        self.start_s = self.until_s = _NEVER

    def begin(self, second: int, count: int) -> None:
        """Make room for assets; begin anew where an earlier hour is asked for."""
        if second <= self.until_s:
            self.usd, self.start_s, self.until_s = _NONE, _NEVER, _NEVER
        self.usd = np.concatenate((self.usd, np.zeros(count - len(self.usd), np.int64)))
