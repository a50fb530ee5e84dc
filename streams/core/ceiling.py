"""How much a partition can remember: beyond that its sums would not be numbers of 64 bits any more.

A liquidation that would lift what is remembered of its partition above the ceiling, both sides together and with the
partition's clock as it would be then, is refused. No real day comes near; a producer that is wrong by a factor does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class Ceiling:
    """Admits what stays below ``most`` micro-USD; ``held`` says what is remembered from a second on."""

    def __init__(self, most: int, held: Callable[[int], int]) -> None:
        self._most = most
        self._held = lru_cache(maxsize=2)(held)  # nothing is added by what is refused, and that may be many
        self._bound = most  # of what is remembered; nobody has looked yet

    def admits(self, notional: NDArray[np.int64], now_s: int, then_s: int) -> bool:
        """Whether liquidations can be added; they are counted if so, whatever becomes of them.

        Seconds from which something is remembered: with the partition's clock as it is, and as they would lift it.
        """
        if float(notional.sum(dtype=np.float64)) > self._most:
            return False  # nor is their own sum one, maybe
        usd = int(notional.sum())
        if self._bound + usd > self._most:
            self._bound = self._held(now_s)
            if self._bound + usd > self._most and self._held(then_s) + usd > self._most:
                return False
        self._held.cache_clear()
        self._bound += usd
        return True
