"""Each dashboard says what it shows, and names only metrics that the worker has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from streams.metrics import COUNTERS, GAUGES, NAMESPACE
from tests.monitoring.dashboards import DASHBOARDS, panels, queries

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "liquidation-streams" / "files" / "alerts.yaml"
HISTOGRAMS = ("batch_records", "batch_seconds", "flush_rows", "flush_seconds", "loop_delay_seconds")
#: Name of a metric -> its labels; what Prometheus and the client add is none of the worker's.
LABELS = {f"{NAMESPACE}_{name}_total": set(labels) for name, (_, labels) in COUNTERS.items()}
LABELS |= {f"{NAMESPACE}_{name}": set(labels) for name, (_, labels) in GAUGES.items()}
LABELS |= {f"{NAMESPACE}_{name}_bucket": {"topic", "stage", "le"} for name in HISTOGRAMS}
#: Comes with the finding of silent feeds; the alert waits for it.
LABELS.setdefault(f"{NAMESPACE}_feed_stale", {"exchange"})
TARGET = {"job", "instance"}


def expressions():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])
    for path in DASHBOARDS:
        yield from ((f"{path.stem}: {query.title}", query.expression) for query in queries(path))


def test_there_are_three_with_stable_names():
    assert {"streams-market", "streams-crowding", "streams-pipeline"} == {
        json.loads(path.read_text())["uid"] for path in DASHBOARDS
    }


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_a_title_a_sentence_a_unit_and_a_place_of_its_own(path):
    found = panels(path)
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in found]

    assert len(found) == len(set(places)) == len({each["title"] for each in found}) == len({e["id"] for e in found})
    for each in found:
        assert each["description"].endswith(".")
        assert each["fieldConfig"]["defaults"]["unit"]
        assert each["targets"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_variable_that_is_used_is_there_and_every_one_that_is_there_is_used(path):
    document = json.loads(path.read_text())
    names = {each["name"] for each in document["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\b", path.read_text()))

    assert names == used


@pytest.mark.parametrize(("where", "expression"), [pytest.param(*each, id=each[0]) for each in expressions()])
def test_every_metric_that_is_named_is_one_and_so_are_its_labels(where, expression):
    for name, selector in re.findall(rf"\b({NAMESPACE}_\w+)(?:{{([^}}]*)}})?", expression):
        assert name in LABELS, f"{where}: {name} is no metric of the worker"
        labels = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", re.sub(r'"[^"]*"', "", selector)))
        assert labels <= LABELS[name] | TARGET, f"{where}: {name} has no {labels - LABELS[name] - TARGET}"
