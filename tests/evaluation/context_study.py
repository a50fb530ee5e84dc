"""Which circumstances separated large cascades of BTC from small ones, where the hourly file has them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import data, scalar
from tests.evaluation.data import Hourly
from tests.evaluation.labels import HOUR_S
from tests.evaluation.ours import Event
from tests.evaluation.report import table

RESAMPLES = 2_000
Values = NDArray[np.float64]


def circumstances(found: Hourly) -> dict[str, Values]:
    """Return what was known before each hour began; the last one is of the hour itself."""
    hours = {int(row["timestamp"]) // 3_600_000: row for row in data.regime()}
    funding, interest, change = (np.full(len(found.hour), np.nan) for _ in range(3))
    for at, hour in enumerate(found.hour.tolist()):
        if hour in hours and hour - 1 in hours:
            funding[at] = float(hours[hour - 1]["funding_close"])
            interest[at] = float(hours[hour - 1]["oi_close"])
            change[at] = float(hours[hour]["oi_close"]) / float(hours[hour]["oi_open"]) - 1
    volatility = np.array([np.std(found.move[max(0, at - 24) : at]) if at else np.nan for at in range(len(found.hour))])
    return {
        "volatility of the 24 h before": volatility,
        "funding before": funding,
        "size of funding before, either sign": np.abs(funding),
        "open interest before, USD": interest,
        "change of open interest in its first hour": change,
    }


def study(show: Callable[[str], None], found: Hourly) -> None:
    """Print the rank correlation of a cascade's money with each circumstance."""
    events = scalar.cascades(data.spread(found), Settings().cascade_asset.rule(), Scope.ASSET)
    first = int(found.hour[0])
    at = np.array([event.onset // HOUR_S - first for event in events])
    usd = np.array([_usd(found, event, first) for event in events])
    lines = []
    for name, values in circumstances(found).items():
        known = ~np.isnan(values[at])
        rank, low, high = _correlation(values[at][known], usd[known])
        lines.append([name, str(int(known.sum())), f"{rank:+.2f}", f"{low:+.2f} to {high:+.2f}"])
    show(
        "\nwhat went with larger cascades of BTC (our ASSET cascades, both parts; rank correlation with their money)\n"
    )
    show(table(["", "cascades", "correlation", "(90 %)"], lines))


def _usd(found: Hourly, event: Event, first: int) -> float:
    side = ("LONG", "SHORT").index(event.side)
    return float(found.by_side[event.onset // HOUR_S - first : event.ended // HOUR_S - first + 1, side].sum())


def _correlation(one: Values, other: Values) -> tuple[float, float, float]:
    chance = random.Random(0)
    draws = []
    for _ in range(RESAMPLES):
        drawn = np.array(chance.choices(range(len(one)), k=len(one)))
        draws.append(_ranked(one[drawn], other[drawn]))
    draws.sort()
    return _ranked(one, other), draws[RESAMPLES // 20], draws[-RESAMPLES // 20]


def _ranked(one: Values, other: Values) -> float:
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Values) -> Values:
    """Return ranks, equal ones sharing theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Values = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
