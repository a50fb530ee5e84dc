"""Record batches as a broker sends them, read without an object for each record.

aiokafka makes an object of every record and two strings in it, which was most of what reading costs. A batch of records
(KIP-98, version 2) is a header and records that say how long they are: here one step of Python a record finds where
each begins, and the rest is read for all at once. Few records and older formats are still aiokafka's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record import memory_records as memory
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c
from numpy.typing import NDArray

from streams.codec.batch import ROOM, Slices
from streams.codec.reader import Malformed, read_long
from streams.codec.varint import Buffer, Cursor, long_column

Ints = NDArray[np.int64]
_MISFIT = "the records of a batch are not as long as they say"
_SEVEN_BITS, _NULL = 0x7F, -1
#: Base offset, length of what follows; epoch of the leader, version, CRC, attributes, last offset, first and last time,
#: producer and its epoch, first sequence number, count. Offsets and times of records are relative to the first.
_HEADER = struct.Struct(">qiibIhiqqqhii")
#: Below so many bytes, or some two hundred records, what is the price of one is more than an object for each.
BYTES_MIN = 16_384
_APPENDED = 1
_LEAD_BYTES, _VERSION_AT, _CHECKED_AT, _VERSION = 12, 16, 21, 2
_CODEC, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_DECODERS = {
    DefaultRecordBatch.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: codec.zstd_decode,
}


def memory_records(data: bytes) -> Any:
    """Return what the fetcher takes the batches of a partition from: aiokafka's own where they are few or old."""
    if len(data) >= BYTES_MIN and all(data[begin + _VERSION_AT] == _VERSION for begin, _ in _batches(data)):
        return MemoryRecords(data)
    return memory.MemoryRecords(data)


def _batches(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each batch begins and ends; the last may have been cut off, and is not one."""
    begin = 0
    while begin + _LEAD_BYTES <= len(data):
        end = begin + _LEAD_BYTES + int.from_bytes(data[begin + 8 : begin + _LEAD_BYTES], "big")
        if end > len(data):
            return
        yield begin, end
        begin = end


class MemoryRecords:
    """The batches of a partition in a fetch."""

    def __init__(self, data: bytes) -> None:
        self._data, self._places = data, list(_batches(data))[::-1]

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        return bool(self._places)

    def next_batch(self) -> Batch:
        begin, end = self._places.pop()
        return Batch(self._data[begin:end])


class Batch:
    """One batch, and what it hands on in place of its records: itself, at the offset of the last."""

    __slots__ = (
        "_checksum", "_codec", "_octets", "base_offset", "count", "first_timestamp", "is_control_batch",
        "is_transactional", "log_append_time", "max_timestamp", "next_offset", "payload", "places", "producer_id",
    )  # fmt: skip

    def __init__(self, octets: bytes) -> None:
        (
            self.base_offset, _, _, _, self._checksum, attributes, last, self.first_timestamp, self.max_timestamp,
            self.producer_id, _, _, self.count,
        ) = _HEADER.unpack_from(octets)  # fmt: skip
        self.next_offset = self.base_offset + last + 1
        self._codec = attributes & _CODEC
        self.log_append_time = bool(attributes & _APPEND_TIME)
        self.is_transactional, self.is_control_batch = bool(attributes & _TRANSACTIONAL), bool(attributes & _CONTROL)
        self._octets = octets
        self.payload: bytes = b""
        self.places: tuple[list[int], list[int]] = [], []

    @property
    def offset(self) -> int:
        return int(self.next_offset) - 1

    def validate_crc(self) -> bool:
        return bool(calc_crc32c(self._octets[_CHECKED_AT:]) == self._checksum)

    def __next__(self) -> Any:
        """Return the record of a control batch, which says how a transaction ended."""
        return next(memory.MemoryRecords(self._octets).next_batch())

    def __iter__(self) -> Iterator[Batch]:
        if self.count:
            payload = self._octets[_HEADER.size :]
            self.payload = bytes(_DECODERS[self._codec](payload)) if self._codec else payload
            self.places, self._octets = _places(self.payload, self.count), b""
            yield self


class Records(NamedTuple):
    """Records of a partition in log order, as ``codec.batch.RecordBatch`` has them."""

    offsets: Ints
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps: Ints
    log_append_time: bool


def read(found: Sequence[Any]) -> Records:
    """Return what the fetcher handed on of a partition: batches, or aiokafka's records."""
    return _joined(found) if isinstance(found[0], Batch) else _listed(found)


def first_offset(found: Sequence[Any]) -> int:
    """Return where what was handed on begins, or before."""
    return int(found[0].base_offset if isinstance(found[0], Batch) else found[0].offset)


def _listed(records: Sequence[Any]) -> Records:
    offsets, timestamps = ([getattr(record, name) for record in records] for name in ("offset", "timestamp"))
    return Records(
        np.array(offsets, np.int64),
        [record.key for record in records],
        [record.value for record in records],
        np.array(timestamps, np.int64),
        records[-1].timestamp_type == _APPENDED,
    )


def _joined(batches: Sequence[Batch]) -> Records:
    blob = b"".join([*(batch.payload for batch in batches), bytes(ROOM)])
    count = np.array([batch.count for batch in batches])
    start = np.cumsum([0, *(len(batch.payload) for batch in batches)])[:-1]
    begin, size = (
        np.fromiter(chain.from_iterable(column), np.int64, int(count.sum()))
        for column in zip(*(batch.places for batch in batches), strict=True)
    )
    begin += np.repeat(start, count)
    cursor = Cursor(Buffer(blob), begin + 1, begin + size, np.zeros(len(begin), np.bool_))  # one byte of attributes
    try:
        after_ms, after = long_column(cursor), long_column(cursor)
        keys, values, headers = _slices(blob, cursor), _slices(blob, cursor), long_column(cursor)
    except IndexError:
        raise CorruptRecordException(_MISFIT) from None
    if (cursor.bad | (cursor.at > cursor.end) | (headers == 0) & (cursor.at < cursor.end)).any():
        raise CorruptRecordException(_MISFIT)
    first_ms = np.array([each.max_timestamp if each.log_append_time else each.first_timestamp for each in batches])
    if any(batch.log_append_time for batch in batches):
        after_ms[np.repeat([batch.log_append_time for batch in batches], count)] = 0
    return Records(
        np.repeat([batch.base_offset for batch in batches], count) + after,
        keys,
        values,
        np.repeat(first_ms, count) + after_ms,
        batches[-1].log_append_time,
    )


def _slices(blob: bytes, cursor: Cursor) -> Slices:
    length = long_column(cursor)
    cursor.bad |= length < _NULL
    start = cursor.at
    cursor.at = start + np.maximum(length, 0)
    return Slices(blob, start, start + length)


def _places(payload: bytes, count: int) -> tuple[list[int], list[int]]:
    """Return where the records of a batch begin, each behind the length in front of it, and these lengths."""
    begins, sizes = [], []
    at = 0
    try:
        for _ in range(count):
            # Nearly all have one octet or two, and a call for each would be dearer than all the rest.
            size, more = payload[at], payload[at + 1]
            if size <= _SEVEN_BITS:
                size, at = size >> 1, at + 1
            elif more <= _SEVEN_BITS:
                size, at = (size & _SEVEN_BITS | more << 7) >> 1, at + 2
            else:
                size, at = read_long(payload, at)
            begins.append(at)
            sizes.append(size)
            at += size
    except (IndexError, Malformed):
        at = -1
    if at != len(payload):
        raise CorruptRecordException(_MISFIT)
    return begins, sizes
