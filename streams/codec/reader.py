"""One Avro value at a time, strictly: every byte accounted for, every index in range.

fastavro, fine for trusted files, takes an enum or union index of -1 as "the last one" and lets a
varint of twenty bytes wrap around; a record that came over the wire must not be guessed at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from streams.codec.schema import Node, SchemaError

Reader = Callable[[bytes, int], tuple[Any, int]]

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_VARINT_BYTES_MAX = 10
_LONG_BITS = 64


class Malformed(ValueError):
    """Bytes that the writer's schema cannot have written."""


def compile_reader(node: Node) -> Callable[[bytes, int], Any]:
    """Return ``read(data, at)``: the value from ``at`` to the very end of ``data``.

    Raises (from the returned function)
    -----------------------------------
    Malformed
        If the bytes are not exactly one value of the schema.

    Raises
    ------
    SchemaError
        If the schema could make a small value large.

    """
    read = _Compiler().reader(node)

    def whole(data: bytes, at: int) -> Any:
        try:
            value, end = read(data, at)
        except (IndexError, struct.error) as error:
            msg = "it ends early"
            raise Malformed(msg) from error
        except RecursionError as error:
            msg = "it is nested too deeply"
            raise Malformed(msg) from error
        if end != len(data):
            msg = f"{len(data) - end} bytes are left over"
            raise Malformed(msg)
        return value

    return whole


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """Return a zigzag number and where it ends; ``IndexError`` where the bytes do, ``Malformed`` beyond 64 bits."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    raw, shift, first = byte & 0x7F, 7, at
    while byte >= 0x80:
        byte = data[at]
        at += 1
        raw |= (byte & 0x7F) << shift
        shift += 7
        if at - first >= _VARINT_BYTES_MAX:
            break
    if byte >= 0x80 or raw >> _LONG_BITS:
        msg = "a whole number has more than 64 bits"
        raise Malformed(msg)
    return (raw >> 1) ^ -(raw & 1), at


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = read_long(data, at)
    end = at + length
    if length < 0 or end > len(data):
        msg = f"a text claims {length} bytes where {len(data) - at} are left"
        raise Malformed(msg)
    return data[at:end], end


def _string(data: bytes, at: int) -> tuple[str, int]:
    raw, at = _bytes(data, at)
    # Not refused here: what nobody reads may be what it likes. Whoever reads the field checks it.
    return raw.decode("utf-8", "surrogateescape"), at


def _double(data: bytes, at: int) -> tuple[float, int]:
    return _DOUBLE.unpack_from(data, at)[0], at + 8


def _float(data: bytes, at: int) -> tuple[float, int]:
    return _FLOAT.unpack_from(data, at)[0], at + 4


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    byte = data[at]
    if byte > 1:
        msg = f"a boolean must be 0 or 1, was {byte}"
        raise Malformed(msg)
    return byte == 1, at + 1


def _null(data: bytes, at: int) -> tuple[None, int]:  # noqa: ARG001  # one signature for all readers
    return None, at


_PRIMITIVE: dict[str, Reader] = {
    "null": _null,
    "boolean": _boolean,
    "int": read_long,
    "long": read_long,
    "float": _float,
    "double": _double,
    "bytes": _bytes,
    "string": _string,
}


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[int, Reader] = {}

    def reader(self, node: Node) -> Reader:
        if node.per > 1:
            return _coarser(node.per)
        if node.kind in _PRIMITIVE:
            return _PRIMITIVE[node.kind]
        make: dict[str, Callable[[Node], Reader]] = {
            "record": self._record,
            "union": self._union,
            "enum": _enum,
            "fixed": _fixed,
            "array": self._array,
            "map": self._map,
        }
        return make[node.kind](node)

    def _record(self, node: Node) -> Reader:
        known = self._records.get(id(node))
        if known is not None:
            return known
        fields: list[tuple[str, Reader]] = []

        def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
            record = {}
            for name, part in fields:
                record[name], at = part(data, at)
            return record, at

        self._records[id(node)] = read
        fields.extend(zip(node.names, map(self.reader, node.parts), strict=True))
        return read

    def _union(self, node: Node) -> Reader:
        branches = [self.reader(part) for part in node.parts]

        def read(data: bytes, at: int) -> tuple[Any, int]:
            index, at = read_long(data, at)
            return branches[_in_range(index, len(branches), "union")](data, at)

        return read

    def _array(self, node: Node) -> Reader:
        if _takes_no_bytes(node.parts[0]):
            # A few bytes could claim items by the billion; those of a map have keys.
            msg = "array of items that take no bytes"
            raise SchemaError(msg)
        item = self.reader(node.parts[0])

        def read(data: bytes, at: int) -> tuple[list[Any], int]:
            values = []
            count, at = _block(data, at)
            while count:
                for _ in range(count):
                    value, at = item(data, at)
                    values.append(value)
                count, at = _block(data, at)
            return values, at

        return read

    def _map(self, node: Node) -> Reader:
        item = self.reader(node.parts[0])

        def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
            values = {}
            count, at = _block(data, at)
            while count:
                for _ in range(count):
                    key, at = _string(data, at)
                    values[key], at = item(data, at)
                count, at = _block(data, at)
            return values, at

        return read


def _takes_no_bytes(node: Node, above: tuple[Node, ...] = ()) -> bool:
    if node.kind == "record":
        return node in above or all(_takes_no_bytes(part, (*above, node)) for part in node.parts)
    return node.kind == "null" or (node.kind == "fixed" and node.size == 0)


def _block(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_long(data, at)
    if count < 0:
        count = -count
        _, at = read_long(data, at)
    if count > len(data) - at:
        msg = f"a list claims {count} items where {len(data) - at} bytes are left"
        raise Malformed(msg)
    return count, at


def _in_range(index: int, count: int, kind: str) -> int:
    if not 0 <= index < count:
        msg = f"index {index} of {kind} must be 0 to {count - 1}"
        raise Malformed(msg)
    return index


def _enum(node: Node) -> Reader:
    symbols = node.symbols

    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = read_long(data, at)
        return symbols[_in_range(index, len(symbols), "enum")], at

    return read


def _coarser(per: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[int, int]:
        value, at = read_long(data, at)
        return value // per, at

    return read


def _fixed(node: Node) -> Reader:
    size = node.size

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        if at + size > len(data):
            msg = "it ends early"
            raise Malformed(msg)
        return data[at : at + size], at + size

    return read
