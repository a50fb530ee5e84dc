"""Rows of ``liquidation-windows`` straight from totals: most of what a flush writes.

The general way makes a dictionary of each window for fastavro; this one writes all rows at once. It is taken where it
gives the same bytes for a probe of every enum and of present and absent prices: with a schema of another shape, or in
JSON, the general way remains.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from streams.codec import totals as columns
from streams.codec.encode import Encoder
from streams.core.coverage import Coverage
from streams.core.events import Instrument, Scope
from streams.core.figures import Record, windows_row
from streams.core.totals import Totals
from streams.core.windows import WINDOWS

TOPIC = "liquidation-windows"
_SOME, _NULL = b"\x02", b"\x00"
_TAILS_MAX = 1_000


class About:
    """What a row is about: the key of its message, and how its value begins."""

    __slots__ = ("head", "instrument", "key", "name", "scope")

    def __init__(self, scope: Scope, instrument: Instrument | None, key: str) -> None:
        self.scope = scope
        self.instrument = instrument
        self.key = key
        self.name = f"{scope}|{key}".encode()
        self.head = _head(self)


class Row(NamedTuple):
    """What a row is about, the second of its last change, and its ``coverage`` and ``at_least``."""

    about: About
    as_of_s: int
    covered: Record


class WindowsEncoder:
    """Writes the values of ``liquidation-windows``."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._header = encoder.header(TOPIC)
        self._tails: dict[int, tuple[Record, bytes]] = {}
        self.fast = self._header is not None and self._agrees()

    def values(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        """Yield the value of each row, whose totals are those of the scope at its place."""
        return self._packed(rows, totals) if self.fast else self._general(rows, totals)

    def _general(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        for at, (about, as_of_s, covered) in enumerate(rows):
            record = windows_row(about.scope, about.key, about.instrument, as_of_s, totals, at)
            yield self._encoder.encode(TOPIC, record | covered)

    def _packed(self, rows: list[Row], totals: Totals) -> Iterator[bytes]:
        assert self._header is not None, TOPIC
        header, times = self._header, dict[int, bytes]()  # what changes in a flush does so in few seconds
        for (about, as_of_s, covered), windows in zip(rows, columns.windows(totals), strict=True):
            time = times.get(as_of_s) or times.setdefault(as_of_s, _long(as_of_s * 1000))
            yield b"".join((header, about.head, time, windows, self._tail(covered)))

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
        rows = [Row(About(*each, "key"), 1, covered) for each in about]
        rows.append(Row(About(Scope.MARKET, None, "key"), 1, nobody))
        totals = _probe(len(rows))
        try:
            return list(self._general(rows, totals)) == list(self._packed(rows, totals))
        except ValueError:  # the general way will say so, when it is asked
            return False


def _probe(count: int) -> Totals:
    """Return totals of some scopes, no two figures alike, the last scope without anything."""
    shape = (len(WINDOWS), count)
    made = np.arange(9 * len(WINDOWS) * count).reshape(9, *shape) * (np.arange(count) < count - 1)
    prices = np.where(made[4] % 3, made[4:8], np.nan)
    low, high, dense_low, dense_high = prices
    return Totals(made[:4].transpose(1, 2, 0), made[8], low, high, dense_low, dense_high, made[8])


def _head(about: About) -> bytes:
    scope, instrument, key = about.scope, about.instrument, _text(about.key)
    if instrument is not None:
        names = b"".join(_SOME + _text(name) for name in (instrument.exchange, instrument.symbol, instrument.asset))
    elif scope is Scope.EXCHANGE:
        names = b"".join((_SOME, key, _NULL, _NULL))
    else:
        names = b"".join((_NULL, _NULL, _SOME, key)) if scope is Scope.ASSET else bytes(3)
    return b"".join((_SCOPES[scope], key, names))


def _tail(covered: Record) -> bytes:
    venues = covered["coverage"]
    out = [_long(len(venues)) if venues else b""]
    out += [part for each in venues for part in (_text(each["exchange"]), _COVERAGES[each["coverage"]])]
    return b"".join((*out, b"\x00", b"\x01" if covered["at_least"] else b"\x00"))


def _long(value: int) -> bytes:
    r"""Return Avro's long: zigzag, seven bits a byte.

    Examples
    --------
    >>> _long(6), _long(-1), _long(64)
    (b'\x0c', b'\x01', b'\x80\x01')

    """
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


_SCOPES = {scope: _long(at) for at, scope in enumerate(("UNKNOWN", *Scope)) if scope != "UNKNOWN"}
_COVERAGES = {each.value: _long(at) for at, each in enumerate(Coverage)}
