"""Numbers by 64-bit key, many at once: open addressing in two columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_NONE = -1


class Table:
    """A map from 64-bit integers to numbers that are not negative.

    Examples
    --------
    >>> table = Table()
    >>> table.put(np.array([7, 9]), np.array([70, 90]))
    >>> table.find(np.array([9, 8, 7])).tolist()
    [90, -1, 70]
    >>> table.put(np.array([9]), np.array([91])); table.find(np.array([9])).tolist(), len(table)
    ([91], 2)

    """

    def __init__(self) -> None:
        self._clear(10)

    def _clear(self, bits: int) -> None:
        self._bits = bits
        self._keys = np.zeros(1 << bits, np.uint64)
        self._values = np.full(1 << bits, _NONE, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, keys: NDArray[Any]) -> Ints:
        """Return the number of each key; -1 where there is none."""
        return self.look(keys)[0]

    def look(self, keys: NDArray[Any]) -> tuple[Ints, Ints]:
        """Return the number of each key, and the place where it is or would be until the table changes."""
        place, found = self._walk(keys.astype(np.uint64))
        return np.where(found, self._values[place], _NONE), place

    def put(self, keys: NDArray[Any], values: Ints) -> None:
        """Set the numbers of some keys, each of which is given once."""
        keys = keys.astype(np.uint64)
        self._make_room(len(keys))
        place, found = self._walk(keys)
        self._values[place[found]] = values[found]
        self._insert(keys[~found], values[~found], place[~found])

    def add(self, keys: NDArray[Any], values: Ints, place: Ints) -> None:
        """Set the numbers of keys that ``look`` has not found, each given once, at the places that it told."""
        keys = keys.astype(np.uint64)
        if self._make_room(len(keys)):
            place, _ = self._walk(keys)
        self._insert(keys, values, place)

    def drop(self, until: int) -> None:
        """Forget the keys whose number is at most ``until``."""
        kept = (self._values > until) & (self._values != _NONE)
        keys, values = self._keys[kept], self._values[kept]
        self._clear(max(10, int(4 * len(keys)).bit_length()))
        self.put(keys, values)

    def _walk(self, keys: NDArray[np.uint64]) -> tuple[Ints, NDArray[np.bool_]]:
        """Return where each key is, or the empty place where it would be, and whether it is there."""
        mask = len(self._keys) - 1
        place = ((keys * _GOLDEN) >> np.uint64(64 - self._bits)).astype(np.int64)
        filled = self._values[place] != _NONE
        found = filled & (self._keys[place] == keys)
        left = (filled & ~found).nonzero()[0]
        while len(left):
            place[left] = (place[left] + 1) & mask
            there = place[left]
            filled = self._values[there] != _NONE
            same = filled & (self._keys[there] == keys[left])
            found[left] = same
            left = left[filled & ~same]
        return place, found

    def _insert(self, keys: NDArray[np.uint64], values: Ints, place: Ints) -> None:
        """Put new keys into empty places; where two want the same one, the other looks again."""
        self._count += len(keys)
        while len(keys):
            self._values[place] = values
            self._keys[place] = keys
            lost = self._keys[place] != keys
            # The last writer of a place has both its columns: a key and its number are written in the same order.
            keys, values = keys[lost], values[lost]
            place, _ = self._walk(keys)

    def _make_room(self, more: int) -> bool:
        """Grow if need be; say whether places have changed."""
        count = self._count + more
        if 2 * count <= len(self._keys):
            return False
        filled = self._values != _NONE
        keys, values = self._keys[filled], self._values[filled]
        self._clear(int(4 * count).bit_length())
        place, _ = self._walk(keys)
        self._insert(keys, values, place)
        return True
