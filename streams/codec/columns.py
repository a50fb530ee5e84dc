"""Avro records of one writer schema as numpy columns: one pass over the fields, all records at once.

The law: a record is good exactly if every byte of it is accounted for. A cursor per record only moves
forward. Whatever is read past a record's end is never believed, because the cursor then no longer
meets that end; the buffer is padded by as much as a cursor can run ahead, so nothing outside is read.
A record marked bad here is not yet refused: the one-record reader decides and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.codec.schema import Node, SchemaError, parse
from streams.codec.varint import WORD, Buffer, Cursor, long_column

#: Longest stretch in bytes that may be read at once from where a text begins.
SPAN_BYTES_MAX = 128
_FIXED_BYTES_MAX = 4096
_ROOM_MAX = 65_536
_VARINT_AHEAD = 10
_TEXT_AHEAD = _VARINT_AHEAD + 64


class Spans(NamedTuple):
    """Where the text of each record lies in the buffer."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]


class Nullable(NamedTuple):
    """A column with holes: zeros where ``present`` is False."""

    values: Any
    present: NDArray[np.bool_]


@dataclass(slots=True)
class Decoded:
    """The wanted columns by field name (arrays, ``Spans`` or ``Nullable``), and which records are bad."""

    buffer: Buffer
    columns: dict[str, Any]
    bad: NDArray[np.bool_]


class Unsupported(ValueError):
    """A writer schema that needs the one-record reader."""


def supports(schema: Any, wanted: Iterable[str] = ()) -> bool:
    """Say whether records of a writer schema can be read as columns, and have the wanted ones."""
    try:
        ColumnDecoder(parse(schema), wanted)
    except (SchemaError, Unsupported):
        return False
    return True


