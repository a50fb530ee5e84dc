import json
import math
from io import BytesIO

import avro.io
import avro.schema
import numpy as np
import pytest

from streams.codec.batch import Refused
from streams.codec.encode import KEY_BYTES_MAX, VALUE_BYTES_MAX, Encoder, dead_letter
from streams.codec.registry import FileRegistry
from streams.codec.values import ValueReader
from streams.core.errors import Reason
from streams.engine.transaction import BATCH_BYTES
from tests.codec.builders import T, batch, funding, liquidation, registry, schema


def encoder(value_format="avro"):
    return Encoder(registry().writers(), value_format)


def letter(schema_id=2, **fields):
    refused = Refused(**{"index": 1, "reason": Reason.WRONG_KEY, "detail": "why"} | fields)
    return dead_letter(batch([b"a", b"\0\xff", None], keys=[b"K", b"\xfe", None], topic="funding"), refused, schema_id)


@pytest.mark.parametrize("value_format", ["avro", "json"])
@pytest.mark.parametrize(("topic", "record"), [("liquidations", liquidation()), ("funding", funding(mark_price=None))])
def test_what_is_written_is_read(topic, record, value_format):
    value = encoder(value_format).encode(topic, record)

    assert record == ValueReader(registry(), value_format).read(value)


def test_the_reference_reader_reads_what_we_write():
    value = encoder().encode("liquidations", liquidation())
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(schema())))

    assert b"\0\0\0\0\1" == value[:5]
    assert liquidation() == reader.read(avro.io.BinaryDecoder(BytesIO(value[5:])))


def test_a_dead_letter_says_what_why_and_where():
    expected = {
        "reason": "wrong_key",
        "detail": "why",
        "topic": "funding",
        "partition": 3,
        "offset": 1002,
        "key": b"\xfe",
        "value": b"\0\xff",
        "schema_id": 2,
        "timestamp": T + 100,
    }

    assert expected == letter()
    assert expected == ValueReader(registry()).read(encoder().encode("dead-letters", letter()))


def test_a_dead_letter_of_a_null_has_nulls():
    found = letter(index=2, schema_id=None)

    assert (None, None, None) == (found["key"], found["value"], found["schema_id"])
    assert found == ValueReader(registry()).read(encoder().encode("dead-letters", found))


def test_a_dead_letter_keeps_so_much_of_its_key_and_value():
    big = batch([bytes(VALUE_BYTES_MAX + 1), b""], keys=[bytes(KEY_BYTES_MAX + 1), bytes(KEY_BYTES_MAX)])
    letters = [dead_letter(big, Refused(index, Reason.UNDECODABLE, "x" * 9_999), None) for index in (0, 1)]

    assert [(4_096, 32_768), (4_096, 0)] == [(len(each["key"]), len(each["value"])) for each in letters]
    assert 1_000 == len(letters[0]["detail"])


@pytest.mark.parametrize(("field", "most"), [("key", KEY_BYTES_MAX), ("value", VALUE_BYTES_MAX)])
def test_the_schema_says_where_they_are_cut(field, most):
    (doc,) = (part["doc"] for part in schema("dead-letters")["fields"] if part["name"] == field)

    assert f"cut at {most // 1024} KiB" in doc


@pytest.mark.parametrize("value_format", ["avro", "json"])
def test_the_largest_dead_letter_fits_into_a_batch(value_format):
    # Every byte of it is six characters in JSON, every character of its sentence too.
    worst = batch([b"\x01" * 10**6], keys=[b"\xff" * 10**6], topic="open-interest")
    letter_ = dead_letter(worst, Refused(0, Reason.UNDECODABLE, "\x01" * 10**6), 2**31 - 1)

    assert len(encoder(value_format).encode("dead-letters", letter_)) < BATCH_BYTES - 1_024


def test_a_detail_that_is_no_utf_8_can_be_written_all_the_same():
    assert letter(detail="was \udcff")["detail"] == "was ?"


def test_bytes_in_json_are_one_character_each():
    assert "\0ÿ" == json.loads(encoder("json").encode("dead-letters", letter()))["value"]


@pytest.mark.parametrize(
    "record",
    [
        {},
        liquidation(extra=1),
        liquidation() | {"price": None},
        liquidation(position_side="UP"),
        liquidation(event_time=2**64),
        liquidation(exchange=5),
        [],
    ],
)
def test_a_record_of_the_wrong_shape_is_our_mistake(record):
    with pytest.raises(ValueError, match="a record for liquidations is not shaped like its schema"):
        encoder().encode("liquidations", record)


def test_json_has_no_numbers_that_are_none():
    with pytest.raises(ValueError, match="JSON"):
        encoder("json").encode("liquidations", liquidation(price=math.nan))


def test_json_has_no_arrays_of_numpy():
    with pytest.raises(TypeError, match="int64 is nothing for the wire"):
        encoder("json").encode("liquidations", liquidation(event_time=np.int64(5)))


def test_a_subject_must_name_a_schema_that_is_there():
    with pytest.raises(ValueError, match=r"subjects name the schema ids \[9\], which are not in the files"):
        FileRegistry({1: "long"}, {"a-value": 1, "b-value": 9})


async def ask(registry):
    await registry.resolve({1, 2})
    return registry.needs(1), registry.schema(1), registry.schema(2)


def test_a_file_registry_has_nothing_to_wait_for():
    waiting = ask(FileRegistry({1: "long"}, {}))
    with pytest.raises(StopIteration) as done:
        waiting.send(None)

    assert (False, "long", None) == done.value.value
