"""What stage 1 tells stage 2: by how much the seconds of each exchange have grown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import Cells, distinct, joined
from streams.core.windows import MINUTE

Ints = NDArray[np.int64]


class Growth:
    """What a source partition has added since its last flush, by exchange and second.

    The slot of a cell is ``exchange * 2``, and one more for what was on time.
    """

    def __init__(self) -> None:
        self._parts: list[Cells] = []

    def add(self, exchange: Ints, second: Ints, sums: Ints, largest: Ints, on_time: NDArray[np.bool_]) -> None:
        self._parts.append(Cells(exchange * 2 + on_time, second, sums, largest))

    def take(self) -> Cells:
        """Return it all, summed up, and begin anew."""
        parts, self._parts = self._parts, []
        return joined(parts)


def newest_of_minutes(cells: Cells) -> Iterator[tuple[int, Ints]]:
    """Yield (exchange, the newest second of each of its minutes), of cells whose slots are ``Growth``'s."""
    exchange = cells.slot >> 1
    for number in distinct(exchange):
        second = cells.second[exchange == number]  # sorted
        yield number, second[np.append(np.diff(second // MINUTE).nonzero()[0], len(second) - 1)]
