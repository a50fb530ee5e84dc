"""What stage 2 has heard of assets, by the moment that it is of: an onset is told what was known before it."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from streams.core.context import Before
from streams.core.context_rule import ContextRule
from streams.core.describe import fresh

Record = dict[str, Any]
_at = itemgetter("at")
_QUARTER_MS = 900_000
#: What was heard of an asset longer ago says nothing of what came after an onset.
MOMENT_AGE_MS_MAX = 3_600_000
#: Moments of an asset nearer to each other than this are one, the later; and so many are kept while the market waits.
_APART_MS, _KEPT_MAX = 5_000, 32


class Contexts:
    """Moments of each asset since the last that the market has passed: ``at`` (ms), ``usd`` by side, and each side."""

    def __init__(self) -> None:
        self._of: dict[str, list[Record]] = {}
        self._changed: set[str] = set()

    def hear(self, asset: str, moment: Record) -> None:
        known = self._of.setdefault(asset, [])
        insort(known, moment, key=_at)
        if len(known) > 2 and _at(known[-1]) - _at(known[-3]) < _APART_MS:
            del known[-2]
        elif len(known) > _KEPT_MAX:
            del known[1:-1:2]
        self._changed.add(asset)

    def passed(self, time_ms: int) -> None:
        """Forget what nobody can ask for, once no onset can come from before a moment."""
        for asset, known in self._of.items():
            gone = bisect_right(known, time_ms, key=_at) - 1
            if gone > 0:
                del known[:gone]
                self._changed.add(asset)

    def of(self, asset: str, time_ms: int) -> Record | None:
        """Return what was known of an asset at a moment; None if nothing was."""
        known = self._of.get(asset, [])
        found = bisect_right(known, time_ms, key=_at)
        return known[found - 1] if found else None

    def busiest(self, side: int, time_ms: int) -> Record | None:
        """Return what was known of the asset that sold most on a side in the quarter of an hour before a moment."""
        moments = ((asset, self.of(asset, time_ms)) for asset in sorted(self._of))
        recent = [each for _, each in moments if each and _at(each) >= time_ms - _QUARTER_MS and each["usd"][side] > 0]
        return max(recent, key=lambda each: each["usd"][side], default=None)

    def take_changed(self) -> Iterator[tuple[str, list[Record]]]:
        """Yield the moments of each asset of which they have changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        for asset in changed:
            yield asset, self._of[asset]

    def restore(self, asset: str, moments: list[Record]) -> None:
        self._of[asset] = moments


def after(before: Record, now: Record, at_ms: int, rule: ContextRule) -> Record:
    """Return what came after as far as two moments can tell it."""
    old, latest = Before.from_json(before["known"]).volatility, Before.from_json(now["known"])
    spread, newer = (fresh(each, at_ms - latest.at_ms, rule) for each in (latest.spread_multiple, latest.volatility))
    change = interest_change(before, now, at_ms, rule)
    return {
        "volatility_multiple": newer.value / old.value if newer and old and old.value else None,
        "spread_multiple": spread.value if spread else None,
        "open_interest_change": change and change["value"],
        "price_recovered": None,
    }


def interest_change(before: Record, now: Record, at_ms: int, rule: ContextRule) -> Record | None:
    """Return the change in coins over instruments heard from at both moments, as a ``Reading`` of the wire."""
    known, coins, times = Before.from_json(before["known"]), now["known"]["open_interest"], now.get("interest_ms", {})
    oldest_ms = max(known.at_ms + 1, at_ms - rule.open_interest_age_ms_max)
    same = [name for name in known.open_interest if times.get(name, -1) >= oldest_ms]
    was = sum(known.open_interest[name] for name in same)
    if not was:
        return None
    value, heard_ms = sum(coins[name] for name in same) / was - 1, max(times[name] for name in same)
    return {"value": value, "percentile": None, "age_ms": max(0, at_ms - heard_ms)}
