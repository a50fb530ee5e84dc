"""State that is written once, in entries, and given up entry by entry when all in one has aged."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic

import numpy as np

from streams.codec import rows as codec
from streams.core.cells import Columns, parts

Rows = list[tuple[bytes, bytes | None]]
#: An entry of fewer lines is small; so many small ones are written anew as one.
SMALL_LINES, SMALL_ENTRIES = 1_024, 64


class Entries(Generic[Columns]):
    """The entries of one kind.

    A flush writes what it has added, however little that is. So that a day of little flushes is not a row for each of
    them, small entries are written anew as one when there are enough of them.

    Parameters
    ----------
    kind
        Letter of the keys.
    pack
        Lines as the value of a row.
    lines_max
        Lines in one row: it must fit into a message.

    """

    def __init__(self, kind: bytes, pack: Callable[[Columns], bytes], lines_max: int) -> None:
        self.kind = kind
        self._pack = pack
        self._lines_max = lines_max
        self._next = 0
        self._newest: list[tuple[int, int]] = []  # of each entry that stays as it is: newest second, number
        self._small: list[tuple[int, Columns]] = []
        self._obsolete: list[bytes] = []

    def add(self, lines: Columns) -> Rows:
        """Return the rows of what a flush has added, and the tombstones of what they replace."""
        found: Rows = [(key, None) for key in self._obsolete]
        self._obsolete = []
        for some in parts(lines, self._lines_max):
            if len(some.second) >= SMALL_LINES:
                found.append(self._whole(some))
                continue
            small = [each for _, each in self._small]
            if len(small) < SMALL_ENTRIES and sum(len(each.second) for each in [*small, some]) < SMALL_LINES:
                self._small.append((self._next, _together([some])))  # a copy: a part holds on to all of its flush
                found.append(self._row(some))
                continue
            found += [(codec.entry_key(self.kind, number), None) for number, _ in self._small]
            found.append(self._whole(_together([*small, some])))
            self._small = []
        return found

    def _whole(self, lines: Columns) -> tuple[bytes, bytes]:
        heapq.heappush(self._newest, (int(lines.second.max()), self._next))
        return self._row(lines)

    def _row(self, lines: Columns) -> tuple[bytes, bytes]:
        number, self._next = self._next, self._next + 1
        return codec.entry_key(self.kind, number), self._pack(lines)

    def expired(self, until: int) -> Rows:
        """Give up the entries whose newest second is at most ``until``; return their tombstones."""
        gone = [number for number, lines in self._small if int(lines.second.max()) <= until]
        self._small = [(number, lines) for number, lines in self._small if number not in gone]
        while self._newest and self._newest[0][0] <= until:
            gone.append(heapq.heappop(self._newest)[1])
        return [(codec.entry_key(self.kind, number), None) for number in gone]

    def restore(self, key: bytes, lines: Columns) -> None:
        """Take up an entry that was written before."""
        number = codec.entry_number(key)
        self._next = max(self._next, number + 1)
        heapq.heappush(self._newest, (int(lines.second.max()), number))

    def replace(self, keys: list[bytes]) -> None:
        """Take note of rows that what is added next stands for."""
        self._obsolete += keys


def _together(parts: list[Columns]) -> Columns:
    found: Columns = type(parts[0])(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return found
