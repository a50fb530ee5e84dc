"""What a cascade cost, and what waiting for the announcement cost: in time and in money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.core.cascade import CascadeRule
from streams.core.events import PositionSide, Scope, micro_usd
from streams.report.minutes import MINUTE_MS, Ints, sliding
from streams.report.recorder import Recorder, Story


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one cascade.

    Attributes
    ----------
    lasted_ms
        From the onset to when its five minutes last held the release bar.
    waited_ms
        From when its five minutes rose over the release bar to the onset, by whole minutes; None for an instrument.
    waited_longer
        They were over it in all of the hour that is looked at, and maybe before.
    gone_usd, total_usd
        Both sides: by the onset (its five minutes), and by the end.

    """

    lasted_ms: int
    waited_ms: int | None
    waited_longer: bool
    gone_usd: float
    total_usd: float

    @property
    def gone(self) -> float:
        """The part of the money that was gone when it was announced."""
        return self.gone_usd / self.total_usd if self.total_usd else 1.0


def cost(story: Story, rule: CascadeRule, recorder: Recorder) -> Cost:
    """Return what a cascade cost."""
    series = minutes_of(story, recorder)
    waited, longer = (None, False) if series is None else _waited(story, rule, series)
    lasted = story.until_ms - story.first["started"]
    return Cost(lasted, waited, longer, story.first["notional_usd"], story.last["notional_usd"])


def minutes_of(story: Story, recorder: Recorder) -> Ints | None:
    """Return longs and shorts of the minutes of ``story.span()``; None where they are not kept."""
    first, span = story.first, story.span()
    if first["scope"] == Scope.INSTRUMENT:
        return None
    if first["scope"] == Scope.ASSET:
        return np.array([story.minutes.get(minute, (0, 0)) for minute in span], np.int64)
    exchange = None if first["scope"] == Scope.MARKET else first["key"]
    return recorder.minutes.of(exchange, span.start, span.stop)[:, :2]


def _waited(story: Story, rule: CascadeRule, series: Ints) -> tuple[int, bool]:
    side = PositionSide[story.first["position_side"]]
    started = story.first["started"]
    five = sliding(series[:, side], 5)[: started // MINUTE_MS - story.span().start]
    under = np.flatnonzero(five * 1000 < micro_usd(story.first["threshold_usd"]) * rule.release)
    # The first whole minute that ended over the bar; where the last one before the onset was under it, none did.
    over = int(under[-1]) + 1 if len(under) else 0
    return max(0, int(started) - (story.span().start + over + 1) * MINUTE_MS), len(five) > 0 and not len(under)
