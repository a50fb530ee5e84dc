"""The dashboards as Grafana would read them: panels, and queries with the variables filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "helm" / "liquidation-streams" / "files" / "dashboards"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
#: What Grafana puts in: all of everything, and the window that is chosen at first.
FILLED = {"$job": ".+", "$exchange": ".+", "$asset": ".+", "$window": "1h", "$__rate_interval": "1m"}


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def queries(path: Path) -> list[tuple[str, str]]:
    """Return title and query of each target and each annotation, as they are sent to Prometheus."""
    document = json.loads(path.read_text())
    found = [(panel["title"], target["expr"]) for panel in document["panels"] for target in panel["targets"]]
    found += [(f"annotation {each['name']}", each["expr"]) for each in document["annotations"]["list"]]
    return [(title, fill(expression)) for title, expression in found]


def fill(expression: str) -> str:
    """Return a query without variables."""
    for name, value in FILLED.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression
