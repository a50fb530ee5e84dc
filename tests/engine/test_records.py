"""What is read without an object for each record is what aiokafka would have read."""

import struct
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import memory_records as theirs
from aiokafka.record.control_record import ABORT_MARKER
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from faust.types import TP
from hypothesis import example, given
from hypothesis import strategies as st

from streams.codec.batch import Slices
from streams.engine import records, transport

TP0 = TP("liquidations", 0)
APPENDED, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
#: Key, value, headers, offsets since the one before, milliseconds since the first.
RECORD = st.tuples(
    st.none() | st.binary(max_size=70),
    st.none() | st.binary(max_size=9_000),
    st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=2),
    st.integers(1, 3) | st.integers(1, 20_000),
    st.integers(-(2**40), 2**40) | st.integers(-100, 100),
)
BATCHES = st.lists(
    st.tuples(st.lists(RECORD, min_size=1, max_size=5), st.sampled_from([0, 1, 2, 3, 4]), st.booleans()),
    min_size=1, max_size=3,
)  # fmt: skip


def packed(lines, *, base=0, codec=0, flags=0, producer=-1):
    """Return a batch of records, and the offset behind it."""
    builder = DefaultRecordBatchBuilder(2, codec, bool(flags & TRANSACTIONAL), producer, 0, 0, 1 << 24)
    at = -1
    for key, value, headers, apart, after_ms in lines:
        at += apart if at >= 0 else 1
        assert builder.append(at, 1_700_000_000_000 + after_ms, key, value, headers) is not None
    octets = bytearray(builder.build())
    octets[:8] = base.to_bytes(8, "big")
    octets[22] |= flags
    octets[17:21] = calc_crc32c(bytes(octets[21:])).to_bytes(4, "big")
    return bytes(octets), base + at + 1


def fetched(data, *, at=0, own=True, aborted=(), bytes_min=0):
    """Return what the fetcher hands on of a partition, by our way or by aiokafka's."""
    with patch.object(records, "BYTES_MIN", bytes_min):
        found = records.memory_records(data) if own else theirs.MemoryRecords(data)
    reader = fetcher.PartitionRecords(TP0, found, list(aborted), at, None, None, True, fetcher.READ_COMMITTED)
    handed = list(reader)
    return (records.read(handed) if handed else None), reader.next_fetch_offset


def plain(found):
    if found is None:
        return None
    assert isinstance(found.keys, Sequence)
    offsets, keys, values, timestamps, log_append_time = found
    return offsets.tolist(), list(keys), list(values), timestamps.tolist(), log_append_time


@given(BATCHES)
@example([([(b"BTC", b"v" * 63, [], 1, 0)] * 70, 0, False), ([(None, None, [], 1, 0)], 0, True)])
def test_batches_are_read_as_aiokafka_reads_them(batches):
    data, base = b"", 5
    for lines, codec, appended in batches:
        more, base = packed(lines, base=base, codec=codec, flags=APPENDED * appended)
        data += more
    ours, ours_next = fetched(data)
    expected, expected_next = fetched(data, own=False)

    assert isinstance(ours.values, Slices)
    assert not isinstance(expected.values, Slices)
    assert plain(expected) == plain(ours)
    assert expected_next == ours_next == base
    assert [list(expected.keys[1:]), list(expected.values[1:])] == [list(ours.keys[1:]), list(ours.values[1:])]
    assert all(expected.values[at] == ours.values[at] for at in range(len(expected.values)))


def line(value=b"v" * 100, key=b"BTC"):
    return key, value, [], 1, 0


def test_a_batch_that_was_cut_off_waits_for_the_next_fetch():
    first, base = packed([line(b"1")])
    second, _ = packed([line(b"2")], base=base)
    found, at = fetched(first + second[:-1])

    assert ([b"1"], 1) == (list(found.values), at)
    assert (None, 0) == fetched(first[:20])
    assert 20 == records.memory_records(first[:20]).size_in_bytes()


def test_what_was_aborted_upstream_is_not_read():
    flags = TRANSACTIONAL
    lost, base = packed([line(b"lost")], flags=flags, producer=7)
    marker = (struct.pack(">hh", ABORT_MARKER.version, ABORT_MARKER.type_), b"\0" * 6, [], 1, 0)
    end, base = packed([marker], base=base, flags=flags | CONTROL, producer=7)
    good, base = packed([line(b"good")], base=base, flags=flags, producer=7)
    found, at = fetched(lost + end + good, aborted=[(7, 0)])

    assert ([b"good"], base) == (list(found.values), at)
    assert plain(found) == plain(fetched(lost + end + good, aborted=[(7, 0)], own=False)[0])


def test_few_records_and_those_of_older_formats_are_read_by_aiokafka():
    data, _ = packed([line()] * 50)
    old = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    old.append(0, timestamp=1_700_000_000_000, key=b"BTC", value=b"old")

    assert not isinstance(fetched(data, bytes_min=len(data) + 1)[0].values, Slices)
    assert isinstance(fetched(data, bytes_min=len(data))[0].values, Slices)
    found, at = fetched(bytes(old.build()))
    assert ([b"old"], 1) == (found.values, at)


def test_a_batch_that_is_not_what_was_written_is_corrupt():
    data = bytearray(packed([line()] * 3)[0])
    data[70] ^= 1
    with pytest.raises(CorruptRecordException, match="CRC"):
        fetched(bytes(data))


@pytest.mark.parametrize("at", [61, 65, 67], ids=["record", "key", "value"])
@pytest.mark.parametrize("octet", [0x03, 0x7E, 0x7F, 0x80, 0xFF])
def test_lengths_that_do_not_fit_are_an_error_and_read_nothing(at, octet):
    data = bytearray(packed([line(b"value", b"K")] * 3)[0])
    data[at] = octet
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
    with pytest.raises(CorruptRecordException, match="not as long as they say"):
        fetched(bytes(data))


def test_where_it_begins_is_known_of_both():
    data, _ = packed([line()] * 3, base=7)
    for own in (True, False):
        reader = fetcher.PartitionRecords(
            TP0, records.MemoryRecords(data) if own else theirs.MemoryRecords(data), [], 7, None, None, True, 1
        )
        assert 7 == records.first_offset(list(reader))


def test_the_fetcher_takes_ours():
    assert records.memory_records is fetcher.MemoryRecords
    assert transport.PartitionRecords is fetcher.PartitionRecords
    assert np.int64 == fetched(packed([line()])[0])[0].offsets.dtype
    assert DefaultRecordBatch.CODEC_ZSTD in records._DECODERS
