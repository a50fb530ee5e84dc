"""What is normal for a scope: the median hour of its last seven days.

An hour is *closed* when the partition's watermark (its clock less the
lateness) reaches the hour's end. Its total is what its panes hold at that
moment; what comes later changes the windows, never the baseline. Hours without
liquidations count as zero. The median cannot be dragged up by the few hours
that a cascade fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from streams.core.panes import Panes
from streams.core.windows import HOUR

HOUR_MS: Final = 3_600_000
#: Hours that are looked at, and how many must be known before anything is called normal.
HOURS_KEPT: Final = 168
HOURS_MIN: Final = 24


class Baseline:
    """Closed hourly totals (micro-USD, both sides) per row of one source partition."""

    def __init__(self) -> None:
        self.open_hour: int | None = None
        self.first_hour: dict[int, int] = {}
        self.totals: dict[int, dict[int, int]] = {}
        self.changed: set[tuple[int, int]] = set()
        self._kept_from: int | None = None  # the first day that was kept when days were last forgotten

    def hours_due(self, watermark_ms: int) -> range:
        """Return the hours that close when the watermark reaches ``watermark_ms``."""
        now = watermark_ms // HOUR_MS
        if self.open_hour is None:
            self.open_hour = now
        due = range(self.open_hour, now)
        self.open_hour = max(self.open_hour, now)
        return due

    def start(self, rows: Iterable[int], hour: int) -> None:
        """Say from which hour on a row is known."""
        for row in rows:
            if row not in self.first_hour:
                self.first_hour[row] = hour
                self.changed.add((row, hour // 24))

    def close(self, hour: int, totals: Mapping[int, int]) -> None:
        """Record a closed hour's totals by row."""
        for row, total in totals.items():
            hours = self.totals.setdefault(row, {})
            hours[hour] = total
            self.changed.add((row, hour // 24))

    def close_due(self, watermark_ms: int, panes: Panes) -> None:
        """Close the hours that end at or before a watermark with what the panes hold of them now."""
        due = self.hours_due(watermark_ms)
        if due:
            self.close_hours(due, panes)

    def close_hours(self, due: range, panes: Panes) -> None:
        """Close hours that are due."""
        first, last = panes.span()
        for hour in range(max(due.start, first // HOUR), min(due.stop, last // HOUR + 1)):
            self.close(hour, panes.totals_between(hour * HOUR, (hour + 1) * HOUR))
        if self._kept_from != self._first_day():
            self.forget()

    def _first_day(self) -> int:
        return ((self.open_hour or 0) - HOURS_KEPT) // 24

    def forget(self) -> None:
        """Drop the days that no median can see any more, and rows of which nothing else is known."""
        limit = self._kept_from = self._first_day()
        for row, first in list(self.first_hour.items()):
            hours = self.totals.get(row, {})
            for hour in [hour for hour in hours if hour // 24 < limit]:
                del hours[hour]
                self.changed.add((row, hour // 24))
            if not hours and first // 24 < limit:
                del self.first_hour[row]
                self.totals.pop(row, None)
                self.changed.add((row, first // 24))

    def day(self, row: int, day: int) -> dict[int, int]:
        """Return a row's closed hours of one day."""
        hours = self.totals.get(row, {})
        return {hour: hours[hour] for hour in range(day * 24, day * 24 + 24) if hour in hours}

    def normal_hour(self, rows: Iterable[int]) -> int | None:
        """Return the median closed hour of a scope in micro-USD, or None while fewer than 24 hours are known.

        Examples
        --------
        >>> baseline = Baseline()
        >>> _ = baseline.hours_due(100 * HOUR_MS), baseline.start([0], 100)
        >>> for hour in range(100, 123): baseline.close(hour, {0: 12_000_000})
        >>> _ = baseline.hours_due(123 * HOUR_MS); baseline.normal_hour([0])
        >>> _ = baseline.hours_due(124 * HOUR_MS); baseline.normal_hour([0])
        12000000

        """
        now = self.open_hour
        firsts = [self.first_hour[row] for row in rows if row in self.first_hour]
        if now is None or not firsts:
            return None
        count = min(now - min(firsts), HOURS_KEPT)
        if count < HOURS_MIN:
            return None
        totals: dict[int, int] = {}
        for row in rows:
            for hour, total in self.totals.get(row, {}).items():
                if hour >= now - count:
                    totals[hour] = totals.get(hour, 0) + total
        ranked = sorted(totals.values())
        middle = (count - 1) // 2 - (count - len(ranked))
        return ranked[middle] if middle >= 0 else 0
