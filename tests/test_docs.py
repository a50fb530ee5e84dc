"""What the README says is what the code has. ``python tests/test_docs.py`` writes its tables anew."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, Histogram

from streams import cli, logs, resources
from streams.access import needed
from streams.core.errors import Reason
from streams.metrics import COUNTERS, GAUGES, NAMESPACE, Metrics
from streams.settings import Settings, variables
from streams.web.pages import Pages

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DESIGN = ROOT / "streams" / "DESIGN.md"
TOPICS: dict[str, Any] = yaml.safe_load((ROOT / "schemas" / "topics.yaml").read_text())["topics"]


def table(head, rows):
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def default(value):
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(f'{each:g}' for each in value)}`"
    if isinstance(value, float):
        return f"`{value:.10g}`"
    return "" if value in {None, frozenset()} else f"`{value}`"


def settings_table():
    rows = [(f"`{name}`", default(info.default), info.description) for name, info in variables().items()]
    return table(("setting", "default", "what it is"), rows)


def metrics_table():
    made = vars(Metrics(SimpleNamespace(), CollectorRegistry())).values()
    histograms = [each for each in made if isinstance(each, Histogram)]
    found = [(f"{NAMESPACE}_{name}_total", "counter", *rest) for name, rest in COUNTERS.items()]
    found += [(f"{NAMESPACE}_{name}", "gauge", *rest) for name, rest in GAUGES.items()]
    found += [(each._name, "histogram", each._documentation, each._labelnames) for each in histograms]
    rows = [(f"`{name}`", kind, ", ".join(labels), what) for name, kind, what, labels in found]
    return table(("metric", "kind", "labels", "what it says"), rows)


def topics_table():
    rows = [
        (f"`{name}`", topic["role"], f"`{topic['schema']}`", "yes" if topic["required"] else "no", topic["read_by"])
        for name, topic in TOPICS.items()
        if topic["role"] != "internal"
    ]
    return table(("topic", "role", "schema", "must exist", "read by"), rows)


def access_table():
    rights = {}
    for right in needed("liquidation-streams"):
        rights.setdefault((right.kind, right.name), []).append(right.operation)
    rows = [(kind, f"`{name}`", " and ".join(operations)) for (kind, name), operations in rights.items()]
    return table(("on", "name", "the job needs"), rows)


TABLES = {"access": access_table, "topics": topics_table, "settings": settings_table, "metrics": metrics_table}


def block(name):
    return re.compile(rf"(<!-- {name}: .*? -->\n\n)(.*?)(\n\n<!-- end -->)", re.DOTALL)


def rewrite():
    text = README.read_text()
    for name, make in TABLES.items():
        content = make()
        text = block(name).sub(lambda found, content=content: found[1] + content + found[3], text)
    README.write_text(text)


def fenced(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_readme_is_what_the_code_has(name):
    found = block(name).search(README.read_text())

    assert found, f"README.md has no table of {name}"
    assert TABLES[name]() == found[2], "python tests/test_docs.py writes it anew"


def test_every_setting_is_in_the_readme():
    assert [] == [name for name in variables() if f"`{name}`" not in README.read_text()]


@pytest.mark.parametrize("path", [README, DESIGN], ids=["README.md", "DESIGN.md"])
def test_no_setting_is_named_that_is_not_there(path):
    named = set(re.findall(r"\bSTREAMS_[A-Z0-9_]+[A-Z0-9]\b", path.read_text()))

    assert [] == sorted(named - set(variables()))


def test_no_metric_is_named_that_is_not_there():
    there = set(re.findall(r"`(streams_\w+)`", metrics_table()))
    named = set(re.findall(rf"\b{NAMESPACE}_[a-z_]+[a-z]\b", README.read_text()))

    assert [] == sorted(named - there)


def test_every_reason_and_every_page_is_in_the_readme():
    pages = [route.path for route in Pages(SimpleNamespace(), CollectorRegistry()).routes()]
    wanted = [*Reason, *(path for path in pages if not path.endswith("/"))]

    assert [] == [name for name in wanted if f"`{name}`" not in README.read_text()]


def test_every_log_event_that_is_named_is_one():
    named = set(re.findall(r"\blog `(\w+)`", README.read_text()))

    assert named
    assert named <= set(logs.EVENTS)


def test_every_command_of_the_readme_is_one():
    commands = set(re.findall(r"streams ((?:topics|schemas) [a-z]+|[a-z]+)", "\n".join(fenced("sh"))))

    assert {"worker", "replay", "watch", "doctor", "topics apply", "schemas list"} <= commands
    for command in commands:
        result = CliRunner().invoke(cli.main, [*command.split(), "--help"])
        assert 0 == result.exit_code, f"streams {command}: {result.output}"


def test_every_file_that_is_named_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    named = re.findall(r"`((?:agents|core|codec|units|engine|view|web|replay|demo)/[\w/]+\.py)`", DESIGN.read_text())

    assert [] == [link for link in links if not (ROOT / link).exists()]
    assert [] == [path for path in named if not (ROOT / "streams" / path).exists()]


def test_every_test_that_stands_for_a_promise_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", README.read_text())

    assert len(named) > 20
    assert [] == [name for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]


def test_every_module_is_in_the_file_map():
    modules = [path for path in (ROOT / "streams").rglob("*.py") if not path.name.startswith("__")]
    text = DESIGN.read_text()

    assert [] == sorted(str(path) for path in modules if not named_in(text, path.relative_to(ROOT / "streams")))


def named_in(text, path):
    """A module stands in the map as ``folder/name.py``, or as ``name`` in the line of its folder."""
    folder = str(path.parent)
    lines = [line for line in text.splitlines() if line.startswith(f"| `{folder}/`")]
    return f"`{path}`" in text or any(re.search(rf"`{path.stem}`", line) for line in lines)


def test_the_event_of_the_readme_has_the_fields_of_its_schema():
    (event, *_) = fenced("json")

    check(json.loads(event), json.loads((resources.schemas_dir() / "cascade.avsc").read_text()), {})


def check(value, schema, known):
    if isinstance(schema, list):
        schema = next(branch for branch in schema if (branch == "null") == (value is None))
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind in {"record", "enum"}:
        known[schema["name"]] = schema
    if kind == "record":
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        assert set(value) <= set(fields), schema["name"]
        for name, of in fields.items():  # in the schema's order: a named type stands where it is used first
            if name in value:
                check(value[name], of, known)
    elif kind == "array":
        for each in value:
            check(each, schema["items"], known)
    elif kind == "enum":
        assert value in schema["symbols"]


def test_the_defaults_that_the_prose_names_are_those():
    settings, text = Settings.model_construct(), README.read_text()
    floors = (settings.cascade_instrument, settings.cascade_asset, settings.cascade_exchange, settings.cascade_market)

    assert "$" + ", $".join(f"{each.floor_usd / 1e6:g}M" for each in floors) in text
    assert f"{settings.lateness_ms / 1000:g} s behind its asset's clock" in text
    assert f"{settings.market_lateness_ms / 1000:g} s behind its partition's clock" in text
    assert f"{settings.crowding.history_days_min} days" in text


if __name__ == "__main__":
    sys.exit(rewrite())


def test_the_figures_of_speed_are_those_of_the_bench():
    section = README.read_text().partition("## How fast it is")[2].partition("\n## ")[0]
    results = (ROOT / "tests" / "bench" / "RESULTS.md").read_text()
    figure = r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.,])\d+\.\d+|(?<![\d.,])\d{3}(?![\d.,]\d|\d)"
    figures = set(re.findall(figure, section))
    assert len(figures) > 15
    assert set() == figures - set(re.findall(figure, results))
