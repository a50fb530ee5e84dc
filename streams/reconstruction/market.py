"""The prices and spreads of the reconstruction: calm, a fall that goes with the selling, a partial recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.reconstruction.figures import ASSETS, END_MINUTE, HEADLINE_MINUTE, MINUTE_MS, SEGMENTS, START_MS
from streams.reconstruction.figures import WAVES_MINUTE as WAVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

HISTORY_DAYS: Final = 10
FALL: Final = 0.037
RECOVERED: Final = 0.35
DRIFT_BEFORE: Final = 0.014
MINUTES_A_YEAR: Final = 365 * 24 * 60

_FIRST = -HISTORY_DAYS * 1440


class Market:
    """One price a minute for each asset, from ten days before the story to its end."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.minutes: Ints = np.arange(_FIRST, END_MINUTE + 2)
        common = rng.normal(size=len(self.minutes))
        fall = _fall(self.minutes)
        sigma = _sigma(self.minutes)
        self._log_prices = np.empty((len(ASSETS), len(self.minutes)))
        for row, asset in enumerate(ASSETS):
            own = rng.normal(size=len(self.minutes))
            steps = sigma * asset.beta * (0.8 * common + 0.6 * own)
            noise = np.cumsum(steps)
            # Pinned: whatever the noise, the levels at waves, headline and end are those of the story.
            knots = np.array([WAVES, HEADLINE_MINUTE, END_MINUTE])
            noise -= np.interp(self.minutes, knots, noise[knots - _FIRST])
            self._log_prices[row] = np.log(asset.price) + noise - asset.beta * fall
        self._widening = rng.lognormal(0.0, 0.15, size=len(self.minutes))

    def mark(self, asset: int, event_time_ms: Ints) -> Floats:
        """Return the fair price of an asset at these times."""
        minutes = (event_time_ms - START_MS) / MINUTE_MS
        return np.asarray(np.exp(np.interp(minutes, self.minutes, self._log_prices[asset])), dtype=np.float64)

    def spread_multiple(self, event_time_ms: Ints) -> Floats:
        """Return how many times as wide as on a calm day the spread is: about 1, then 8, then slowly less."""
        minutes = (event_time_ms - START_MS) / MINUTE_MS
        level = np.interp(
            minutes,
            [WAVES, WAVES + 14, WAVES + 26, WAVES + 40, WAVES + 75, HEADLINE_MINUTE, HEADLINE_MINUTE + 15, END_MINUTE],
            [1.0, 1.6, 5.0, 4.0, 4.5, 8.0, 4.0, 2.4],
        )
        return np.asarray(level * np.interp(minutes, self.minutes, self._widening), dtype=np.float64)


def sold(minutes: Ints | Floats) -> Floats:
    """Return which share of the waves' liquidations had happened by each minute, 0 to 1."""
    waves = [segment for segment in SEGMENTS if WAVES <= segment.start < HEADLINE_MINUTE]
    ends = [WAVES, *(segment.end for segment in waves)]
    total = np.cumsum([0.0, *(segment.musd * segment.long_share for segment in waves)])
    return np.asarray(np.interp(minutes, ends, total / total[-1]), dtype=np.float64)


def _fall(minutes: Ints) -> Floats:
    before = np.interp(minutes, [0, WAVES], [-DRIFT_BEFORE, 0.0])
    after = np.interp(minutes, [HEADLINE_MINUTE + 2, END_MINUTE], [0.0, FALL * RECOVERED])
    return np.asarray(before + FALL * sold(minutes) - after, dtype=np.float64)


def _sigma(minutes: Ints) -> Floats:
    """Return the standard deviation of a minute's return: a busy week, a day and a half of calm, the storm."""
    annual = np.interp(
        minutes,
        [_FIRST, WAVES - 4_000, WAVES - 2_400, WAVES, WAVES + 14, WAVES + 20, HEADLINE_MINUTE + 5, END_MINUTE],
        [0.48, 0.55, 0.18, 0.14, 0.35, 1.20, 1.40, 0.70],
    )
    return np.asarray(annual / np.sqrt(MINUTES_A_YEAR), dtype=np.float64)
