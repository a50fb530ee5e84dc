"""Instruments as numbers: the bytes of a name are looked at once, then its hash is enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.codec.identity import prefix
from streams.codec.varint import WORD
from streams.core.events import Instrument

_SLOTS_MIN = 4096
#: So much of the table may be in use: most names are then found at the first look.
_LOAD_MAX = 0.25

#: Says what the record at an index names, or None where that is no usable name.
Spell = Callable[[int], Instrument | None]


class InstrumentIndex:
    """A growing list of instruments and an open-addressing table from hashes of their bytes to it.

    One instrument may have several hashes (each layout of a writer's schema has its own).

    Parameters
    ----------
    names_max
        With more hashes than this the index begins anew at the next ``trim``.

    Attributes
    ----------
    prefixes, keys
        By code: the hash that identities begin with, and the key of its records.
    key_sizes, key_words
        How long a key is, and its first eight bytes as a little-endian word.

    """

    def __init__(self, names_max: int = 65_536) -> None:
        self._names_max = names_max
        self._clear()

    def _clear(self) -> None:
        self.instruments: list[Instrument] = []
        self._codes: dict[Instrument, int] = {}
        self._known: dict[int, int] = {}
        self._make_table(_SLOTS_MIN)
        self.prefixes = np.zeros(_SLOTS_MIN, np.uint64)
        self.keys = np.full(_SLOTS_MIN, None, object)
        self.key_sizes = np.zeros(_SLOTS_MIN, np.int64)
        self.key_words = np.zeros(_SLOTS_MIN, np.uint64)

    def trim(self) -> None:
        """Forget everything where too much is known; earlier codes mean nothing afterwards."""
        if max(len(self._known), len(self.instruments)) > self._names_max:
            self._clear()

    def code(self, instrument: Instrument) -> int:
        """Return the code of an instrument, a new one where it is new."""
        code = self._codes.get(instrument)
        if code is None:
            code = self._codes[instrument] = len(self.instruments)
            self.instruments.append(instrument)
            if code == len(self.prefixes):
                for name in ("prefixes", "keys", "key_sizes", "key_words"):
                    column = getattr(self, name)
                    setattr(self, name, np.concatenate((column, np.zeros_like(column))))
            self.prefixes[code] = prefix(instrument.exchange.encode(), instrument.symbol.encode())
            key = self.keys[code] = instrument.asset.encode()
            self.key_sizes[code], self.key_words[code] = len(key), int.from_bytes(key[:WORD], "little")
        return code

    def lookup(self, hashes: NDArray[np.uint64], spell: Spell) -> NDArray[np.int64]:
        """Return the code of each hash; -1 where ``spell`` finds no usable name."""
        codes, unknown = self._find(hashes)
        if unknown.size:
            distinct, first, inverse = np.unique(hashes[unknown], return_index=True, return_inverse=True)
            fresh = [
                self._learn(value, spell(index))
                for value, index in zip(distinct.tolist(), unknown[first].tolist(), strict=True)
            ]
            codes[unknown] = np.array(fresh, np.int64)[inverse]
        return codes

    def _find(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        slot = (hashes >> self._shift).view(np.int64)
        codes = self._table_codes[slot]
        missed = (self._table_hashes[slot] != hashes).nonzero()[0]
        unknown = []
        while missed.size:
            at = slot[missed]
            empty = self._table_codes[at] < 0
            unknown.append(missed[empty])
            missed = missed[~empty]
            at = slot[missed] = (slot[missed] + 1) % len(self._table_codes)
            codes[missed] = self._table_codes[at]
            missed = missed[self._table_hashes[at] != hashes[missed]]
        return codes, np.sort(np.concatenate(unknown)) if unknown else missed

    def _learn(self, value: int, instrument: Instrument | None) -> int:
        if instrument is None:
            return -1
        code = self.code(instrument)
        self._known[value] = code
        if len(self._known) > _LOAD_MAX * len(self._table_codes):
            self._make_table(4 * len(self._table_codes))
            for known, its_code in self._known.items():
                self._put(known, its_code)
        else:
            self._put(value, code)
        return code

    def _make_table(self, slots: int) -> None:
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._table_hashes = np.zeros(slots, np.uint64)
        self._table_codes = np.full(slots, -1, np.int64)

    def _put(self, value: int, code: int) -> None:
        slot = value >> int(self._shift)
        while self._table_codes[slot] >= 0:
            slot = (slot + 1) % len(self._table_codes)
        self._table_hashes[slot] = value
        self._table_codes[slot] = code

    def narrow(self, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Instrument]]:
        """Return codes into a list of only the instruments met, and that list."""
        if len(self.instruments) > 64 * (len(codes) + 256):  # a look at all of them would cost more
            present, narrowed = np.unique(codes, return_inverse=True)
        else:
            met = np.zeros(len(self.instruments), np.bool_)
            met[codes] = True
            present = met.nonzero()[0]
            places = met.cumsum() - 1
            narrowed = places[codes]
        return narrowed, [self.instruments[code] for code in present.tolist()]
