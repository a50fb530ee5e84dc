"""The part of ``streams/DESIGN.md``, section 3, that is about silent feeds: a function of the log of pane-snapshots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streams.codec import rows as codec
from streams.core.feeds import FeedRule

MINUTE_MS = 60_000
DAY = 1_440


@dataclass
class Venue:
    alive: set[int] = field(default_factory=set)
    told: dict[int, int] = field(default_factory=dict)  # minute -> newest time that was told in it
    last_ms: int | None = None
    decided: int = -1
    silence: int = 0
    silent: bool = False
    found_by_habit: bool = False
    longest: Counter[int] = field(default_factory=Counter)  # day -> longest silence that ended in it
    lived: Counter[int] = field(default_factory=Counter)  # day -> minutes alive and not silent

    def bound(self, rule: FeedRule, minute: int) -> tuple[int, bool]:
        days = range(minute // DAY - rule.days + 1, minute // DAY + 1)
        longest = sorted(self.longest[day] for day in days)
        habitual = sum(self.lived[day] >= rule.day_least for day in days) >= rule.days_least
        return max(rule.factor * longest[-2], rule.least if habitual else rule.unknown), habitual

    def forgotten(self, rule: FeedRule) -> bool:
        newest = max([*self.alive, *self.told], default=0)
        return newest <= self.decided and newest // DAY <= self.decided // DAY - rule.days


def silent_at(watermarks: list[tuple[int, list[dict[str, Any]]]], time_ms: int, end_ms: int) -> frozenset[str]:
    """Return the feeds that are SILENT at a time, as far as they are found once everything up to an end is closed."""
    silent = set()
    for closed_ms, said in watermarks:
        for each in said:
            if each["event_time"] <= time_ms:
                (silent.add if each["status"] == "SILENT" else silent.discard)(each["exchange"])
        if closed_ms >= end_ms:
            break
    return frozenset(silent)


def history(log: list[Any], lateness_ms: int, rule: FeedRule) -> list[tuple[int, list[dict[str, Any]]]]:
    """Return of each watermark of a log up to when everything is closed by it, and the messages that follow."""
    venues: dict[str, Venue] = {}
    clocks: dict[int, float] = {}
    market, found = -1, []
    for record in log:
        key = record.key.partition(b"\x1f")[2]
        kind, name = key[:1], key[1:]
        if kind == b"g":
            exchanges, cells = codec.parse_growth(record.value)
            for slot, second in zip(cells.slot.tolist(), cells.second.tolist(), strict=True):
                venue = venues.setdefault(exchanges[slot // 2], Venue())
                minute = max(second // 60, venue.decided + 1)
                venue.told[minute] = max(second * 1000, venue.told.get(minute, 0))
        elif kind == b"a":
            if name.decode() not in venues and len(venues) >= rule.exchanges_max:
                continue
            venue = venues.setdefault(name.decode(), Venue())
            venue.alive |= {minute for minute in codec.parse_json(record.value) if minute > venue.decided}
        elif kind == b"w":
            clock, partitions = codec.parse_json(record.value)
            before = clocks.get(int(name), -1)
            clocks[int(name)] = float("inf") if clock is None else max(clock, -1 if before == float("inf") else before)
            if len(clocks) == partitions and min(clocks.values()) < float("inf"):
                market = max(market, int(min(clocks.values())))
            said = []
            for exchange in sorted(venues):
                said += decide(exchange, venues[exchange], (market - lateness_ms) // MINUTE_MS - 1, rule)
                if venues[exchange].forgotten(rule):
                    del venues[exchange]
            found.append((market - lateness_ms, said))
    return found


def decide(exchange: str, venue: Venue, closed: int, rule: FeedRule) -> list[dict[str, Any]]:
    until = min(closed, max([*venue.alive, venue.decided, closed - rule.patience]))
    said = []
    for minute in sorted(venue.alive | set(venue.told)):
        if not venue.decided < minute <= until:
            continue
        (bound, habitual), was = venue.bound(rule, minute), venue.silent
        if minute in venue.told:
            length = min(venue.silence, bound) if was and venue.found_by_habit else venue.silence
            venue.longest[minute // DAY] = max(venue.longest[minute // DAY], length)
            venue.silence, venue.silent, venue.last_ms = 0, False, max(venue.told[minute], venue.last_ms or 0)
        else:
            venue.silence += 1
            venue.silent = was or venue.silence > bound
            venue.found_by_habit = venue.found_by_habit if was else habitual
        if minute in venue.alive and not venue.silent:
            venue.lived[minute // DAY] += 1
        if venue.silent != was:
            said.append(
                {
                    "exchange": exchange,
                    "status": "SILENT" if venue.silent else "OK",
                    "event_time": (minute + 1) * MINUTE_MS,
                    "last_liquidation": venue.last_ms,
                }
            )
    venue.decided = max(venue.decided, until)
    return said
