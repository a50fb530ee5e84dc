"""Funding, open interest, quotes and exchange flows: batches to events, one record at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from streams.codec import build
from streams.codec.batch import RecordBatch, Refused
from streams.codec.decoding import OneByOne
from streams.codec.fields import Fields
from streams.codec.registry import Registry
from streams.codec.values import ValueFormat, ValueReader
from streams.core.events import ExchangeFlow, Funding, OpenInterest, Quote

Kind = Literal["funding", "open-interest", "quotes", "exchange-flows"]
Event = Funding | OpenInterest | Quote | ExchangeFlow

_BUILDERS: dict[str, Callable[[Fields, build.Arrival], Event]] = {
    "funding": build.funding,
    "open-interest": build.open_interest,
    "quotes": build.quote,
    "exchange-flows": build.exchange_flow,
}


class RecordDecoder:
    """Decodes one of the smaller input topics."""

    def __init__(
        self, kind: Kind, registry: Registry, *, future_bound_ms: int = 5000, value_format: ValueFormat = "avro"
    ) -> None:
        self.reader = ValueReader(registry, value_format)
        self._one_by_one = OneByOne(self.reader, _BUILDERS[kind], future_bound_ms)

    def unresolved(self, batch: RecordBatch) -> set[int]:
        """Return the schema ids that the registry must ``resolve`` before ``decode``."""
        return self.reader.unresolved(batch)

    def decode(self, batch: RecordBatch) -> tuple[list[tuple[int, Event]], list[Refused]]:
        """Return the usable events with their indices in the batch, and the refused ones."""
        return self._one_by_one.decode(batch, range(len(batch)))
