"""Records between two closed hours, as columns in log order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import NO_PRICE

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Stretch:
    """Columns of one length: where each record belongs, what it is, and both clocks as they stood after it.

    In stage 1 a record is an accepted liquidation; in stage 2 what an exchange sold in one second, without prices.

    Attributes
    ----------
    sums, largest
        (n, 4) micro-USD and counts by side; the largest single in it, micro-USD.

    """

    row: Ints
    asset: Ints
    sums: Ints
    largest: Ints
    price: NDArray[np.float64]
    band: Ints
    time_ms: Ints
    clock_ms: Ints
    asset_clock_ms: Ints
    on_time: NDArray[np.bool_]

    @classmethod
    def of_time(cls, clock_ms: int) -> Stretch:
        """Return a stretch in which only the partition's clock moves."""
        nobody, none = np.array([-1], np.int64), np.zeros((1, 4), np.int64)
        clock = np.array([clock_ms], np.int64)
        never = np.zeros(1, bool)
        return cls(nobody, nobody, none, nobody, nobody.astype(float), nobody, nobody, clock, nobody, never)

    @classmethod
    def of_seconds(cls, row: Ints, second: Ints, sums: Ints, largest: Ints) -> Stretch:
        """Return what rows sold in whole seconds; clocks and times are the seconds' own."""
        order = np.lexsort((row, second))
        row, time_ms, count = row[order], second[order] * 1000, len(row)
        one, unpriced = np.zeros(count, np.int64), np.full(count, np.nan)
        return cls(
            row, one, sums[order], largest[order], unpriced, one + NO_PRICE, time_ms, time_ms, time_ms,
            np.ones(count, bool),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: list[Stretch]) -> Stretch:
        """Return stretches that follow each other as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(each, name) for each in parts]) for name in cls.__slots__))

    def part(self, start: int, end: int) -> Stretch:
        """Return the records of [start, end)."""
        return Stretch(*(getattr(self, name)[start:end] for name in self.__slots__))
