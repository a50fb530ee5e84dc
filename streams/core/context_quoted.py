"""What is remembered of one asset's quotes until its minute closes, and the row that holds it."""

from __future__ import annotations

import json
import struct
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from streams.core.events import Instrument
from streams.core.history import ROW_VERSION, row_body

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sample(NamedTuple):
    """The newest quote of an instrument: when, its price, its spread as a fraction, whether the price is a mark."""

    time_ms: int
    price: float
    spread: float
    marked: bool


class Closed(NamedTuple):
    """The last price of a minute that is over; minute -1 where there was none yet."""

    minute: int
    log_price: float
    marked: bool


NEVER = Closed(-1, -inf, marked=False)


class Quoted:
    """One instrument: its newest quote and its last closed minute."""

    __slots__ = ("closed", "newest")

    # A plain tuple from the hot path: a NamedTuple costs three times as much to make and compares the same.
    def __init__(self, newest: Sample | tuple[int, float, float, bool], closed: Closed = NEVER) -> None:
        self.newest = newest
        self.closed = closed


class AssetQuotes:
    r"""The instruments of one asset and the minute of event time that is open for all of them.

    Its row is ``version · length of the names · names (JSON) · minute and 7 numbers an instrument (float64)``,
    the same for the same quotes in whatever order instruments came. The names are encoded once, as a busy asset
    is written at every flush.

    Parameters
    ----------
    minute
        Minutes since 1970.

    Examples
    --------
    >>> asset = AssetQuotes(28_333_440)
    >>> asset.add(Instrument("binance", "BTCUSDT", "BTC"), (1_700_006_400_000, 35_000.0, 0.0001, True))
    >>> again = AssetQuotes.from_row("BTC", b"x|q|BTC", asset.row())
    >>> again.minute, [seen.newest.price for seen in again.quoted.values()]
    (28333440, [35000.0])

    """

    __slots__ = ("_names", "minute", "quoted")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.quoted: dict[Instrument, Quoted] = {}
        self._names = b""

    def add(self, instrument: Instrument, newest: tuple[int, float, float, bool], closed: Closed = NEVER) -> None:
        """Begin to remember an instrument."""
        self.quoted[instrument] = Quoted(newest, closed)
        self._names = b""

    def drop_before(self, first_ms: int) -> int:
        """Forget the instruments without a quote since ``first_ms``; return how many."""
        gone = [instrument for instrument, seen in self.quoted.items() if seen.newest[0] < first_ms]
        for instrument in gone:
            del self.quoted[instrument]
            self._names = b""
        return len(gone)

    def row(self) -> bytes:
        """Return what ``from_row`` restores."""
        if not self._names:
            self.quoted = dict(sorted(self.quoted.items()))
            names = json.dumps([[key.exchange, key.symbol] for key in self.quoted], separators=(",", ":")).encode()
            self._names = bytes((ROW_VERSION,)) + struct.pack("<I", len(names)) + names
        numbers: list[float] = [self.minute]
        for seen in self.quoted.values():
            numbers += seen.newest
            numbers += seen.closed
        return self._names + struct.pack(f"<{len(numbers)}d", *numbers)

    @classmethod
    def from_row(cls, name: str, key: bytes, value: bytes) -> AssetQuotes:
        """Return the asset that a row holds."""
        body = row_body(key, value)
        end = 4 + int.from_bytes(body[:4], "little")
        (minute,) = struct.unpack_from("<d", body, end)
        asset = cls(int(minute))
        for (exchange, symbol), numbers in zip(json.loads(body[4:end]), _sevens(body[end + 8 :]), strict=True):
            time_ms, price, spread, marked, closed, log_price, closed_marked = numbers
            newest = Sample(int(time_ms), price, spread, bool(marked))
            asset.add(Instrument(exchange, symbol, name), newest, Closed(int(closed), log_price, bool(closed_marked)))
        return asset


def _sevens(body: bytes) -> Iterator[tuple[float, ...]]:
    return struct.iter_unpack("<7d", body)
