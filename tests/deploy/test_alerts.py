"""Each alert on both sides of its edge, played by promtool; its words, its runbook, its metrics."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.tools import find, missing

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "liquidation-streams" / "files" / "alerts.yaml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
JOB = 'job="liquidation-streams"'
ELSE = 'job="node"'
ONE = f'{JOB}, instance="one"'
STEP = 10
SEVERITIES = {"machine": {"critical", "warning"}, "market": {"info"}}


@dataclass(frozen=True)
class Case:
    """What makes an alert fire, and what is just not enough.

    ``active`` is the second in which its condition is met; ``labels`` those of the alert that the rule does not set.
    """

    alert: str
    fires: dict[str, str]
    quiet: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    active: int = 0


def always(value):
    return f"{value}x400"


def counts(per_step):
    return f"0+{per_step}x400"


def dead(topic, reason):
    return f'streams_records_dead_lettered_total{{{ONE}, topic="{topic}", reason="{reason}"}}'


def consumed(topic):
    return f'streams_records_consumed_total{{{ONE}, topic="{topic}"}}'


def clock(topic):
    return f'streams_event_time_seconds{{{ONE}, topic="{topic}", partition="0"}}'


READY = f"streams_ready{{{ONE}}}"
STARTED = f"process_start_time_seconds{{{ONE}}}"
MOVED = f"streams_recoveries_total{{{ONE}}}"
LAG = f'streams_consumer_lag_records{{{ONE}, topic="liquidations", partition="0"}}'
AGE = f'streams_consumer_lag_seconds{{{ONE}, topic="liquidations", partition="0"}}'
OPEN = f'streams_transaction_open_seconds{{{ONE}, stage="state", partition="0"}}'
FLUSHED = f'streams_last_flush_age_seconds{{{ONE}, stage="state", partition="0"}}'
FULL = f'streams_exchange_coverage{{{ONE}, exchange="bybit", coverage="FULL"}}'
STALE = f'streams_exchange_coverage{{{ONE}, exchange="bybit", coverage="STALE"}}'
MARKET = f'streams_units_owned{{{ONE}, stage="market"}}'
UNITS = MARKET.replace("market", "state")
CASCADE = f'streams_cascades_open{{{ONE}, scope="%s", position_side="LONG"}}'
CROWDED = f'streams_asset_crowded{{{ONE}, asset="BTC", position_side="LONG", grade="%s"}}'
THERE = {"job": "liquidation-streams"}
HERE = THERE | {"instance": "one"}
OF_TOPIC = THERE | {"topic": "liquidations"}
OF_UNIT = HERE | {"stage": "state", "partition": "0"}

OF_STUCK = HERE | {"topic": "liquidations"}
GONE = f'streams_records_expired_total{{{ONE}, topic="liquidations"}}'
FUNDING, CONSUMED = consumed("funding"), consumed("liquidations")

CASES = [
    Case("StreamsNothingWorks", {READY: always(0)}, {READY: always(1)}, THERE),
    # Another one works, or nobody is there to be asked.
    Case("StreamsNothingWorks", {}, {READY: always(0), READY.replace("one", "two"): always(1)}),
    Case("StreamsWorkerDown", {f"up{{{ONE}}}": always(0)}, {f"up{{{ONE}}}": always(1)}, HERE),
    # Somebody else's job is none of ours.
    Case("StreamsWorkerDown", {f"up{{{ONE}}}": always(0)}, {f"up{{{ELSE}}}": always(0)}, HERE),
    Case("StreamsNotReady", {READY: always(0)}, {READY: f"{always(0).replace('400', '59')} {always(1)}"}, HERE),
    Case("StreamsRecoveryLoop", {STARTED: "1 2 3 4x400"}, {STARTED: "1 2 3x400"}, HERE, active=30),
    # Somebody else's job again.
    Case("StreamsRecoveryLoop", {STARTED: "1 2 3 4x400"}, {STARTED.replace(JOB, ELSE): "1 2 3 4x400"}, HERE, 30),
    # Partitions that move are none that starts.
    Case("StreamsRecoveryLoop", {STARTED: "1 2 3 4x400"}, {MOVED: "0+1x13 13x400"}, HERE, 30),
    Case("StreamsReassigned", {MOVED: "0x180 0+1x13 13x30"}, {MOVED: "0x180 0+1x10 10x30"}, HERE, active=1940),
    Case("StreamsStuck", {LAG: always(1), CONSUMED: always(9)}, {LAG: always(1), CONSUMED: counts(1)}, OF_STUCK),
    Case("StreamsStuck", {LAG: always(1), CONSUMED: always(9)}, {LAG: always(0), CONSUMED: always(9)}, OF_STUCK),
    # A topic of few records does not hide behind one of many.
    Case("StreamsStuck", {LAG: always(1), CONSUMED: always(9), FUNDING: counts(100)}, {CONSUMED: always(9)}, OF_STUCK),
    # A process that has read nothing yet may have no such series.
    Case("StreamsStuck", {LAG: always(1)}, {LAG: always(1), CONSUMED: counts(1)}, OF_STUCK),
    Case("StreamsRecordsExpired", {GONE: always(5)}, {GONE: always(0)}, OF_STUCK),
    Case("StreamsRecordsExpired", {GONE: "0x100 5x200"}, {GONE: always(0)}, OF_STUCK, active=1010),
    Case("StreamsLagGrowing", {LAG: "10001+1x400"}, {LAG: always(20_000)}, OF_TOPIC, active=10),
    Case("StreamsLagGrowing", {LAG: "10001+1x400"}, {LAG: "0+20x400"}, OF_TOPIC, active=10),
    Case("StreamsLate", {AGE: always(61)}, {AGE: always(60)}, OF_TOPIC),
    Case("StreamsNotCommitting", {OPEN: always(31)}, {OPEN: always(30)}, OF_UNIT),
    Case(
        "StreamsNotCommitting",
        {FLUSHED: always(151), clock("liquidations"): counts(1)},
        {FLUSHED: always(150), clock("liquidations"): counts(1)},
        OF_UNIT,
        active=10,
    ),
    # Nothing comes, so that nothing is committed.
    Case(
        "StreamsNotCommitting",
        {FLUSHED: always(151), clock("liquidations"): counts(1)},
        {FLUSHED: always(9000), clock("liquidations"): always(1), clock("pane-snapshots"): counts(1)},
        OF_UNIT,
        active=10,
    ),
    # The market's partition has the number of another one.
    Case(
        "StreamsNotCommitting",
        {FLUSHED: always(151), clock("liquidations"): counts(1)},
        {FLUSHED.replace("state", "market"): always(151), clock("liquidations"): counts(1)},
        OF_UNIT,
        active=10,
    ),
    Case(
        "StreamsMarketHeldBack",
        {clock("liquidations"): always(161), clock("pane-snapshots"): always(100)},
        {clock("liquidations"): always(160), clock("pane-snapshots"): always(100)},
        THERE,
    ),
    # The market's own topic goes on: silence moves its time.
    Case(
        "StreamsNoInput",
        {UNITS: always(1), FUNDING: always(9), consumed("pane-snapshots"): counts(1)},
        {UNITS: always(1), FUNDING: counts(1)},
        THERE,
    ),
    # Whoever owns nothing has nothing to read.
    Case("StreamsNoInput", {UNITS: always(1)}, {MARKET: always(1), FUNDING: always(9)}, THERE),
    Case("StreamsNoInput", {UNITS: always(1)}, {UNITS: always(1), FUNDING: "0+1x60 60+0x20 60+1x300"}, THERE),
    Case(
        "StreamsNoLiquidations",
        {UNITS: "1x900", consumed("liquidations"): "9x900", FUNDING: "0+1x900"},
        {UNITS: "1x900", consumed("liquidations"): "9x100 10x800"},
        THERE,
        active=3600,
    ),
    # Where it has not been there for an hour, nothing can have been missed for one.
    Case(
        "StreamsNoLiquidations",
        {UNITS: "1x900", consumed("liquidations"): "9x900"},
        {UNITS: "_x200 1x900", consumed("liquidations"): "_x200 9x900"},
        THERE,
        active=3600,
    ),
    Case(
        "StreamsFeedSilent",
        {f'streams_feed_stale{{{ONE}, exchange="okx"}}': always(1)},
        {f'streams_feed_stale{{{ONE}, exchange="okx"}}': always(0)},
        THERE | {"exchange": "okx"},
    ),
    Case(
        "StreamsCoverageLost",
        {FULL: "1x5 stale", STALE: "_x5 1x400", MARKET: always(1)},
        {FULL: always(1), MARKET: always(1)},
        THERE | {"exchange": "bybit"},
        active=60,
    ),
    # With nobody at work there is nothing to say about coverage.
    Case(
        "StreamsCoverageLost",
        {FULL: "1x5 stale", STALE: "_x5 1x400", MARKET: always(1)},
        {FULL: "1x5 stale", MARKET.replace("market", "state"): always(1)},
        THERE | {"exchange": "bybit"},
        active=60,
    ),
    # Nobody loses what was never there.
    Case(
        "StreamsCoverageLost",
        {FULL: "1x5 stale", STALE: "_x5 1x400", MARKET: always(1)},
        {FULL.replace("FULL", "ABSENT"): always(1), MARKET: always(1)},
        THERE | {"exchange": "bybit"},
        active=60,
    ),
    Case(
        "StreamsDeadLetters",
        {dead("funding", "too_old"): counts(2), FUNDING: counts(100)},
        {dead("funding", "too_old"): counts(1), FUNDING: counts(100)},
        THERE | {"topic": "funding", "reason": "too_old"},
        active=10,
    ),
    Case(
        "StreamsClockOff",
        {dead("funding", "event_time_in_future"): counts(1)},
        {dead("funding", "event_time_in_future"): "0+1x10 10x400", dead("funding", "too_old"): counts(1)},
        THERE | {"topic": "funding"},
        active=110,
    ),
    # Promtool's time begins at 0 and moves 10 s a step.
    Case("StreamsClockOff", {clock("liquidations"): "11+10x400"}, {clock("liquidations"): "10+10x400"}, OF_TOPIC),
    Case(
        "StreamsCascadeRunning",
        {CASCADE % "MARKET": always(1)},
        {CASCADE % "MARKET": always(0), CASCADE % "EXCHANGE": always(1)},
        THERE | {"position_side": "LONG"},
    ),
    Case(
        "StreamsCrowdedExtreme",
        {CROWDED % "EXTREME": always(1)},
        {CROWDED % "CROWDED": always(1)},
        THERE | {"asset": "BTC", "position_side": "LONG"},
    ),
]


@pytest.fixture(scope="module")
def promtool():
    reason = missing("promtool")
    if reason is not None:
        pytest.skip(reason)
    return find("promtool")


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)([smhd])", duration).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]


def played(series, alert, moments):
    """One promtool test: which alerts of a name are firing at these moments."""
    return {
        "interval": f"{STEP}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{alert}", alertstate="firing"}}',
                "eval_time": f"{at}s",
                "exp_samples": [{"labels": f"ALERTS{_labels(each)}", "value": 1} for each in expected],
            }
            for at, expected in moments
        ],
    }


def _labels(labels):
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_not_a_step_before_and_not_below_its_edge(case, promtool, tmp_path):
    rule = ALERTS[case.alert]
    due = case.active + seconds(rule["for"])
    firing = {"alertname": case.alert, "alertstate": "firing", **rule["labels"], **case.labels}
    tests = [
        played(case.fires, case.alert, [(due - STEP, []), (due, [firing])]),
        played(case.quiet, case.alert, [(at, []) for at in (due, due + 60, due + 600)]),
    ]
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}s", "tests": tests}
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(document))

    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_promtool_accepts_the_rules(promtool):
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_every_alert_is_played():
    assert set(ALERTS) == {case.alert for case in CASES}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(name):
    rule = ALERTS[name]
    annotations, labels = rule["annotations"], rule["labels"]
    path, _, anchor = annotations["runbook_url"].partition("#")
    runbook = (ROOT / path).read_text()

    assert seconds(rule["for"]) > 0
    assert labels["severity"] in SEVERITIES[labels["kind"]]
    assert "{{" not in annotations["summary"], "a summary groups alerts, so it is the same for all"
    assert anchor == name.lower()
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", runbook, re.DOTALL | re.MULTILINE)
    assert section, f"{path} has no section {name}"
    assert all(head in section[1] for head in ("**Means:**", "**Look at:**", "**Do:**"))


@pytest.mark.parametrize("name", ALERTS)
def test_a_description_names_only_labels_that_its_alert_has(name):
    named = set(re.findall(r"\$labels\.(\w+)", ALERTS[name]["annotations"]["description"]))

    for case in CASES:
        if case.alert == name:
            assert named <= set(case.labels)
