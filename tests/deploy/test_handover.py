"""A rebalance: the old worker's samples live until its next scrape, and for a moment nobody shows anything."""

from __future__ import annotations

import subprocess

import yaml

from tests.deploy.test_alerts import RULES, THERE, played, promtool  # noqa: F401 - a fixture
from tests.monitoring.dashboards import DASHBOARDS, queries

QUERIES = {(path.stem, query.title): query.expression for path in DASHBOARDS for query in queries(path)}


def run(promtool, tmp_path, *tests):  # noqa: F811
    path = tmp_path / "handover.yaml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "10s", "tests": list(tests)}
    path.write_text(yaml.safe_dump(document))
    return subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)


def test_a_cascade_that_changes_its_worker_is_news_once(promtool, tmp_path):  # noqa: F811
    open_at = 'streams_cascades_open{job="liquidation-streams", scope="MARKET", position_side="LONG", instance="%s"}'
    firing = {"alertname": "StreamsCascadeRunning", "alertstate": "firing", "severity": "info", "kind": "market"}
    firing |= THERE | {"position_side": "LONG"}
    series = {open_at % "one": "1x10 stale", open_at % "two": "_x16 1x20 0x100"}
    moments = [(at, [firing]) for at in (90, 110, 120, 130, 150, 160, 170, 300, 660)]

    done = run(promtool, tmp_path, played(series, "StreamsCascadeRunning", [*moments, (720, [])]))

    assert 0 == done.returncode, done.stdout + done.stderr
