"""When a run of liquidations is a cascade, and when it is over.

One machine per scope and position side. The measure is the notional of that
side in the sliding five minutes::

    threshold = max(floor, multiple x own normal five minutes)

* **onset**: measure >= threshold, its share of both sides >= ``share_min``, and the
  hour of that side >= ``hour_min`` thresholds: five minutes alone are too often all
  there is. A market also needs ``assets_min`` assets that each have a tenth of the
  threshold in that hour, where that is known: one large asset is not the market.
  Threshold and own normal are frozen here: a cascade cannot raise its own bar.
* **escalated**: the severity rises. Severity is the highest level whose bar is
  met, by the five minutes (``multiples`` of the threshold) or by the hour
  (``hour_multiples`` of it).
* **peak**: at a liquidation of its own the measure has fallen by ``peak_fall`` from
  its highest; without one it peaks as it ends. A higher one later is a new peak.
* **subsided**: for ``quiet_ms`` nothing has come with which the measure was at
  ``release`` of the threshold or above. Two waves less than that apart are one
  cascade; ``quiet_ms`` is five minutes at least, or one's money is in the next.

Shares are in thousandths and money is in micro-USD, so that every comparison is exact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from typing import Any

from streams.core.events import PositionSide, Scope
from streams.core.windows import FIVE_MINUTES, LENGTHS, window_start


class Phase(StrEnum):
    """What a message says of its cascade."""

    ONSET = "ONSET"
    ESCALATED = "ESCALATED"
    PEAK = "PEAK"
    SUBSIDED = "SUBSIDED"


SEVERITIES = ("MINOR", "MAJOR", "SEVERE", "EXTREME")


@dataclass(frozen=True, slots=True)
class CascadeRule:
    """Thresholds of one scope.

    Parameters
    ----------
    floor_micro_usd
        Five minutes of one side below this are never a cascade.
    multiple
        How many times its own normal five minutes. A median hour is a low bar, because liquidations come in
        bursts: one hour of BTC in 20 is above 30 of them.
    hour_min
        The hour of the side at onset, in thresholds.
    share_min
        The side's share of both, thousandths.
    multiples, hour_multiples
        Bars of MAJOR, SEVERE and EXTREME in thresholds, for five minutes and for the hour.
    peak_fall, release
        Thousandths of the highest measure and of the threshold.
    quiet_ms
        How long it must be quiet, milliseconds of event time; settings ask for five minutes.
    assets_min
        How many assets must have a tenth of the threshold in the hour at onset; 0 asks for none. Only a market has
        several.

    """

    floor_micro_usd: int
    multiple: int = 30
    hour_min: int = 3
    share_min: int = 650
    multiples: tuple[int, int, int] = (3, 10, 30)
    hour_multiples: tuple[int, int, int] = (5, 25, 100)
    peak_fall: int = 300
    release: int = 250
    quiet_ms: int = 3_600_000
    assets_min: int = 0

    def version(self) -> str:
        """Return a short hash of the thresholds; it is part of every cascade's id."""
        return _version(self)

    def threshold(self, normal_hour: int | None) -> int:
        """Return the bar for five minutes, given the median hour in micro-USD.

        Examples
        --------
        >>> rule = CascadeRule(floor_micro_usd=1_000_000)
        >>> rule.threshold(None), rule.threshold(400_000), rule.threshold(800_000)
        (1000000, 1000000, 2000000)

        """
        return max(self.floor_micro_usd, self.multiple * (normal_hour or 0) // 12)


@lru_cache
def _version(rule: CascadeRule) -> str:
    values = [(each.name, getattr(rule, each.name)) for each in fields(rule)]
    # Where nothing is asked of assets the ids are those from before it could be.
    text = repr([each for each in values if each != ("assets_min", 0)])
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def asset_bar(threshold: int) -> int:
    """Return the micro-USD of a side in the hour with which an asset takes part in a cascade of the market.

    Examples
    --------
    >>> asset_bar(1_000), asset_bar(1_001)
    (100, 101)

    """
    return -(-threshold // 10)


@dataclass(frozen=True, slots=True)
class Measure:
    """One scope at one moment: micro-USD by side in five minutes and in the hour; ``side`` is the judged one.

    ``assets_count`` of a market is how many assets take part in the hour; None: not known, or not a market.
    """

    time_ms: int
    side: int
    usd_5m: list[int]
    usd_1h: list[int]
    assets_count: int | None = None

    @property
    def side_5m(self) -> int:
        return self.usd_5m[self.side]


@dataclass(slots=True)
class CascadeState:
    """An open cascade; all of it is in its state row."""

    cascade_id: str
    position_side: int
    threshold: int
    normal: int | None
    started_ms: int
    last_above_ms: int
    sequence: int = 0
    severity: int = 0
    highest: int = 0
    highest_ms: int = 0
    peaked_ms: int | None = None
    usd: list[int] = field(default_factory=lambda: [0, 0])
    count: int = 0
    largest: int = 0
    prices: list[float] | None = None  # first, lowest, highest, last
    exchanges: dict[str, list[int]] = field(default_factory=dict)
    highest_hour: list[int] = field(default_factory=lambda: [0, 0, 0])  # long, short, when (ms)
    highest_day: list[int] = field(default_factory=lambda: [0, 0, 0])
    before: dict[str, Any] | None = None
    assets_count: int | None = None  # at onset

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}  # for writing at once: nothing is copied

    def add(self, side: int, notional: int, price: float | None, exchange: str) -> None:
        """Count one liquidation into the totals since onset."""
        self.count_in(exchange, side, notional, 1, notional)
        if price is not None:
            first, low, high, _ = self.prices or (price, price, price, price)
            self.prices = [first, min(low, price), max(high, price), price]

    def count_in(self, exchange: str, side: int, notional: int, count: int, largest: int) -> None:
        self.usd[side] += notional
        self.count += count
        self.largest = max(self.largest, largest)
        mine = self.exchanges.setdefault(exchange, [0, 0, 0])
        mine[side] += notional
        mine[2] += count


def cascade_id(scope: Scope, key: str, side: int, onset_second: int, version: str) -> str:
    """Return the id of a cascade: a function of what it is, so that a repeated one is recognised."""
    text = "\x1f".join((scope, key, PositionSide(side).name, str(onset_second), version))
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def crosses(rule: CascadeRule, threshold: int, measure: Measure) -> bool:
    """Return whether a measure is an onset."""
    return (
        measure.side_5m >= threshold
        and measure.side_5m * 1000 >= sum(measure.usd_5m) * rule.share_min
        and measure.usd_1h[measure.side] >= rule.hour_min * threshold
        and enough_assets(rule, measure.assets_count)
    )


def enough_assets(rule: CascadeRule, count: int | None) -> bool:
    """Return whether so many assets are a market; what is not known holds nobody back."""
    return count is None or count >= rule.assets_min


def _severity(rule: CascadeRule, threshold: int, measure: Measure) -> int:
    level = 0
    for at, (five, hour) in enumerate(zip(rule.multiples, rule.hour_multiples, strict=True), start=1):
        if measure.side_5m >= five * threshold or measure.usd_1h[measure.side] >= hour * threshold:
            level = at
    return level


def step(rule: CascadeRule, state: CascadeState, measure: Measure, *, onset: bool = False) -> list[Phase]:
    """Fold one measure into an open cascade and say what follows from it.

    Parameters
    ----------
    rule
        The scope's thresholds.
    state
        Changed in place.
    measure
        At or after the last one.
    onset
        True for the measure that opened it.

    """
    phases = [Phase.ONSET] if onset else []
    raise_to(state.highest_hour, measure.usd_1h, measure.time_ms)
    severity = _severity(rule, state.threshold, measure)
    if severity > state.severity:
        state.severity = severity
        if not onset:
            phases.append(Phase.ESCALATED)
    if measure.side_5m * 1000 >= state.threshold * rule.release:
        state.last_above_ms = max(state.last_above_ms, measure.time_ms)
    if measure.side_5m > state.highest:
        state.highest, state.highest_ms, state.peaked_ms = measure.side_5m, measure.time_ms, None
    elif state.peaked_ms is None and measure.side_5m * 1000 <= state.highest * (1000 - rule.peak_fall):
        state.peaked_ms = state.highest_ms
        phases.append(Phase.PEAK)
    return phases


def first_second(state: CascadeState) -> int:
    """Return the first second of what a cascade counts since onset: the five minutes that made it."""
    return window_start(LENGTHS[FIVE_MINUTES], state.started_ms // 1000)


def raise_to(highest: list[int], usd: list[int], time_ms: int) -> None:
    """Replace a highest total [long, short, when] by a higher one."""
    if usd[0] + usd[1] > highest[0] + highest[1]:
        highest[:] = [usd[0], usd[1], time_ms]


def ends_ms(rule: CascadeRule, state: CascadeState) -> int:
    """Return when an open cascade subsides if nothing more happens."""
    return state.last_above_ms + rule.quiet_ms


def close(state: CascadeState) -> list[Phase]:
    """Return what is left to say when a cascade subsides."""
    if state.peaked_ms is not None:
        return [Phase.SUBSIDED]
    state.peaked_ms = state.highest_ms
    return [Phase.PEAK, Phase.SUBSIDED]
