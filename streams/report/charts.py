"""The pictures of a replay: what was liquidated, what the rule saw, one cascade, thresholds side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from streams.core.cascade import CascadeRule
from streams.core.events import PositionSide, Scope, micro_usd
from streams.core.phrases import exchange_name
from streams.report.costs import minutes_of
from streams.report.minutes import MINUTE_MS, Ints, Minutes, sliding
from streams.report.recorder import Recorder, Story
from streams.report.svg import FAINT, INK, LONG, SEVERITY, SHORT, Panel, moment, picture, text
from streams.report.terms import exact

_BINS: Final = (1, 5, 15, 60, 240, 720, 1_440, 10_080)  # minutes
_BINS_MAX: Final = 1_000
_BINS_AT_ONCE: Final = 10  # of years, that is a few megabytes
_LEAST: Final = 1_000_000_000  # $1,000: where logarithmic axes begin
_LETTERS: Final = {"ONSET": "O", "ESCALATED": "E", "PEAK": "P", "SUBSIDED": "S"}


class Span:
    """The time that is shown, in bins of minutes; both ends on their edges."""

    def __init__(self, recorder: Recorder) -> None:
        first, last = recorder.minutes.first or 0, recorder.minutes.last
        self.bin = next((size for size in _BINS if (last + 1 - first) / size <= _BINS_MAX), _BINS[-1])
        self.start = first // self.bin * self.bin
        self.stop = (last // self.bin + 1) * self.bin

    @property
    def from_ms(self) -> int:
        return self.start * MINUTE_MS

    @property
    def to_ms(self) -> int:
        return self.stop * MINUTE_MS

    @property
    def starts_ms(self) -> list[int]:
        return list(range(self.from_ms, self.to_ms, self.bin * MINUTE_MS))

    def binned(self, minutes: Minutes, exchange: str | None, length: int = 1) -> Iterator[Ints]:
        """Yield ``length`` minutes of longs and shorts, sliding, some bins at a time: (bins, minutes of a bin, 2)."""
        step = self.bin * _BINS_AT_ONCE
        for start in range(self.start, self.stop, step):
            some = minutes.of(exchange, start - length + 1, min(start + step, self.stop))[:, :2]
            yield sliding(some, length)[length - 1 :].reshape(-1, self.bin, 2)

    def name(self) -> str:
        """Say how long a bin is."""
        units = ((10_080, "week"), (1_440, "day"), (60, "hour"), (1, "minute"))
        size, unit = next(each for each in units if self.bin >= each[0])
        return unit if self.bin == size else f"{self.bin // size} {unit}s"


def totals(recorder: Recorder, span: Span, coverage: Mapping[str, str]) -> str:
    """Return totals over time by side: all exchanges, and each of them."""
    exchanges = recorder.minutes.exchanges()
    names: list[str | None] = [None, *exchanges] if len(exchanges) > 1 else [*exchanges]
    found: list[str] = []
    top = 30.0
    for name in names:
        sums = np.concatenate([some.sum(axis=1) for some in span.binned(recorder.minutes, name)])
        longs, shorts = sums[:, 0].tolist(), sums[:, 1].tolist()
        height = 70.0 if found else 170.0
        high, low = max(1, *longs) * 1.05, -max(1, *shorts) * 1.05
        panel = Panel(top, height, span.from_ms, span.to_ms, low, high)
        title = "all exchanges" if name is None else f"{exchange_name(name)} ({coverage[name]})"
        found += [
            panel.frame(f"Liquidated each {span.name()}, {title}: longs up, shorts down (US dollars, UTC)"),
            panel.bars(span.starts_ms, span.bin * MINUTE_MS, longs, LONG),
            panel.bars(span.starts_ms, span.bin * MINUTE_MS, [-short for short in shorts], SHORT),
        ]
        top += height + 52
    return picture(top - 20, found, "Liquidations over time by side and exchange")


def measured(key: str, scope: Scope, recorder: Recorder, span: Span, rule: CascadeRule) -> str:
    """Return what the rule saw of the market or an exchange: its five minutes, threshold, own normal and cascades."""
    exchange = None if scope is Scope.MARKET else key
    highest = np.concatenate([some.max(axis=1) for some in span.binned(recorder.minutes, exchange, 5)])
    steps = [(max(ms, span.from_ms), normal) for ms, normal in recorder.normals.get(key, [])]
    if not steps or steps[0][0] > span.from_ms:
        steps.insert(0, (span.from_ms, None))
    normals = [(ms, normal / 12) for ms, normal in steps if normal is not None]
    bars = [(ms, float(rule.threshold(normal))) for ms, normal in steps]
    stories = [s for s in recorder.cascades.values() if (s.first["scope"], s.first["key"]) == (scope, key)]
    most = max([int(highest.max(initial=0)), *(micro_usd(s.last["peak_usd"]) for s in stories)], default=0)
    panel = Panel(30, 260, span.from_ms, span.to_ms, _LEAST, 1.5 * max(most, *(bar for _, bar in bars)), True)
    name = "all exchanges" if scope is Scope.MARKET else exchange_name(key)
    found = [panel.frame(f"What the rule saw, {name}: highest five minutes of each {span.name()} (logarithmic)")]
    found += [panel.span(s.first["started"], s.until_ms, SEVERITY[s.last["severity"]], _title(s)) for s in stories]
    for side, stroke in ((PositionSide.LONG, LONG), (PositionSide.SHORT, SHORT)):
        points = list(zip(span.starts_ms, highest[:, side].tolist(), strict=True))
        found.append(panel.steps([*points, (span.to_ms, points[-1][1])], stroke, width=1.0))
    found.append(panel.steps([*normals, *((span.to_ms, last) for _, last in normals[-1:])], FAINT, dash="2 2"))
    found.append(panel.steps([*bars, (span.to_ms, bars[-1][1])], INK, dash="6 3"))
    for story in stories:
        side = story.first["position_side"].lower()
        five = micro_usd(story.first["windows"][1][f"{side}_usd"])
        found.append(panel.mark(story.first["started"], five, SEVERITY[story.last["severity"]], _title(story)))
    keys = (("longs", LONG), ("shorts", SHORT), ("threshold", INK), ("own normal", FAINT))
    found += [text(84 + 90 * at, 46, f"— {label}", fill=fill) for at, (label, fill) in enumerate(keys)]
    return picture(320, found, f"Five minutes of {name} against threshold and own normal")


def cascade(story: Story, recorder: Recorder, rule: CascadeRule) -> str | None:
    """Return one cascade from an hour before its onset to its end; None where its minutes are not kept."""
    series = minutes_of(story, recorder)
    if series is None:
        return None
    span, side = story.span(), PositionSide[story.first["position_side"]]
    five = sliding(series, 5)
    ends_ms = [(minute + 1) * MINUTE_MS for minute in span]
    threshold = micro_usd(story.first["threshold_usd"])
    high = 1.15 * max(int(five.max()), threshold, micro_usd(story.last["peak_usd"]))
    panel = Panel(30, 200, span.start * MINUTE_MS, span.stop * MINUTE_MS, 0, high)
    ours, other = (LONG, SHORT) if side is PositionSide.LONG else (SHORT, LONG)
    found = [
        panel.frame(f"{_title(story)}: five minutes of {side.name.lower()}s, and thin of the other side"),
        panel.span(story.first["started"], story.until_ms, SEVERITY[story.last["severity"]]),
        panel.line(list(zip(ends_ms, five[:, 1 - side].tolist(), strict=True)), other, width=0.7),
        panel.line(list(zip(ends_ms, five[:, side].tolist(), strict=True)), ours),
        panel.level(threshold, f"threshold {exact(threshold)}"),
        panel.level(threshold * rule.release / 1000, "release", dash="2 3", stroke=FAINT),
    ]
    for level, multiple in zip(("MAJOR", "SEVERE", "EXTREME"), rule.multiples, strict=True):
        found.append(panel.level(multiple * threshold, level, stroke=SEVERITY[level]))
    for message in story.messages:
        value = micro_usd(message["windows"][1][f"{side.name.lower()}_usd"])
        title = f"{message['phase']} {moment(message['event_time'])}: {exact(value)}"
        fill = SEVERITY[message["severity"]]
        found.append(panel.mark(message["event_time"], value, fill, title, _LETTERS[message["phase"]]))
    return picture(260, found, _title(story))


def side_by_side(lanes: Sequence[tuple[str, Recorder]], span: Span) -> str:
    """Return when each set of thresholds would have said that the market is in a cascade."""
    found = []
    for at, (label, recorder) in enumerate(lanes):
        panel = Panel(40 + 52 * at, 24, span.from_ms, span.to_ms, 0, 1)
        found.append(text(80, panel.top - 6, label, weight="bold"))
        found.append(panel.span(span.from_ms, span.to_ms, "#dddddd"))
        for story in market(recorder):
            started, fill = story.first["started"], SEVERITY[story.last["severity"]]
            found.append(panel.span(started, story.until_ms, fill, _title(story)))
            found.append(panel.mark(started, 0.5, fill, _title(story)))
    found.append(Panel(20, 52.0 * len(lanes) + 4, span.from_ms, span.to_ms, 0, 1).times())
    return picture(50 + 52 * len(lanes), found, "Market cascades under several thresholds")


def market(recorder: Recorder) -> list[Story]:
    """Return the cascades of the whole market, oldest first."""
    found = [story for story in recorder.cascades.values() if story.first["scope"] == Scope.MARKET]
    return sorted(found, key=lambda story: int(story.first["started"]))


def _title(story: Story) -> str:
    last: dict[str, Any] = story.last
    return f"{last['key']} {last['position_side']} {last['severity']} from {moment(story.first['started'])}"
