import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.codec.columns import ColumnDecoder, Nullable, Spans, Unsupported, supports
from streams.codec.reader import Malformed, compile_reader
from streams.codec.schema import parse
from tests.codec.schemas import PATIENT, by_fastavro, written


def decoded(schema, bodies, wanted=None):
    decoder = ColumnDecoder(parse(schema), columns_of(schema) if wanted is None else wanted)
    lengths = np.array([len(body) for body in bodies], np.int64)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    buffer = decoder.buffer(b"".join(bodies))
    return decoder.decode(buffer, starts, ends)


def columns_of(schema):
    return [field["name"] for field in schema["fields"] if leaf(field["type"]) != "record"]


def cell(found, column, row, kind=None):
    # One value of a column as the one-record reader gives it.
    if isinstance(column, Nullable):
        return cell(found, column.values, row, kind) if column.present[row] else None
    if isinstance(column, Spans):
        start, length = int(column.start[row]), int(column.length[row])
        raw = found.buffer.octets[start : start + length].tobytes()
        return raw if kind == "bytes" else raw.decode("utf-8", "surrogateescape")
    return column[row].item()


def leaf(part):
    if isinstance(part, list):
        return next((branch for branch in part if branch != "null"), "null")
    return part["type"] if isinstance(part, dict) else part


def same(schema, found, row, record):
    for field in schema["fields"]:
        kind, value = leaf(field["type"]), record[field["name"]]
        if kind in ("record", "fixed", "null"):
            continue
        got = cell(found, found.columns[field["name"]], row, kind)
        if kind == "enum":
            value = field["type"]["symbols"].index(value)
        if got != value and not (kind in ("float", "double") and math.isnan(got) and math.isnan(value)):
            return False
    return True


@PATIENT
@given(written())
def test_columns_hold_what_other_libraries_wrote(case):
    schema, rows, bodies = case
    assume(supports(schema))
    found = decoded(schema, bodies)

    assert not found.bad.any()
    assert all(same(schema, found, i, row) for i, row in enumerate(rows))


@PATIENT
@given(written())
def test_one_at_a_time_reads_what_other_libraries_wrote(case):
    schema, rows, bodies = case
    read = compile_reader(parse(schema))

    assert rows == [read(body, 0) for body in bodies]


@PATIENT
@given(written(), st.data())
def test_a_column_is_the_same_whether_the_others_are_read_or_skipped(case, data):
    schema, _, bodies = case
    assume(supports(schema))
    name = data.draw(st.sampled_from(columns_of(schema) or ["f0"]))
    assume(supports(schema, [name]))
    alone, together = decoded(schema, bodies, [name]), decoded(schema, bodies)

    assert alone.bad.tolist() == together.bad.tolist()
    assert repr(alone.columns[name]) == repr(together.columns[name])


@PATIENT
@given(written(), st.data())
def test_broken_records_harm_only_themselves_and_a_good_one_reads_the_same_both_ways(case, data):
    schema, _, bodies = case
    assume(supports(schema))
    read = compile_reader(parse(schema))
    broken = [bytes(mutated(data, body)) for body in bodies]
    mixed = [body for pair in zip(bodies, broken, strict=True) for body in pair]
    found = decoded(schema, mixed)

    assert not found.bad[::2].any()
    for row, body in enumerate(mixed):
        if not found.bad[row]:
            assert same(schema, found, row, read(body, 0))


def mutated(data, body):
    body = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        if body and data.draw(st.booleans()):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        elif data.draw(st.booleans()):
            del body[data.draw(st.integers(0, len(body))) :]
        else:
            body += data.draw(st.binary(max_size=12))
    return body


TEXT_AND_LONG = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "t", "type": "string"}, {"name": "n", "type": "long"}],
}
GOOD = by_fastavro(TEXT_AND_LONG, {"t": "ab", "n": 5})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x04a",
        b"\x04ab",
        GOOD + b"\0",
        b"\x01ab\x0a",  # a length of -1
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x0a",  # a length of -2**63
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x0a",  # a length of 2**63 - 1
        b"\x80\x80\x80\x80\x08ab",  # a gigabyte
        b"\x04ab" + b"\x80" * 10 + b"\x01",  # a number of eleven bytes
        b"\x04ab" + b"\xff" * 9 + b"\x02",  # a number of 65 bits
        b"\x04ab\x80",
        b"\x06ab\x0a",
    ],
)
def test_hostile_bytes_are_bad_both_ways_and_harm_nobody(body):
    found = decoded(TEXT_AND_LONG, [GOOD, body, GOOD])

    assert [False, True, False] == found.bad.tolist()
    assert [5, 5] == found.columns["n"][[0, 2]].tolist()
    with pytest.raises(Malformed):
        compile_reader(parse(TEXT_AND_LONG))(body, 0)


