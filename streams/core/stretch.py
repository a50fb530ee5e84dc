"""Accepted records between two closed hours, as columns in log order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Stretch:
    """Columns of one length: where each record belongs, what it is, and both clocks as they stood after it."""

    row: Ints
    asset: Ints
    side: Ints
    notional: Ints
    price: NDArray[np.float64]
    band: Ints
    time_ms: Ints
    clock_ms: Ints
    asset_clock_ms: Ints
    on_time: NDArray[np.bool_]

    @classmethod
    def of_time(cls, clock_ms: int) -> Stretch:
        """Return a stretch in which only the partition's clock moves."""
        nobody = np.array([-1], np.int64)
        clock = np.array([clock_ms], np.int64)
        never = np.zeros(1, bool)
        return cls(nobody, nobody, nobody, nobody, nobody.astype(float), nobody, nobody, clock, nobody, never)

    def part(self, start: int, end: int) -> Stretch:
        """Return the records of [start, end)."""
        return Stretch(*(getattr(self, name)[start:end] for name in self.__slots__))

    def where(self, wanted: NDArray[np.bool_]) -> Stretch:
        """Return the records that are wanted."""
        return Stretch(*(getattr(self, name)[wanted] for name in self.__slots__))
