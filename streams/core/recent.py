"""Five minutes and an hour of one exchange, second by second."""

from __future__ import annotations

from collections import deque

from streams.core.panes import Panes
from streams.core.windows import FIVE_MINUTES, HOUR, LENGTHS, window_start


class Recent:
    """Sliding sums by side (micro-USD) over seconds that come in order.

    Examples
    --------
    >>> recent = Recent()
    >>> recent.add(10, 5, 0); recent.add(11, 0, 7); recent.advance(309); recent.usd_5m
    [5, 7]

    The start is inside, what lies before it is not:

    >>> recent.advance(310); recent.usd_5m, recent.usd_1h
    ([0, 7], [5, 7])

    """

    __slots__ = ("_five", "_hour", "usd_1h", "usd_5m")

    def __init__(self) -> None:
        self._five: deque[tuple[int, int, int]] = deque()
        self._hour: deque[tuple[int, int, int]] = deque()
        self.usd_5m, self.usd_1h = [0, 0], [0, 0]

    def add(self, second: int, long: int, short: int) -> None:
        """Add to the newest second."""
        for held, usd in ((self._five, self.usd_5m), (self._hour, self.usd_1h)):
            held.append((second, long, short))
            usd[0] += long
            usd[1] += short

    def advance(self, newest: int) -> None:
        """Let go of what the windows that end with ``newest`` no longer hold."""
        for held, usd, length in (
            (self._five, self.usd_5m, LENGTHS[FIVE_MINUTES]),
            (self._hour, self.usd_1h, HOUR),
        ):
            start = window_start(length, newest)
            while held and held[0][0] < start:
                _, long, short = held.popleft()
                usd[0] -= long
                usd[1] -= short


def recents(panes: Panes, before: int) -> list[Recent]:
    """Return the recent past of every row of some panes, up to second ``before``."""
    found = [Recent() for _ in panes.instruments]
    lines = panes.cells_of(range(len(found)), window_start(HOUR, before), before)
    columns = zip(lines.second.tolist(), lines.row.tolist(), lines.sums[:, :2].tolist(), strict=True)
    for second, row, (long, short) in sorted(columns):
        found[row].add(second, long, short)
    return found
