"""What counts as an episode, and as quiet. Written down before anything was tuned; README.md says it in words."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.evaluation.data import LONG, Hourly, Orders

HOUR_S = 3_600
EPISODE_USD = 10_000_000
QUIET_USD = 1_000_000
Flags = NDArray[np.bool_]


class Span(NamedTuple):
    """Seconds, both ends included, and the side (LONG, SHORT) that it names; None where it names none."""

    start: int
    end: int
    side: int | None = None

    def meets(self, other: Span) -> bool:
        return self.start <= other.end and other.start <= self.end


def sliding(orders: Orders, seconds: int, values: NDArray[np.generic] | None = None) -> NDArray[np.float64]:
    """Return the sum over the last ``seconds`` panes at each order, all orders of its own pane up to it included."""
    total = np.concatenate(([0.0], np.cumsum(orders.usd if values is None else values)))
    start = np.searchsorted(orders.second, orders.second - seconds, side="right")
    held: NDArray[np.float64] = total[1:] - total[start]
    return held


def majority(orders: Orders, first: int, last: int) -> int | None:
    """Return the side with most of the dollars of seconds ``first`` to ``last``; None where neither has more."""
    start, end = np.searchsorted(orders.second, (first, last + 1))
    long, short = orders.by_side[start:end].sum(axis=0)
    return None if long == short else int(short > long)


def sided(spans: list[Span], orders: Orders) -> list[Span]:
    """Return episodes with the side that most of their dollars were of."""
    return [span._replace(side=majority(orders, span.start, span.end)) for span in spans]


def joined(seconds: NDArray[np.int64], gap_s: int) -> list[Span]:
    """Join moments that are at most ``gap_s`` apart."""
    if not len(seconds):
        return []
    cuts = np.flatnonzero(np.diff(seconds) > gap_s)
    starts = [seconds[0], *seconds[cuts + 1]]
    ends = [*seconds[cuts], seconds[-1]]
    return [Span(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def episodes(orders: Orders, usd: float = EPISODE_USD) -> list[Span]:
    """Stretches with at least ``usd`` in 60 minutes, less than an hour apart, from an hour before they are first seen.

    The hour before belongs to it: it holds the money that the label counted.
    """
    above = joined(orders.second[sliding(orders, HOUR_S) >= usd], HOUR_S - 1)
    return [Span(span.start - HOUR_S + 1, span.end) for span in above]


def quiet_hours(orders: Orders, usd: float = QUIET_USD) -> set[int]:
    """Hours that are, like both of their neighbours, below ``usd``."""
    first, last = int(orders.second[0]) // HOUR_S, int(orders.second[-1]) // HOUR_S
    totals = np.bincount(orders.second // HOUR_S - first, orders.usd, minlength=last - first + 1)
    loud = np.flatnonzero(totals >= usd) + first
    return set(range(first, last + 1)) - {hour + by for hour in loud.tolist() for by in (-1, 0, 1)}


def hourly_labels(hourly: Hourly) -> dict[str, Flags]:
    """Three answers to the question which hours of BTC were extreme; the first two are cuts of what rules look at."""
    usd, count = hourly.usd, len(hourly.hour)
    around = np.array([np.percentile(usd[max(0, at - 360) : at + 360], 99) for at in range(count)])
    return {
        "p99 of all hours": usd >= np.percentile(usd, 99),
        "p99 of the 30 days around, $10M": (usd >= around) & (usd >= EPISODE_USD),
        "price range p99": np.nan_to_num(hourly.price_range) >= np.nanpercentile(hourly.price_range, 99),
    }


def side_labels(hourly: Hourly, side: int) -> dict[str, Flags]:
    """Return flags of one side: one bar for both, the same three of its own dollars, ranges that closed against it."""
    flags = hourly_labels(replace(hourly, by_side=hourly.by_side * (np.arange(2) == side)))
    *_, price = flags
    flags[price] &= hourly.move < 0 if side == LONG else hourly.move > 0
    return {"p99 of both sides' hours": hourly.by_side[:, side] >= np.percentile(hourly.by_side, 99)} | flags


def hourly_episodes(hourly: Hourly, flags: Flags) -> list[Span]:
    """Hours, in seconds; two with one hour between them are one episode."""
    hours = hourly.hour[flags]
    return [Span(span.start * HOUR_S, span.end * HOUR_S + HOUR_S - 1) for span in joined(hours, 2)]