def test_the_last_record_may_claim_what_it_likes():
    assert [False, True] == decoded(TEXT_AND_LONG, [GOOD, b"\x80\x80\x80\x80\x08"]).bad.tolist()


def test_numbers_written_with_more_bytes_than_needed_are_read():
    body = b"\x84\x00ab\x8a\x80\x00"

    assert 5 == decoded(TEXT_AND_LONG, [body]).columns["n"][0]
    assert {"t": "ab", "n": 5} == compile_reader(parse(TEXT_AND_LONG))(body, 0)


@pytest.mark.parametrize("value", [0, -1, 63, 64, 2**27, 2**55 - 1, 2**55, 2**62, -(2**62), 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("others", [[], [0], [2**63 - 1]], ids=str)
def test_a_whole_number_of_any_width_is_read_beside_any_other(value, others):
    numbers = [value, *others, value]
    found = decoded(TEXT_AND_LONG, [by_fastavro(TEXT_AND_LONG, {"t": "", "n": number}) for number in numbers])

    assert numbers == found.columns["n"].tolist()
    assert not found.bad.any()


@pytest.mark.parametrize("index", [b"\x01", b"\x04", b"\xff\x01"], ids=["-1", "2", "-128"])
@pytest.mark.parametrize("kind", [{"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["null", "boolean"]])
def test_an_index_out_of_range_is_bad_both_ways(kind, index):
    schema = {"type": "record", "name": "R", "fields": [{"name": "e", "type": kind}]}

    assert [True] == decoded(schema, [index]).bad.tolist()
    with pytest.raises(Malformed, match="index"):
        compile_reader(parse(schema))(index, 0)


def test_a_boolean_of_two_is_bad_both_ways():
    schema = {"type": "record", "name": "R", "fields": [{"name": "b", "type": "boolean"}]}

    assert [False, True] == decoded(schema, [b"\1", b"\2"]).bad.tolist()
    with pytest.raises(Malformed, match="must be 0 or 1, was 2"):
        compile_reader(parse(schema))(b"\2", 0)


def holding(kind):
    return {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        holding({"type": "array", "items": "long"}),
        holding({"type": "map", "values": "long"}),
        holding(["string", "long"]),
        holding([]),
        holding(["null", {"type": "record", "name": "S", "fields": []}]),
        holding({"type": "fixed", "name": "F", "size": 4097}),
        holding("R"),
        holding({"type": "record", "name": "S", "fields": [{"name": "r", "type": "R"}]}),
        holding("nonsense"),
    ],
    ids=str,
)
def test_these_are_read_one_by_one(schema):
    assert not supports(schema)


def test_a_schema_without_a_wanted_field_is_not_supported():
    assert supports(TEXT_AND_LONG, ["t", "n"])
    assert not supports(TEXT_AND_LONG, ["t", "price"])
    assert not supports(holding({"type": "record", "name": "S", "fields": []}), ["f"])


def test_a_cursor_that_could_run_far_ahead_is_not_supported():
    fields = [{"name": f"f{i}", "type": {"type": "fixed", "name": f"F{i}", "size": 4096}} for i in range(16)]
    with pytest.raises(Unsupported, match="its fixed parts may take 65"):
        ColumnDecoder(parse({"type": "record", "name": "R", "fields": fields}), [])


def test_an_optional_fixed_is_skipped_where_it_is():
    schema = holding(["null", {"type": "fixed", "name": "F", "size": 2}])

    assert [False, False, True, True] == decoded(schema, [b"\x00", b"\x02ab", b"\x02a", b"\x00a"]).bad.tolist()


def test_no_records_are_no_trouble():
    assert 0 == len(decoded(TEXT_AND_LONG, []).bad)
