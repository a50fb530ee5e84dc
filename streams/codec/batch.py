"""What a partition hands over at once, and what is said about a record of it that cannot be used."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.codec import wire
from streams.core.errors import Reason


class Refused(NamedTuple):
    """A record of a batch that becomes a dead letter: its index there, the reason and a sentence."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs
    reason: Reason
    detail: str
    schema_id: int | None


#: Zeros behind the last value: readers of many records at once run ahead of bad ones.
ROOM = 1024


class Joined(NamedTuple):
    """All values of a batch end to end and ``ROOM`` behind: where each starts and ends (a null value is empty)."""

    blob: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


@dataclass(slots=True)
class RecordBatch:
    """Records of one partition in log order.

    ``timestamps`` (ms) are the broker's own where ``log_append_time`` is set, else the producer's.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps: NDArray[np.int64]
    log_append_time: bool = False
    _joined: Joined | None = field(default=None, init=False, repr=False, compare=False)
    _groups: wire.Groups | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.values)

    def slice(self, start: int) -> RecordBatch:
        """Return the records from index ``start`` on."""
        return RecordBatch(
            self.topic,
            self.partition,
            self.offsets[start:],
            self.keys[start:],
            self.values[start:],
            self.timestamps[start:],
            self.log_append_time,
        )

    def joined(self) -> Joined:
        """Return all values end to end; made once, because decoding and asking for schema ids both need it."""
        if self._joined is None:
            self._joined = _join(self.values)
        return self._joined

    def by_schema(self) -> wire.Groups:
        """Return each schema id with the indices of the records that name it; made once, too."""
        if self._groups is None:
            self._groups = wire.by_schema(*self.joined())
        return self._groups


def _join(values: list[bytes | None]) -> Joined:
    try:
        # Nulls are rare: trying is cheaper than looking.
        blob = b"".join([*values, bytes(ROOM)])  # type: ignore[list-item]
    except TypeError:
        return _join([value or b"" for value in values])
    # A third cheaper than np.fromiter: this is the one thing done for each record in Python.
    lengths = struct.pack(f"{len(values)}q", *map(len, values))  # type: ignore[arg-type]
    ends = np.cumsum(np.frombuffer(lengths, np.int64))
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1]
    return Joined(blob, starts, ends)
