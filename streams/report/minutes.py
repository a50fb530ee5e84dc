"""What every minute of a replay held, by exchange; of the last day also by asset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import LONG_COUNT, LONG_USD, SHORT_COUNT, SHORT_USD
from streams.core.fold import Fold

Ints = NDArray[np.int64]

MINUTE_MS: Final = 60_000
_DAY: Final = 1_440
#: Minutes of assets are kept for a day, and an hour for what a flush holds.
_REMEMBERED: Final = 25 * 60


class Minutes:
    """Micro-USD of longs and of shorts, and the count of liquidations, minute by minute of event time."""

    def __init__(self) -> None:
        self._days: dict[str, dict[int, Ints]] = {}
        self._assets: dict[int, dict[str, Ints]] = {}
        self.first: int | None = None
        self.last = 0  # the newest minute

    def add(self, fold: Fold) -> None:
        """Take in what a source partition has added since its last flush."""
        lines = fold.panes.lines(fold.added())
        if not len(lines.row):
            return
        minute, sums = lines.second // 60, lines.sums
        parts = np.stack([sums[:, LONG_USD], sums[:, SHORT_USD], sums[:, LONG_COUNT] + sums[:, SHORT_COUNT]], axis=1)
        exchange, asset = fold.panes.exchange_of_row[lines.row], fold.panes.asset_of_row[lines.row]
        for (number, code), total in _sums(minute, exchange, parts):
            days = self._days.setdefault(fold.panes.exchanges[code], {})
            days.setdefault(number // _DAY, np.zeros((_DAY, 3), np.int64))[number % _DAY] += total
        for (number, code), total in _sums(minute, asset, parts):
            held = self._assets.setdefault(number, {})
            name = fold.panes.assets[code]
            held[name] = held.get(name, 0) + total[:2]
        first = int(minute.min())
        self.first = first if self.first is None else min(self.first, first)
        self.last = max(self.last, int(minute.max()))

    def forget(self) -> None:
        """Drop what assets held long ago."""
        for minute in [minute for minute in self._assets if minute < self.last - _REMEMBERED]:
            del self._assets[minute]

    def exchanges(self) -> list[str]:
        return sorted(self._days)

    def of(self, exchange: str | None, start: int, stop: int) -> Ints:
        """Return the (minutes, 3) totals from minute ``start`` up to ``stop``; None: of all exchanges."""
        found = np.zeros((stop - start, 3), np.int64)
        for name, days in self._days.items():
            if exchange in (None, name):
                for number in range(start // _DAY, (stop - 1) // _DAY + 1):
                    if number in days:
                        low, high = max(start, number * _DAY), min(stop, (number + 1) * _DAY)
                        found[low - start : high - start] += days[number][low - number * _DAY : high - number * _DAY]
        return found

    def total(self, exchange: str | None) -> list[int]:
        """Return longs, shorts and count of all time; None: of all exchanges."""
        days = [day for name, days in self._days.items() if exchange in (None, name) for day in days.values()]
        return [int(sum(column)) for column in np.array([day.sum(axis=0) for day in days]).T]

    def of_asset(self, asset: str, start: int, stop: int) -> dict[int, tuple[int, int]]:
        """Return the minutes of an asset on all exchanges that are still remembered: longs, shorts."""
        found = {}
        for minute, held in self._assets.items():
            if start <= minute < stop and asset in held:
                longs, shorts = held[asset].tolist()
                found[minute] = (longs, shorts)
        return found


def _sums(minute: Ints, code: Ints, parts: Ints) -> Iterator[tuple[tuple[int, int], Ints]]:
    """Yield ((minute, code), sums) of lines."""
    places, at = np.unique((minute << 32) | code, return_inverse=True)
    total = np.zeros((len(places), parts.shape[1]), np.int64)
    np.add.at(total, at, parts)
    for place, line in zip(places.tolist(), total, strict=True):
        yield (place >> 32, place & 0xFFFFFFFF), line


def sliding(totals: Ints, length: int) -> Ints:
    """Return for each minute the sum of the ``length`` minutes that end with it; fewer where the series begins.

    At the end of a minute this is the job's own window: it slides by the second, and ends with a whole minute there.

    Examples
    --------
    >>> sliding(np.array([1, 2, 3, 4]), 2).tolist()
    [1, 3, 5, 7]

    """
    grown = np.cumsum(totals, axis=0)
    before = np.zeros_like(grown)
    before[length:] = grown[:-length]
    return np.asarray(grown - before)
