"""How large a cascade is beside the sell-offs and squeezes that people remember."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from streams.core.coverage import midnight_ms

_DAY_MS: Final = 86_400_000

#: From this total on an hour is one that others are measured against (USD).
LANDMARK_HOUR_USD: Final = 1_000_000_000.0

#: Below this share of an episode, and above its inverse, a comparison says nothing.
SHARE_MIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Episode:
    """One known episode; totals over all venues of a tracker in US dollars, None where not known."""

    date: str
    name: str
    one_hour_usd: float | None
    day_usd: float | None
    confirmed: bool
    story: bool
    ended_ms: int


class Episodes:
    """Known episodes, to compare a market-wide total with.

    Parameters
    ----------
    data
        The parsed ``schemas/episodes.yaml``.

    Examples
    --------
    >>> episodes = Episodes({"episodes": [{"date": "2025-09-22", "name": "September 2025 crash",
    ...     "one_hour_usd": 1_070_000_000, "day_usd": 1_700_000_000, "confirmed": True}]})
    >>> [(c["window"], round(c["share"], 2)) for c in episodes.compare(352e6, 1.05e9)]
    [('1h', 0.33), ('24h', 0.62)]

    A twentieth is still worth a comparison, less is not:

    >>> [c["window"] for c in episodes.compare(1.07e9 / 20, 1.7e9 / 20.1)]
    ['1h']

    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._episodes = [_episode(line) for line in data["episodes"]]

    def totals(self) -> Iterator[tuple[Episode, str, float]]:
        """Yield each total that is known: its episode, its window, US dollars."""
        for episode in self._episodes:
            for window, usd in (("1h", episode.one_hour_usd), ("24h", episode.day_usd)):
                if usd is not None:
                    yield episode, window, usd

    def compare(
        self, hour_usd: float | None, day_usd: float | None, before_ms: int | None = None
    ) -> list[dict[str, Any]]:
        """Return at most three comparisons, as wire records ``Comparison``.

        First the nearest landmark by the hour (confirmed, and at least
        ``LANDMARK_HOUR_USD``), then the nearest confirmed episode by the day,
        then the hour that the story itself names, reported and not confirmed.
        Nearest is by ratio::

            |log(ours / theirs)|

        and of equals the newest. Left out is what is under ``SHARE_MIN`` of an
        episode, or as far above it.

        Parameters
        ----------
        hour_usd
            Highest total of the sliding hour, US dollars; None or 0 where there is none.
        day_usd
            Highest total of the sliding 24 hours, US dollars; None or 0 where there is none.
        before_ms
            Only episodes whose day had ended by then: a replayed crash is not
            compared with itself, nor with the future. Milliseconds since 1970,
            UTC; None compares with all.

        Examples
        --------
        >>> episodes = Episodes({"episodes": [{"date": "1970-01-01", "name": "first day",
        ...     "one_hour_usd": 1e9, "day_usd": None, "confirmed": True}]})
        >>> len(episodes.compare(1e9, None, before_ms=86_400_000)), episodes.compare(1e9, None, before_ms=86_399_999)
        (1, [])

        """
        known = [e for e in self._episodes if before_ms is None or e.ended_ms <= before_ms]
        hours = [(e, e.one_hour_usd) for e in known if e.one_hour_usd]
        landmarks = [(e, usd) for e, usd in hours if e.confirmed and usd >= LANDMARK_HOUR_USD]
        days = [(e, e.day_usd) for e in known if e.day_usd and e.confirmed]
        story = [(e, usd) for e, usd in hours if e.story]
        found = [
            _nearest("1h", hour_usd, landmarks),
            _nearest("24h", day_usd, days),
            _nearest("1h", hour_usd, story),
        ]
        return [comparison for comparison in found if comparison]


def _nearest(window: str, usd: float | None, candidates: Iterable[tuple[Episode, float]]) -> dict[str, Any] | None:
    ranked = [(abs(math.log(usd / theirs)), -e.ended_ms, e, theirs) for e, theirs in candidates] if usd else []
    if not usd or not ranked:
        return None
    _, _, nearest, theirs = min(ranked, key=lambda rank: rank[:2])
    share = usd / theirs
    if not SHARE_MIN <= share <= 1 / SHARE_MIN:
        return None
    return {
        "episode": nearest.name,
        "date": nearest.date,
        "window": window,
        "share": share,
        "confirmed": nearest.confirmed,
    }


def _episode(line: Mapping[str, Any]) -> Episode:
    return Episode(
        date=str(line["date"]),
        name=line["name"],
        one_hour_usd=line["one_hour_usd"],
        day_usd=line["day_usd"],
        confirmed=line["confirmed"],
        story=line.get("story", False),
        ended_ms=midnight_ms(line["date"]) + _DAY_MS,
    )
