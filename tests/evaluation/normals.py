"""Which own normal of an hour goes best with the price: would one that knows hours of the day and weekends say more?

Written down before the figures. An hour speaks if its dollars are at least ``multiple`` times its own normal, and at
least the hour that an ASSET needs in any case (``hour_min`` floors); so nothing but the normal differs. A normal is
made of hours before this one, and of fewer than seven of them there is none: then the floor stands alone, as in the
job. Only the multiple is chosen, for each normal on the first part (to 2026-01-19), in two ways:

* by the two dollar labels, the worse of both, as the thresholds of ASSET were;
* by price: the 99th percentile of the price range of the *first part's own* hours. The label of the whole history has
  one episode there, and so cannot choose.

Of equal multiples the highest is taken: it speaks least. What is reported is F1 by the price range of the whole
history, in the second part, which has chosen nothing; beside it the best multiple in hindsight, which nobody can know.
A normal that knows the hour or the weekend is worth building if both choices beat the best plain one by more than .05.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.settings import Settings
from tests.evaluation import labels
from tests.evaluation.data import Hourly
from tests.evaluation.hourly import SPLIT, Study, cell
from tests.evaluation.labels import HOUR_S, Span
from tests.evaluation.report import table
from tests.evaluation.score import Score, score

#: From a quarter to 256, in steps of √2: medians need tens, 99th percentiles about one.
MULTIPLES = tuple(2 ** (step / 2) for step in range(-4, 17))
LEAST = 7
DAY, WEEK, MONTH = 24, 168, 720
Floats = NDArray[np.float64]
#: Of (hours, dollars) before an hour, and that hour: the dollars that its normal is made of.
Sample = Callable[[NDArray[np.int64], Floats, int], Floats]


def last(hours: int) -> Sample:
    return lambda _, usd, __: usd[-hours:]


def same_hour(hours: int, around: int = 0) -> Sample:
    """The same hour of the day, and those ``around`` it."""

    def sample(hour: NDArray[np.int64], usd: Floats, now: int) -> Floats:
        apart = (hour[-hours:] - now) % DAY
        return usd[-hours:][np.minimum(apart, DAY - apart) <= around]

    return sample


def same_kind_of_day(hours: int) -> Sample:
    """Weekends for weekends, weekdays for weekdays."""
    return lambda hour, usd, now: usd[-hours:][_weekend(hour[-hours:]) == _weekend(now)]


def same_hour_and_kind_of_day(hours: int, around: int) -> Sample:
    def sample(hour: NDArray[np.int64], usd: Floats, now: int) -> Floats:
        alike = _weekend(hour[-hours:]) == _weekend(now)
        return same_hour(hours, around)(hour[-hours:][alike], usd[-hours:][alike], now)

    return sample


def _weekend(hour: Any) -> Any:
    return (hour // DAY + 3) % 7 >= 5  # 1970-01-01 was a Thursday


AS_IT_IS = (50, last(WEEK))
#: Percentile and sample of each; the first four know neither hour nor weekend.
PLAIN: dict[str, tuple[float, Sample]] = {
    "median of 7 d (as it is)": AS_IT_IS,
    "median of 30 d": (50, last(MONTH)),
    "p95 of 30 d": (95, last(MONTH)),
    "p99 of 30 d": (99, last(MONTH)),
}
SEASONAL: dict[str, tuple[float, Sample]] = {
    "median of the same hour, 30 d": (50, same_hour(MONTH)),
    "median of the same kind of day, 30 d": (50, same_kind_of_day(MONTH)),
    "p95 of the same hour and 1 around, 30 d": (95, same_hour(MONTH, 1)),
    "p95 of the same kind of day, 30 d": (95, same_kind_of_day(MONTH)),
    "p95 of both, 3 h around, 30 d": (95, same_hour_and_kind_of_day(MONTH, 3)),
}


def normals(found: Hourly, percentile: float, sample: Sample) -> Floats:
    """Return the normal of each hour from the hours before it; 0 where there are too few."""
    usd, made = found.usd, np.zeros(len(found.hour))
    for at, now in enumerate(found.hour.tolist()):
        of = sample(found.hour[:at], usd[:at], now)
        if len(of) >= LEAST:
            made[at] = np.percentile(of, percentile)
    return made


class Choice:
    """What each multiple of a normal says, and which are chosen."""

    def __init__(self, study: Study, normal: Floats) -> None:
        self.study, found = study, study.found
        group = Settings().cascade_asset
        floor = group.hour_min * group.floor_usd
        self.alerts = {
            multiple: labels.hourly_episodes(found, found.usd >= np.maximum(floor, multiple * normal))
            for multiple in MULTIPLES
        }

    def best(self, worth: Callable[[list[Span]], float]) -> float:
        return max(MULTIPLES, key=lambda multiple: (worth(self.alerts[multiple]), multiple))

    def by_price(self, alerts: list[Span]) -> float:
        """Return F1 in the first part by the price range of its own hours."""
        found, priced = self.study.found, self.study.priced
        first = np.flatnonzero((found.hour * HOUR_S < SPLIT) & ~np.isnan(found.price_range))
        bar = np.percentile(found.price_range[first], 99)
        flags = np.zeros(len(found.hour), bool)
        flags[first] = found.price_range[first] >= bar
        counted = [span for span in alerts if span.start < SPLIT and span.meets(priced)]
        return score(counted, labels.hourly_episodes(found, flags)).f1

    def line(self, name: str) -> list[str]:
        """Return F1 in the second part with the multiples that are chosen in the first, and with the best one there."""
        chosen = [self.best(worth) for worth in (self.study.worse, self.by_price, lambda each: self._second(each).f1)]
        return [name, *(f"x{multiple:.3g}: {cell(self._second(self.alerts[multiple]))}" for multiple in chosen)]

    def _second(self, alerts: list[Span]) -> Score:
        return self.study.score(alerts, self.study.price_label, second=True)


def compare(show: Callable[[str], None], found: Hourly) -> None:
    """Print F1 by price range for own normals of several kinds."""
    study = Study(found)
    show("\nBTC by the hour: own normals; F1 by price range from 2026-01-20 on (90 %), the multiple chosen before it\n")
    lines = [Choice(study, normals(found, *made)).line(name) for name, made in (PLAIN | SEASONAL).items()]
    show(table(["own normal", "chosen by dollars", "chosen by price", "best in hindsight"], lines))
