"""Batches of liquidations to columns: by columns where that is quicker, one by one where it is safer.

The law: the columns accept a record only if ``build.liquidation`` would, with the same values.
Whatever looks odd in any way is left to it; it decides, and it has the sentences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.codec import build, wire
from streams.codec.batch import RecordBatch, Refused
from streams.codec.columns import Unsupported
from streams.codec.decoding import OneByOne
from streams.codec.identity import absorb
from streams.codec.instruments import InstrumentIndex
from streams.codec.layout import Columns, Layout
from streams.codec.registry import Registry
from streams.codec.schema import SchemaError, parse
from streams.codec.values import ValueFormat, ValueReader
from streams.core.events import Liquidation, LiquidationColumns

#: Below this many records of one schema, columns cost more than reading one by one.
COLUMNS_COUNT_MIN = 16
#: Records made into columns at once: bounds the memory of what is in between (about 4 MB).
CHUNK_COUNT = 16_384


class _Part(NamedTuple):
    places: NDArray[np.int64]
    columns: Columns


class LiquidationDecoder:
    """Decodes the ``liquidations`` topic.

    Parameters
    ----------
    registry
        Where schema ids get their meaning; not asked for JSON.
    future_bound_ms
        How far an event may be dated past its ingest time, and past the broker's own time.
    value_format
        ``avro`` with the Confluent header, or ``json``.

    """

    def __init__(self, registry: Registry, future_bound_ms: int = 5000, value_format: ValueFormat = "avro") -> None:
        self.reader = ValueReader(registry, value_format)
        self._one_by_one = OneByOne(self.reader, build.liquidation, future_bound_ms)
        self._future_bound_ms = future_bound_ms
        self._layouts: dict[int, Layout | None] = {}
        self._instruments = InstrumentIndex()

    def unresolved(self, batch: RecordBatch) -> set[int]:
        """Return the schema ids that the registry must ``resolve`` before ``decode``."""
        return self.reader.unresolved(batch)

    def decode(self, batch: RecordBatch) -> tuple[LiquidationColumns, list[Refused]]:
        """Return the usable liquidations in log order, and the refused ones."""
        self._instruments.trim()
        parts, left = self._by_columns(batch)
        events, refused = self._one_by_one.decode(batch, left)
        if events:
            parts.append(_part(events, self._instruments))
        return self._assembled(batch, parts), refused

    def _by_columns(self, batch: RecordBatch) -> tuple[list[_Part], list[int]]:
        # What the columns accept, and the indices of all they leave.
        count = len(batch)
        if self.reader.value_format == "json" or count < COLUMNS_COUNT_MIN:
            return [], list(range(count))
        left = np.ones(count, np.bool_)
        parts: list[_Part] = []
        for schema_id, members in batch.by_schema():
            layout = self._layout(schema_id)
            if layout is not None and (members is None or len(members) >= COLUMNS_COUNT_MIN):
                parts.extend(self._chunks(batch, layout, members, left))
        return parts, left.nonzero()[0].tolist()

    def _chunks(
        self, batch: RecordBatch, layout: Layout, members: NDArray[np.int64] | None, left: NDArray[np.bool_]
    ) -> list[_Part]:
        count = len(batch) if members is None else len(members)
        buffer = layout.buffer(batch.joined())
        parts = []
        for first in range(0, count, CHUNK_COUNT):
            last = min(first + CHUNK_COUNT, count)
            chosen = slice(first, last) if members is None else members[first:last]
            columns, good = layout.decode(batch, buffer, chosen, self._instruments, self._future_bound_ms)
            indices = np.arange(first, last) if members is None else members[first:last]
            accepted = indices if good is None else indices[good]
            left[accepted] = False
            parts.append(_Part(accepted, columns))
        return parts

    def _layout(self, schema_id: int) -> Layout | None:
        if schema_id not in self._layouts:
            schema = self.reader.registry.schema(schema_id)
            if schema is None:
                return None  # and not remembered: it may be known the next time
            try:
                self._layouts[schema_id] = Layout(parse(schema), wire.SIZE)
            except (SchemaError, Unsupported):
                self._layouts[schema_id] = None
        return self._layouts[schema_id]

    def _assembled(self, batch: RecordBatch, parts: list[_Part]) -> LiquidationColumns:
        places, columns = _in_log_order(parts)
        codes, instruments = self._instruments.narrow(columns.code)
        offset = batch.offsets if len(places) == len(batch) else batch.offsets[places]
        return LiquidationColumns(
            offset,
            codes,
            instruments,
            columns.side,
            columns.price,
            columns.notional,
            columns.event_time_ms,
            columns.identity,
        )


def liquidation_columns(offsets: NDArray[np.int64], liquidations: list[Liquidation]) -> LiquidationColumns:
    """Return liquidations that are already decoded as columns, the same as if they had come as a batch."""
    index = InstrumentIndex()
    part = _part(list(enumerate(liquidations)), index)
    codes, instruments = index.narrow(part.columns.code)
    _, side, price, notional, event_time_ms, identity = part.columns
    return LiquidationColumns(offsets, codes, instruments, side, price, notional, event_time_ms, identity)


def _part(events: list[tuple[int, Liquidation]], instruments: InstrumentIndex) -> _Part:
    codes = [instruments.code(event.instrument) for _, event in events]
    prefixes = instruments.prefixes[codes].tolist() if codes else []
    return _Part(
        np.array([index for index, _ in events], np.int64),
        Columns(
            np.array(codes, np.int64),
            np.array([event.position_side for _, event in events], np.int64),
            np.array([event.price for _, event in events], np.float64),
            np.array([event.notional_micro_usd for _, event in events], np.int64),
            np.array([event.event_time_ms for _, event in events], np.int64),
            np.array(
                [
                    absorb(prefix, event.liquidation_id.encode())
                    for prefix, (_, event) in zip(prefixes, events, strict=True)
                ],
                np.uint64,
            ),
        ),
    )


def _in_log_order(parts: list[_Part]) -> _Part:
    if not parts:
        return _part([], InstrumentIndex())
    if len(parts) == 1:
        return parts[0]
    places = np.concatenate([part.places for part in parts])
    columns = Columns(
        np.concatenate([part.columns.code for part in parts]),
        np.concatenate([part.columns.side for part in parts]),
        np.concatenate([part.columns.price for part in parts]),
        np.concatenate([part.columns.notional for part in parts]),
        np.concatenate([part.columns.event_time_ms for part in parts]),
        np.concatenate([part.columns.identity for part in parts]),
    )
    if (places[1:] > places[:-1]).all():
        return _Part(places, columns)
    order = places.argsort()
    return _Part(places[order], columns.at(order))
