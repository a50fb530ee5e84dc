"""State rows of crowding: the rate in force, one series, one block of days, each in a row of its own.

A rate every second rewrites its instrument's rate row, about 100 bytes; a series row changes with the hour and a
block with the day. A key is ``f|``, the kind, ``|`` and a JSON array that begins with the block's number where there
is one and ends with exchange, symbol and asset, or with the asset alone. A value is the version and a JSON array.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from streams.core.crowding_asset import Identity, RateInForce
from streams.core.crowding_series import History, Running, Series
from streams.core.events import PositionSide

PREFIX = b"f|"
VERSION = b"\x01"
#: Of rates; before, an open interest of 0 was also one that was not given.
RATE_VERSION = b"\x02"


class Key(NamedTuple):
    """What a row key says: its kind (``r`` rate, ``s`` series, ``d`` days), whose it is, which block."""

    kind: str
    identity: Identity
    block: int | None = None

    def encode(self) -> bytes:
        """Return the bytes of the key.

        Examples
        --------
        >>> Key("d", ("binance", "BTCUSDT", "BTC"), 616).encode()
        b'f|d|[616,"binance","BTCUSDT","BTC"]'
        >>> Key.decode(b'f|s|["BTC"]')
        Key(kind='s', identity=('BTC',), block=None)

        """
        parts = self.identity if self.block is None else (self.block, *self.identity)
        return PREFIX + f"{self.kind}|{_dump(parts)}".encode()

    @classmethod
    def decode(cls, key: bytes) -> Key:
        """Read a key back."""
        kind, _, rest = key.removeprefix(PREFIX).decode().partition("|")
        parts = json.loads(rest)
        return cls(kind, tuple(parts[1:]), parts[0]) if kind == "d" else cls(kind, tuple(parts))


def encode(state: RateInForce | Series | list[int | None] | None) -> bytes | None:
    """Return the row of a rate in force, a series or a block of days; None stays None, which deletes."""
    match state:
        case RateInForce():
            return encode_rate(state)
        case Series():
            return encode_series(state)
        case None:
            return None
    return _row(state)


def encode_rate(rate: RateInForce) -> bytes:
    """Return the row of a rate."""
    return _row(
        [
            rate.event_time_ms,
            rate.valid_until_ms,
            rate.annualised,
            rate.weight,
            rate.since_ms,
            rate.total,
            rate.covered_ms,
        ],
        RATE_VERSION,
    )


def decode_rate(value: bytes) -> RateInForce:
    """Read a rate in force back."""
    rate = RateInForce(*_columns(value, RATE_VERSION))
    if value[:1] == VERSION:
        rate.weight = rate.weight or None
    return rate


def encode_series(series: Series) -> bytes:
    """Return the row of a series without its past days."""
    return _row(
        [
            series.hours,
            series.day,
            series.day_sum,
            series.day_hours,
            series.streak_side,
            series.streak_hours,
            series.running,
        ]
    )


def decode_series(value: bytes, history: History) -> Series:
    """Read a series back and give it the past days that were read so far."""
    hours, day, day_sum, day_hours, streak_side, streak_hours, running = _columns(value)
    if running is not None:
        running = Running(PositionSide(running[0]), *running[1:])
    return Series(hours, day, day_sum, day_hours, PositionSide(streak_side), streak_hours, running, history)


def decode_block(value: bytes) -> list[int | None]:
    """Read a block of days back."""
    return list(_columns(value))


def _row(columns: object, version: bytes = VERSION) -> bytes:
    return version + _dump(columns).encode()


def _columns(value: bytes, newest: bytes = VERSION) -> list[Any]:
    if not VERSION <= value[:1] <= newest:
        msg = f"a row of crowding must begin with version {newest!r} at most, was {value[:1]!r}"
        raise ValueError(msg)
    columns: list[Any] = json.loads(value[1:])
    return columns


def _dump(columns: object) -> str:
    return json.dumps(columns, separators=(",", ":"))
