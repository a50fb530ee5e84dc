"""Variable-length integers of many records at once, eight bytes to a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HIGH_BITS = np.uint64(0x8080808080808080)
_SEVENS = np.uint64(0x7F7F7F7F7F7F7F7F)
#: Neighbouring groups of 7, 14 and 28 bits are pushed together: (which stay, which move, by how many bits,
#: from how many bytes on).
_SQUEEZES = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1), 1),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2), 2),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4), 4),
)
_ONE = np.uint64(1)
WORD = 8
#: By width in bytes: the high bits of so many bytes, the same where all but the last go on, and the seven-bit groups.
_ENDS = [np.uint64((1 << 8 * width) - 1 & 0x8080808080808080) for width in range(WORD + 1)]
_CONTINUED = [np.uint64((1 << 8 * max(width - 1, 0)) - 1 & 0x8080808080808080) for width in range(WORD + 1)]
_KEPT = [np.uint64((1 << 8 * width) - 1 & 0x7F7F7F7F7F7F7F7F) for width in range(WORD + 1)]


class Buffer:
    """Bytes as octets and as little-endian words at every position."""

    __slots__ = ("octets", "words")

    def __init__(self, blob: bytes) -> None:
        self.octets: NDArray[np.uint8] = np.frombuffer(blob, np.uint8)
        self.words: NDArray[np.uint64] = np.ndarray((len(self.octets) - WORD + 1,), "<u8", self.octets, 0, (1,))

    def stretches(self, size: int) -> NDArray[np.void]:
        """Return a view of the ``size`` bytes from every position: one gather costs what one word costs."""
        return np.ndarray((len(self.octets) - size + 1,), f"V{size}", self.octets, 0, (1,))


class Cursor:
    """Where each record is being read, where it ends and whether it is already known to be bad."""

    __slots__ = ("at", "bad", "buffer", "end")

    def __init__(self, buffer: Buffer, at: NDArray[np.int64], end: NDArray[np.int64], bad: NDArray[np.bool_]) -> None:
        self.buffer = buffer
        self.at = at
        self.end = end
        self.bad = bad


def long_column(cursor: Cursor) -> NDArray[np.int64]:
    """Read integers of one to ten bytes; more bytes or bits than that make a record bad."""
    at = cursor.at
    word = cursor.buffer.words[at]
    width = _width_of_all(word)
    endless = None
    if width:
        cursor.at = at + width
        word &= _KEPT[width]
    else:
        kept = ~word
        kept &= _HIGH_BITS
        endless = kept == 0
        # The lowest clear high bit ends the number: what is up to it is kept, all of it where none is clear.
        kept ^= kept - _ONE
        cursor.at = at + (np.bitwise_count(kept) >> 3)
        word &= kept
        word &= _SEVENS
    _squeeze(word, width or WORD)
    if endless is not None and np.count_nonzero(endless):
        _ninth_and_tenth(cursor, at, word, endless.nonzero()[0])
    sign = -(word & _ONE).view(np.int64)
    word >>= _ONE
    signed = word.view(np.int64)
    signed ^= sign
    return signed


def _width_of_all(word: NDArray[np.uint64]) -> int:
    # Times of one batch are of one width: so many bytes each, or 0 where they differ.
    first = int(word[0]) if len(word) else 0
    width = next((width for width in range(1, WORD + 1) if not first >> (8 * width - 1) & 1), 0)
    return width if width and np.count_nonzero((word & _ENDS[width]) != _CONTINUED[width]) == 0 else 0


def _squeeze(word: NDArray[np.uint64], width: int) -> None:
    for stay, move, by, least in _SQUEEZES:
        if width > least:
            moved = word & move
            moved >>= by
            word &= stay
            word |= moved


def _ninth_and_tenth(
    cursor: Cursor, at: NDArray[np.int64], word: NDArray[np.uint64], indices: NDArray[np.int64]
) -> None:
    tail = cursor.buffer.words[at[indices] + WORD]
    ninth, tenth = tail & np.uint64(0xFF), (tail >> np.uint64(8)) & np.uint64(0xFF)
    goes_on = ninth > 0x7F
    word[indices] |= (ninth & np.uint64(0x7F)) << np.uint64(56)
    word[indices] |= np.where(goes_on, tenth & _ONE, np.uint64(0)) << np.uint64(63)
    cursor.at[indices] += 1 + goes_on
    cursor.bad[indices] |= goes_on & (tenth > 1)
