"""When funding is so far from its base rate that one side is crowded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

NANO = 1_000_000_000
YEAR_HOURS = 24 * 365

#: Names of the grades, lowest first. A grade is its number, 1 to 3; 0 is none.
GRADES = ("ELEVATED", "CROWDED", "EXTREME")


def annualised_nano(funding_rate: float, funding_interval_hours: float) -> int:
    """Return a funding rate as its yearly rate, simple, in billionths.

    ::

        funding_rate * 24 * 365 / funding_interval_hours * 1e9, rounded

    Whole billionths make sums exact, and the same in any order.

    Parameters
    ----------
    funding_rate
        Fraction per interval; positive: longs pay shorts.
    funding_interval_hours
        Length of that interval in hours, from the message.

    Examples
    --------
    >>> annualised_nano(0.0001, 8)
    109500000

    0.00125 % per hour is the same thing:

    >>> annualised_nano(0.0000125, 1)
    109500000

    """
    return round(funding_rate * YEAR_HOURS / funding_interval_hours * NANO)


def mean(total: int, count: int) -> int:
    """Return ``total / count`` rounded to the nearest integer, half upwards.

    Examples
    --------
    >>> mean(7, 2), mean(-7, 2), mean(10, 3)
    (4, -3, 3)

    """
    return (2 * total + count) // (2 * count)


@dataclass(frozen=True, slots=True)
class CrowdingRule:
    """How far, how unusual and for how long funding must be before a side is crowded.

    What is graded is the mean of the last ``horizon_hours`` hours, by its excess: a long's is the rate above the base
    rate, a short's is what shorts pay, the rate below zero. Between zero and the base rate nobody is crowded. With a
    base of 0.01 % per 8 h a long at +0.05 % is as far out as a short at -0.04 %. A grade is reached where::

        less than history_days_min days of history:  excess >= bands - base
        otherwise:  excess >= floors - base  and  percentile >= percentiles

    and it is entered once the excess has been stretched for ``streak_hours``; stretched means that the lowest grade
    would be kept. It is kept while::

        excess >= keep_share * (bands or floors - base)  and  percentile >= percentiles - keep_points

    Percentiles are those of the rate for longs and 100 minus that for shorts.

    Parameters
    ----------
    base_rate_annualised
        What the venues charge when nobody is crowded: 0.01 % per 8 h, 0.1095 a year.
    bands_annualised
        Rates of a long that reach each grade without history: 0.03, 0.05 and 0.10 % per 8 h.
    floors_annualised
        Rates of a long below which no percentile reaches each grade: twice the base rate, then the two
        lower bands.
    percentiles
        Lowest percentile, 0 to 100, of each grade.
    streak_hours
        Hours in a row that are needed to enter each grade. More than ``horizon_hours``, or one settlement would do.
    keep_share
        Share of an excess at which its grade is still kept.
    keep_points
        Percentile points below its own at which a grade is still kept.
    horizon_hours
        Length of the mean that is graded: 24 h are three settlements of 8 h.
    history_days_min
        Days of history without which there is no percentile.
    history_days_max
        Days of history that are compared with: two years.
    history_day_hours_min
        Hours a UTC day must have to be one of them.
    stale_after_intervals
        Funding intervals after which a silent instrument has no rate any more: start included, end excluded.

    Attributes
    ----------
    base_nano
        The base rate in billionths a year.
    excess_min
        The least excess, in billionths a year, at which any grade could be kept.

    Examples
    --------
    >>> rule = CrowdingRule()
    >>> rule.grade_reached(rule.excess(annualised_nano(0.0005, 8)), None)
    2
    >>> rule.grade_reached(rule.excess(annualised_nano(0.0005, 8) - 1), None)
    1

    The base rate is not crowded, however rare:

    >>> rule.grade_reached(rule.excess(annualised_nano(0.0001, 8)), 100.0)
    0

    References
    ----------
    [1] Percentiles over two years of funding, none under 90 days: MarketTrace, methodology pages.
    [2] Bands: justhodl.ai (0.03 %), seyhmusyan (0.05 %), dannyspk (0.08 to 0.10 %), each per 8 h.

    """

    base_rate_annualised: float = 0.1095
    bands_annualised: tuple[float, float, float] = (0.3285, 0.5475, 1.095)
    floors_annualised: tuple[float, float, float] = (0.219, 0.3285, 0.5475)
    percentiles: tuple[float, float, float] = (80.0, 90.0, 97.5)
    streak_hours: tuple[int, int, int] = (48, 48, 48)
    keep_share: float = 0.75
    keep_points: float = 10.0
    horizon_hours: int = 24
    history_days_min: int = 90
    history_days_max: int = 730
    history_day_hours_min: int = 12
    stale_after_intervals: float = 2.0
    base_nano: int = field(init=False, repr=False, compare=False)
    excess_min: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("bands_annualised", "floors_annualised", "percentiles", "streak_hours"):
            values = getattr(self, name)
            _require(list(values) == sorted(values), f"{name} must not fall from grade to grade", values)
        for name in ("bands_annualised", "floors_annualised"):
            least = getattr(self, name)[0]
            _require(least > self.base_rate_annualised, f"{name} must be above base_rate_annualised", least)
        _require(self.base_rate_annualised >= 0, "base_rate_annualised must not be negative", self.base_rate_annualised)
        _require(0 < self.keep_share <= 1, "keep_share must be above 0 and at most 1", self.keep_share)
        _require(self.keep_points >= 0, "keep_points must not be negative", self.keep_points)
        _require(self.horizon_hours >= 1, "horizon_hours must be at least 1", self.horizon_hours)
        _require(self.history_days_min >= 1, "history_days_min must be at least 1", self.history_days_min)
        enough = self.history_days_max >= self.history_days_min
        _require(enough, f"history_days_max must be at least {self.history_days_min}", self.history_days_max)
        full = 1 <= self.history_day_hours_min <= 24
        _require(full, "history_day_hours_min must be 1 to 24", self.history_day_hours_min)
        longer = self.stale_after_intervals >= 1
        _require(longer, "stale_after_intervals must be at least 1", self.stale_after_intervals)
        nearest = min(self.bands_annualised[0], self.floors_annualised[0])
        object.__setattr__(self, "base_nano", round(self.base_rate_annualised * NANO))
        object.__setattr__(self, "excess_min", self._excess_of(nearest, self.keep_share))

    def excess(self, value_nano: int) -> int:
        """Return by how much a rate is more than neutral, in billionths a year.

        Examples
        --------
        >>> rule = CrowdingRule()
        >>> rule.excess(109_500_001), rule.excess(-1)
        (1, 1)
        >>> rule.excess(109_500_000), rule.excess(0)
        (0, 0)

        """
        return max(value_nano - self.base_nano, -value_nano, 0)

    def _excess_of(self, rate: float, share: float) -> int:
        return round((rate - self.base_rate_annualised) * share * NANO)

    def version(self) -> str:
        """Return a short name of these thresholds: any that changes changes it.

        Examples
        --------
        >>> CrowdingRule().version() == CrowdingRule().version()
        True
        >>> CrowdingRule(keep_points=9.0).version() == CrowdingRule().version()
        False

        """
        digest = hashlib.blake2b(repr(self).encode(), digest_size=4).hexdigest()
        return f"crowding-1-{digest}"

    def grade_reached(self, excess_nano: int, percentile: float | None) -> int:
        """Return the highest grade whose thresholds are met, 0 to 3, without regard to the streak.

        Parameters
        ----------
        excess_nano
            What ``excess`` returns.
        percentile
            0 to 100, high where this side is unusual; None: not enough history.

        """
        return self._count(excess_nano, percentile, 1.0, 0.0)

    def grade_kept(self, excess_nano: int, percentile: float | None) -> int:
        """Return the highest grade that would be kept, 0 to 3; the parameters are those of ``grade_reached``."""
        return self._count(excess_nano, percentile, self.keep_share, self.keep_points)

    def _count(self, excess_nano: int, percentile: float | None, share: float, points: float) -> int:
        rates = self.bands_annualised if percentile is None else self.floors_annualised
        for grade, rate in enumerate(rates):
            if excess_nano < self._excess_of(rate, share):
                return grade
            if percentile is not None and percentile < self.percentiles[grade] - points:
                return grade
        return len(rates)


def _require(met: bool, rule: str, value: object) -> None:
    if not met:
        msg = f"{rule}, was {value}"
        raise ValueError(msg)
