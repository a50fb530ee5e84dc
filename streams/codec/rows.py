"""State rows: what a flush writes to the changelog, and reads back.

Every value begins with the version of its format; a newer one is refused by
name. Keys begin with a letter that says what the row holds:

====  =====================================  =======================================
key   holds                                  written
====  =====================================  =======================================
d     cells of a day                         once, what a flush has added
r     as_of and newest event time            when a window of the instrument changed
i     the number of an instrument            once
h     closed hours of one instrument, day    when an hour closed
s     identities accepted by one flush       once
c     one scope and side's cascade           when it changed
g     growth by exchange (stage 2)           once, what a flush has heard
b     on-time totals by asset (stage 2)      once, what a flush has heard
e     a venue's feed (stage 2)               when anything was heard of it
n     newest minutes of sister streams       when one was told
f, x  crowding, context                      by their own code
====  =====================================  =======================================

Format 1 had ``p``, ``q`` and ``m`` in place of ``d`` and ``g`` (``units.older``).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.core.breadth import AssetCells
from streams.core.cells import LONG_COUNT, LONG_USD, SHORT_COUNT, SHORT_USD, Cells, Lines
from streams.core.events import Instrument

#: Of the newest format that is understood. What has not changed since the first still says 1.
VERSION: Final = 2
COMMIT: Final = b"\x00commit"
OWNER: Final = b"\x00owner"

Ints = NDArray[np.int64]
_V, _V2 = bytes([1]), bytes([2])
_CELL = np.dtype(
    [
        ("second", "<u4"),
        ("row", "<u4"),
        ("band", "<u4"),
        ("long", "<i8"),
        ("short", "<i8"),
        ("longs", "<u4"),
        ("shorts", "<u4"),
        ("largest", "<i8"),
    ]
)
_SINGLE = np.dtype([("second", "<u4"), ("row", "<u4"), ("band", "<u4"), ("usd", "<u8")])
_SINGLE_1 = np.dtype([("second", "<u4"), ("row", "<u4"), ("band", "<u4"), ("usd", "<i8")])
_SUMS = ("long", "short", "longs", "shorts")
_GROWN = np.dtype(
    [
        ("slot", "<u2"),
        ("second", "<u4"),
        ("long", "<i8"),
        ("short", "<i8"),
        ("longs", "<u4"),
        ("shorts", "<u4"),
        ("largest", "<i8"),
    ]
)
_ASSET = np.dtype([("slot", "<u2"), ("second", "<u4"), ("usd", "<i8")])
_LENGTH = struct.Struct("<I")
_TWIN = np.dtype([("identity", "<u8"), ("time", "<i8")])
_PAIR = struct.Struct("<qq")
_MINUTE = struct.Struct(">I")
_NUMBER = struct.Struct(">Q")


class NewerRow(ValueError):
    """A row of a later version of this program: the operator must not run this one on its state."""


def body(value: bytes) -> bytes:
    """Return what follows the version.

    Raises
    ------
    NewerRow
        If a later version wrote the row.

    """
    if value[0] > VERSION:
        msg = f"a state row has format {value[0]}; this version reads up to {VERSION}: run the newer release"
        raise NewerRow(msg)
    return value[1:]


def _is_first(value: bytes) -> bool:
    return value[0] <= _V[0]


@lru_cache(maxsize=65_536)
def _name(instrument: Instrument) -> bytes:
    return "\x1f".join(instrument).encode()


def _instrument(name: bytes) -> Instrument:
    return Instrument(*name.decode().split("\x1f"))


# -------------------------------------------------------------------- panes


def _by_byte(packed: NDArray[np.void]) -> bytes:
    """Return all first bytes, then all second ones, and so on: equal ones together compress in half the time."""
    return packed.view(np.uint8).reshape(len(packed), packed.itemsize).T.tobytes()


def _from_bytes(octets: bytes, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    by_byte = np.frombuffer(octets, np.uint8).reshape(dtype.itemsize, -1)
    found: NDArray[np.void] = np.ascontiguousarray(by_byte.T).view(dtype)[:, 0]
    return found


def entry_key(kind: bytes, number: int) -> bytes:
    """Return the key of an entry: what was written once and is given up as a whole."""
    return kind + _NUMBER.pack(number)


def entry_number(key: bytes) -> int:
    """Return the number of an entry."""
    number: int = _NUMBER.unpack_from(key, 1)[0]
    return number


def cells_row(lines: Lines) -> bytes:
    """Return cells; the more alike those that follow each other are, the less is left of them when compressed.

    Most cells are one liquidation: the lowest bit of its money says its side, and it is the largest itself.
    """
    single = lines.sums[:, LONG_COUNT] + lines.sums[:, SHORT_COUNT] == 1
    ones, more = np.empty(int(single.sum()), _SINGLE), np.empty(int((~single).sum()), _CELL)
    for packed, mine in ((ones, single), (more, ~single)):
        packed["second"], packed["row"], packed["band"] = lines.second[mine], lines.row[mine], lines.band[mine]
    usd = lines.sums[single].astype(np.uint64)
    ones["usd"] = (usd[:, LONG_USD] + usd[:, SHORT_USD]) * np.uint64(2) + usd[:, SHORT_COUNT]
    for at, name in enumerate(_SUMS):
        more[name] = lines.sums[~single, at]
    more["largest"] = lines.largest[~single]
    return _V2 + _LENGTH.pack(len(ones)) + _by_byte(ones) + _by_byte(more)


def parse_cells(value: bytes) -> Lines:
    """Return the cells of such a row, those of single liquidations first."""
    first, value = _is_first(value), body(value)
    end = _LENGTH.size + _LENGTH.unpack_from(value)[0] * _SINGLE.itemsize
    ones = _from_bytes(value[_LENGTH.size : end], _SINGLE_1 if first else _SINGLE)
    more = _from_bytes(value[end:], _CELL)
    sums, usd = np.zeros((len(ones), 4), np.int64), ones["usd"]
    if first:  # the money of a short was told by a negative number
        short = (usd < 0).astype(np.int64)
        largest = np.where(usd < 0, -1 - usd, usd)
    else:
        short, largest = (usd & np.uint64(1)).astype(np.int64), (usd >> np.uint64(1)).astype(np.int64)
    lines = np.arange(len(ones))
    sums[lines, LONG_USD + short], sums[lines, LONG_COUNT + short] = largest, 1
    row, band, second = (np.concatenate((ones[at], more[at])).astype(np.int64) for at in ("row", "band", "second"))
    largest = np.concatenate((largest, more["largest"].astype(np.int64)))
    return Lines(row, band, second, np.concatenate((sums, _sums(more))), largest)


def known_row(instrument: Instrument, row: int) -> tuple[bytes, bytes]:
    """Return the row that says which number an instrument has in those of cells."""
    return b"i" + _name(instrument), _V + _LENGTH.pack(row)


def parse_known(key: bytes, value: bytes) -> tuple[Instrument, int]:
    """Return (instrument, its number) of such a row."""
    return _instrument(key[1:]), _LENGTH.unpack(body(value))[0]


def _sums(packed: NDArray[np.void]) -> Ints:
    return np.stack([packed[name].astype(np.int64) for name in _SUMS], axis=1)


def instrument_row(instrument: Instrument, as_of: int, newest_ms: int) -> tuple[bytes, bytes]:
    """Return the row of an instrument: the second of its last change and its newest event time."""
    return b"r" + _name(instrument), _V + _PAIR.pack(as_of, newest_ms)


def parse_instrument_row(key: bytes, value: bytes) -> tuple[Instrument, int, int]:
    """Return (instrument, as_of, newest_ms) of an instrument's row."""
    return _instrument(key[1:]), *_PAIR.unpack(body(value))


