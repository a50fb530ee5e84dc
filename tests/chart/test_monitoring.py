"""Two releases in one Prometheus: neither speaks for the other."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from streams.settings import Settings
from tests.chart.chart import BROKERS, CHART, KUBERNETES, helm, worker
from tests.monitoring.tools import find, missing

RULES = CHART / "files" / "alerts.yaml"
PROD, STAGING = ("liquidation-streams/prod/demo", "liquidation-streams/staging/demo")
SEVERITY = 'kind="machine", severity="critical"'


def rendered(kind, namespace, *values):
    """Return the only manifest of a kind in a namespace."""
    sets = [part for value in (BROKERS, *values) for part in ("--set", value)]
    result = helm("template", "demo", str(CHART), "--namespace", namespace, "--kube-version", KUBERNETES, *sets)
    (found,) = [each for each in yaml.safe_load_all(result.stdout) if each and each["kind"] == kind]
    return found


@pytest.mark.parametrize(("scrape", "kind", "at"), [
    ("service", "ServiceMonitor", "endpoints"), ("pod", "PodMonitor", "podMetricsEndpoints"),
])  # fmt: skip
def test_each_release_is_a_job_of_its_own_that_the_rules_know(scrape, kind, at):
    (endpoint,) = rendered(kind, "prod", f"monitoring.scrape={scrape}")["spec"][at]
    wanted = set(re.findall(r'job=~"([^"]*)"', RULES.read_text()))

    assert [{"action": "replace", "targetLabel": "job", "replacement": PROD}] == endpoint["relabelings"]
    assert wanted
    assert all(re.fullmatch(pattern, PROD) for pattern in wanted)


@pytest.mark.parametrize("prod", ["0x60", None], ids=["dead", "gone"])
def test_a_release_that_works_does_not_hide_one_that_does_not(prod, tmp_path):
    reason = missing("promtool")
    if reason is not None:
        pytest.skip(reason)
    rule = rendered("PrometheusRule", "prod", "monitoring.scrape=pod", "monitoring.alerts=true")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    ready = {STAGING: "1x60"} | ({PROD: prod} if prod else {})
    firing = f'ALERTS{{alertname="StreamsNothingWorks", alertstate="firing", job="{PROD}"}}'
    named = f'ALERTS{{alertname="StreamsNothingWorks", alertstate="firing", job="{PROD}", {SEVERITY}}}'
    series = [{"series": f'streams_ready{{job="{job}", instance="{job}"}}', "values": v} for job, v in ready.items()]
    asked = [
        {"expr": firing, "eval_time": "10m", "exp_samples": [{"labels": named, "value": 1}]},
        {"expr": firing.replace(PROD, STAGING), "eval_time": "10m", "exp_samples": []},
    ]
    played = [{"interval": "30s", "input_series": series, "promql_expr_test": asked}]
    document = tmp_path / "test.yaml"
    document.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": played}))

    done = subprocess.run([find("promtool"), "test", "rules", document], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_where_the_scrape_job_is_not_the_charts_the_rules_are_those_of_the_file():
    rule = rendered("PrometheusRule", "prod", "monitoring.alerts=true")

    assert yaml.safe_load(RULES.read_text()) == rule["spec"]


def test_somebody_is_woken_for_a_transaction_that_hangs_before_its_worker_is_restarted():
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    (rule,) = [each for each in rules if each["alert"] == "StreamsNotCommitting"]
    open_seconds = int(re.search(r"transaction_open_seconds > (\d+)", rule["expr"])[1])
    waits = int(rule["for"].removesuffix("s"))
    probe = worker()["livenessProbe"]
    ended = Settings().stuck_ms / 1000 + probe["periodSeconds"] * probe["failureThreshold"]

    # At worst a scrape, and an evaluation, of every 30 s has just been when it would have shown.
    assert open_seconds + waits + 2 * 30 < ended
