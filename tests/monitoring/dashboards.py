"""The dashboards as Grafana would read them: panels, and queries with the variables filled in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[2] / "helm" / "liquidation-streams" / "files" / "dashboards"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
#: What Grafana puts in: all of everything, and the window that is chosen at first.
FILLED = {"$job": ".+", "$exchange": ".+", "$asset": ".+", "$window": "1h", "$__rate_interval": "1m"}


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


class Query(NamedTuple):
    """What a target or an annotation asks of Prometheus."""

    title: str
    expression: str
    legend: str

    def label(self, metric: dict[str, str]) -> str:
        """Return what Grafana writes beside a series."""
        return re.sub(r"{{(\w+)}}", lambda found: metric.get(found[1], ""), self.legend)


def queries(path: Path) -> list[Query]:
    """Return each target and each annotation, as they are sent to Prometheus."""
    document = json.loads(path.read_text())
    targets = [(panel["title"], target) for panel in document["panels"] for target in panel["targets"]]
    found = [Query(title, fill(target["expr"]), target["legendFormat"]) for title, target in targets]
    notes = document["annotations"]["list"]
    return found + [Query(f"annotation: {each['name']}", fill(each["expr"]), each["textFormat"]) for each in notes]


def fill(expression: str) -> str:
    """Return a query without variables."""
    for name, value in FILLED.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression
