"""How often alerts are right, how early, and how sure one can be of that."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.evaluation.data import Orders
from tests.evaluation.labels import HOUR_S, Span

RESAMPLES: Final = 2_000


class Story(NamedTuple):
    """Episodes and alerts that touch each other, with nothing in between; or one that nobody saw, or a false one."""

    alerts: int
    right: int
    episodes: int
    found: int


class Rates(NamedTuple):
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Score:
    """What the table has of one rule; ``low`` and ``high`` bound 90 % of the resamples."""

    alerts: int
    episodes: int
    found: int
    rates: Rates
    low: Rates
    high: Rates
    most: int  # alerts of one episode
    delay_s: float | None  # median
    gone: float | None  # median share of the episode's money
    right_side: tuple[int, int]  # as of ``right_side``

    @property
    def f1(self) -> float:
        return self.rates.f1


def stories(alerts: list[Span], episodes: list[Span]) -> list[Story]:
    """Group what touches."""
    marked = sorted([(span, True) for span in alerts] + [(span, False) for span in episodes], key=_times)
    groups: list[list[tuple[Span, bool]]] = []
    end = -1
    for span, is_alert in marked:
        if groups and span.start <= end:
            groups[-1].append((span, is_alert))
        else:
            groups.append([(span, is_alert)])
        end = max(end, span.end)
    return [_story(group) for group in groups]


def _times(marked: tuple[Span, bool]) -> tuple[int, int, bool]:
    span, is_alert = marked
    return span.start, span.end, is_alert


def _story(group: list[tuple[Span, bool]]) -> Story:
    alerts = [span for span, is_alert in group if is_alert]
    episodes = [span for span, is_alert in group if not is_alert]
    right = sum(any(alert.meets(episode) for episode in episodes) for alert in alerts)
    found = sum(any(alert.meets(episode) for alert in alerts) for episode in episodes)
    return Story(len(alerts), right, len(episodes), found)


def rates(found: list[Story]) -> Rates:
    """Return precision, recall and their harmonic mean; nothing said is nothing wrong."""
    alerts, right, episodes, seen = (sum(column) for column in zip(*found, strict=True))
    precision = right / alerts if alerts else 1.0
    recall = seen / episodes if episodes else 1.0
    return Rates(precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0)


def score(alerts: list[Span], episodes: list[Span], orders: Orders | None = None, *, seed: int = 0) -> Score:
    """Compare alerts with episodes; ``orders`` give the share of money that was gone."""
    found = stories(alerts, episodes) or [Story(0, 0, 0, 0)]
    chance = random.Random(seed)
    draws = [rates(chance.choices(found, k=len(found))) for _ in range(RESAMPLES)]
    low, high = (Rates(*(_at(draws, name, share) for name in range(3))) for share in (0.05, 0.95))
    first = [(episode, _first(alerts, episode)) for episode in episodes]
    seen = [(episode, at) for episode, at in first if at is not None]
    gone = [_gone(orders, episode, at) for episode, at in seen] if orders is not None else []
    return Score(
        len(alerts),
        len(episodes),
        len(seen),
        rates(found),
        low,
        high,
        max((sum(alert.meets(episode) for alert in alerts) for episode in episodes), default=0),
        statistics.median(at - episode.start for episode, at in seen) if seen else None,
        statistics.median(gone) if gone else None,
        right_side(alerts, episodes),
    )


def _at(draws: list[Rates], name: int, share: float) -> float:
    return sorted(draw[name] for draw in draws)[int(share * (len(draws) - 1))]


def _first(alerts: list[Span], episode: Span) -> int | None:
    return min((max(alert.start, episode.start) for alert in alerts if alert.meets(episode)), default=None)


def _gone(orders: Orders, episode: Span, at: int) -> float:
    inside = (orders.second >= episode.start) & (orders.second <= episode.end)
    return float(orders.usd[inside & (orders.second <= at)].sum() / orders.usd[inside].sum())


def right_side(alerts: list[Span], episodes: list[Span]) -> tuple[int, int]:
    """Return how many right alerts name the side of the first episode that they touch, and how many could have.

    An alert without a side, or of an episode whose side is not known, could not.
    """
    met = [(alert.side, next((each.side for each in episodes if alert.meets(each)), None)) for alert in alerts]
    known = [one == other for one, other in met if one is not None and other is not None]
    return sum(known), len(known)


def summed(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Add counts of ``right_side``."""
    some, everything = (sum(column) for column in zip((0, 0), *counts, strict=True))
    return some, everything


def gone_by_episode(alerts: list[Span], episodes: list[Span], orders: Orders) -> list[float | None]:
    """Return the share of each episode's money gone when it was first alerted, None where it was not."""
    first = [(episode, _first(alerts, episode)) for episode in episodes]
    return [None if at is None else _gone(orders, episode, at) for episode, at in first]


def in_quiet(alerts: list[Span], quiet: set[int]) -> int:
    """Count alerts that begin in a quiet hour."""
    return sum(alert.start // HOUR_S in quiet for alert in alerts)


def median_interval(values: list[float], *, seed: int = 0) -> tuple[float, float]:
    """Return 90 % bounds of a median by resampling."""
    return interval(values, statistics.median, seed=seed)


def interval(values: list[float], of: Callable[[list[float]], float], *, seed: int = 0) -> tuple[float, float]:
    """Return 90 % bounds of a statistic by resampling."""
    chance = random.Random(seed)
    drawn = sorted(of(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return drawn[int(0.05 * (RESAMPLES - 1))], drawn[int(0.95 * (RESAMPLES - 1))]
