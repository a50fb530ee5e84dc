"""Rows as the first format had them, written field by field: the program no longer does."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

_ONE, _MORE = struct.Struct("<IIIq"), struct.Struct("<IIIqqIIq")


def cells_row(lines: Iterable[tuple[int, int, int, tuple[int, int, int, int], int]]) -> bytes:
    """Return the value of a row of cells: (row, band, second, (long, short, longs, shorts), largest) each."""
    ones, more = [], []
    for row, band, second, (long, short, longs, shorts), largest in lines:
        if longs + shorts == 1:
            ones.append(_ONE.pack(second, row, band, long if longs else -1 - short))
        else:
            more.append(_MORE.pack(second, row, band, long, short, longs, shorts, largest))
    return b"\x01" + struct.pack("<I", len(ones)) + _by_byte(ones) + _by_byte(more)


def _by_byte(packed: list[bytes]) -> bytes:
    return b"".join(bytes(column) for column in zip(*packed, strict=True))


def lines_of(found: Any) -> list[tuple[int, int, int, tuple[int, int, int, int], int]]:
    """Return ``Lines`` as such tuples."""
    return [
        (row, band, second, tuple(sums), largest)
        for row, band, second, sums, largest in zip(*(column.tolist() for column in found), strict=True)
    ]
