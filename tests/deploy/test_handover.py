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


def shown(name, **labels):
    """Return the series of a gauge of two workers, the first of which has just let go of the unit."""
    text = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return [
        {"series": f'{name}{{job="{job}", instance="{instance}", {text}}}', "values": "100x10"}
        for job, instance in (("a", "one"), ("a", "two"), ("b", "three"))
    ]


def test_what_two_workers_show_for_a_moment_is_counted_once_and_of_each_release(promtool, tmp_path):  # noqa: F811
    sides, windows = ("LONG", "SHORT"), ("1h", "24h")
    series = [
        each
        for side in sides
        for window in windows
        for each in [
            *shown("streams_market_window_usd", window=window, position_side=side),
            *shown("streams_exchange_window_usd", window=window, position_side=side, exchange="okx"),
            *shown("streams_asset_window_usd", window=window, position_side=side, asset="BTC"),
        ]
    ]
    for scope in ("ASSET", "MARKET"):
        series += shown("streams_cascades_open", scope=scope, position_side="LONG")
    for window in windows:
        series += shown("streams_episode_usd", date="d", episode="e", window=window, confirmed="true")[:1]
    expected = {
        "Liquidated": {f'{{position_side="{side}"}}': 200 for side in sides},
        # Each worker has assets of its own: theirs are added up.
        "Cascades open": {
            '{scope="ASSET", position_side="LONG"}': 300,
            '{scope="MARKET", position_side="LONG"}': 200,
        },
        "By exchange": {'{exchange="okx"}': 400},
        "By asset": {f'{{asset="BTC", position_side="{side}"}}': 200 for side in sides},
        "Windows": {f'{{window="{window}"}}': 400 for window in windows},
        "Share of longs": {"{}": 0.5},
        "The hour beside known ones": {'{date="d", episode="e", confirmed="true"}': 4},
        "The day beside known ones": {'{date="d", episode="e"}': 4},
    }
    asked = [
        {
            "expr": QUERIES["market", title],
            "eval_time": "1m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        for title, samples in expected.items()
    ]

    done = run(promtool, tmp_path, {"interval": "10s", "input_series": series, "promql_expr_test": asked})

    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_age_of_events_is_that_of_the_release_furthest_behind_and_not_of_a_worker_that_has_let_go(
    promtool,  # noqa: F811
    tmp_path,
):
    read = {("a", "one"): 10, ("a", "two"): 50, ("b", "three"): 40}
    name = 'streams_event_time_seconds{job="%s", instance="%s", topic="t", partition="0"}'
    series = [{"series": name % who, "values": f"{moment}x10"} for who, moment in read.items()]
    samples = [{"labels": '{topic="t", partition="0"}', "value": 20}]
    asked = [{"expr": QUERIES["pipeline", "Event time"], "eval_time": "1m", "exp_samples": samples}]

    done = run(promtool, tmp_path, {"interval": "10s", "input_series": series, "promql_expr_test": asked})

    assert 0 == done.returncode, done.stdout + done.stderr
