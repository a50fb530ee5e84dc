"""How much of a venue's liquidations a sum can know, and when it has to read "at least"."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_NONE_STALE: frozenset[str] = frozenset()


class Coverage(StrEnum):
    """How much of a venue's liquidations its feed can show; only FULL claims all of them.

    Examples
    --------
    >>> Coverage("SAMPLED") == "SAMPLED"
    True

    """

    UNKNOWN = "UNKNOWN"
    FULL = "FULL"
    SAMPLED = "SAMPLED"
    ABSENT = "ABSENT"
    STALE = "STALE"


def midnight_ms(date: object) -> int:
    """Return the start of a day, given as a date or as ``YYYY-MM-DD``, in milliseconds since 1970 (UTC).

    Examples
    --------
    >>> midnight_ms("1970-01-02")
    86400000

    """
    return int(datetime.fromisoformat(str(date)).replace(tzinfo=UTC).timestamp()) * 1_000


def at_least(coverages: Iterable[Coverage]) -> bool:
    """Return whether a sum over feeds of these coverages is a lower bound.

    It is, unless there is a feed and every one is FULL: a sum over no feed has
    nothing that vouches for it.

    Examples
    --------
    >>> at_least([Coverage.FULL, Coverage.FULL])
    False
    >>> at_least([Coverage.FULL, Coverage.UNKNOWN])
    True
    >>> at_least([])
    True

    """
    found = set(coverages)
    return found != {Coverage.FULL}


class Venues:
    """What each venue's feed can show, by event time.

    The last line of a venue that begins at or before a time holds at it. Before
    its first line, and for a venue that is not listed, nothing is claimed:
    UNKNOWN, so that a sum reads "at least".

    Parameters
    ----------
    data
        The parsed ``schemas/venues.yaml``: ``{"venues": {name: {"coverage": [{"from": date, "coverage": …}]}}}``.
        Lines in rising order of ``from``; STALE cannot be declared.

    Examples
    --------
    >>> venues = Venues({"venues": {"bybit": {"coverage": [
    ...     {"from": "2021-09-01", "coverage": "SAMPLED"}, {"from": "2025-02-25", "coverage": "FULL"}]}}})

    A line holds from the first millisecond of its day:

    >>> change = midnight_ms("2025-02-25")
    >>> venues.coverage("bybit", change - 1).value, venues.coverage("bybit", change).value
    ('SAMPLED', 'FULL')

    Nothing is known of other venues:

    >>> venues.coverage("nowhere", change).value
    'UNKNOWN'

    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._lines = {name: _lines(name, venue["coverage"]) for name, venue in data["venues"].items()}

    def coverage(self, exchange: str, at_ms: int, stale: frozenset[str] = _NONE_STALE) -> Coverage:
        """Return the coverage of one venue at an event time.

        Parameters
        ----------
        exchange
            Venue in lower case.
        at_ms
            Event time; milliseconds since 1970, UTC.
        stale
            Venues whose feed has gone silent although they are alive. A venue
            without a feed (ABSENT) has none that could go silent.

        Examples
        --------
        >>> venues = Venues({"venues": {"bybit": {"coverage": [{"from": "1970-01-01", "coverage": "FULL"}]}}})
        >>> venues.coverage("bybit", 0, stale=frozenset({"bybit"})).value
        'STALE'
        >>> venues.coverage("bybit", -1).value
        'UNKNOWN'

        """
        declared = self._declared(exchange, at_ms)
        return Coverage.STALE if exchange in stale and declared is not Coverage.ABSENT else declared

    def names(self) -> list[str]:
        """Return the venues that are listed, in order of name.

        Examples
        --------
        >>> line = {"coverage": [{"from": "1970-01-01", "coverage": "FULL"}]}
        >>> Venues({"venues": {"okx": line, "bybit": line}}).names(), Venues({"venues": {}}).names()
        (['bybit', 'okx'], [])

        """
        return sorted(self._lines)

    def absent(self, at_ms: int) -> list[str]:
        """Return the venues, in order of name, that are known to have no public feed at an event time.

        A total over the whole market misses them, and says so by listing them.

        Examples
        --------
        >>> venues = Venues({"venues": {"hyperliquid": {"coverage": [{"from": "1970-01-01", "coverage": "ABSENT"}]}}})
        >>> venues.absent(0), venues.absent(-1)
        (['hyperliquid'], [])

        """
        return sorted(name for name in self._lines if self._declared(name, at_ms) is Coverage.ABSENT)

    def _declared(self, exchange: str, at_ms: int) -> Coverage:
        starts, coverages = self._lines.get(exchange, ((), ()))
        line = bisect_right(starts, at_ms) - 1
        return coverages[line] if line >= 0 else Coverage.UNKNOWN


def _lines(name: str, lines: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, ...], tuple[Coverage, ...]]:
    starts = tuple(midnight_ms(line["from"]) for line in lines)
    coverages = tuple(Coverage(line["coverage"]) for line in lines)
    if list(starts) != sorted(set(starts)):
        msg = f"venues.yaml: {name}: the lines of coverage must begin on rising dates, was {starts}"
        raise ValueError(msg)
    if Coverage.STALE in coverages:
        msg = f"venues.yaml: {name}: coverage must be FULL, SAMPLED, ABSENT or UNKNOWN, was STALE"
        raise ValueError(msg)
    return starts, coverages
