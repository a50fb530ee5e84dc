"""What all decoders of input topics share: a record read one by one, and refused without harm to the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from streams.codec.batch import RecordBatch, Refused
from streams.codec.build import Arrival
from streams.codec.fields import Fields
from streams.codec.values import ValueReader
from streams.core.errors import InvalidEvent

Event = TypeVar("Event")


class OneByOne(Generic[Event]):
    """Decodes records of a batch by index with one ``build`` function."""

    def __init__(self, reader: ValueReader, build: Callable[[Fields, Arrival], Event], future_bound_ms: int) -> None:
        self.reader = reader
        self.future_bound_ms = future_bound_ms
        self._build = build

    def decode(self, batch: RecordBatch, indices: Iterable[int]) -> tuple[list[tuple[int, Event]], list[Refused]]:
        """Return the usable records with their indices, and the refused ones."""
        events: list[tuple[int, Event]] = []
        refused: list[Refused] = []
        for index in indices:
            try:
                events.append((index, self._one(batch, index)))
            except InvalidEvent as error:
                refused.append(Refused(index, error.reason, error.detail))
        return events, refused

    def _one(self, batch: RecordBatch, index: int) -> Event:
        appended_ms = int(batch.timestamps[index]) if batch.log_append_time else None
        arrival = Arrival(batch.keys[index], appended_ms, self.future_bound_ms)
        return self._build(Fields(self.reader.read(batch.values[index])), arrival)
