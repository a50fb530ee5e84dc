"""State rows: what a flush writes to the changelog, and reads back.

Every value begins with the version of its format; a newer one is refused by
name. Keys begin with a letter that says what the row holds:

====  =====================================  =======================================
key   holds                                  written
====  =====================================  =======================================
p     cells of one instrument and minute     when the minute changed
r     as_of and newest event time            when a window of the instrument changed
i     nothing: the instrument is known       once
o     on-time seconds of exchange, minute    when they changed
h     closed hours of one instrument, day    when an hour closed
s     identities accepted by one flush       once
c     one scope and side's cascade           when it changed
m     a market minute (stage 2)              when it changed
e     a venue's feed (stage 2)               when anything was heard of it
f, x  crowding, context                      by their own code
====  =====================================  =======================================
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import Lines
from streams.core.events import Instrument
from streams.core.minutes import Snapshot
from streams.core.ontime import Seconds

VERSION: Final = 1
COMMIT: Final = b"\x00commit"
OWNER: Final = b"\x00owner"

Ints = NDArray[np.int64]
_V = bytes([VERSION])
_CELL = np.dtype(
    [
        ("second", "u1"),
        ("band", "<u4"),
        ("long", "<i8"),
        ("short", "<i8"),
        ("longs", "<u4"),
        ("shorts", "<u4"),
        ("largest", "<i8"),
    ]
)
_LINE = struct.Struct("<BqqIIq")
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


def _name(instrument: Instrument) -> bytes:
    return "\x1f".join(instrument).encode()


def _instrument(name: bytes) -> Instrument:
    return Instrument(*name.decode().split("\x1f"))


# -------------------------------------------------------------------- panes


def pane_key(minute: int, instrument: Instrument) -> bytes:
    """Return the key of an instrument's minute."""
    return b"p" + _MINUTE.pack(minute) + _name(instrument)


def parse_pane_key(key: bytes) -> tuple[int, Instrument]:
    """Return (minute, instrument) of the key of a pane row."""
    return _MINUTE.unpack_from(key, 1)[0], _instrument(key[5:])


def pane_rows(lines: Lines, whole: bool) -> dict[int, bytes]:
    """Return the value of each row's cells; all lines are of one minute, ``whole`` if only its total is known."""
    order = np.argsort(lines.row, kind="stable")
    packed = np.empty(len(order), _CELL)
    packed["second"] = lines.second[order] % 60
    packed["band"] = lines.band[order]
    for at, name in enumerate(("long", "short", "longs", "shorts")):
        packed[name] = lines.sums[order, at]
    packed["largest"] = lines.largest[order]
    rows = lines.row[order]
    first = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    blob, size = packed.tobytes(), _CELL.itemsize
    head = _V + bytes([whole])
    ends = [*first[1:].tolist(), len(rows)]
    return {
        row: head + blob[start * size : end * size]
        for row, start, end in zip(rows[first].tolist(), first.tolist(), ends, strict=True)
    }


def parse_pane(value: bytes) -> tuple[Ints, Ints, Ints, Ints]:
    """Return (second of the minute, band, sums, largest) of the cells of a pane row."""
    cells = np.frombuffer(body(value)[1:], _CELL)
    sums = np.stack([cells[name].astype(np.int64) for name in ("long", "short", "longs", "shorts")], axis=1)
    return cells["second"].astype(np.int64), cells["band"].astype(np.int64), sums, cells["largest"].astype(np.int64)


def known_row(instrument: Instrument) -> tuple[bytes, bytes]:
    """Return the row that says no more than that an instrument is known."""
    return b"i" + _name(instrument), _V


def parse_known_key(key: bytes) -> Instrument:
    """Return the instrument of the key of such a row."""
    return _instrument(key[1:])


def instrument_row(instrument: Instrument, as_of: int, newest_ms: int) -> tuple[bytes, bytes]:
    """Return the row of an instrument: the second of its last change and its newest event time."""
    return b"r" + _name(instrument), _V + _PAIR.pack(as_of, newest_ms)


def parse_instrument_row(key: bytes, value: bytes) -> tuple[Instrument, int, int]:
    """Return (instrument, as_of, newest_ms) of an instrument's row."""
    return _instrument(key[1:]), *_PAIR.unpack(body(value))


# -------------------------------------------------------------------- on time, hours, identities, cascades


def lines_of(seconds: Seconds) -> bytes:
    """Return the seconds of a minute as bytes, in order."""
    return b"".join(_LINE.pack(second, *line) for second, line in sorted(seconds.items()))


def parse_lines(value: bytes) -> Seconds:
    """Return what ``lines_of`` was given."""
    return {second: line for second, *line in _LINE.iter_unpack(value)}


