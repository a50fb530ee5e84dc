"""How many coins of an asset go to exchanges in a day, and how that ranks in its own history.

Law: what counts of an exchange is the record whose period ends last (of the same period the one with the newest
event time: a correction), scaled from its period to 24 hours. Their sum is sampled at the first full hour at or
after the newest period's end. Order within such an hour and repeats do not matter; an older period that comes
late changes nothing.

Memory per asset: the latest record of each exchange, and at most 92 days of one sample an hour (18 KB).
"""

from __future__ import annotations

import json
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from streams.core.context_rule import DAY_MS, HOUR_MS, NUMBER_MAX, ContextRule
from streams.core.history import ROW_VERSION, Histories, rank, row_body
from streams.core.reading import Reading

if TYPE_CHECKING:
    from streams.core.events import ExchangeFlow


class _Period(NamedTuple):
    end_ms: int
    event_time_ms: int
    start_ms: int
    inflow: float


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
        self._assets: dict[str, dict[str, _Period]] = {}
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
        latest = self._assets.get(flow.asset, {}).get(flow.exchange)
        if latest is None:
            known = len(self._assets.get(flow.asset, ()))
            self._rule.admit(f"flows of {flow.asset} on {flow.exchange}", self._count, known)
            self._count += 1
        elif newest <= latest:
            return
        periods = self._assets.setdefault(flow.asset, {})
        periods[flow.exchange] = newest
        self._dirty.add(flow.asset)
        self._sample(flow.asset, periods)
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
        saved = {name: _Period(*period) for name, period in json.loads(row_body(key, value)).items()}
        self._assets[key[4:].decode()] = saved
        self._count += len(saved)
        self._clock_ms = max(self._clock_ms, *(period.end_ms for period in saved.values()))

    def _row(self, name: str) -> bytes | None:
        if name not in self._assets:
            return None
        return bytes((ROW_VERSION,)) + json.dumps(self._assets[name], separators=(",", ":"), sort_keys=True).encode()

    def _sample(self, name: str, periods: dict[str, _Period]) -> None:
        newest_ms = max(period.end_ms for period in periods.values())
        fresh = [period for period in periods.values() if period.end_ms >= newest_ms - self._rule.flow_age_ms_max]
        per_day = fsum(period.inflow * DAY_MS / (period.end_ms - period.start_ms) for period in fresh)
        self._inflows.put(name, -(-newest_ms // HOUR_MS), per_day)

    def _expire(self) -> None:
        first_ms = self._clock_ms - self._kept_ms
        self._inflows.expire(first_ms // HOUR_MS)
        for name, periods in list(self._assets.items()):
            kept = {key: period for key, period in periods.items() if period.end_ms >= first_ms}
            if len(kept) == len(periods):
                continue
            self._dirty.add(name)
            self._count -= len(periods) - len(kept)
            if kept:
                self._assets[name] = kept
            else:
                del self._assets[name]
