"""The fields of one decoded record, each taken out with the check that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streams.core.errors import InvalidEvent, Reason
from streams.core.events import Instrument

#: 2010-01-01 and 2100-01-01 (UTC, ms): no venue is older, and a unit mistaken for another ends outside.
TIME_MS_MIN = 1_262_304_000_000
TIME_MS_END = 4_102_444_800_000
#: Names become keys of state; nobody's symbol is longer (UTF-8 bytes).
NAME_BYTES_MAX = 100
#: They are parts of keys with separators in between, and lines on terminals: nothing that ends or turns a line.
_UNUSABLE = re.compile("[\x00-\x1f|\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
#: Prices, coins and dollars that are not 0. A meme's price goes down to 1e-10 and its coins up to 1e17; what is further
#: out is no price, and the ratio of two such numbers ended the worker where a sentence was made of it.
NUMBER_MIN, NUMBER_MAX = 1e-18, 1e18
_SHOWN_MAX = 80


def shown(value: object) -> str:
    """Return a value as it goes into a sentence, shortened where it is long.

    Examples
    --------
    >>> shown(-1.5), shown("B"), shown("x" * 100) == "'" + "x" * 79 + "…"
    ('-1.5', "'B'", True)

    """
    text = repr(value[: 2 * _SHOWN_MAX]) if isinstance(value, (str, bytes)) else repr(value)
    return text if len(text) <= _SHOWN_MAX + 1 else text[:_SHOWN_MAX] + "…"


def utf8(text: str) -> bool:
    """Say whether a text can be written as UTF-8 again; what was not valid UTF-8 carries surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def usable(name: str) -> bool:
    r"""Say whether a text can be part of a key.

    Examples
    --------
    >>> usable("BTC-USDT"), usable("\u5e01\u5b89"), usable("A|B"), usable("A\x1fB")
    (True, True, False, False)

    """
    return _UNUSABLE.search(name) is None


class Fields:
    """A record by field name; every method raises ``InvalidEvent`` with a sentence where its rule is broken."""

    __slots__ = ("about", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.about = ""

    def wrong(self, reason: Reason, detail: str) -> InvalidEvent:
        """Return the error that says which record it is about."""
        return InvalidEvent(reason, self.about + detail)

    def text(self, name: str) -> str:
        """Return a text that is there and not empty."""
        value = self.values.get(name)
        if isinstance(value, bytes):  # Avro lets a writer have them for a string
            value = value.decode("utf-8", "surrogateescape")
        if not isinstance(value, str) or not value:
            raise self.wrong(Reason.MISSING_FIELD, f"{name} must be a text that is not empty, was {shown(value)}")
        if not utf8(value):
            raise self.wrong(Reason.UNDECODABLE, f"{name} must be UTF-8, was {shown(value)}")
        return value

    def name(self, name: str) -> str:
        """Return a text that is short enough to be part of a key."""
        value = self.text(name)
        if len(value.encode()) > NAME_BYTES_MAX:
            raise self.wrong(Reason.UNUSABLE_NAME, f"{name} must have at most {NAME_BYTES_MAX} bytes: {shown(value)}")
        if not usable(value):
            detail = f"{name} must be without | and control characters, was {shown(value)}"
            raise self.wrong(Reason.UNUSABLE_NAME, detail)
        return value

    def instrument(self) -> Instrument:
        """Return exchange, symbol and asset; later sentences begin with the symbol."""
        exchange, symbol = self.exchange(), self.name("symbol")
        self.about = f"symbol {symbol}: "
        return Instrument(exchange, symbol, self.name("asset"))

    def exchange(self) -> str:
        """Return a venue's name: in lower case, or one venue would be two."""
        value = self.name("exchange")
        if value != value.lower():
            raise self.wrong(Reason.UNUSABLE_NAME, f"exchange must be in lower case, was {shown(value)}")
        return value

    def number(self, name: str) -> float:
        """Return a number of either sign."""
        value = self._given(name)
        if not abs(value) <= NUMBER_MAX:
            raise self._impossible(name, f"a number from {-NUMBER_MAX:g} to {NUMBER_MAX:g}", value)
        return value

    def positive(self, name: str) -> float:
        """Return a number above zero."""
        value = self._given(name)
        if not NUMBER_MIN <= value <= NUMBER_MAX:
            raise self._impossible(name, f"a number from {NUMBER_MIN:g} to {NUMBER_MAX:g}", value)
        return value

    def not_negative(self, name: str) -> float:
        """Return zero or a number above it."""
        value = self._given(name)
        if value != 0 and not NUMBER_MIN <= value <= NUMBER_MAX:
            raise self._impossible(name, f"0 or a number from {NUMBER_MIN:g} to {NUMBER_MAX:g}", value)
        return value

    def _impossible(self, name: str, rule: str, value: float) -> InvalidEvent:
        return self.wrong(Reason.IMPOSSIBLE_NUMBER, f"{name} must be {rule}, was {value}")

    def absent(self, name: str) -> bool:
        """Say whether an optional field is null or not there at all."""
        return self.values.get(name) is None

    def _given(self, name: str) -> float:
        value = self.values.get(name)
        if value is None:
            raise self.wrong(Reason.MISSING_FIELD, f"{name} is missing")
        if type(value) is float:
            return value
        try:
            if type(value) is int:
                return float(value)
        except OverflowError:
            pass
        raise self.wrong(Reason.IMPOSSIBLE_NUMBER, f"{name} must be a number, was {shown(value)}")

    def time_ms(self, name: str) -> int:
        """Return a time between 2010 (included) and 2100 (excluded)."""
        value = self.values.get(name)
        if value is None:
            raise self.wrong(Reason.MISSING_FIELD, f"{name} is missing")
        # Tables that can hold a null hold whole numbers as floats.
        time_ms = int(value) if type(value) is float and value.is_integer() else value
        if type(time_ms) is not int or not TIME_MS_MIN <= time_ms < TIME_MS_END:
            detail = f"{name} must be milliseconds since 1970 between the years 2010 and 2100, was {shown(value)}"
            raise self.wrong(Reason.IMPOSSIBLE_TIME, detail)
        return time_ms

    def not_in_future(self, event_time_ms: int, ingest_time_ms: int, appended_ms: int | None, bound_ms: int) -> None:
        """Refuse an event dated past its ingest time, or past the broker's own time, by more than the bound."""
        if event_time_ms > ingest_time_ms + bound_ms:
            self._future(event_time_ms, event_time_ms - ingest_time_ms, bound_ms, "ingest_time")
        if appended_ms is not None and event_time_ms > appended_ms + bound_ms:
            self._future(event_time_ms, event_time_ms - appended_ms, bound_ms, "the broker's time")

    def _future(self, event_time_ms: int, ahead_ms: int, bound_ms: int, of: str) -> None:
        detail = f"event_time {event_time_ms} must be at most {bound_ms} ms ahead of {of}, was {ahead_ms} ms ahead"
        raise self.wrong(Reason.EVENT_TIME_IN_FUTURE, detail)

    def keyed(self, key: bytes | None, asset: str) -> None:
        """Refuse a record whose key is not its asset."""
        expected = asset.encode()
        if key != expected:
            detail = f"the key must be the asset {shown(expected)}, was {shown(key)}"
            raise self.wrong(Reason.WRONG_KEY, detail)
