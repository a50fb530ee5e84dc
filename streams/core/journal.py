"""State that is written once and given up as a whole when all of it has aged."""

from __future__ import annotations

import heapq


class Journal:
    """Numbers of entries, each with the newest moment in it.

    Examples
    --------
    >>> journal = Journal()
    >>> journal.number(100), journal.number(50), journal.number(120)
    (0, 1, 2)
    >>> journal.expired(100)
    [1, 0]
    >>> journal.number(130)
    3

    """

    def __init__(self) -> None:
        self._next = 0
        self._newest: list[tuple[int, int]] = []

    def number(self, newest: int) -> int:
        """Return the number of a new entry."""
        number = self._next
        self.restore(number, newest)
        return number

    def restore(self, number: int, newest: int) -> None:
        """Take up an entry that was written before."""
        self._next = max(self._next, number + 1)
        heapq.heappush(self._newest, (newest, number))

    def expired(self, until: int) -> list[int]:
        """Give up the entries whose newest moment is at most ``until``; return their numbers."""
        gone = []
        while self._newest and self._newest[0][0] <= until:
            gone.append(heapq.heappop(self._newest)[1])
        return gone
