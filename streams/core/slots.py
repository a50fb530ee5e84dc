"""Where the sliding sums lie: one slot is one (instrument, price band)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import LONG_COUNT, SHORT_COUNT, ranges
from streams.core.table import Table
from streams.core.totals import Held
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
        # All slots in order of row and band: their places and numbers, and those that are still to be put among them.
        self._places, self._order = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._unordered: list[tuple[Ints, Ints]] = []

    def find(self, rows: Ints, bands: Ints) -> Ints:
        """Return the slot of each (row, band), opened if it is new."""
        place = (rows << 22) | bands
        found = self._number.find(place)
        missing = found < 0
        if missing.any():
            new, at = np.unique(place[missing], return_inverse=True)
            found[missing] = self._open(new)[at]
        return found

    def _open(self, places: Ints) -> Ints:
        first, self.count = self.count, self.count + len(places)
        if self.count > len(self.row):
            more = max(self.count, 2 * first, 256) - len(self.row)
            self.row, self.band = (np.concatenate((each, np.zeros(more, np.int64))) for each in (self.row, self.band))
            self.sums = np.concatenate((self.sums, np.zeros((*self.sums.shape[:2], more), np.int64)), axis=2)
        numbers = np.arange(first, self.count)
        self.row[numbers], self.band[numbers] = places >> 22, places & 0x3FFFFF
        self._number.put(places, numbers)
        self._unordered.append((places, numbers))
        return numbers

    def keep(self, used: NDArray[np.bool_]) -> Ints:
        """Give up all other slots; return the new number of each that stays, in the order of the old ones."""
        stays = used.nonzero()[0]
        assert not self.sums[:, :, (~used).nonzero()[0]].any(), "only what is empty can be given up"
        self.count = len(stays)
        self.row, self.band, self.sums = self.row[stays], self.band[stays], self.sums[:, :, stays]
        places = self.row << 22 | self.band
        self._number = Table()
        self._number.put(places, np.arange(self.count))
        self._order = places.argsort()
        self._places, self._unordered = places[self._order], []
        return used.cumsum() - 1

    def of(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return the slots of some rows, row by row in order of their bands, and the position in ``rows`` of each."""
        if self._unordered:
            self._put_in_order()
        first = self._places.searchsorted(rows << 22)
        size = self._places.searchsorted((rows + 1) << 22) - first
        at = np.repeat(np.arange(len(rows)), size)
        return self._order[ranges(first, size)], at

    def held(self, rows: Ints) -> Held:
        """Return what some rows, in order, hold in each window."""
        slot, at = self.of(rows)
        counts = (self.sums[:, LONG_COUNT] + self.sums[:, SHORT_COUNT]).take(slot, axis=1)
        window, line = np.divmod((counts > 0).ravel().nonzero()[0], len(slot))
        slot = slot[line]
        # Four columns of a window lie one behind the other.
        first, apart = window * self.sums[0].size + slot, self.sums.shape[2]
        sums = self.sums.reshape(-1).take(first + np.arange(4)[:, None] * apart)
        return Held(window * len(rows) + at[line], self.band[slot], sums)

    def _put_in_order(self) -> None:
        places, numbers = (np.concatenate(column) for column in zip(*self._unordered, strict=True))
        order = places.argsort()
        at = self._places.searchsorted(places[order])
        self._places = np.insert(self._places, at, places[order])
        self._order = np.insert(self._order, at, numbers[order])
        self._unordered = []
