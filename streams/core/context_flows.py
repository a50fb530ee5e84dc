"""How many coins of an asset go to exchanges in a day, and how that ranks in its own history.

Law: what counts of an exchange are its periods of the 24 hours before the end of its last (of two that end together
the one with the newest event time: a correction), scaled from what they cover to 24 hours; a last one of 24 hours or
more counts alone. Their sum over the exchanges is sampled at the first full hour at or after the newest of them was
known. Order within such an hour and repeats do not matter.

Memory per asset: a day of each exchange's periods, ``PERIODS_MAX`` at most, and at most 92 days of one sample an hour
(18 KB).
"""

from __future__ import annotations

import json
from bisect import bisect_left
from math import fsum
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from streams.core.context_rule import DAY_MS, HOUR_MS, NUMBER_MAX, ContextRule
from streams.core.history import Histories, rank, row_body
from streams.core.reading import Reading

if TYPE_CHECKING:
    from streams.core.events import ExchangeFlow

#: Periods of an exchange that are remembered: a day of quarters of an hour.
PERIODS_MAX = 96
#: Of the rows here; the version before this one remembered one period of each exchange.
ROW_VERSION = 2


class _Period(NamedTuple):
    end_ms: int
    event_time_ms: int
    start_ms: int
    inflow: float


_end = attrgetter("end_ms")


class _Venue:
    """A day of an exchange's periods, by end; when the newest of them was known, and the coins of 24 hours."""

    __slots__ = ("known_ms", "per_day", "periods")

    def __init__(self, *periods: _Period) -> None:
        self.periods = list(periods)
        self._count()

    @property
    def end_ms(self) -> int:
        return self.periods[-1].end_ms

    def take(self, newest: _Period) -> bool:
        """Put a period among those of the day before the last one's end; return whether that changed anything."""
        periods = self.periods
        at = bisect_left(periods, newest.end_ms, key=_end)
        if at < len(periods) and periods[at].end_ms == newest.end_ms:
            if newest <= periods[at]:
                return False
            periods[at] = newest
        elif newest.end_ms <= self.end_ms - DAY_MS:
            return False
        else:
            periods.insert(at, newest)
            first = bisect_left(periods, self.end_ms - DAY_MS + 1, key=_end)
            del periods[: max(first, len(periods) - PERIODS_MAX)]
        self._count()
        return True

    def _count(self) -> None:
        last = self.periods[-1]
        counted = self.periods if last.end_ms - last.start_ms < DAY_MS else [last]
        covered_ms = sum(period.end_ms - period.start_ms for period in counted)
        self.known_ms = max(max(period.end_ms, period.event_time_ms) for period in self.periods)
        self.per_day = fsum(period.inflow for period in counted) * DAY_MS / covered_ms


class FlowContext:
    """Coins into exchanges for every asset of one partition.

    Parameters
    ----------
    rule
        Bounds and lengths.

    Examples
    --------
    >>> FlowContext(ContextRule()).inflow("BTC", 1_700_000_000_000) is None
    True

    """

    def __init__(self, rule: ContextRule) -> None:
        self._rule = rule
        self._kept_ms = rule.history_ms + rule.lag_ms_max
        self._assets: dict[str, dict[str, _Venue]] = {}
        self._count = 0
        self._clock_ms = -1
        self._dirty: set[str] = set()
        self._inflows = Histories(b"x|g|", slots=24)

    def fold(self, flow: ExchangeFlow) -> None:
        """Take in one record; an empty period, or an inflow below 0 or not below 1e30, says nothing.

        Raises
        ------
        InvalidEvent
            If it is of one exchange more than the rule allows.

        """
        newest = _Period(flow.period_end_ms, flow.event_time_ms, flow.period_start_ms, flow.inflow)
        if newest.start_ms >= newest.end_ms or not 0.0 <= newest.inflow < NUMBER_MAX:
            return
        if newest.end_ms <= self._clock_ms - self._kept_ms:
            return
        venue = self._assets.get(flow.asset, {}).get(flow.exchange)
        if venue is None:
            known = len(self._assets.get(flow.asset, ()))
            self._rule.admit(f"flows of {flow.asset} on {flow.exchange}", self._count, known)
            self._count += 1
            self._assets.setdefault(flow.asset, {})[flow.exchange] = _Venue(newest)
        elif not venue.take(newest):
            return
        self._dirty.add(flow.asset)
        self._sample(flow.asset)
        clock_ms, self._clock_ms = self._clock_ms, max(self._clock_ms, newest.end_ms)
        if clock_ms // HOUR_MS != self._clock_ms // HOUR_MS:
            self._expire()

    def inflow(self, asset: str, at_ms: int) -> Reading | None:
        """Return coins into exchanges per 24 hours as known at a moment, ranked in its hourly history."""
        rule = self._rule
        first = -(-(at_ms - rule.flow_age_ms_max) // HOUR_MS)
        found = self._inflows.newest(asset, first, at_ms // HOUR_MS + 1)
        if found is None:
            return None
        hour, value = found
        past = self._inflows.samples(asset, hour - rule.history_ms // HOUR_MS, hour)
        percentile = rank(past, value, hour, days_min=rule.history_ms_min // DAY_MS)
        return Reading(value, percentile, at_ms - hour * HOUR_MS)

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call; None where one has expired."""
        rows = [(b"x|f|" + name.encode(), self._row(name)) for name in sorted(self._dirty)]
        self._dirty.clear()
        return [*rows, *self._inflows.dirty_rows()]

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one row that ``dirty_rows`` gave."""
        if key.startswith(b"x|g|"):
            self._inflows.load(key, value)
            return
        found = json.loads(row_body(key, value, ROW_VERSION))
        if value[0] == 1:
            found = {name: [period] for name, period in found.items()}
        saved = {name: _Venue(*(_Period(*period) for period in periods)) for name, periods in found.items()}
        self._assets[key[4:].decode()] = saved
        self._count += len(saved)
        self._clock_ms = max(self._clock_ms, *(venue.end_ms for venue in saved.values()))

    def _row(self, name: str) -> bytes | None:
        if name not in self._assets:
            return None
        periods = {exchange: venue.periods for exchange, venue in self._assets[name].items()}
        return bytes((ROW_VERSION,)) + json.dumps(periods, separators=(",", ":"), sort_keys=True).encode()

    def _sample(self, name: str) -> None:
        venues = self._assets[name].values()
        oldest_ms = max(venue.end_ms for venue in venues) - self._rule.flow_age_ms_max
        fresh = [venue for venue in venues if venue.end_ms >= oldest_ms]
        known_ms = max(venue.known_ms for venue in fresh)
        self._inflows.put(name, -(-known_ms // HOUR_MS), fsum(venue.per_day for venue in fresh))

    def _expire(self) -> None:
        first_ms = self._clock_ms - self._kept_ms
        self._inflows.expire(first_ms // HOUR_MS)
        for name, of in list(self._assets.items()):
            kept = {key: venue for key, venue in of.items() if venue.end_ms >= first_ms}
            if len(kept) == len(of):
                continue
            self._dirty.add(name)
            self._count -= len(of) - len(kept)
            if kept:
                self._assets[name] = kept
            else:
                del self._assets[name]
