"""How much a partition can remember: beyond that its sums would not be numbers of 64 bits any more.

A liquidation that would lift what is remembered of its partition above the ceiling, both sides together and with the
partition's clock as it would be then, is refused. No real day comes near; a producer that is wrong by a factor does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Ceiling:
    """Admits what stays below ``most`` micro-USD; ``held`` says what is remembered once the clock shows so much."""

    def __init__(self, most: int, held: Callable[[int], int]) -> None:
        self._most = most
        self._held = held
        self._bound = most  # of what is remembered; nobody has looked yet

    def admits(self, notional: NDArray[np.int64], clock_ms: int, then_ms: int) -> bool:
        """Whether liquidations can be added that lift the clock; they are counted if so, whatever becomes of them."""
        if float(notional.sum(dtype=np.float64)) > self._most:
            return False  # nor is their own sum one, maybe
        usd = int(notional.sum())
        if self._bound + usd > self._most:
            self._bound = self._held(clock_ms)
            if self._bound + usd > self._most and self._held(then_ms) + usd > self._most:
                return False
        self._bound += usd
        return True
