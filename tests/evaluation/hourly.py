"""BTC by the hour over three exchanges: thresholds chosen on the first two months, reported on the third."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import data, labels, rules, scalar
from tests.evaluation.data import Hourly
from tests.evaluation.labels import HOUR_S, Span
from tests.evaluation.ours import spans
from tests.evaluation.report import of, table
from tests.evaluation.score import Score, interval, score

SPLIT = round(datetime(2026, 1, 20, tzinfo=UTC).timestamp())
FLOORS_USD = (1_000_000, 1_250_000, 1_500_000, 1_750_000, 2_000_000, 2_500_000, 3_000_000)
MULTIPLES = (8, 16, 24, 30, 40)
CONSTANTS_USD = range(10_000_000, 60_000_000, 1_000_000)


def asset_rule(floor_usd: float, multiple: int) -> CascadeRule:
    """Return the rule of an asset with another floor and multiple."""
    return Settings().cascade_asset.model_copy(update={"floor_usd": floor_usd, "multiple": multiple}).rule()


@dataclass
class Study:
    """The labels, of one side where it is given, and what alerts are worth by each before the split and after it."""

    found: Hourly
    side: int | None = None

    def __post_init__(self) -> None:
        self.orders = data.spread(self.found)
        flags = labels.hourly_labels(self.found) if self.side is None else labels.side_labels(self.found, self.side)
        self.episodes = {
            name: labels.sided(labels.hourly_episodes(self.found, each), self.orders) for name, each in flags.items()
        }
        *self.dollar_labels, self.price_label = self.episodes
        priced = self.found.hour[~np.isnan(self.found.price_range)] * HOUR_S
        self.priced = Span(int(priced.min()), int(priced.max()) + HOUR_S - 1)

    def score(self, alerts: list[Span], label: str, *, second: bool) -> Score:
        """Compare those alerts and episodes that begin on one side of the split, and where there is a price."""
        counted = [span for span in alerts if label != self.price_label or span.meets(self.priced)]
        parts = [[span for span in each if (span.start >= SPLIT) == second] for each in (counted, self.episodes[label])]
        return score(*parts)

    def worse(self, alerts: list[Span]) -> float:
        """Return the lower F1 of the two dollar labels in the first part: what is chosen by."""
        return min(self.score(alerts, label, second=False).f1 for label in self.dollar_labels)

    def alerts(self, flags: NDArray[np.bool_]) -> list[Span]:
        """Return hours at which a rule speaks; each stretch names the side with most dollars in its first hour."""
        spans = labels.hourly_episodes(self.found, flags)
        return [span._replace(side=labels.majority(self.orders, span.start, span.start + HOUR_S - 1)) for span in spans]

    def line(self, name: str, alerts: list[Span]) -> list[str]:
        return [name, *_cells(self.score(alerts, label, second=True) for label in self.episodes)]

    def constants(self) -> list[list[str]]:
        """Return the lines of the plain constant, which is what the dollar labels are made of."""
        alerts = [self.alerts(rules.constant(self.found, usd)) for usd in CONSTANTS_USD]
        lines = []
        for name, chosen_in_second in (
            ("constant, best of the first part", False),
            ("constant, best in hindsight", True),
        ):
            best = [
                max(alerts, key=lambda each, label=label: self.score(each, label, second=chosen_in_second).f1)
                for label in self.episodes
            ]
            found = [self.score(each, label, second=True) for each, label in zip(best, self.episodes, strict=True)]
            lines.append([name, *_cells(found)])
        return lines


def _cells(found: Iterable[Score]) -> list[str]:
    return [part for each in found for part in (cell(each), of(each.right_side))]


def cell(result: Score) -> str:
    return f"{result.f1:.2f} ({result.low.f1:.2f}-{result.high.f1:.2f})"


def hourly(show: Callable[[str], None], found: Hourly) -> None:
    """Print F1 by episode for three labels; only that of the price range is not made of what the rules look at."""
    study, group = Study(found), Settings().cascade_asset
    orders = study.orders
    grid = {
        (floor, multiple): spans(scalar.cascades(orders, asset_rule(floor, multiple), Scope.ASSET))
        for floor in FLOORS_USD
        for multiple in MULTIPLES
    }
    worse = {name: study.worse(alerts) for name, alerts in grid.items()}
    best = max(grid, key=lambda name: (worse[name], name[1], -name[0]))
    ours = spans(scalar.cascades(orders, asset_rule(group.floor_usd, group.multiple), Scope.ASSET))
    show("\nBTC by the hour over three exchanges, 2025-11-23 to 2026-02-19; F1 by episode from 2026-01-20 on (90 %)\n")
    lines = [study.line(name, study.alerts(flags)) for name, flags in rules.hourly_public(found).items()]
    lines.append(study.line("ours, ASSET, as it is", ours))
    lines.append(study.line(f"ours, best of the first part: ${best[0] / 1e6:g}M, x{best[1]}", grid[best]))
    header = [part for label in study.episodes for part in (label, "right side")]
    show(table(["rule", *header], [*lines, *study.constants()]))
    near = [
        study.score(grid[name], study.price_label, second=True).f1 for name in grid if worse[name] >= worse[best] - 0.1
    ]
    show(
        f"\nthe {len(near)} of {len(grid)} floors and multiples that are within .10 of the best in the first part: "
        f"F1 {min(near):.2f} to {max(near):.2f} by {study.price_label}"
    )
    for name, each in study.episodes.items():
        later = sum(span.start >= SPLIT for span in each)
        show(f"episodes by {name}: {len(each) - later} in the first part, {later} in the second")


def what_is_rare(show: Callable[[str], None], found: Hourly) -> None:
    """How often an hour of the first part is above so many of its own normal hours: why the multiple is what it is."""
    before = [at for at in range(24, len(found.hour)) if found.hour[at] * HOUR_S < SPLIT]
    normal = np.array([np.median(found.usd[max(0, at - 168) : at]) for at in before])
    lines = []
    for multiple in MULTIPLES:
        over = found.usd[before] >= multiple * normal
        low, high = interval(over.astype(float).tolist(), lambda drawn: sum(drawn) / len(drawn))
        lines.append([str(multiple), f"{over.mean():.1%}", f"{low:.1%}-{high:.1%}"])
    show("\nhours of the first part above so many of their own normal hours (median of the 7 days before)\n")
    show(table(["multiple", "hours", "(90 %)"], lines))
