import pytest

from streams.codec.reader import Malformed, compile_reader
from streams.codec.schema import SchemaError, parse
from tests.codec.schemas import by_avro_python3, by_fastavro

TREE = {
    "type": "record",
    "name": "Tree",
    "namespace": "a.b",
    "fields": [
        {"name": "leaves", "type": {"type": "array", "items": "long"}},
        {"name": "names", "type": {"type": "map", "values": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}}},
        {"name": "below", "type": ["null", "Tree"]},
        {"name": "again", "type": {"type": "array", "items": "a.b.E"}},
    ],
}


def tree(**fields):
    return {"leaves": [1, -2, 3], "names": {"a": "X", "b": "Y"}, "below": None, "again": []} | fields


def read(schema, body):
    return compile_reader(parse(schema))(body, 0)


@pytest.mark.parametrize("write", [by_fastavro, by_avro_python3])
def test_lists_maps_and_records_in_records_are_read(write):
    value = tree(below=tree(below=tree(leaves=[]), again=["Y", "X"]))

    assert value == read(TREE, write(TREE, value))


def test_a_list_in_blocks_with_their_sizes_is_read():
    assert [1, 2, 3] == read({"type": "array", "items": "long"}, b"\x03\x04\x02\x04\x02\x06\x00")


@pytest.mark.parametrize("body", [b"\xfe\xff\xff\xff\x0f\x00", b"\x04\x00", b"\x08\0\0\0"])
def test_a_list_has_no_more_items_than_bytes(body):
    with pytest.raises(Malformed):
        read({"type": "array", "items": "long"}, body)


EMPTY = {"type": "record", "name": "S", "fields": []}
ENDLESS = {"type": "record", "name": "S", "fields": [{"name": "n", "type": "null"}, {"name": "s", "type": "S"}]}


@pytest.mark.parametrize("items", ["null", {"type": "fixed", "name": "F", "size": 0}, EMPTY, ENDLESS])
def test_a_list_of_what_takes_no_bytes_is_refused_as_a_schema(items):
    with pytest.raises(SchemaError, match="items that take no bytes"):
        compile_reader(parse({"type": "array", "items": items}))


@pytest.mark.parametrize(("values", "value"), [("null", None), (EMPTY, {})], ids=str)
def test_a_map_of_what_takes_no_bytes_has_keys(values, value):
    schema = {"type": "map", "values": values}

    assert {"a": value, "b": value} == read(schema, by_fastavro(schema, {"a": value, "b": value}))
    with pytest.raises(Malformed):
        read(schema, b"\xfe\xff\xff\xff\x0f\x00")


def test_a_map_of_what_holds_itself_is_malformed_and_not_a_crash():
    with pytest.raises(Malformed, match="nested too deeply"):
        read({"type": "map", "values": ENDLESS}, b"\x02\x02a\x00")


def test_a_record_nested_ten_thousand_times_is_malformed_and_not_a_crash():
    nest = {"type": "record", "name": "N", "fields": [{"name": "n", "type": ["null", "N"]}]}

    assert {"n": {"n": None}} == read(nest, b"\x02\x00")
    with pytest.raises(Malformed, match="nested too deeply"):
        read(nest, b"\x02" * 10_000 + b"\x00")


def test_a_fixed_that_is_cut_short_is_malformed():
    with pytest.raises(Malformed, match="ends early"):
        read({"type": "fixed", "name": "F", "size": 3}, b"ab")


@pytest.mark.parametrize("kind", ["double", "float"])
def test_a_number_that_is_cut_short_is_malformed(kind):
    with pytest.raises(Malformed, match="ends early"):
        read(kind, b"abc")


def test_text_that_is_not_utf_8_keeps_its_bytes_for_whoever_reads_it():
    assert b"\xff" == read("string", b"\x02\xff").encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "schema",
    [
        None,
        7,
        {},
        {"type": "record"},
        {"type": "record", "name": "R", "fields": [{"name": "a"}]},
        {"type": "enum", "name": "E", "symbols": 3},
        {"type": "fixed", "name": "F", "size": -1},
        {"type": "fixed", "name": "F", "size": "3"},
        {"type": "array"},
        "Unknown",
        {"type": "record", "name": 5, "fields": []},
        {"type": "record", "name": "R", "fields": "abc"},
    ],
)
def test_what_is_no_schema_is_said_to_be_none(schema):
    with pytest.raises(SchemaError):
        parse(schema)


def test_a_schema_nested_without_end_is_none():
    schema = "long"
    for _ in range(100_000):
        schema = [schema]
    with pytest.raises(SchemaError, match="RecursionError"):
        parse(schema)


def test_names_are_found_within_their_namespace():
    inner = {"type": "record", "name": "Inner", "namespace": "x", "fields": [{"name": "v", "type": "long"}]}
    outer = {
        "type": "record",
        "name": "y.Outer",
        "fields": [
            {"name": "a", "type": inner},
            {"name": "b", "type": "x.Inner"},
            {"name": "c", "type": {"type": "x.Inner"}},
        ],
    }

    assert {"a": {"v": 1}, "b": {"v": 2}, "c": {"v": 3}} == read(outer, b"\x02\x04\x06")
    assert 3 == read({"type": ["null", {"type": "long"}]}, b"\x02\x06")
    with pytest.raises(SchemaError, match=r"type y.Inner is not defined"):
        parse({**outer, "fields": [*outer["fields"], {"name": "d", "type": "Inner"}]})