# -------------------------------------------------------------------- hours, identities, cascades


def hours_key(instrument: Instrument, day: int) -> bytes:
    """Return the key of an instrument's closed hours of one day."""
    return b"h" + _MINUTE.pack(day) + _name(instrument)


def parse_hours_key(key: bytes) -> tuple[Instrument, int]:
    """Return (instrument, day) of the key of an hours row."""
    return _instrument(key[5:]), _MINUTE.unpack_from(key, 1)[0]


def hours_row(first_hour: int, hours: Mapping[int, int]) -> bytes:
    """Return the first hour of an instrument and the totals of a day by hour."""
    totals = ", ".join([f'"{hour}": {total}' for hour, total in hours.items()])
    return _V + f"[{first_hour}, {{{totals}}}]".encode()


def parse_hours(value: bytes) -> tuple[int, dict[int, int]]:
    """Return (first hour, totals by hour) of an hours row."""
    first, hours = json.loads(body(value))
    return first, {int(hour): total for hour, total in hours.items()}


def identities_row(number: int, identity: NDArray[np.uint64], time_ms: Ints) -> tuple[bytes, bytes]:
    """Return the row of the identities that flush ``number`` accepted, with their event times.

    They stand in order of time, each by how long after the one before it, which is less to keep than when.
    """
    order = time_ms.argsort(kind="stable")
    packed = np.empty(len(identity), _TWIN)
    packed["identity"], packed["time"] = identity[order], np.diff(time_ms[order], prepend=0)
    return entry_key(b"s", number), _V2 + _by_byte(packed)


