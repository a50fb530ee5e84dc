"""What the panels showed, as one picture a dashboard: ``deploy/pictures/<dashboard>.svg``.

Not Grafana's: the same queries, drawn small, so that a reader sees what there is to see.
"""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.monitoring.dashboards import Query

FOLDER = Path(__file__).parents[2] / "deploy" / "pictures"
WIDTH, HEIGHT, COLUMNS, GAP = 380, 190, 3, 14
PLOT_TOP, PLOT_HEIGHT, LEGEND_MAX = 26, 110, 4
COLOURS = ("#c4162a", "#37872d", "#1f60c4", "#e0b400", "#8f3bb8", "#fa6400", "#3274d9", "#806eb7")

#: Dashboard, query, Prometheus's answer.
Shown = tuple[str, Query, list[dict[str, Any]]]
#: What is written beside it, and its points.
Line = tuple[str, list[tuple[float, float]]]


def draw(shown: list[Shown], start: float, end: float) -> None:
    """Write one file for each dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name, of in groupby(shown, key=lambda each: each[0]):
        panels = [
            _panel(title, [line for _, query, found in each for line in _lines(query, found)], start, end)
            for title, each in groupby(of, key=lambda each: each[1].title)
        ]
        (FOLDER / f"{name}.svg").write_text(_sheet(panels))


def _lines(query: Query, found: list[dict[str, Any]]) -> list[Line]:
    """Return the series of an answer without what is no number."""
    return [
        (query.label(each["metric"]), [(t, float(v)) for t, v in each["values"] if math.isfinite(float(v))])
        for each in found
    ]


def _sheet(panels: list[str]) -> str:
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    placed = [
        f'<g transform="translate({GAP + at % COLUMNS * (WIDTH + GAP)},{GAP + at // COLUMNS * (HEIGHT + GAP)})">{p}</g>'
        for at, p in enumerate(panels)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>', *placed, "</svg>\n"])


def _panel(title: str, lines: list[Line], start: float, end: float) -> str:
    values = [value for _, points in lines for _, value in points]
    top, bottom = max(values, default=1.0), min([0.0, *values])
    lines = sorted(lines, key=lambda line: -max((value for _, value in line[1]), default=0.0))
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="3" fill="white"/>',
        f'<text x="8" y="17" font-size="12" font-weight="bold">{escape(title)}</text>',
        f'<text x="{WIDTH - 8}" y="17" font-size="10" fill="#666" text-anchor="end">highest {_short(top)}</text>',
    ]
    for place, (label, points) in enumerate(lines):
        colour = COLOURS[place % len(COLOURS)]
        path = " ".join(_place(time, value, start, end, bottom, top) for time, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        if place < LEGEND_MAX:
            y = PLOT_TOP + PLOT_HEIGHT + 14 + 12 * place
            parts.append(f'<text x="8" y="{y}" font-size="10" fill="{colour}">{escape(label)}</text>')
    if len(lines) > LEGEND_MAX:
        more = f"and {len(lines) - LEGEND_MAX} more"
        parts.append(f'<text x="{WIDTH - 8}" y="{HEIGHT - 6}" font-size="10" text-anchor="end">{more}</text>')
    return "".join(parts)


def _place(time: float, value: float, start: float, end: float, bottom: float, top: float) -> str:
    x = 8 + (WIDTH - 16) * (time - start) / (end - start)
    y = PLOT_TOP + PLOT_HEIGHT * (1 - (value - bottom) / ((top - bottom) or 1.0))
    return f"{x:.0f},{y:.0f}"


def _short(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
