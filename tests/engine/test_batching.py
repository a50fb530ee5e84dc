"""All that a fetch brought of a partition is one batch."""

from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.engine.batching import BatchScheduler

PARTITION = TP("liquidations", 3)


def fetched(offsets):
    return [
        SimpleNamespace(offset=at, key=b"k%d" % at, value=b"v%d" % at, timestamp=at * 10, timestamp_type=1)
        for at in offsets
    ]


@pytest.mark.parametrize("offsets", [[7], [7, 8, 9], [7, 9, 10], [7, 8, 10]])
def test_offsets_are_the_records_own_with_or_without_gaps(offsets):
    [(tp, record)] = BatchScheduler().iterate({PARTITION: fetched(offsets), TP("funding", 3): []})
    batch = record.value.batch
    assert (tp, record.offset, record.value.begins) == (PARTITION, offsets[-1], offsets[0])
    assert batch.offsets.tolist() == offsets
    assert batch.keys == [b"k%d" % at for at in offsets]
    assert batch.timestamps.tolist() == [at * 10 for at in offsets]
    assert batch.log_append_time


def test_a_batch_begins_where_the_one_before_ended():
    scheduler = BatchScheduler()
    list(scheduler.iterate({PARTITION: fetched([7, 8])}))
    [(_, record)] = scheduler.iterate({PARTITION: fetched([12])})
    assert record.value.begins == 9
