"""What a page needs of a replay, heard flush by flush."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from streams.core.baseline import HOUR_MS
from streams.core.events import Scope
from streams.core.fold import Fold
from streams.core.market import ALL, Market
from streams.report.minutes import MINUTE_MS, Minutes

Record = dict[str, Any]

#: How much is shown before an onset.
BEFORE: Final = 60


@dataclass(slots=True)
class Story:
    """One cascade or crowded position: its messages, oldest first; for an asset also its minutes (longs, shorts)."""

    messages: list[Record]
    minutes: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def first(self) -> Record:
        return self.messages[0]

    @property
    def last(self) -> Record:
        return self.messages[-1]

    @property
    def until_ms(self) -> int:
        """When it ended; while it is open, its last message."""
        return int(self.last["ended"] or self.last["event_time"])

    def span(self) -> range:
        """Return the minutes that show it, the hour before included."""
        return range(self.first["started"] // MINUTE_MS - BEFORE, self.last["event_time"] // MINUTE_MS + 1)


class Recorder:
    """Minutes, own normals and events of a replay."""

    def __init__(self) -> None:
        self.minutes = Minutes()
        self.cascades: dict[str, Story] = {}
        self.crowded: dict[str, Story] = {}
        #: By exchange, and ``ALL``: from when on (ms), own normal hour in micro-USD or None.
        self.normals: dict[str, list[tuple[int, int | None]]] = {}
        self._followed: list[Story] = []

    def added(self, fold: Fold) -> None:
        """Hear what a source partition has added, before it is flushed."""
        self.minutes.add(fold)

    def event(self, topic: str, record: Record) -> None:
        """Hear a message of ``cascades``, ``crowded-longs`` or ``crowded-shorts``; others are none of ours."""
        if topic == "cascades":
            story = self.cascades.setdefault(record["cascade_id"], Story([]))
            story.messages.append(record)
            if record["phase"] == "ONSET" and record["scope"] == Scope.ASSET:
                self._followed.append(story)
        elif topic.startswith("crowded-"):
            self.crowded.setdefault(record["crowded_id"], Story([])).messages.append(record)

    def flushed(self, market: Market) -> None:
        """Hear that a flush is over."""
        for story in self._followed:
            self._follow(story)
        self._followed = [story for story in self._followed if story.last["phase"] != "SUBSIDED"]
        self.minutes.forget()
        if market.baseline.open_hour is None:
            return
        since_ms = market.baseline.open_hour * HOUR_MS
        rows = {instrument.exchange: [row] for row, instrument in enumerate(market.decided.instruments)}
        for key, members in {**rows, ALL: list(range(len(rows)))}.items():
            steps = self.normals.setdefault(key, [])
            normal = market.baseline.normal_hour(members)
            if not steps or steps[-1][1] != normal:
                steps.append((since_ms, normal))

    def _follow(self, story: Story) -> None:
        """Take down an open cascade's minutes before they are forgotten."""
        start = max(story.minutes, default=story.first["started"] // MINUTE_MS - BEFORE)
        story.minutes |= self.minutes.of_asset(story.first["key"], start, self.minutes.last + 1)
