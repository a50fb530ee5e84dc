"""What completes a record before it leaves: coverage, context, comparison and the sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from streams.core.context import Before, ContextRule, ContextTracker
from streams.core.coverage import Coverage, Venues, at_least
from streams.core.crowding import Crowding
from streams.core.episodes import Episodes
from streams.core.events import PositionSide, Scope
from streams.core.follow import Notice
from streams.core.headline import headline
from streams.core.reading import Reading

Record = dict[str, Any]
NO_CONTEXT: Record = dict.fromkeys(
    (
        "funding_rate_annualised", "crowded", "crowded_age_ms", "volatility", "open_interest_change", "spread_multiple",
        "exchange_inflow", "asset",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Describer:
    """Coverage by venue and date, the known episodes, and how fresh a context must be."""

    venues: Venues
    episodes: Episodes
    context: ContextRule = field(default_factory=ContextRule)

    def coverage(
        self, present: Iterable[str], at_ms: int, *, whole: bool, stale: frozenset[str] = frozenset()
    ) -> Record:
        """Return ``coverage`` and ``at_least``; ``whole`` adds the known venues that are not present as ABSENT."""
        found = {exchange: self.venues.coverage(exchange, at_ms, stale) for exchange in present}
        if whole:
            found = {**dict.fromkeys(self.venues.names(), Coverage.ABSENT), **found}
        return {
            "coverage": [{"exchange": name, "coverage": found[name].value} for name in sorted(found)],
            "at_least": at_least(found.values()),
        }

    def complete(
        self,
        notice: Notice,
        whole: Iterable[str] | None,
        context: Record,
        aftermath: Record | None,
        stale: frozenset[str] = frozenset(),
    ) -> Record:
        """Return the finished message; ``whole`` are the exchanges present for a total over all venues."""
        record, at_ms = notice.record, notice.record["event_time"]
        mine = [each["exchange"] for each in record["exchanges"]]
        for each in record["exchanges"]:
            each["coverage"] = self.venues.coverage(each["exchange"], at_ms, stale).value
        covered = self.coverage(mine if whole is None else whole, at_ms, whole=whole is not None, stale=stale)
        # What comes too late for the market's clock is not in the figures of its cascades.
        record["at_least"] = covered["at_least"] or record["scope"] in {Scope.EXCHANGE, Scope.MARKET}
        record["context"] = context
        record["aftermath"] = aftermath
        hour, day = (record[name]["long_usd"] + record[name]["short_usd"] for name in ("highest_hour", "highest_day"))
        market = record["scope"] == Scope.MARKET
        record["comparisons"] = self.episodes.compare(hour, day, record["started"]) if market else []
        record["headline"] = headline(record)
        return record


def before_onset(asset: str, side: PositionSide, at_ms: int, tracker: ContextTracker, crowding: Crowding) -> Record:
    """Return what is known of an asset at an onset, as plain JSON that an open cascade keeps."""
    return {
        "asset": asset,
        "known": tracker.before(asset, at_ms).to_json(),
        "funding": crowding.reading(asset, at_ms),
        "crowded": crowding.crowded(asset, side, at_ms),
        "interest_ms": tracker.open_interest_times(asset, at_ms),
    }


def context_record(before: Record, now: Record, at_ms: int, rule: ContextRule) -> Record:
    """Return the ``Context`` of a message from what was known at onset and what is known now."""
    old, new = Before.from_json(before["known"]), Before.from_json(now["known"])
    later, since = max(0, at_ms - old.at_ms), max(0, at_ms - new.at_ms)
    spread = fresh(new.spread_multiple, since, rule)
    crowded = before["crowded"]
    return {
        "funding_rate_annualised": _aged(before["funding"], later),
        "crowded": crowded[0] if crowded else None,
        "crowded_age_ms": max(0, old.at_ms - crowded[1]) if crowded else None,
        "volatility": _aged(old.volatility, later),
        "open_interest_change": None,
        "spread_multiple": _aged(spread, since),
        "exchange_inflow": _aged(old.inflow, later),
        "asset": before["asset"],
    }


def aftermath_record(before: Record, now: Record, after: Record) -> Record:
    """Return what came after: ``after`` has the multiples, the change in coins and the price."""
    known = before["crowded"] and now["funding"] is not None
    return {**after, "crowding_ended": not now["crowded"] if known else None}


def fresh(reading: Reading | None, later_ms: int, rule: ContextRule) -> Reading | None:
    """Return what is known of quotes, unless so much later it is too old."""
    return reading if reading is not None and reading.age_ms + later_ms <= rule.quote_age_ms_max else None


def _aged(reading: Reading | list[Any] | None, later_ms: int) -> Record | None:
    if reading is None:
        return None
    value, percentile, age_ms = reading
    return {"value": value, "percentile": percentile, "age_ms": age_ms + later_ms}
