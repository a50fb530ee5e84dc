"""What a partition hands over at once, and what is said about a record of it that cannot be used."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from streams.codec import wire
from streams.core.errors import Reason


class Refused(NamedTuple):
    """A record of a batch that becomes a dead letter: its index there, the reason and a sentence."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs
    reason: Reason
    detail: str


#: Bytes behind the last value: readers of many records at once run ahead of bad ones.
ROOM = 1024


class Joined(NamedTuple):
    """All values of a batch and ``ROOM`` behind them: where each starts and ends (a null value is empty)."""

    blob: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Slices(Sequence[bytes | None]):
    """Parts of some bytes, made when they are asked for; one that ends before it starts is null."""

    __slots__ = ("blob", "ends", "starts")

    def __init__(self, blob: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self.blob, self.starts, self.ends = blob, starts, ends

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> Slices: ...
    def __getitem__(self, at: int | slice) -> bytes | Slices | None:
        if isinstance(at, slice):
            return Slices(self.blob, self.starts[at], self.ends[at])
        start, end = int(self.starts[at]), int(self.ends[at])
        return self.blob[start:end] if start <= end else None

    def __iter__(self) -> Iterator[bytes | None]:
        blob = self.blob
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield blob[start:end] if start <= end else None


@dataclass(slots=True)
class RecordBatch:
    """Records of one partition in log order.

    ``timestamps`` (ms) are the broker's own where ``log_append_time`` is set, else the producer's.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
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
        """Return all values in one; made once, because decoding and asking for schema ids both need it."""
        if self._joined is None:
            self._joined = _join(self.values)
        return self._joined

    def by_schema(self) -> wire.Groups:
        """Return each schema id with the indices of the records that name it; made once, too."""
        if self._groups is None:
            self._groups = wire.by_schema(*self.joined())
        return self._groups


def _join(values: Sequence[bytes | None]) -> Joined:
    if isinstance(values, Slices):
        return Joined(values.blob, values.starts, np.maximum(values.starts, values.ends))
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
