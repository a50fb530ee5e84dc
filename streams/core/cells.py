"""What panes are made of: cells in blocks of a minute, and the largest single of any suffix of time."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
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
NO_LINES = Lines(_NONE, _NONE, _NONE, np.zeros((0, 4), np.int64), _NONE)


def gather(slot: Ints, second: Ints, sums: Ints, largest: Ints) -> Cells:
    """Return cells with one line per (slot, second), sorted by both."""
    base = int(second.min())
    key = (slot << 32) | (second - base)
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    return Cells(
        key[first] >> 32,
        (key[first] & 0xFFFFFFFF) + base,
        np.add.reduceat(sums[order], first, axis=0),
        np.maximum.reduceat(largest[order], first),
    )


class Block:
    """The cells of one minute; merged when somebody looks."""

    __slots__ = ("_chunks", "_rows")

    def __init__(self) -> None:
        self._chunks: list[Cells] = []
        self._rows: frozenset[int] | None = None

    def append(self, cells: Cells) -> None:
        self._chunks.append(cells)
        self._rows = None
        if len(self._chunks) > 64:
            self.cells()

    def cells(self) -> Cells:
        if len(self._chunks) > 1:
            columns = (np.concatenate(column) for column in zip(*self._chunks, strict=True))
            self._chunks = [gather(*columns)]
        return self._chunks[0]

    def replace(self, cells: Cells) -> None:
        self._chunks = [cells]

    def rows(self, slot_row: Ints) -> frozenset[int]:
        if self._rows is None:
            self._rows = frozenset(np.unique(slot_row[self.cells().slot]).tolist())
        return self._rows


class Staircase:
    """The largest single of any suffix of time: newer is higher up the list, larger is further down."""

    __slots__ = ("_largest", "_seconds")

    def __init__(self) -> None:
        self._seconds: list[int] = []
        self._largest: list[int] = []

    def add(self, second: int, largest: int) -> None:
        seconds, values = self._seconds, self._largest
        at = bisect_left(seconds, second)
        if at < len(values) and values[at] >= largest:
            return
        end = at + 1 if at < len(seconds) and seconds[at] == second else at
        while at and values[at - 1] <= largest:
            at -= 1
        seconds[at:end] = [second]
        values[at:end] = [largest]

    def since(self, second: int) -> int:
        at = bisect_left(self._seconds, second)
        return self._largest[at] if at < len(self._largest) else 0

    def forget_before(self, second: int) -> None:
        at = bisect_left(self._seconds, second)
        del self._seconds[:at], self._largest[:at]


def runs(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values of a sorted column and where each run of them starts."""
    first = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    return values[first], first
