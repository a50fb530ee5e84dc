"""What the chart gives a worker is enough for what the bench measured, and its README says nothing else."""

from __future__ import annotations

import re

from tests.chart.chart import CHART, ROOT, VALUES

RESULTS = (ROOT / "tests" / "bench" / "RESULTS.md").read_text()
MIB = 1 << 20


def test_the_limit_of_memory_is_twice_the_highest_peak():
    heads = next(line for line in RESULTS.splitlines() if line.startswith("| engine |")).split(" | ")
    ours = [line.split(" | ") for line in RESULTS.splitlines() if line.startswith("| ours |")]
    peak = max(float(row[heads.index("peak MB")].replace(",", "")) for row in ours)
    limit = VALUES["resources"]["limits"]["memory"]

    assert len(ours) > 1
    assert int(limit.removesuffix("Gi")) * 1024 * MIB >= 2 * peak * MIB


def test_the_figures_of_the_chart_are_those_of_the_bench():
    section = (CHART / "README.md").read_text().partition("## How large")[2].partition("\n## ")[0]
    figures = [cell for row in section.splitlines() if row.startswith("|") for cell in re.findall(r"[\d,.]*\d", row)]

    assert len(figures) > 8
    assert [] == [figure for figure in figures if figure not in RESULTS]
