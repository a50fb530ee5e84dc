"""What panes are made of: cells, and a store that keeps them in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Columns of one length, of which one is called ``second``: ``Cells``, ``Lines``, ``AssetCells``.
Columns = TypeVar("Columns", bound=Any)
#: The band of what has no price.
NO_PRICE = 0
#: Columns of a cell's sums.
LONG_USD, SHORT_USD, LONG_COUNT, SHORT_COUNT = range(4)


class Cells(NamedTuple):
    """Cells as columns: slot, second, (n, 4) sums in micro-USD and counts, largest single in micro-USD."""

    slot: Ints
    second: Ints
    sums: Ints
    largest: Ints


class Lines(NamedTuple):
    """Cells with their row and band instead of their slot."""

    row: Ints
    band: Ints
    second: Ints
    sums: Ints
    largest: Ints


_NONE = np.zeros(0, np.int64)
_FOREVER = 1 << 60
NO_CELLS = Cells(_NONE, _NONE, np.zeros((0, 4), np.int64), _NONE)


def gather(slot: Ints, second: Ints, sums: Ints, largest: Ints) -> Cells:
    """Return cells with one line per (second, slot), sorted by both: these themselves if they are so already."""
    base = int(second.min())
    key = ((second - base) << 32) | slot
    if (key[1:] > key[:-1]).all():
        return Cells(slot, second, sums, largest)
    order = key.argsort(kind="stable")
    key = key[order]
    leads = np.concatenate(([True], key[1:] != key[:-1]))
    first = order[leads]
    found = Cells(slot[first], second[first], sums.take(first, axis=0), largest[first])
    # Most cells stand alone: adding the few others to theirs is cheaper than reducing all of them.
    others = (~leads).nonzero()[0]
    if len(others):
        at, others = (leads.cumsum() - 1)[others], order[others]
        for column in range(4):
            np.add.at(found.sums[:, column], at, sums[others, column])
        np.maximum.at(found.largest, at, largest[others])
    return found


def joined(parts: Iterable[Cells]) -> Cells:
    """Return some cells with one line per (second, slot), sorted by both."""
    filled = [part for part in parts if len(part.slot)]
    if len(filled) < 2:
        return gather(*filled[0]) if filled else NO_CELLS
    return gather(*(np.concatenate(column) for column in zip(*filled, strict=True)))


def in_order_of_time(parts: list[Columns]) -> Columns:
    """Return some columns, one part of them at least, by their second; of one second and slot there may be several."""
    together = parts[0]._make(np.concatenate(column) for column in zip(*parts, strict=True))
    order = together.second.argsort(kind="stable")
    found: Columns = parts[0]._make(column.take(order, axis=0) for column in together)
    return found


def where(cells: Columns, wanted: NDArray[np.bool_]) -> Columns:
    """Return the lines of some columns that are wanted."""
    index = wanted.nonzero()[0]
    found: Columns = cells._make(column.take(index, axis=0) for column in cells)
    return found


def part(cells: Columns, start: int, end: int) -> Columns:
    """Return the lines at positions [start, end) of some columns."""
    found: Columns = type(cells)(*(column[start:end] for column in cells))
    return found


def parts(cells: Columns, most: int) -> Iterator[Columns]:
    """Yield columns by so many lines at most."""
    for start in range(0, len(cells.second), most):
        yield part(cells, start, start + most)


class Store:
    """Cells in order of their second.

    New ones go behind the others. Those that are older are merged in where that moves little, else kept aside until
    there are enough of them to be worth it.
    """

    #: Cells that are moved for a late one; cells aside that are always borne.
    MOVED, ASIDE = 8_192, 4_096

    def __init__(self) -> None:
        self._columns = Cells(*(np.zeros((64, *column.shape[1:]), np.int64) for column in NO_CELLS))
        self._begin = self._end = 0
        self._aside: list[Cells] = []

    def _held(self) -> Cells:
        return part(self._columns, self._begin, self._end)

    def add(self, cells: Cells) -> None:
        """Add cells, sorted by second."""
        if not len(cells.slot):
            return
        at = self._begin + int(np.searchsorted(self._held().second, cells.second[0]))
        if self._end - at > self.MOVED:
            self._aside.append(cells)
            if sum(len(each.slot) for each in self._aside) > max(self.ASIDE, (self._end - self._begin) // 16):
                cells, self._aside = joined([self._held(), *self._aside]), []
                self._begin = self._end = 0
                self._append(cells)
            return
        if at < self._end:
            cells = joined([part(self._columns, at, self._end), cells])
            self._end = at
        self._append(cells)

    def _append(self, cells: Cells) -> None:
        count, held = len(cells.slot), self._held()
        if self._end + count > len(self._columns.slot):
            # Room for as much again; what was taken from the front is not copied.
            size = 2 * (len(held.slot) + count)
            self._columns = Cells(*(np.empty((size, *column.shape[1:]), np.int64) for column in NO_CELLS))
            self._begin, self._end = 0, len(held.slot)
            for column, old in zip(self._columns, held, strict=True):
                column[: self._end] = old
        for column, new in zip(self._columns, cells, strict=True):
            column[self._end : self._end + count] = new
        self._end += count

    def between(self, start: int, end: int) -> list[Cells]:
        """Return the cells of seconds [start, end), in parts, to be read only."""
        held = self._held()
        first, last = held.second.searchsorted((start, end)).tolist()
        aside = [where(each, (each.second >= start) & (each.second < end)) for each in self._aside]
        return [found for found in (part(held, first, last), *aside) if len(found.slot)]

    def take_before(self, end: int) -> Cells:
        """Take out the cells of seconds before ``end``."""
        taken = joined(self.between(0, end))
        if len(taken.slot):
            self._begin += int(np.searchsorted(self._held().second, end))
            self._aside = [rest for each in self._aside if len((rest := where(each, each.second >= end)).slot)]
        return taken

    def slots(self) -> Iterator[Ints]:
        """Yield the slots of all cells, in parts."""
        yield self._held().slot
        yield from (each.slot for each in self._aside)

    def renumber(self, number: Ints) -> None:
        """Give each slot another number; their order stays."""
        held = self._held().slot
        held[:] = number[held]
        self._aside = [each._replace(slot=number[each.slot]) for each in self._aside]

    def span(self) -> tuple[int, int]:
        """Return the first and the last second that holds anything; (0, -1) if none does."""
        held, spans = self._held().second, [(int(each.second[0]), int(each.second[-1])) for each in self._aside]
        if len(held):
            spans.append((int(held[0]), int(held[-1])))
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else (0, -1)


class Waiting:
    """Cells that are taken out from the oldest on: kept as they came, because they come from everywhere in time."""

    def __init__(self) -> None:
        self._parts: list[Cells] = []

    def add(self, cells: Cells) -> None:
        """Add cells, sorted by second."""
        if len(cells.slot):
            self._parts.append(cells)

    def between(self, start: int, end: int) -> list[Cells]:
        """Return the cells of seconds [start, end), in parts, to be read only."""
        return [found for cells in self._parts if len((found := _between(cells, start, end)).slot)]

    def take_before(self, end: int) -> Cells:
        """Take out the cells of seconds before ``end``."""
        taken = joined(_between(cells, 0, end) for cells in self._parts)
        self._parts = [rest for cells in self._parts if len((rest := _between(cells, end, _FOREVER)).slot)]
        return taken


def _between(cells: Cells, start: int, end: int) -> Cells:
    return part(cells, *cells.second.searchsorted((start, end)).tolist())


def distinct(numbers: Ints) -> list[int]:
    """Return the distinct values of a column of small numbers that are not negative, in order."""
    found: list[int] = np.bincount(numbers).nonzero()[0].tolist()
    return found


def runs(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values of a sorted column and where each run of them starts."""
    first = np.concatenate((np.ones(len(values[:1]), bool), values[1:] != values[:-1])).nonzero()[0]
    return values[first], first


def ranges(first: Ints, size: Ints) -> Ints:
    """Return the positions of some ranges, one range after the other.

    Examples
    --------
    >>> ranges(np.array([5, 0, 7]), np.array([2, 0, 3])).tolist()
    [5, 6, 7, 8, 9]

    """
    found: Ints = np.arange(size.sum()) - np.repeat(size.cumsum() - size - first, size)
    return found
