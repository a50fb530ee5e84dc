"""Where the sliding sums lie: one slot is one (instrument, price band)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.windows import LENGTHS

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Slots:
    """Growing columns of the slots."""

    row: Ints
    band: Ints
    sums: Ints  # (6, capacity, 4)

    @classmethod
    def empty(cls, capacity: int) -> Slots:
        zeros = np.zeros(capacity, np.int64)
        return cls(zeros, zeros.copy(), np.zeros((len(LENGTHS), capacity, 4), np.int64))

    def grown(self) -> Slots:
        more = Slots.empty(2 * len(self.row))
        count = len(self.row)
        more.row[:count], more.band[:count], more.sums[:, :count] = self.row, self.band, self.sums
        return more
