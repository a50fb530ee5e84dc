"""What every minute of a replay held, by exchange; of the last day also by asset."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.core.minutes import Snapshot

Ints = NDArray[np.int64]

MINUTE_MS: Final = 60_000
_DAY: Final = 1_440
#: Snapshots replace minutes that are up to a day old; an hour is added for what a flush holds.
_REMEMBERED: Final = 25 * 60


class Minutes:
    """Micro-USD of longs and of shorts, and the count of liquidations, minute by minute of event time."""

    def __init__(self) -> None:
        self._days: dict[str, dict[int, Ints]] = {}
        self._known: dict[int, dict[tuple[int, str], Ints]] = {}
        self._assets: dict[int, dict[tuple[str, str], tuple[int, int]]] = {}
        self.first: int | None = None
        self.last = 0  # the newest minute

    def put(self, snapshot: Snapshot) -> None:
        """Replace a partition's part of a minute of an exchange."""
        minute, exchange = snapshot.minute, snapshot.exchange
        long, short, longs, shorts = (sum(line[at] for line in snapshot.seconds.values()) for at in range(4))
        now = np.array([long, short, longs + shorts], np.int64)
        known = self._known.setdefault(minute, {})
        day = self._days.setdefault(exchange, {}).setdefault(minute // _DAY, np.zeros((_DAY, 3), np.int64))
        day[minute % _DAY] += now - known.get((snapshot.partition, exchange), 0)
        known[snapshot.partition, exchange] = now
        assets = self._assets.setdefault(minute, {})
        assets |= {(exchange, asset): sides for asset, sides in snapshot.assets.items()}
        self.first = minute if self.first is None else min(self.first, minute)
        self.last = max(self.last, minute)

    def forget(self) -> None:
        """Drop what no snapshot can change any more, and what assets held then."""
        for known in (self._known, self._assets):
            for minute in [minute for minute in known if minute < self.last - _REMEMBERED]:
                del known[minute]

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

    def of_asset(self, asset: str, start: int, stop: int) -> dict[int, tuple[int, int]]:
        """Return the minutes of an asset on all exchanges that are still remembered: longs, shorts."""
        found = {}
        for minute in range(start, stop):
            sides = [held for (_, name), held in self._assets.get(minute, {}).items() if name == asset]
            if sides:
                found[minute] = (sum(long for long, _ in sides), sum(short for _, short in sides))
        return found


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
