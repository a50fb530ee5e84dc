"""Schemas, topics, facts and examples agree with each other, for both Avro libraries."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
import yaml

SCHEMAS = Path(__file__).parents[1] / "schemas"
FILES = sorted(SCHEMAS.glob("*.avsc"))
EXAMPLES = sorted(SCHEMAS.glob("examples/*/*.json"))
TOPICS: dict[str, Any] = yaml.safe_load((SCHEMAS / "topics.yaml").read_text())["topics"]
WITH_SCHEMA = {name: topic for name, topic in TOPICS.items() if topic["schema"]}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
TIMES = {"as_of", "at", "started", "peaked", "ended", "timestamp", "last_liquidation", "period_start", "period_end"}
BYTES = {"key", "value"}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every record and enum that a schema defines."""
    if isinstance(schema, list):
        for branch in schema:
            yield from parts(branch)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum"):
            yield schema
        for child in [schema.get("items"), *(field["type"] for field in schema.get("fields", []))]:
            yield from parts(child)


def fields() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in FILES:
        for part in parts(json.loads(path.read_text())):
            for field in part.get("fields", []):
                yield f"{path.stem}: {part['name']}.{field['name']}", field


def example(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    if path.parent.name != "dead-letter":
        return record
    return {name: value.encode("latin-1") if name in BYTES else value for name, value in record.items()}


def plain(schema: Any) -> Any:
    """The schema without logical types: both libraries then read times as the integers that were written."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(value) for value in schema] if isinstance(schema, list) else schema


def schema_of(path: Path) -> Any:
    return plain(json.loads((SCHEMAS / f"{path.parent.name}.avsc").read_text()))


def write_reference(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(record, avro.io.BinaryEncoder(out))
    return out.getvalue()


def write_fast(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record, strict=True)
    return out.getvalue()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_schema_is_valid_for_both_libraries(path: Path) -> None:
    fastavro.parse_schema(json.loads(path.read_text()))

    assert avro.schema.parse(path.read_text()).namespace == "liquidation.streams"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_example_is_written_alike_by_both_libraries_and_read_back_by_the_other(path: Path) -> None:
    schema, record = schema_of(path), example(path)
    body = write_fast(schema, record)
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(schema)))

    assert body == write_reference(schema, record)
    assert record == reader.read(avro.io.BinaryDecoder(io.BytesIO(body)))
    assert record == fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(schema), None)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("examples/cascade/*.json")), ids=lambda path: path.stem)
def test_a_cascade_has_been_at_least_as_high_as_its_windows_are_now(path: Path) -> None:
    record = example(path)
    now = {each["window"]: (each["long_usd"], each["short_usd"]) for each in record["windows"]}

    for window, name in (("1h", "highest_hour"), ("24h", "highest_day")):
        highest = record[name]
        assert sum(now[window]) <= highest["long_usd"] + highest["short_usd"]
        assert record["started"] <= highest["at"] <= record["event_time"]
        assert record["phase"] != "ONSET" or now[window] == (highest["long_usd"], highest["short_usd"])
    assert record["hour_share_of_day"] == pytest.approx(sum(now["1h"]) / sum(now["24h"]), abs=1e-3)
    assert record["normal_usd"] is None or record["multiple"] == record["peak_usd"] / record["normal_usd"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_example_names_every_field_in_the_order_of_its_schema(path: Path) -> None:
    assert [field["name"] for field in schema_of(path)["fields"]] == list(example(path))


def test_each_schema_has_an_example_and_each_example_a_schema() -> None:
    assert {path.stem for path in FILES} == {path.parent.name for path in EXAMPLES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_record_and_enum_says_what_it_is(path: Path) -> None:
    assert [] == [part["name"] for part in parts(json.loads(path.read_text())) if not part.get("doc")]


def test_every_field_says_what_it_is() -> None:
    assert [] == [name for name, field in fields() if not field.get("doc", "").endswith(".")]


def test_every_enum_falls_back_to_unknown() -> None:
    enums = [part for path in FILES for part in parts(json.loads(path.read_text())) if part["type"] == "enum"]

    assert {("UNKNOWN", "UNKNOWN")} == {(enum["default"], enum["symbols"][0]) for enum in enums}


def test_a_reader_of_today_sees_unknown_for_a_symbol_of_tomorrow() -> None:
    today = {"type": "enum", "name": "Phase", "symbols": ["UNKNOWN", "ONSET"], "default": "UNKNOWN"}
    tomorrow = {**today, "symbols": ["UNKNOWN", "ONSET", "AGAIN"]}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, tomorrow, "AGAIN")

    assert fastavro.schemaless_reader(io.BytesIO(out.getvalue()), tomorrow, today) == "UNKNOWN"


def test_enums_of_one_name_are_the_same_in_every_schema() -> None:
    seen: dict[str, Any] = {}

    for path in FILES:
        for part in parts(json.loads(path.read_text())):
            assert part == seen.setdefault(part["name"], part), (path.name, part["name"])


def test_times_are_timestamp_millis_and_nothing_else_is() -> None:
    def is_time(name: str) -> bool:
        return name.rpartition(".")[2] in TIMES or name.endswith("_time")

    def has_millis(field: dict[str, Any]) -> bool:
        return field["type"] == MILLIS or field["type"] == ["null", MILLIS]

    assert [] == [name for name, field in fields() if is_time(name) != has_millis(field)]


def test_what_may_be_null_is_null_by_default_and_says_when() -> None:
    nullable = [(name, field) for name, field in fields() if isinstance(field["type"], list)]

    assert [] == [
        name
        for name, field in nullable
        if field["type"][0] != "null" or field.get("default", 0) is not None or "Null" not in field["doc"]
    ]


def test_money_is_a_double_in_us_dollars() -> None:
    money = [(name, field) for name, field in fields() if name.endswith("_usd")]

    assert [] == [name for name, field in money if "US dollars" not in field["doc"]]
    assert [] == [name for name, field in money if field["type"] not in ("double", ["null", "double"])]


def test_every_topic_refers_to_a_schema_that_exists_and_every_schema_has_a_topic() -> None:
    assert {path.name for path in FILES} == {topic["schema"] for topic in WITH_SCHEMA.values()}


def test_subjects_are_the_topic_names_with_value() -> None:
    assert [f"{name}-value" for name in WITH_SCHEMA] == [topic["subject"] for topic in WITH_SCHEMA.values()]


def test_one_schema_has_one_id() -> None:
    pairs = {(topic["schema"], topic["schema_id"]) for topic in WITH_SCHEMA.values()}

    assert len(FILES) == len(pairs) == len({schema_id for _, schema_id in pairs})


def test_every_topic_keeps_replayed_history() -> None:
    assert {"LogAppendTime"} == {topic["config"]["message.timestamp.type"] for topic in TOPICS.values()}


def test_tables_are_compacted_and_logs_have_an_end() -> None:
    compacted = {name for name, topic in TOPICS.items() if topic["config"]["cleanup.policy"] == "compact"}

    assert {"liquidation-windows", "{app}-state-changelog", "{app}-market-changelog"} == compacted
    assert all("retention.ms" in topic["config"] for name, topic in TOPICS.items() if name not in compacted)


def test_topics_that_are_joined_have_the_partitions_of_liquidations() -> None:
    joined = {name for name, topic in TOPICS.items() if topic.get("same_count_as") == "liquidations"}

    assert {"funding", "open-interest", "quotes", "exchange-flows", "{app}-state-changelog"} == joined
    assert {TOPICS["liquidations"]["partitions"]} == {TOPICS[name]["partitions"] for name in joined}


def test_only_the_topics_of_context_are_optional() -> None:
    assert {"open-interest", "quotes", "exchange-flows"} == {n for n, t in TOPICS.items() if not t["required"]}


def test_the_table_of_the_readme_is_that_of_topics_yaml() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", (SCHEMAS / "README.md").read_text(), flags=re.MULTILINE)
    table = {name: [cell.strip(" `") for cell in re.split(r"(?<!\\)\|", rest)] for name, rest in rows if name in TOPICS}
    kept = {
        name: "newest row of each key"
        if topic["config"]["cleanup.policy"] == "compact"
        else f"{topic['config']['retention.ms'] // 86_400_000} days"
        for name, topic in TOPICS.items()
    }

    assert {
        name: [
            topic["schema"] or "rows of our own",
            str(topic["schema_id"] or "–"),
            str(topic["partitions"]),
            kept[name],
            "yes" if topic["required"] else "no",
        ]
        for name, topic in TOPICS.items()
    } == {name: [cells[0], cells[1], cells[3], cells[4], cells[5]] for name, cells in table.items()}
