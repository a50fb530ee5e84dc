"""What must hold whatever bytes come in: each target takes them and fails where it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple
from unittest.mock import patch

import avro.io
import avro.schema
import fastavro

from streams.codec import liquidations, wire
from streams.codec.batch import Refused
from streams.codec.encode import VALUE_BYTES_MAX, dead_letter
from streams.codec.liquidations import LiquidationDecoder
from streams.codec.reader import Malformed, compile_reader
from streams.codec.records import RecordDecoder
from streams.codec.schema import parse
from streams.core.errors import InvalidEvent, Reason
from streams.engine.transaction import BATCH_BYTES
from tests.fuzz.inputs import KINDS, STAMPS, WRITERS, batch, deep, registry, written
from tests.fuzz.inputs import records as sound
from tests.simulation.records import encoder

IDS = sorted(WRITERS)
#: A dead letter in its longest form has to fit into a batch of the producer, with room for its header.
LETTER_BYTES_MAX = BATCH_BYTES - 1024


@cache
def decoder() -> LiquidationDecoder:
    return LiquidationDecoder(registry())


@cache
def good(number: int) -> bytes:
    return written(number, sound("liquidations")[0])


def rows(columns: Any) -> list[tuple[Any, ...]]:
    lists = (columns.side, columns.price, columns.notional, columns.event_time_ms, columns.identity)
    found = zip(columns.instrument.tolist(), *(column.tolist() for column in lists), strict=True)
    return [(columns.instruments[code], *rest) for code, *rest in found]


def columns(data: bytes) -> None:
    """One record between good ones is judged as it is alone, and harms neither."""
    if len(data) < 2:
        return
    number, how, body = IDS[data[0] % len(IDS)], data[1], data[2:]
    value = body if how & 1 else wire.header(number) + body
    key = (b"BTC", b"ETH", None, body[:4])[how >> 1 & 3]
    stamp = STAMPS[how >> 3 & 7]
    alone, refused = decoder().decode(batch("liquidations", [value], [key], [stamp]))
    # Not sixteen neighbours but two, so that a fuzzer has time for more.
    with patch.object(liquidations, "COLUMNS_COUNT_MIN", 2):
        values, keys, stamps = [good(number), value, good(number)], [b"BTC", key, b"BTC"], [STAMPS[0], stamp, STAMPS[0]]
        together, lost = decoder().decode(batch("liquidations", values, keys, stamps))

    assert [each._replace(index=1) for each in refused] == lost
    assert 1 == len(alone) + len(refused)
    assert 2 + len(alone) == len(together)
    if len(alone):
        assert rows(alone)[0] == rows(together)[1]
    for each in refused:
        letter(value, key, stamp, each)


def letter(value: bytes | None, key: bytes | None, stamp: int, refused: Refused) -> None:
    """A refused record is a dead letter with its bytes, and never too large to be written."""
    alone_ = batch("liquidations", [value], [key], [stamp])
    record = dead_letter(alone_, refused._replace(index=0), wire.schema_id(value))
    written_ = encoder().encode("dead-letters", record)
    assert len(written_) < LETTER_BYTES_MAX, len(written_)
    assert record["value"] == (value if value is None else value[:VALUE_BYTES_MAX])
    assert len(record["detail"]) < 600, len(record["detail"])


class Shape(NamedTuple):
    """One schema as the three readers want it."""

    ours: Callable[[bytes, int], Any]
    fastavro: Any
    reference: Any


@cache
def shape(number: int) -> Shape:
    schema = SHAPES[number]
    parsed = avro.schema.parse(json.dumps(schema))
    return Shape(compile_reader(parse(schema)), fastavro.parse_schema(schema), avro.io.DatumReader(parsed))


def by_fastavro(number: int, body: bytes) -> Any:
    """Return fastavro's reading, of texts in any bytes; None where it fails or leaves some over."""
    source = BytesIO(body)
    try:
        value = fastavro.schemaless_reader(
            source, shape(number).fastavro, None, handle_unicode_errors="surrogateescape"
        )
    except Exception:  # noqa: BLE001 - whatever it says: it is not ours to judge
        return None
    return value if source.tell() == len(body) else None


def again(number: int, value: Any) -> bytes | None:
    """Return what fastavro writes for a value."""
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, shape(number).fastavro, value)
    except Exception:  # noqa: BLE001 - the same
        return None
    return out.getvalue()


def same(ours: Any, theirs: Any) -> bool:
    """Equal, NaN included."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs) or (ours != ours and theirs != theirs)  # noqa: PLR0124 - NaN


#: Schemas that columns never see: each shape on its own.
SHAPES: list[Any] = [
    "long", "string", "bytes", "double", "float", "boolean", "int",
    ["null", "string", "long", {"type": "map", "values": "double"}],
    {"type": "array", "items": ["null", "bytes", {"type": "array", "items": "long"}]},
    {"type": "map", "values": {"type": "map", "values": "string"}},
    {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]},
    {"type": "fixed", "name": "F", "size": 7},
    {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": ["R", "null"]}},
                                               {"name": "m", "type": ["null", {"type": "map", "values": "R"}]}]},
    deep(60), *WRITERS.values(),
]  # fmt: skip


def reader(data: bytes) -> None:
    """Any bytes under any shape of schema are one value or ``Malformed``, as the libraries have it.

    What we read, fastavro and the reference read the same; what fastavro writes back the same, we read.
    """
    if not data:
        return
    number, body = data[0] % len(SHAPES), data[1:]
    try:
        ours = shape(number).ours(body, 0)
    except Malformed:
        theirs = by_fastavro(number, body)
        assert theirs is None or body != again(number, theirs), theirs
        return
    theirs = by_fastavro(number, body)
    assert same(ours, theirs), (ours, theirs)
    with suppress(UnicodeDecodeError):  # where nobody reads a text, it may be what it likes
        theirs = shape(number).reference.read(avro.io.BinaryDecoder(BytesIO(body)))
        assert same(ours, theirs), (ours, theirs)


@cache
def json_decoders() -> dict[str, Any]:
    found: dict[str, Any] = {kind: RecordDecoder(kind, registry(), value_format="json") for kind in KINDS[1:]}
    return {**found, "liquidations": LiquidationDecoder(registry(), value_format="json")}


def as_json(data: bytes) -> None:
    """Any text is a record of its topic or a dead letter."""
    if not data:
        return
    topic, value = KINDS[data[0] % 5], data[1:]
    given = batch(topic, [value], [b"BTC"], [STAMPS[0]])
    found, refused = json_decoders()[topic].decode(given)

    assert 1 == len(found) + len(refused)
    for each in refused:
        letter(value, b"BTC", STAMPS[0], each)
        assert each.reason in Reason


def alone(topic: str, value: bytes, key: bytes | None = b"BTC") -> InvalidEvent | None:
    """Return why a record is refused, for tests."""
    chosen = decoder() if topic == "liquidations" else RecordDecoder(topic, registry())
    _, refused = chosen.decode(batch(topic, [value], [key], [STAMPS[0]]))
    return InvalidEvent(refused[0].reason, refused[0].detail) if refused else None