def parse_identities(key: bytes, value: bytes) -> tuple[int, NDArray[np.uint64], Ints]:
    """Return (number, identities, event times) of an identities row."""
    packed = _from_bytes(body(value), _TWIN)
    time_ms = packed["time"].astype(np.int64)
    return entry_number(key), packed["identity"].astype(np.uint64), time_ms if _is_first(value) else time_ms.cumsum()


def cascade_key(scope: str, key: str, side: int) -> bytes:
    """Return the key of the state of one scope and side."""
    return f"c{scope}|{side}|{key}".encode()


def parse_cascade_key(key: bytes) -> tuple[str, str, int]:
    """Return (scope, key, side) of the key of a cascade's row; the key may hold a bar itself."""
    scope, side, name = key[1:].decode().split("|", 2)
    return scope, name, int(side)


def feed_row(exchange: str, content: Mapping[str, Any] | None) -> tuple[bytes, bytes | None]:
    """Return the row of a venue's feed; None deletes it."""
    return b"e" + exchange.encode(), None if content is None else json_row(content)


def json_row(content: Any) -> bytes:
    """Return plain JSON as a row's value."""
    return _V + _json(content)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def commit_row(content: Any) -> tuple[bytes, bytes]:
    """Return the row that says where a unit stands: by its version, a program before this one knows to keep off."""
    return COMMIT, _V2 + _json(content)


def parse_json(value: bytes) -> Any:
    """Return what ``json_row`` was given."""
    return json.loads(body(value))


# -------------------------------------------------------------------- growth and assets (pane-snapshots, stage 2)


def growth_row(exchanges: list[str], cells: Cells) -> bytes:
    """Return cells by exchange and second: names as JSON, then one ``_GROWN`` each."""
    packed = np.empty(len(cells.second), _GROWN)
    packed["slot"], packed["second"], packed["largest"] = cells.slot, cells.second, cells.largest
    for at, name in enumerate(_SUMS):
        packed[name] = cells.sums[:, at]
    return _named(exchanges, packed)


def parse_growth(value: bytes) -> tuple[list[str], Cells]:
    """Return what ``growth_row`` was given."""
    names, packed = _parse_named(value, _GROWN)
    slot, second, largest = (packed[name].astype(np.int64) for name in ("slot", "second", "largest"))
    return names, Cells(slot, second, _sums(packed), largest)


def assets_row(assets: Sequence[str], cells: AssetCells) -> bytes:
    """Return on-time totals by asset: the names that occur as JSON, then one ``_ASSET`` each.

    Names are numbered anew, so that a row names only what is in it.
    """
    used, number = np.unique(cells.slot >> 1, return_inverse=True)
    packed = np.empty(len(cells.second), _ASSET)
    packed["slot"], packed["second"], packed["usd"] = number * 2 + cells.slot % 2, cells.second, cells.usd
    return _named([assets[at] for at in used.tolist()], packed)


def parse_assets(value: bytes) -> tuple[list[str], AssetCells]:
    """Return (names, cells) of such a row."""
    names, packed = _parse_named(value, _ASSET)
    return names, AssetCells(*(packed[name].astype(np.int64) for name in ("slot", "second", "usd")))


def _named(names: list[str], packed: NDArray[Any]) -> bytes:
    head = _json(names)
    return _V + _LENGTH.pack(len(head)) + head + _by_byte(packed)


def _parse_named(value: bytes, kind: np.dtype[Any]) -> tuple[list[str], NDArray[Any]]:
    value = body(value)
    end = _LENGTH.size + _LENGTH.unpack_from(value)[0]
    return json.loads(value[_LENGTH.size : end]), _from_bytes(value[end:], kind)


def watermark_row(clock_ms: int | None, partitions: int) -> bytes:
    """Return the value of a watermark: a source partition's clock, and how many partitions there are."""
    return json_row([clock_ms, partitions])
