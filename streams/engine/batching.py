"""Batches in front of Faust: one pseudo-record for all that a fetch brought of a partition.

Faust spends 76 µs on a record whatever the agent does with it. Its public
setting ``ConsumerScheduler`` sees each whole fetch first; what it yields is
passed on unread. So Faust carries a batch at the price of a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import faust
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.codec.batch import RecordBatch
from streams.engine.records import first_offset, read


class BatchRecord:
    """What Faust takes for a record: its offset is the batch's last.

    ``begins`` is where the partition was read from; if it lies beyond what the unit has
    folded, Faust has lost a batch between here and the agent.
    """

    __slots__ = (
        "begins", "checksum", "headers", "key", "offset", "partition", "serialized_key_size", "serialized_value_size",
        "timestamp", "timestamp_type", "topic", "value",
    )  # fmt: skip

    def __init__(self, tp: TP, found: list[Any], begins: int) -> None:
        batch = RecordBatch(tp.topic, tp.partition, *read(found))
        self.topic, self.partition = tp.topic, tp.partition
        self.begins = begins
        self.offset, self.timestamp = int(batch.offsets[-1]), int(batch.timestamps[-1])
        self.timestamp_type = 0
        self.headers = ()
        self.key = self.checksum = None
        self.serialized_key_size = self.serialized_value_size = 0
        self.value = Delivered(batch, begins)


class Delivered:
    """A batch and the offset from which it was read."""

    __slots__ = ("batch", "begins")

    def __init__(self, batch: RecordBatch, begins: int) -> None:
        self.batch = batch
        self.begins = begins


class BatchScheduler(DefaultSchedulingStrategy):
    """Groups the records of every partition of a fetch into one."""

    def __init__(self) -> None:
        #: Offset after the last record that was read, by partition; a seek sets it.
        self.expected: dict[TP, int] = {}

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Return (partition, batch) of each; what is handed on of them or not, it was read."""
        begins = {tp: self.expected.get(tp, first_offset(found)) for tp, found in records.items() if found}
        self.expected.update({tp: records[tp][-1].offset + 1 for tp in begins})
        return ((tp, BatchRecord(tp, records[tp], begins[tp])) for tp in begins)


class BatchSchema(faust.Schema[Any, Any]):
    """Hands the batch through: it is decoded where unknown schemas can be waited for."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:
        """Keys are inside the batch."""

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        """Return the batch."""
        return message.value
