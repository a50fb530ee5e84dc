"""How the hourly funding of an instrument or an asset becomes a grade: horizon, history, streak, hysteresis.

Every figure is an integer of billionths a year and every decision falls at the end of a UTC hour, so a feed that
repeats its rate each second and one that says it once per settlement give the same grades.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from streams.core.crowding_rule import CrowdingRule, mean
from streams.core.events import PositionSide

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: UTC days in one block of the history: one row, rewritten once a day.
BLOCK_DAYS = 32

Phase = Literal["STARTED", "GRADE_CHANGED", "ENDED"]


@dataclass(slots=True)
class History:
    """Means of past UTC days, in blocks of 32 days and in order of size."""

    blocks: dict[int, list[int | None]] = field(default_factory=dict)
    ranked: array[int] = field(default_factory=lambda: array("q"))
    changed: set[int] = field(default_factory=set)

    def add(self, day: int, value: int, oldest: int) -> None:
        """Remember the mean of one day (days since 1970) and forget the days before ``oldest``."""
        block = self.blocks.setdefault(day // BLOCK_DAYS, [None] * BLOCK_DAYS)
        block[day % BLOCK_DAYS] = value
        insort(self.ranked, value)
        self.changed.add(day // BLOCK_DAYS)
        for number in [number for number in self.blocks if number * BLOCK_DAYS < oldest]:
            self._forget(number, oldest - number * BLOCK_DAYS)

    def _forget(self, number: int, days: int) -> None:
        block = self.blocks[number]
        for place, value in enumerate(block[:days]):
            if value is not None:
                del self.ranked[bisect_left(self.ranked, value)]
                block[place] = None
                self.changed.add(number)
        if block == [None] * BLOCK_DAYS:
            del self.blocks[number]

    def load(self, number: int, block: list[int | None]) -> None:
        """Put one saved block back."""
        self.blocks[number] = block
        self.ranked = array("q", sorted([*self.ranked, *(value for value in block if value is not None)]))

    def percentile(self, value: int) -> float:
        """Return the mid-rank of a value among the days, 0 to 100.

        ::

            100 * (days below + days at or below) / 2 / days

        Examples
        --------
        >>> history = History()
        >>> for day, rate in enumerate([1, 2, 2, 3]):
        ...     history.add(day, rate, oldest=0)
        >>> history.percentile(2), history.percentile(9), history.percentile(0)
        (50.0, 100.0, 0.0)

        """
        below, at_or_below = bisect_left(self.ranked, value), bisect_right(self.ranked, value)
        return 100 * (below + at_or_below) / (2 * len(self.ranked))


class Running(NamedTuple):
    """A crowded position that has not ended: its grade, 1 to 3, its start in milliseconds, the rule of its start."""

    side: PositionSide
    grade: int
    started_ms: int
    sequence: int
    rule_version: str


class Judgement(NamedTuple):
    """What the newest mean of a series is worth."""

    value: int
    side: PositionSide
    reached: int
    kept: int


class Change(NamedTuple):
    """Something to announce; ``running`` is as it is now, or as it was when it ended."""

    phase: Phase
    running: Running
    value: int
    percentile: float | None
    streak_hours: int


@dataclass(slots=True)
class Series:
    """One instrument's or asset's closed hours, its past days, and what is running on it."""

    hours: list[int] = field(default_factory=list)
    day: int = -1
    day_sum: int = 0
    day_hours: int = 0
    streak_side: PositionSide = PositionSide.LONG
    streak_hours: int = 0
    running: Running | None = None
    history: History = field(default_factory=History)

    @property
    def value(self) -> int:
        """Mean of the horizon, in billionths a year; there must be an hour."""
        return mean(sum(self.hours), len(self.hours))

    def percentile(self, rule: CrowdingRule, value: int) -> float | None:
        """Return where a value stands among the past days, or None while there are too few."""
        if len(self.history.ranked) < rule.history_days_min:
            return None
        return self.history.percentile(value)

    def close_hour(self, rule: CrowdingRule, value: int, end_ms: int) -> list[Change]:
        """Take the mean of the hour that ended at ``end_ms`` and say what follows from it."""
        self._add_to_day(rule, value, (end_ms - 1) // DAY_MS)
        self.hours.append(value)
        del self.hours[: -rule.horizon_hours]
        judged = self._judge(rule)
        self._count_streak(judged)
        if judged.kept == 0 and self.running is None:
            return []
        return [*self._carry_on(rule, judged), *self._start(rule, judged, end_ms)]

    def close_empty_hour(self, rule: CrowdingRule) -> list[Change]:
        """Take an hour in which nobody knew the rate: what was running ends, with the last figures known."""
        changes = []
        if self.running is not None:
            changes.append(self._change(rule, "ENDED", self.running._replace(sequence=self.running.sequence + 1)))
        self.hours, self.streak_hours, self.running = [], 0, None
        return changes

    def _add_to_day(self, rule: CrowdingRule, value: int, day: int) -> None:
        if day != self.day:
            if self.day_hours >= rule.history_day_hours_min:
                oldest = day - rule.history_days_max
                self.history.add(self.day, mean(self.day_sum, self.day_hours), oldest)
            self.day, self.day_sum, self.day_hours = day, 0, 0
        self.day_sum += value
        self.day_hours += 1

    def _judge(self, rule: CrowdingRule) -> Judgement:
        value = self.value
        side = PositionSide.LONG if value > rule.base_nano else PositionSide.SHORT
        excess = rule.excess(value)
        # Most hours are nowhere near: those are not worth a percentile.
        if excess < rule.excess_min:
            return Judgement(value, side, 0, 0)
        percentile = self.percentile(rule, value)
        sided = percentile if percentile is None or side is PositionSide.LONG else 100 - percentile
        return Judgement(value, side, rule.grade_reached(excess, sided), rule.grade_kept(excess, sided))

    def _count_streak(self, judged: Judgement) -> None:
        goes_on = judged.kept > 0 and judged.side is self.streak_side
        self.streak_hours = self.streak_hours + 1 if goes_on else int(judged.kept > 0)
        self.streak_side = judged.side

    def _entered(self, rule: CrowdingRule, judged: Judgement) -> int:
        """Return the highest grade that is reached and whose streak is long enough."""
        return sum(self.streak_hours >= hours for hours in rule.streak_hours[: judged.reached])

    def _carry_on(self, rule: CrowdingRule, judged: Judgement) -> list[Change]:
        before = self.running
        if before is None:
            return []
        grade = 0
        if judged.side is before.side:
            grade = max(self._entered(rule, judged), min(before.grade, judged.kept))
        if grade == before.grade:
            return []
        if grade == 0:
            self.running = None
            return [self._change(rule, "ENDED", before._replace(sequence=before.sequence + 1))]
        self.running = before._replace(grade=grade, sequence=before.sequence + 1)
        return [self._change(rule, "GRADE_CHANGED", self.running)]

    def _start(self, rule: CrowdingRule, judged: Judgement, end_ms: int) -> list[Change]:
        grade = self._entered(rule, judged)
        if self.running is not None or grade == 0:
            return []
        self.running = Running(judged.side, grade, end_ms, 0, rule.version())
        return [self._change(rule, "STARTED", self.running)]

    def _change(self, rule: CrowdingRule, phase: Phase, running: Running) -> Change:
        return Change(phase, running, self.value, self.percentile(rule, self.value), self.streak_hours)
