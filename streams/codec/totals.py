"""The six windows of many scopes as Avro, all at once: every figure at its place, then what is not there left out.

A window is at most so many bytes, and of these each figure has always the same ones. So all are filled in by column,
in a table with a line of bytes for each scope, and beside it lies another that says which bytes there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import LONG_COUNT, LONG_USD, SHORT_USD
from streams.core.events import MICRO
from streams.core.totals import Totals
from streams.core.windows import ONE_DAY, ONE_HOUR, WINDOWS

Ints = NDArray[np.int64]
#: Rows that are written at once: with more, what one step has put into the cache is gone before the next.
_AT_ONCE = 512
#: Above this, an integer is not a double, and dividing it must not round twice.
_EXACT_MAX = 1 << 53
_PRICES = 5
_NAMES = [bytes([2 * len(name)]) + name.encode() for name in WINDOWS]
_NAME_BYTES = max(map(len, _NAMES))


def windows(totals: Totals) -> Iterator[bytes]:
    """Yield the windows of each scope, and the hour's share of the day."""
    for start in range(0, totals.sums.shape[1], _AT_ONCE):
        some: list[Any] = [column[:, start : start + _AT_ONCE] for column in totals]
        yield from _some(Totals(*some))


def _some(totals: Totals) -> Iterator[bytes]:
    sums = totals.sums.transpose(1, 0, 2)
    counts = sums[:, :, LONG_COUNT:]
    width = max(1, -(-(int(counts.max()).bit_length() + 1) // 7))
    value_shape, there_shape, always = _shapes(width)
    value, there = np.zeros(len(sums), value_shape), np.empty(len(sums), there_shape)
    there[:] = always
    window, has = value["windows"], there["windows"]
    value["many"], window["name"] = 2 * len(WINDOWS), _name_octets(np.uint8)
    window["usd"] = _dollars(sums[:, :, :LONG_COUNT])
    left = counts << 1  # zigzag: none of them is negative
    for at in range(width):
        if at:
            has["count"][..., at] = left > 0
        window["count"][..., at] = left & 0x7F | (left > 0x7F) << 7
        left >>= 7
    window["largest"] = _dollars(totals.largest.T)
    priced = ~np.isnan(totals.price_low.T)
    window["prices"]["branch"], has["prices"]["price"] = (priced << 1)[..., None], priced[..., None, None]
    prices = (*(column.T for column in totals[2:6]), _dollars(totals.densest.T))
    for at, price in enumerate(prices):
        window["prices"]["price"][..., at] = price
    hour, day = (sums[:, length, LONG_USD] + sums[:, length, SHORT_USD] for length in (ONE_HOUR, ONE_DAY))
    value["share"]["branch"], there["share"]["price"] = (day > 0) << 1, (day > 0)[:, None]
    value["share"]["price"] = _quotient(hour, np.maximum(day, 1))

    kept = there.view(bool).reshape(len(sums), -1)
    octets = value.view(np.uint8).reshape(kept.shape)[kept].tobytes()
    at = 0
    for end in np.cumsum(np.count_nonzero(kept, axis=1)).tolist():
        yield octets[at:end]
        at = end


@lru_cache(maxsize=16)
def _shapes(width: int) -> tuple[np.dtype[np.void], np.dtype[np.void], Any]:
    """Return how a scope lies, how what is there of it does, and what always is, with counts of so many bytes."""
    there = _shape("?", np.dtype(("?", 8)), width)
    always = np.ones(1, there)
    always["windows"]["name"] = _name_octets(bool)
    return _shape("u1", np.dtype("<f8"), width), there, always


def _shape(octet: str, double: np.dtype[Any], width: int) -> np.dtype[np.void]:
    price = [("branch", octet), ("price", double)]
    window = [
        ("name", octet, (_NAME_BYTES,)),
        ("usd", double, (2,)),
        ("count", octet, (2, width)),
        ("largest", double),
        ("prices", price, (_PRICES,)),
    ]
    return np.dtype([("many", octet), ("windows", window, (len(WINDOWS),)), ("end", octet), ("share", price)])


def _name_octets(kind: type) -> NDArray[Any]:
    return np.array([list(name.ljust(_NAME_BYTES, b"\0")) for name in _NAMES]).astype(kind)


def _dollars(micro: Ints) -> NDArray[np.float64]:
    return _quotient(micro, np.int64(MICRO))


def _quotient(above: Ints, below: Any) -> NDArray[np.float64]:
    """Return the quotient of integers, rounded once."""
    found: NDArray[np.float64] = above / below
    large = np.maximum(above, below) > _EXACT_MAX
    if large.any():
        below = np.broadcast_to(below, above.shape)
        found[large] = [each / by for each, by in zip(above[large].tolist(), below[large].tolist(), strict=True)]
    return found
