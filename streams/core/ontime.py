"""What each exchange sold in time: the seconds on which the market decides.

A record is on time if it is not behind its *partition's* clock by more than the
market's lateness. On-time seconds are therefore final once the partition's
watermark has passed them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Second of a minute -> [long and short micro-USD, long and short count, largest single].
Seconds = dict[int, list[int]]


class OnTime:
    """On-time totals of one source partition by exchange and minute."""

    def __init__(self) -> None:
        self.minutes: dict[tuple[str, int], Seconds] = {}
        self.changed: set[tuple[str, int]] = set()

    def add(self, names: list[str], exchange: Ints, second: Ints, side: Ints, notional: Ints) -> None:
        """Add on-time records, given as columns; ``exchange`` are codes into ``names``."""
        base = int(second.min())
        cells, cell = np.unique((exchange << 32) | (second - base), return_inverse=True)
        sums = np.zeros((len(cells), 5), np.int64)
        np.add.at(sums, (cell, side), notional)
        np.add.at(sums, (cell, 2 + side), 1)
        np.maximum.at(sums[:, 4], cell, notional)
        minutes = self.minutes
        for code, at, line in zip(
            (cells >> 32).tolist(), ((cells & 0xFFFFFFFF) + base).tolist(), sums.tolist(), strict=True
        ):
            key = names[code], at // 60
            self.changed.add(key)
            known = minutes.setdefault(key, {}).setdefault(at % 60, [0, 0, 0, 0, 0])
            known[:] = [*(a + b for a, b in zip(known[:4], line[:4], strict=True)), max(known[4], line[4])]

    def forget_before(self, minute: int) -> list[tuple[str, int]]:
        """Drop minutes before ``minute`` and return them."""
        gone = [key for key in self.minutes if key[1] < minute]
        for key in gone:
            del self.minutes[key]
        return gone
