"""Rows of ``liquidation-windows`` straight from totals: most of what a flush writes, and half of what it cost.

The general way, a dictionary a window and fastavro, takes 100 µs a row; this takes a tenth. It is taken
where it gives the same bytes for a probe of every enum and of present and absent prices: with a schema of another
shape, or in JSON, the general way remains.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from streams.codec.encode import Encoder
from streams.core.cells import LONG_USD, SHORT_USD
from streams.core.coverage import Coverage
from streams.core.events import MICRO, Instrument, Scope
from streams.core.figures import Record, windows_row
from streams.core.totals import Totals
from streams.core.windows import ONE_DAY, ONE_HOUR, WINDOWS

TOPIC = "liquidation-windows"
_PAIR, _ONE = struct.Struct("<dd").pack, struct.Struct("<d").pack
#: The largest single, then five figures that need a price, each behind the branch of a union that is not null.
_PRICED = struct.Struct("<dBdBdBdBdBd").pack
#: A double and five nulls: as much of a pair of which the second is 0.
_UNPRICED_BYTES = 13
_SOME, _NULL, _END = b"\x02", b"\x00", b"\x00"


_HEADS_MAX, _TAILS_MAX = 65_536, 1_000
#: Rows whose figures are made into Python's at once: with tens of thousands each is looked for in main memory.
_AT_ONCE = 256


class Row(NamedTuple):
    """What a row is about, the second of its last change, and its ``coverage`` and ``at_least``."""

    scope: Scope
    instrument: Instrument | None
    key: str
    as_of_s: int
    covered: Record


class WindowsEncoder:
    """Writes the values of ``liquidation-windows``."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._header = encoder.header(TOPIC)
        self._heads: dict[tuple[Scope, Instrument | None, str], bytes] = {}
        self._tails: dict[int, tuple[Record, bytes]] = {}
        self.fast = self._header is not None and self._agrees()

    def values(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        """Yield the value of each row, whose totals are those of the scope at its place."""
        return self._packed(rows, totals) if self.fast else self._general(rows, totals)

    def _general(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        for at, row in enumerate(rows):
            record = windows_row(row.scope, row.key, row.instrument, row.as_of_s, totals, at)
            yield self._encoder.encode(TOPIC, record | row.covered)

    def _packed(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        assert self._header is not None, TOPIC
        times: dict[int, bytes] = {}  # what changes in a flush does so in few seconds
        for row, windows in zip(rows, _windows(totals), strict=True):
            head = self._heads.get(row[:3]) or self._head(row)
            time = times.get(row.as_of_s) or times.setdefault(row.as_of_s, _long(row.as_of_s * 1000))
            yield b"".join((self._header, head, time, windows, self._tail(row.covered)))

    def _head(self, row: Row) -> bytes:
        if len(self._heads) >= _HEADS_MAX:
            self._heads.clear()
        head = self._heads[row[:3]] = _head(row)
        return head

    def _tail(self, covered: Record) -> bytes:
        # The same few records come again and again: each is kept with its bytes, so that no other has its id.
        found = self._tails.get(id(covered))
        if found is None:
            if len(self._tails) >= _TAILS_MAX:
                self._tails.clear()
            found = self._tails[id(covered)] = covered, _tail(covered)
        return found[1]

    def _agrees(self) -> bool:
        covered = {"coverage": [{"exchange": each.name, "coverage": each.value} for each in Coverage], "at_least": True}
        nobody = {"coverage": [], "at_least": False}
        about = [(scope, instrument) for scope in Scope for instrument in (None, Instrument("a", "b", "c"))]
        rows = [Row(*each, "key", 1, covered) for each in about] + [Row(Scope.MARKET, None, "key", 1, nobody)]
        totals = _probe(len(rows))
        try:
            return list(self._general(rows, totals)) == list(self._packed(rows, totals))
        except ValueError:  # the general way will say so, when it is asked
            return False


def _probe(count: int) -> Totals:
    """Return totals of some scopes, no two figures alike, the last scope without anything."""
    shape = (len(WINDOWS), count)
    figures = np.arange(9 * len(WINDOWS) * count).reshape(9, *shape) * (np.arange(count) < count - 1)
    prices = np.where(figures[4] % 3, figures[4:8], np.nan)
    low, high, dense_low, dense_high = prices
    return Totals(figures[:4].transpose(1, 2, 0), figures[8], low, high, dense_low, dense_high, figures[8])


def _head(row: Row) -> bytes:
    scope, instrument = row.scope, row.instrument
    if instrument is not None:
        about = b"".join(_SOME + _text(name) for name in (instrument.exchange, instrument.symbol, instrument.asset))
    elif scope is Scope.EXCHANGE:
        about = b"".join((_SOME, _text(row.key), _NULL, _NULL))
    else:
        about = b"".join((_NULL, _NULL, _SOME, _text(row.key))) if scope is Scope.ASSET else bytes(3)
    return b"".join((_SCOPES[scope], _text(row.key), about))


def _windows(totals: Totals) -> Iterator[bytes]:
    """Yield the windows of each scope, and the hour's share of the day."""
    for start in range(0, totals.sums.shape[1], _AT_ONCE):
        some: list[Any] = [column[:, start : start + _AT_ONCE] for column in totals]
        yield from _some_windows(Totals(*some))


def _some_windows(totals: Totals) -> Iterator[bytes]:
    small, many = _SMALL, len(_SMALL)
    sums, *columns = totals
    for scope, *rest in zip(sums.transpose(1, 0, 2).tolist(), *(column.T.tolist() for column in columns), strict=True):
        out, longs, shorts, figures = [_SIX], 0, 0, _NOTHING
        for name, mine, largest, low, high, dense_low, dense_high, dense in zip(_NAMES, scope, *rest, strict=True):
            long_usd, short_usd, long_count, short_count = mine
            # A window lies in the next longer one: where both hold as many, they hold the same.
            if long_count != longs or short_count != shorts:
                longs, shorts = long_count, short_count
                figures = b"".join((
                    _PAIR(long_usd / MICRO, short_usd / MICRO),
                    small[long_count] if long_count < many else _varint(long_count),
                    small[short_count] if short_count < many else _varint(short_count),
                    _PRICED(largest / MICRO, 2, low, 2, high, 2, dense_low, 2, dense_high, 2, dense / MICRO)
                    if low == low else _PAIR(largest / MICRO, 0.0)[:_UNPRICED_BYTES],  # noqa: PLR0124 - not NaN
                ))  # fmt: skip
            out += (name, figures)
        hour, day = (scope[window][LONG_USD] + scope[window][SHORT_USD] for window in (ONE_HOUR, ONE_DAY))
        out += (_END, _SOME, _ONE(hour / day)) if day else (_END, _NULL)
        yield b"".join(out)


def _tail(covered: Record) -> bytes:
    venues = covered["coverage"]
    out = [_long(len(venues)) if venues else b""]
    out += [part for each in venues for part in (_text(each["exchange"]), _COVERAGES[each["coverage"]])]
    return b"".join((*out, _END, b"\x01" if covered["at_least"] else b"\x00"))


def _long(value: int) -> bytes:
    r"""Return Avro's long: zigzag, seven bits a byte.

    Examples
    --------
    >>> _long(6), _long(-1), _long(64)
    (b'\x0c', b'\x01', b'\x80\x01')

    """
    if 0 <= value < len(_SMALL):
        return _SMALL[value]
    return _varint(value)


def _varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    octets = text.encode()
    return _long(len(octets)) + octets


_SMALL = [_varint(value) for value in range(4_096)]
_SIX = _long(len(WINDOWS))
#: The figures of a window that holds none: two doubles, two counts, a double, five nulls.
_NOTHING = bytes(16 + 2 + 8 + 5)
_NAMES = [_text(name) for name in WINDOWS]
_SCOPES = {scope: _long(at) for at, scope in enumerate(("UNKNOWN", *Scope)) if scope != "UNKNOWN"}
_COVERAGES = {each.value: _long(at) for at, each in enumerate(Coverage)}
