"""What the oracle counts with: panes in a plain dictionary, hours in a plain dictionary, records for the wire.

Nothing here slides, and nothing is forgotten to save room: every total is a sum over all panes, taken anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.core.bands import WIDE, band_price, price_bands
from streams.core.cascade import SEVERITIES, CascadeRule, CascadeState, Phase, raise_to
from streams.core.events import PositionSide, Scope, to_usd
from streams.core.windows import DAY, HOUR, WINDOWS, minute_leaves, window_start

Record = dict[str, Any]
HOUR_MS = 3_600_000
LONG, SHORT, LONGS, SHORTS, LARGEST = range(5)


def band_of(price: float) -> int:
    return int(price_bands(np.array([price]))[0])


@dataclass
class Panes:
    """Who -> second -> band (None without a price) -> [long, short, longs, shorts, largest]."""

    of: dict[str, dict[int, dict[int | None, list[int]]]] = field(default_factory=dict)

    def add(self, who: str, second: int, band: int | None, side: int, notional: int) -> None:
        bands = self.of.setdefault(who, {}).setdefault(second, {})
        sums = bands.setdefault(band, [0, 0, 0, 0, 0])
        sums[side] += notional
        sums[2 + side] += 1
        sums[LARGEST] = max(sums[LARGEST], notional)

    def seconds(self, who: Iterable[str], start: int, end: int) -> list[tuple[str, int | None, list[int]]]:
        """Return (who, band, sums) of all panes in seconds [start, end]."""
        return [
            (name, band, sums)
            for name in who
            for second, bands in self.of.get(name, {}).items()
            if start <= second <= end
            for band, sums in bands.items()
        ]

    def usd(self, who: Iterable[str], start: int, end: int) -> list[int]:
        found = self.seconds(who, start, end)
        return [sum(sums[side] for _, _, sums in found) for side in (LONG, SHORT)]

    def leaves(self, who: str) -> list[int]:
        """Return every second with which a pane leaves one of the windows."""
        return [
            minute_leaves(length, second // 60) if length > HOUR else second + length
            for second in self.of.get(who, {})
            for length in WINDOWS.values()
        ]


@dataclass
class Hours:
    """Closed hours, and from which hour on somebody is known."""

    open: int | None = None
    first: dict[str, int] = field(default_factory=dict)
    closed: dict[str, dict[int, int]] = field(default_factory=dict)

    def close(self, watermark_ms: int, panes: Panes) -> None:
        now = watermark_ms // HOUR_MS
        before, self.open = now if self.open is None else self.open, max(now, self.open or now)
        if before == self.open:
            return
        for who in panes.of:
            for hour in {second // HOUR for second in panes.of[who]}:
                if before <= hour < self.open:
                    start = hour * HOUR
                    self.closed.setdefault(who, {})[hour] = sum(panes.usd([who], start, start + HOUR - 1))
        self._forget(self.open)

    def _forget(self, now: int) -> None:
        oldest_day = (now - 168) // 24
        for who, first in list(self.first.items()):
            if first // 24 < oldest_day and all(hour // 24 < oldest_day for hour in self.closed.get(who, {})):
                del self.first[who]

    def known(self, who: str) -> None:
        assert self.open is not None
        self.first.setdefault(who, self.open)

    def normal(self, who: Iterable[str]) -> int | None:
        known = [name for name in who if name in self.first]
        if not known or self.open is None:
            return None
        count = min(168, self.open - min(self.first[name] for name in known))
        hours = range(self.open - count, self.open)
        totals = sorted(sum(self.closed.get(name, {}).get(hour, 0) for name in known) for hour in hours)
        return totals[(count - 1) // 2] if count >= 24 else None


def window_records(panes: Panes, who: list[str], newest: int, kept: Callable[[int], int]) -> list[Record]:
    """Return the totals in the six windows that end with ``newest`` and begin no earlier than ``kept(length)``."""
    found = []
    for name, length in WINDOWS.items():
        held = panes.seconds(who, max(window_start(length, newest), kept(length)), newest)
        record = {
            "window": name,
            "long_usd": to_usd(sum(sums[LONG] for _, _, sums in held)),
            "short_usd": to_usd(sum(sums[SHORT] for _, _, sums in held)),
            "long_count": sum(sums[LONGS] for _, _, sums in held),
            "short_count": sum(sums[SHORTS] for _, _, sums in held),
            "largest_usd": to_usd(max((sums[LARGEST] for _, _, sums in held), default=0)),
        }
        found.append(record | _prices(held))
    return found


def _prices(held: list[tuple[str, int | None, list[int]]]) -> Record:
    names = ("price_low", "price_high", "densest_price_low", "densest_price_high", "densest_usd")
    bands = [band for _, band, _ in held if band is not None]
    if not bands:
        return dict.fromkeys(names)
    wide: dict[int, int] = {}
    for _, band, sums in held:
        wide[band >> WIDE] = wide.get(band >> WIDE, 0) + sums[LONG] + sums[SHORT]
    densest = min(wide, key=lambda band: (-wide[band], band))
    edges = (min(bands), max(bands) + 1, densest << WIDE, (densest + 1) << WIDE)
    return dict(zip(names, (*(float(band_price(edge)) for edge in edges), to_usd(wide[densest])), strict=True))


def about(scope: Scope, key: str) -> Record:
    parts = key.split("|")
    return {
        "scope": scope.value,
        "key": key,
        "exchange": parts[0] if scope in {Scope.INSTRUMENT, Scope.EXCHANGE} else None,
        "symbol": parts[1] if scope is Scope.INSTRUMENT else None,
        "asset": None,
    }


def share(windows: list[Record]) -> float | None:
    hour, day = (round((windows[at]["long_usd"] + windows[at]["short_usd"]) * 1e6) for at in (3, 5))
    return hour / day if day else None


def cascade_record(
    rule: CascadeRule,
    scope: Scope,
    key: str,
    asset: str | None,
    state: CascadeState,
    phase: Phase,
    time_ms: int,
    windows: list[Record],
) -> Record:
    """Return a message of ``cascades``, but for what ``test_units`` leaves out."""
    raise_to(state.highest_day, [round(windows[-1][name] * 1e6) for name in ("long_usd", "short_usd")], time_ms)
    state.highest_day = max(state.highest_day, [*state.highest_hour], key=lambda total: total[0] + total[1])
    long, short = state.usd
    record = about(scope, key) | {
        "asset": asset,
        "cascade_id": state.cascade_id,
        "sequence": state.sequence,
        "rule_version": rule.version(),
        "phase": phase.value,
        "severity": SEVERITIES[state.severity],
        "position_side": PositionSide(state.position_side).name,
        "side_share": state.usd[state.position_side] / (long + short),
        "event_time": time_ms,
        "started": state.started_ms,
        "peaked": state.peaked_ms,
        "ended": state.last_above_ms if phase is Phase.SUBSIDED else None,
        "notional_usd": to_usd(long + short),
        "long_usd": to_usd(long),
        "short_usd": to_usd(short),
        "count": state.count,
        "largest_usd": to_usd(state.largest),
        "windows": windows,
        "highest_hour": _highest(state.highest_hour),
        "highest_day": _highest(state.highest_day),
        "hour_share_of_day": share(windows),
        "exchanges": [
            {"exchange": name, "long_usd": to_usd(sums[0]), "short_usd": to_usd(sums[1]), "count": sums[2]}
            for name, sums in sorted(state.exchanges.items())
        ],
        "threshold_usd": to_usd(state.threshold),
        "normal_usd": None if state.normal is None else to_usd(state.normal),
        "multiple": state.highest / state.normal if state.normal else None,
        "peak_usd": to_usd(state.highest),
        **_traded(state),
        **{name: windows[3][name] for name in ("densest_price_low", "densest_price_high", "densest_usd")},
        "assets_count": state.assets_count,
    }
    state.sequence += 1
    return record


def _traded(state: CascadeState) -> Record:
    first, low, high, last = state.prices or [None] * 4
    return {
        "first_price": first,
        "lowest_price": low,
        "highest_price": high,
        "last_price": last,
        "price_change": last / first - 1 if first else None,
    }


def _highest(total: list[int]) -> Record:
    return {"long_usd": to_usd(total[0]), "short_usd": to_usd(total[1]), "at": total[2]}


def minutes_remembered(newest: int) -> int:
    """Return the first minute that is remembered at all."""
    return (newest + 1 - DAY) // 60


def seconds_remembered(newest: int) -> int:
    """Return the first second that is remembered as a second."""
    return (newest + 1 - HOUR) // 60 * 60
