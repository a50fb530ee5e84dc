"""Axes, lines and areas as SVG text. Small enough to read; there is no library behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from streams.core.phrases import money

WIDTH: Final = 1_100
_MINUTE: Final = 60_000
_DAY: Final = 1_440 * _MINUTE
_STEPS: Final = tuple(
    step * _MINUTE for step in (1, 5, 15, 30, 60, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 129_600, 525_600)
)
_TICKS_MAX: Final = 12

LONG, SHORT, INK, FAINT = "#b5482f", "#2b6ca3", "#222222", "#8a8a8a"
SEVERITY: Final = {"MINOR": "#e3b23c", "MAJOR": "#e07a1f", "SEVERE": "#c62828", "EXTREME": "#6a1b4d"}
_FONT: Final = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle with a time axis and a dollar axis (micro-USD); a logarithmic one begins above zero."""

    top: float
    height: float
    from_ms: int
    to_ms: int
    low: float
    high: float
    logarithmic: bool = False
    left: float = 80
    width: float = WIDTH - 100

    def x(self, ms: float) -> float:
        return self.left + self.width * (ms - self.from_ms) / (self.to_ms - self.from_ms)

    def y(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return self.top + self.height * (1 - (min(max(value, low), high) - low) / (high - low))

    def frame(self, title: str) -> str:
        """Return title, axes and grid."""
        found = [text(self.left, self.top - 8, title, weight="bold"), self.times()]
        for value in self._levels():
            y = self.y(value)
            found.append(f'<path d="M{self.left:.1f} {y:.1f}h{self.width:.1f}" stroke="#e4e4e4"/>')
            found.append(text(self.left - 6, y + 4, money(abs(value) / 1e6, floor=False), anchor="end", fill=FAINT))
        return "".join(found)

    def times(self) -> str:
        """Return the time axis."""
        bottom, found = self.top + self.height, []
        for ms, name in time_ticks(self.from_ms, self.to_ms):
            found.append(f'<path d="M{self.x(ms):.1f} {self.top:.1f}V{bottom + 4:.1f}" stroke="#e4e4e4"/>')
            found.append(text(self.x(ms), bottom + 16, name, anchor="middle", fill=FAINT))
        return "".join(found)

    def _levels(self) -> Iterable[float]:
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = 10.0 ** math.floor(math.log10(self.high - self.low))
        step = next(step * part for part in (0.1, 0.2, 0.5, 1, 2, 5) if (self.high - self.low) / (step * part) <= 6)
        return [step * number for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    def steps(self, points: Sequence[tuple[float, float]], stroke: str, *, dash: str = "", width: float = 1.4) -> str:
        """Return a line that keeps each value until the next time."""
        if not points:
            return ""
        found = [f"M{self.x(points[0][0]):.1f} {self.y(points[0][1]):.1f}"]
        for ms, value in points[1:]:
            found.append(f"H{self.x(ms):.1f}V{self.y(value):.1f}")
        return f'<path d="{"".join(found)}" fill="none" stroke="{stroke}" stroke-width="{width}" {dashed(dash)}/>'

    def line(self, points: Sequence[tuple[float, float]], stroke: str, *, width: float = 1.6) -> str:
        """Return a line from point to point."""
        path = "L".join(f"{self.x(ms):.1f} {self.y(value):.1f}" for ms, value in points)
        return f'<path d="M{path}" fill="none" stroke="{stroke}" stroke-width="{width}"/>' if points else ""

    def bars(self, starts_ms: Sequence[int], bin_ms: int, values: Sequence[int], fill: str) -> str:
        """Return bars from zero, neighbours without a gap, as one shape."""
        zero, found = self.y(0), []
        for start, value in zip(starts_ms, values, strict=True):
            if value:
                right = self.x(min(start + bin_ms, self.to_ms))
                found.append(f"M{self.x(start):.1f} {zero:.1f}V{self.y(value):.1f}H{right:.1f}V{zero:.1f}Z")
        return f'<path d="{"".join(found)}" fill="{fill}"/>'

    def level(self, value: float, name: str, *, dash: str = "5 3", stroke: str = INK) -> str:
        """Return a horizontal line with its name at the right; nothing where it would be outside."""
        if not self.low <= value <= self.high:
            return ""
        y = self.y(value)
        line = f'<path d="M{self.left:.1f} {y:.1f}h{self.width:.1f}" stroke="{stroke}" {dashed(dash)}/>'
        return line + text(self.left + self.width - 4, y - 3, name, anchor="end", fill=stroke)

    def span(self, start_ms: int, end_ms: int, fill: str, title: str = "") -> str:
        """Return a shaded stretch of time, at least three pixels wide."""
        x = self.x(max(start_ms, self.from_ms))
        width = max(3.0, self.x(min(end_ms, self.to_ms)) - x)
        shape = f'x="{x:.1f}" y="{self.top:.1f}" width="{width:.1f}" height="{self.height:.1f}"'
        return f'<rect {shape} fill="{fill}" fill-opacity="0.22"><title>{escape(title)}</title></rect>'

    def mark(self, ms: int, value: float, fill: str, title: str, letter: str = "") -> str:
        """Return a dot, with a letter over it."""
        x, y = self.x(ms), self.y(value)
        shape = f'cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="#fff"'
        dot = f"<circle {shape}><title>{escape(title)}</title></circle>"
        return dot + (text(x, y - 8, letter, anchor="middle", weight="bold") if letter else "")


def dashed(dash: str) -> str:
    """Return the attribute of a dashed line."""
    return f'stroke-dasharray="{dash}"' if dash else ""


def text(x: float, y: float, content: str, *, anchor: str = "start", fill: str = INK, weight: str = "normal") -> str:
    """Return a line of text."""
    style = f'text-anchor="{anchor}" fill="{fill}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(content)}</text>'


def picture(height: float, content: Iterable[str], label: str) -> str:
    """Return a whole SVG document; it carries its own background and fonts, so that a PNG of it looks the same."""
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    font = f'font-family="{_FONT}" font-size="11"'
    ground = f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>'
    attributes = f'xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" {size} {font}'
    return f"<svg {attributes}>{ground}{''.join(content)}</svg>"


def time_ticks(from_ms: int, to_ms: int) -> list[tuple[int, str]]:
    """Return at most a dozen round moments (UTC) with their names."""
    step = next((step for step in _STEPS if (to_ms - from_ms) / step <= _TICKS_MAX), _STEPS[-1])
    form = "%Y-%m-%d" if step >= _DAY else "%H:%M"
    if step < _DAY < to_ms - from_ms:
        form = "%m-%d %H:%M"
    return [(ms, moment(ms, form)) for ms in range(-(-from_ms // step) * step, to_ms + 1, step)]


def moment(ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a moment in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)
