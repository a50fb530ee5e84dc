"""How liquidations lie in one writer's schema, and the checks of ``build.liquidation`` on whole columns."""

from __future__ import annotations

from operator import ne
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.codec.batch import ROOM, Joined, RecordBatch, Slices
from streams.codec.build import NOTIONAL_TOLERANCE, PRICE_KINDS, SIDES
from streams.codec.columns import SPAN_BYTES_MAX, ColumnDecoder, Nullable, Spans, Unsupported
from streams.codec.fields import NAME_BYTES_MAX, NUMBER_MAX, NUMBER_MIN, TIME_MS_END, TIME_MS_MIN, usable
from streams.codec.identity import SEED, absorb_columns, ascii_columns, words_of
from streams.codec.instruments import InstrumentIndex
from streams.codec.schema import Node
from streams.codec.varint import WORD, Buffer
from streams.core.events import MICRO, NOTIONAL_USD_MAX, Instrument

_NAMES = ("exchange", "symbol", "asset")
_NUMBERS = ("price", "quantity", "notional_usd")
_TIMES = ("event_time", "ingest_time")
_KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_NAMES, "liquidation_id"), ("string", "bytes")),
    **dict.fromkeys(_NUMBERS, ("double", "float")),
    **dict.fromkeys(_TIMES, ("int", "long")),
    **dict.fromkeys(("position_side", "price_kind"), ("enum",)),
}
Good = NDArray[np.bool_]


class Columns(NamedTuple):
    """Accepted liquidations; ``code`` is that of the decoder's ``InstrumentIndex``."""

    code: NDArray[np.int64]
    side: NDArray[np.int64]
    price: NDArray[np.float64]
    notional: NDArray[np.int64]
    event_time_ms: NDArray[np.int64]
    identity: NDArray[np.uint64]

    def at(self, chosen: NDArray[Any]) -> Columns:
        """Return the rows at some indices, or where a mask is True."""
        return Columns(
            self.code[chosen],
            self.side[chosen],
            self.price[chosen],
            self.notional[chosen],
            self.event_time_ms[chosen],
            self.identity[chosen],
        )