class ColumnDecoder:
    """Reads the wanted fields of one writer schema; everything else is skipped.

    Raises
    ------
    Unsupported
        If the schema has arrays, maps, unions of more than null and one type, records within unions,
        recursion or very long fixed parts, lacks a wanted field, or has a record for it.

    """

    def __init__(self, node: Node, wanted: Iterable[str]) -> None:
        if node.kind != "record":
            msg = f"a record is needed, not {node.kind}"
            raise Unsupported(msg)
        self.wanted = frozenset(wanted)
        self.nodes: Mapping[str, Node] = dict(zip(node.names, node.parts, strict=True))
        lacking = sorted(name for name in self.wanted if name not in self.nodes or self.nodes[name].kind == "record")
        if lacking:
            msg = f"fields {lacking} must be in the schema, and no records"
            raise Unsupported(msg)
        self._fields = list(_flat(node, ()))
        self.room = sum(_ahead(field.node) for field in self._fields) + SPAN_BYTES_MAX + 2 * WORD
        if self.room > _ROOM_MAX:
            msg = f"its fixed parts may take {self.room} bytes"
            raise Unsupported(msg)

    def buffer(self, blob: bytes, room: int = 0) -> Buffer:
        """Return the bytes of a batch, of which the last ``room`` are padding, with as much as this schema needs."""
        return Buffer(blob + bytes(max(0, self.room - room)))

    def decode(self, buffer: Buffer, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Decoded:
        """Return the wanted columns of the records between ``starts`` and ``ends``."""
        cursor = Cursor(buffer, starts, ends, starts > ends)
        columns: dict[str, Any] = {}
        for name, node in self._fields:
            if name in self.wanted:
                columns[name] = _read(node, cursor)
            else:
                _skip(node, cursor)
        cursor.bad |= cursor.at != ends
        return Decoded(buffer, columns, cursor.bad)


class _Field(NamedTuple):
    name: str
    node: Node


def _flat(record: Node, above: tuple[Node, ...]) -> Iterable[_Field]:
    for name, part in zip(record.names, record.parts, strict=True):
        if part.kind != "record":
            yield _Field("" if above else name, part)
        elif part is record or part in above:
            msg = f"record {part.name} holds itself"
            raise Unsupported(msg)
        else:
            yield from _flat(part, (*above, record))


def _ahead(node: Node) -> int:
    # How far a cursor can run past a record's end in this field before it is caught.
    match node.kind:
        case "null":
            return 0
        case "double" | "float":
            return 8
        case "fixed" if node.size <= _FIXED_BYTES_MAX:
            return node.size
        case "boolean" | "int" | "long" | "enum":
            return _VARINT_AHEAD
        case "string" | "bytes":
            return _TEXT_AHEAD
        case "union" if _optional(node):
            return _VARINT_AHEAD + sum(map(_ahead, node.parts))
    msg = f"{node.kind} is read one by one"
    raise Unsupported(msg)


def _optional(node: Node) -> bool:
    others = [part for part in node.parts if part.kind != "null"]
    return len(others) <= 1 and all(part.kind not in ("record", "union") for part in others) and bool(node.parts)


def _skip(node: Node, cursor: Cursor) -> None:
    match node.kind:
        case "double":
            cursor.at = cursor.at + 8
        case "float":
            cursor.at = cursor.at + 4
        case _:
            _read(node, cursor)


def _read(node: Node, cursor: Cursor) -> Any:
    match node.kind:
        case "double":
            return _double(cursor)
        case "string" | "bytes":
            return _text(cursor)
        case "enum":
            return _index(cursor, len(node.symbols))
        case "int" | "long":
            return long_column(cursor) if node.per == 1 else long_column(cursor) // node.per
        case "union":
            return _union(node, cursor)
        case "float":
            return _float(cursor)
        case "boolean":
            return _boolean(cursor)
    cursor.at = cursor.at + node.size  # fixed, and null of size 0
    return None


def _double(cursor: Cursor) -> NDArray[np.float64]:
    at = cursor.at
    cursor.at = at + 8
    return cursor.buffer.words[at].view(np.float64)


def _float(cursor: Cursor) -> NDArray[np.float64]:
    at = cursor.at
    cursor.at = at + 4
    values = cursor.buffer.words[at].astype(np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN may be widened as well
        return values.astype(np.float64)


def _boolean(cursor: Cursor) -> NDArray[np.int64]:
    values = cursor.buffer.octets.take(cursor.at)
    cursor.at = cursor.at + 1
    cursor.bad |= values > 1
    return values.astype(np.int64)


def _index(cursor: Cursor, count: int) -> NDArray[np.int64]:
    first = cursor.buffer.octets.take(cursor.at)
    if not np.count_nonzero(first & 0x81) and not np.count_nonzero(first >= min(2 * count, 128)):
        cursor.at = cursor.at + 1
        return (first >> 1).astype(np.int64)
    index = long_column(cursor)
    wrong = index.view(np.uint64) >= count  # a negative one is huge as an unsigned
    cursor.bad |= wrong
    return np.where(wrong, 0, index)


def _text(cursor: Cursor) -> Spans:
    first = cursor.buffer.octets.take(cursor.at)
    if not np.count_nonzero(first & 0x81):  # one byte each; on few records a third of the time of any()
        length = (first >> 1).astype(np.int64)
        start = cursor.at + 1
        cursor.at = start + length
        return Spans(start, length)
    length = long_column(cursor)
    start = cursor.at
    wrong = (length < 0) | (length > cursor.end - start)
    if np.count_nonzero(wrong):
        length = np.where(wrong, 0, length)
        start = np.where(wrong, cursor.end, start)
        cursor.bad |= wrong
    cursor.at = start + length
    return Spans(start, length)


def _union(node: Node, cursor: Cursor) -> Nullable:
    branch = _index(cursor, len(node.parts))
    kinds = [part.kind for part in node.parts]
    chosen = next((i for i, kind in enumerate(kinds) if kind != "null"), None)
    if chosen is None:
        return Nullable(None, np.zeros(len(branch), np.bool_))
    present = branch == chosen
    if present.all():
        return Nullable(_read(node.parts[chosen], cursor), present)
    indices = present.nonzero()[0]
    some = Cursor(cursor.buffer, cursor.at[indices], cursor.end[indices], cursor.bad[indices])
    values = _read(node.parts[chosen], some)
    at = cursor.at.copy()
    at[indices] = some.at
    cursor.at = at
    cursor.bad[indices] = some.bad
    return Nullable(_spread(values, indices, len(branch)), present)


def _spread(values: Any, indices: NDArray[np.int64], count: int) -> Any:
    if values is None:
        return None
    if isinstance(values, Spans):
        return Spans(_spread(values.start, indices, count), _spread(values.length, indices, count))
    spread = np.zeros(count, values.dtype)
    spread[indices] = values
    return spread
