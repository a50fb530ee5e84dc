"""From bytes that a fuzzer makes to batches as a broker would hand them over."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from streams.codec.batch import RecordBatch
from streams.codec.registry import FileRegistry
from tests.codec import builders
from tests.codec.builders import T, avro, plain, schema

ASSETS = (b"BTC", b"SOL", b"ETH")
KINDS = ("liquidations", "funding", "open-interest", "quotes", "exchange-flows")
STAMPS = (T + 100, T, T - 86_400_000, 0, -1, 2**63 - 1, -(2**63), T + 10**11)


def _fields(*, change):
    turned = plain(schema())
    turned["fields"] = change(turned["fields"])
    return turned


def _with_extras(fields):
    """Everything that columns can skip, and some of what they read as optional."""
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "float"}]}
    extras = [
        ("a", "boolean"), ("b", {"type": "fixed", "name": "F", "size": 3}), ("c", ["null", "bytes"]),
        ("d", inner), ("e", "null"), ("f", ["string"]),
        ("g", ["null", {"type": "enum", "name": "E", "symbols": ["S"]}]),
    ]  # fmt: skip
    optional = [{**field, "type": ["null", field["type"]]} for field in fields]
    return [*({"name": name, "type": kind} for name, kind in extras), *optional]


def deep(depth):
    """A union in a record in a union, ``depth`` times: short bytes, long way down."""
    kind = "string"
    for level in range(depth):
        record = {"type": "record", "name": f"D{level}", "fields": [{"name": "x", "type": kind}]}
        kind = ["null", record, "long"]
    return kind


def _with_lists(fields):
    """What is read one by one: lists, maps, a record that holds itself."""
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    extras = [
        ("a", {"type": "array", "items": "string"}), ("c", node), ("d", deep(40)),
        ("b", {"type": "map", "values": {"type": "array", "items": "int"}}),
    ]  # fmt: skip
    return [*({"name": name, "type": kind} for name, kind in extras), *fields]


def _with_texts(fields):
    """Enums as texts of any length."""
    return [field if field["name"] not in {"price_kind", "position_side"} else {**field, "type": "string"}
            for field in fields]  # fmt: skip


#: Writer schemas of ``liquidations`` by id: as released, turned round, with optional parts, with lists, with texts.
WRITERS = {
    1: plain(schema()),
    60: _fields(change=lambda fields: list(reversed(fields))),
    61: _fields(change=_with_extras),
    62: _fields(change=_with_lists),
    63: _fields(change=_with_texts),
}


def registry() -> FileRegistry:
    return builders.registry(**{f"id{number}": writer for number, writer in WRITERS.items() if number != 1})


class Frame(NamedTuple):
    """One record as the fuzzer has it."""

    topic: str
    key: bytes | None
    value: bytes | None
    stamp: int


def frames(data: bytes, most: int = 12) -> list[Frame]:
    """Cut bytes into records: kind, key, stamp and length in four bytes, then the value."""
    found, at = [], 0
    while at + 4 <= len(data) and len(found) < most:
        kind, key, stamp, size = data[at : at + 4]
        value = data[at + 4 : at + 4 + size]
        at += 4 + size
        keys = (*ASSETS, None, b"", value[:8])
        found.append(Frame(KINDS[kind % 5], keys[key % 6], None if kind >= 250 else value, STAMPS[stamp % 8]))
    return found


def framed(topic: str, value: bytes, *, key: int = 0, stamp: int = 0) -> bytes:
    """Return what ``frames`` reads as one record; what is longer than a frame is cut."""
    body = value[:255]
    return bytes([KINDS.index(topic), key, stamp, len(body)]) + body


def batch(topic, values, keys, stamps, first=0) -> RecordBatch:
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return RecordBatch(topic, 0, offsets, keys, values, np.array(stamps, np.int64), log_append_time=True)


def records(topic: str) -> list[dict[str, object]]:
    """Return sound records, and some at the edges."""
    make = {
        "liquidations": builders.liquidation, "funding": builders.funding, "open-interest": builders.open_interest,
        "quotes": builders.quote, "exchange-flows": builders.exchange_flow,
    }[topic]  # fmt: skip
    edges = [{}, {"exchange": "okx", "asset": "é"}, {"event_time": T - 90_000_000}, {"event_time": 4_102_444_799_999}]
    if topic == "liquidations":
        edges += [{"price": 5e-324}, {"price": math.nan}, {"notional_usd": math.inf}, {"position_side": "SHORT"}]
    return [make(**edge) for edge in edges]


def optional(record: dict[str, object]) -> dict[str, object]:
    """Return a record with what ``WRITERS[61]`` has more."""
    return {"a": True, "b": b"abc", "c": b"x", "d": {"x": 1.5}, "e": None, "f": "y", "g": "S", **record}


def listed(record: dict[str, object]) -> dict[str, object]:
    """Return a record with what ``WRITERS[62]`` has more."""
    return {"a": ["x"], "b": {"k": [1, 2]}, "c": {"next": {"next": None}}, "d": None, **record}


def written(number: int, record: dict[str, object]) -> bytes:
    """Return a liquidation as one of ``WRITERS`` puts it."""
    more = {61: optional, 62: listed}.get(number, dict)
    return avro(more(record), writer=WRITERS[number], schema_id=number)