class Layout:
    """Decodes records of one writer's schema.

    Raises
    ------
    Unsupported
        If its records must be read one by one.

    """

    def __init__(self, node: Node, header_size: int) -> None:
        self._decoder = ColumnDecoder(node, _KINDS)
        self._header_size = header_size
        for name, kinds in _KINDS.items():
            field = self._decoder.nodes[name]
            own = [part.kind for part in field.parts if part.kind != "null"] if field.kind == "union" else [field.kind]
            if not own or own[0] not in kinds:
                msg = f"{name} is {own}, not one of {kinds}"
                raise Unsupported(msg)
        self._sides = self._table("position_side", {name: int(side) for name, side in SIDES.items()})
        self._price_kinds = self._table("price_kind", dict.fromkeys(PRICE_KINDS, 0))
        at = [node.names.index(name) for name in _NAMES]
        self._adjacent = at == list(range(at[0], at[0] + len(at))) and all(
            self._decoder.nodes[name].kind == "string" for name in _NAMES
        )

    def buffer(self, joined: Joined) -> Buffer:
        """Return the bytes of a batch as ``decode`` needs them."""
        return self._decoder.buffer(joined.blob, ROOM)

    def _table(self, name: str, codes: dict[str, int]) -> NDArray[np.int64]:
        # The writer's symbols in the writer's order; -1 for what is refused.
        node = self._decoder.nodes[name]
        enum = node if node.kind == "enum" else next(part for part in node.parts if part.kind == "enum")
        return np.array([codes.get(symbol, -1) for symbol in (*enum.symbols, "")], np.int64)

    def decode(
        self,
        batch: RecordBatch,
        buffer: Buffer,
        chosen: slice | NDArray[np.int64],
        instruments: InstrumentIndex,
        future_bound_ms: int,
    ) -> tuple[Columns, Good | None]:
        """Return the accepted records and which they are; None for all."""
        joined = batch.joined()
        decoded = self._decoder.decode(buffer, joined.starts[chosen] + self._header_size, joined.ends[chosen])
        good = ~decoded.bad
        column = {name: _without_nulls(values, good) for name, values in decoded.columns.items()}
        with np.errstate(all="ignore"):  # what overflows here is not good
            side, price, notional = self._money(column, good)
        appended_ms = batch.timestamps[chosen] if batch.log_append_time else None
        _check_times(column["event_time"], column["ingest_time"], appended_ms, future_bound_ms, good)
        code = self._codes(buffer, column, instruments, good)
        _check_keys(batch, buffer, chosen, instruments, code, good)
        identity = _identities(buffer, column["liquidation_id"], instruments.prefixes[code], good)
        columns = Columns(code, side, price, notional, column["event_time"], identity)
        if good.all():
            return columns, None
        return columns.at(good), good

    def _money(
        self, column: dict[str, Any], good: Good
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        price, quantity, notional_usd = (column[name] for name in _NUMBERS)
        notional = np.rint(notional_usd * MICRO).astype(np.int64)
        good &= notional >= 1
        good &= notional_usd <= NOTIONAL_USD_MAX
        good &= np.abs(notional_usd - price * quantity) <= NOTIONAL_TOLERANCE * notional_usd
        good &= np.minimum(price, quantity) >= NUMBER_MIN  # a NaN of either is none
        good &= np.maximum(price, quantity) <= NUMBER_MAX
        side = self._sides[column["position_side"]]
        good &= side >= 0
        good &= self._price_kinds[column["price_kind"]] >= 0
        return side, price, notional

    def _codes(
        self, buffer: Buffer, column: dict[str, Any], instruments: InstrumentIndex, good: Good
    ) -> NDArray[np.int64]:
        names: list[Spans] = [column[name] for name in _NAMES]
        hashes = self._hashes(buffer, names, good)

        def spell(index: int) -> Instrument | None:
            if not good[index]:
                return None
            texts = [buffer.octets[start : start + length].tobytes() for start, length in _at(names, index)]
            try:
                spelt = [text.decode() for text in texts]
            except UnicodeDecodeError:
                return None
            found = Instrument(*spelt)
            good_names = all(spelt) and all(map(usable, spelt)) and found.exchange == found.exchange.lower()
            return found if good_names else None

        code = instruments.lookup(hashes, spell)
        known = code >= 0
        good &= known
        code *= known  # what is not good needs some code all the same
        return code

    def _hashes(self, buffer: Buffer, names: list[Spans], good: Good) -> NDArray[np.uint64]:
        exchange, _, asset = names
        if self._adjacent:
            # One stretch, lengths of symbol and asset included; the length of exchange says where it begins.
            length = asset.start + asset.length - exchange.start
            good &= length <= NAME_BYTES_MAX  # then each of them is within it, too
            length *= good
            seeds = exchange.length.view(np.uint64)
            return absorb_columns(seeds, words_of(buffer, exchange.start, length), length)
        seeds = np.full(len(good), SEED, np.uint64)
        for name in names:
            good &= name.length <= NAME_BYTES_MAX
        for name in names:
            length = name.length * good
            seeds = absorb_columns(seeds, words_of(buffer, name.start, length), length)
        return seeds


def _at(names: list[Spans], index: int) -> list[tuple[int, int]]:
    return [(int(name.start[index]), int(name.length[index])) for name in names]


def _without_nulls(values: Any, good: Good) -> Any:
    if isinstance(values, Nullable):
        good &= values.present
        return values.values
    return values


def _check_times(
    event_time_ms: NDArray[np.int64],
    ingest_time_ms: NDArray[np.int64],
    appended_ms: NDArray[np.int64] | None,
    future_bound_ms: int,
    good: Good,
) -> None:
    good &= np.minimum(event_time_ms, ingest_time_ms) >= TIME_MS_MIN
    good &= np.maximum(event_time_ms, ingest_time_ms) < TIME_MS_END
    seen_ms = ingest_time_ms if appended_ms is None else np.minimum(ingest_time_ms, appended_ms)
    good &= event_time_ms <= seen_ms + future_bound_ms


def _check_keys(
    batch: RecordBatch,
    buffer: Buffer,
    chosen: slice | NDArray[np.int64],
    instruments: InstrumentIndex,
    code: NDArray[np.int64],
    good: Good,
) -> None:
    keys = batch.keys
    if not isinstance(keys, Slices) or keys.blob is not batch.joined().blob:
        given = keys[chosen] if isinstance(chosen, slice) else [keys[index] for index in chosen.tolist()]
        expected = instruments.keys[code].tolist()
        if given != expected:
            good &= ~np.fromiter(map(ne, given, expected), np.bool_, len(expected))
        return
    start, size = keys.starts[chosen], keys.ends[chosen] - keys.starts[chosen]
    good &= size == instruments.key_sizes[code]
    good &= words_of(buffer, start, size.clip(0, WORD))[0] == instruments.key_words[code]
    for index in (good & (size > WORD)).nonzero()[0].tolist():
        good[index] = keys.blob[start[index] : start[index] + size[index]] == instruments.keys[code[index]]


def _identities(buffer: Buffer, ids: Spans, prefixes: NDArray[np.uint64], good: Good) -> NDArray[np.uint64]:
    good &= (ids.length > 0) & (ids.length <= SPAN_BYTES_MAX)
    length = ids.length * good
    words = words_of(buffer, ids.start, length)
    good &= ascii_columns(words)
    return absorb_columns(prefixes, words, length)