def on_time_key(exchange: str, minute: int) -> bytes:
    """Return the key of the on-time seconds of an exchange's minute."""
    return b"o" + _MINUTE.pack(minute) + exchange.encode()


def parse_on_time_key(key: bytes) -> tuple[str, int]:
    """Return (exchange, minute) of the key of an on-time row."""
    return key[5:].decode(), _MINUTE.unpack_from(key, 1)[0]


def on_time_row(seconds: Seconds) -> bytes:
    """Return on-time seconds as a row's value."""
    return _V + lines_of(seconds)


def parse_on_time(value: bytes) -> Seconds:
    """Return the on-time seconds of a row's value."""
    return parse_lines(body(value))


def hours_key(instrument: Instrument, day: int) -> bytes:
    """Return the key of an instrument's closed hours of one day."""
    return b"h" + _MINUTE.pack(day) + _name(instrument)


def parse_hours_key(key: bytes) -> tuple[Instrument, int]:
    """Return (instrument, day) of the key of an hours row."""
    return _instrument(key[5:]), _MINUTE.unpack_from(key, 1)[0]


def hours_row(first_hour: int, hours: Mapping[int, int]) -> bytes:
    """Return the first hour of an instrument and the totals of a day by hour."""
    return _V + json.dumps([first_hour, {str(hour): total for hour, total in hours.items()}]).encode()


def parse_hours(value: bytes) -> tuple[int, dict[int, int]]:
    """Return (first hour, totals by hour) of an hours row."""
    first, hours = json.loads(body(value))
    return first, {int(hour): total for hour, total in hours.items()}


def identities_row(number: int, identity: NDArray[np.uint64], time_ms: Ints) -> tuple[bytes, bytes]:
    """Return the row of the identities that flush ``number`` accepted, with their event times."""
    packed = np.empty(len(identity), _TWIN)
    packed["identity"], packed["time"] = identity, time_ms
    return b"s" + _NUMBER.pack(number), _V + packed.tobytes()


def parse_identities(key: bytes, value: bytes) -> tuple[int, NDArray[np.uint64], Ints]:
    """Return (number, identities, event times) of an identities row."""
    packed = np.frombuffer(body(value), _TWIN)
    return _NUMBER.unpack_from(key, 1)[0], packed["identity"].astype(np.uint64), packed["time"].astype(np.int64)


def cascade_key(scope: str, key: str, side: int) -> bytes:
    """Return the key of the state of one scope and side."""
    return f"c{scope}|{side}|{key}".encode()


def parse_cascade_key(key: bytes) -> tuple[str, str, int]:
    """Return (scope, key, side) of the key of a cascade's row; the key may hold a bar itself."""
    scope, side, name = key[1:].decode().split("|", 2)
    return scope, name, int(side)


def feed_row(exchange: str, content: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the row of a venue's feed."""
    return b"e" + exchange.encode(), json_row(content)


def json_row(content: Any) -> bytes:
    """Return plain JSON as a row's value."""
    return _V + json.dumps(content, separators=(",", ":")).encode()


def parse_json(value: bytes) -> Any:
    """Return what ``json_row`` was given."""
    return json.loads(body(value))


# -------------------------------------------------------------------- snapshots (pane-snapshots and market rows)


def snapshot_key(partition: int, exchange: str, minute: int) -> bytes:
    """Return the key of a (source partition, exchange) minute."""
    return b"m" + struct.pack(">II", partition, minute) + exchange.encode()


def snapshot_row(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes: lengths, lines, on-time lines, assets as JSON."""
    seconds = lines_of(snapshot.seconds)
    on_time = b"" if snapshot.on_time is None else lines_of(snapshot.on_time)
    head = struct.pack("<?II", snapshot.on_time is not None, len(seconds), len(on_time))
    return _V + head + seconds + on_time + json.dumps(snapshot.assets, separators=(",", ":")).encode()


def parse_snapshot(key: bytes, value: bytes) -> Snapshot:
    """Return the snapshot of a row."""
    partition, minute = struct.unpack_from(">II", key, 1)
    value = body(value)
    timely, seconds, on_time = struct.unpack_from("<?II", value)
    at = struct.calcsize("<?II")
    lines, later = value[at : at + seconds], value[at + seconds : at + seconds + on_time]
    assets = {asset: (long, short) for asset, (long, short) in json.loads(value[at + seconds + on_time :]).items()}
    return Snapshot(
        partition, key[9:].decode(), minute, parse_lines(lines), parse_lines(later) if timely else None, assets
    )


def watermark_row(clock_ms: int | None, partitions: int) -> bytes:
    """Return the value of a watermark: a source partition's clock, and how many partitions there are."""
    return json_row([clock_ms, partitions])
