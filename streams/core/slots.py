"""Where the sliding sums lie: one slot is one (instrument, price band)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.core.table import Table
from streams.core.windows import LENGTHS

Ints = NDArray[np.int64]


class Slots:
    """Growing columns of the slots.

    Attributes
    ----------
    row, band
        (capacity,) what a slot is of.
    sums
        (6, 4, capacity) its sums in each window.

    """

    def __init__(self) -> None:
        self.row = np.zeros(256, np.int64)
        self.band = np.zeros(256, np.int64)
        self.sums = np.zeros((len(LENGTHS), 4, 256), np.int64)
        self.count = 0
        self._number = Table()
        self._order: tuple[Ints, Ints] | None = None

    def find(self, rows: Ints, bands: Ints) -> Ints:
        """Return the slot of each (row, band), opened if it is new."""
        place = (rows << 22) | bands
        found = self._number.find(place)
        missing = found < 0
        if missing.any():
            self._open(np.unique(place[missing]))
            found = self._number.find(place)
        return found

    def _open(self, places: Ints) -> None:
        first, self.count = self.count, self.count + len(places)
        while self.count > len(self.row):
            self.row, self.band = (np.concatenate((each, np.zeros_like(each))) for each in (self.row, self.band))
            self.sums = np.concatenate((self.sums, np.zeros_like(self.sums)), axis=2)
        numbers = np.arange(first, self.count)
        self.row[numbers], self.band[numbers] = places >> 22, places & 0x3FFFFF
        self._number.put(places, numbers)
        self._order = None

    def of(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return the slots of some rows, row by row in order of their bands, and the position in ``rows`` of each."""
        if self._order is None:
            row = self.row[: self.count]
            order = np.argsort(row << 22 | self.band[: self.count], kind="stable")
            self._order = order, row[order]
        order, sorted_rows = self._order
        first = np.searchsorted(sorted_rows, rows)
        size = np.searchsorted(sorted_rows, rows, side="right") - first
        at = np.repeat(np.arange(len(rows)), size)
        within = np.arange(len(at)) - np.repeat(np.cumsum(size) - size, size)
        return order[first[at] + within], at
