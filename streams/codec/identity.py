"""A liquidation's identity: 64 bits that stay the same for ever, because they are stored.

Each field is cut into little-endian 8-byte words ``w[0], w[1], …``, the last padded with zeros::

    mix(j, w)      x = w ^ w >> 32;  x *= G·(2j + 1);  x ^= x >> 29;  x *= A;  x ^= x >> 32
    absorb(h, f)   h += Σ mix(j, w[j]) + B·len(f);  h ^= h >> 33;  h *= C;  h ^= h >> 29
    identity       absorb(absorb(absorb(SEED, exchange), symbol), liquidation_id)

all modulo 2**64. A word of zeros adds nothing, so that texts of different lengths can be hashed side by
side; the length keeps padding apart from content and one field apart from the next. It is no
protection against someone who looks for collisions on purpose.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

from streams.codec.varint import Buffer

SEED = 0x6C69_7175_6964_6174  # "liquidat"
_G = 0x9E37_79B9_7F4A_7C15
_A = 0xBF58_476D_1CE4_E5B9
_B = 0xD6E8_FEB8_6659_FD93
_C = 0x94D0_49BB_1331_11EB
_ALL = 0xFFFF_FFFF_FFFF_FFFF
_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)


def identity(exchange: bytes, symbol: bytes, liquidation_id: bytes) -> int:
    """Return the identity of one liquidation.

    Examples
    --------
    >>> hex(identity(b"binance", b"BTCUSDT", b"1"))
    '0x47159cf6a38175ec'

    A byte that moves to the next field makes another identity:

    >>> identity(b"okx", b"BTC", b"1") == identity(b"okxB", b"TC", b"1")
    False

    """
    return absorb(prefix(exchange, symbol), liquidation_id)


def prefix(exchange: bytes, symbol: bytes) -> int:
    """Return what all liquidations of one instrument have in common."""
    return absorb(absorb(SEED, exchange), symbol)


def absorb(seed: int, text: bytes) -> int:
    """Return the hash of a text, continued from ``seed``."""
    count = (len(text) + 7) // 8
    total = seed + _B * len(text)
    for j, word in enumerate(struct.unpack(f"<{count}Q", text.ljust(8 * count, b"\0"))):
        x = (word ^ word >> 32) * (_G * (2 * j + 1)) & _ALL
        x = (x ^ x >> 29) * _A & _ALL
        total += x ^ x >> 32
    total &= _ALL
    total = (total ^ total >> 33) * _C & _ALL
    return total ^ total >> 29


def words_of(buffer: Buffer, start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return texts as zero-padded words, one row per word; no text may be longer than SPAN_BYTES_MAX."""
    count = max(1, -(-int(length.max()) // 8))
    words = buffer.stretches(8 * count)[start].view("<u8")
    words &= _masks(count).take(length).view(np.uint64)
    return np.ascontiguousarray(words.reshape(-1, count).T)


def absorb_columns(
    seed: NDArray[np.uint64], words: NDArray[np.uint64], length: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return ``absorb`` of each text; ``words`` is used up."""
    x = words
    x ^= x >> np.uint64(32)
    x *= _multipliers(len(x))
    x ^= x >> np.uint64(29)
    x *= np.uint64(_A)
    x ^= x >> np.uint64(32)
    total: NDArray[np.uint64] = np.add.reduce(x, axis=0)
    total += length.view(np.uint64) * np.uint64(_B)
    total += seed
    total ^= total >> np.uint64(33)
    total *= np.uint64(_C)
    total ^= total >> np.uint64(29)
    return total


def ascii_columns(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which texts have only characters below 128."""
    seen: NDArray[np.uint64] = np.bitwise_or.reduce(words, axis=0)
    low: NDArray[np.bool_] = (seen & _HIGH_BITS) == 0
    return low


@cache
def _masks(count: int) -> NDArray[np.void]:
    # Row n keeps the first n bytes of `count` words.
    octets = np.arange(8 * count) < np.arange(8 * count + 1)[:, None]
    return np.ascontiguousarray(octets * np.uint8(255)).view(f"V{8 * count}").reshape(-1)


@cache
def _multipliers(count: int) -> NDArray[np.uint64]:
    return np.array([[_G * (2 * j + 1) & _ALL] for j in range(count)], np.uint64)
