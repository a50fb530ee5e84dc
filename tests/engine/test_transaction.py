"""One flush is one transaction: what goes when, and what a failure in it does."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import OffsetAndMetadata

from streams.engine import transaction
from streams.engine.transaction import BATCH_BYTES, Writer
from streams.units.unit import Flush, Message
from tests.engine.jobs import CHANGELOG, Calls


class Batch(list):
    """A batch of the producer: what does not fit is refused, but for the first."""

    size = 0

    def append(self, *, key, value, timestamp):
        size = len(key) + len(value or b"")
        if self and self.size + size > BATCH_BYTES:
            return None
        self.size += size
        super().append((key, value))
        return True

    def record_count(self):
        return len(self)


class Producer:
    """aiokafka's producer, told when a produce is acknowledged."""

    def __init__(self, failing=None, **options):
        self.calls, self.options, self.failing = Calls(), options, failing
        self.create_batch = Batch
        for name in ("start", "stop", "begin_transaction", "commit_transaction", "send_offsets_to_transaction"):
            setattr(self, name, self.calls.awaited(name))

    async def partitions_for(self, topic):
        return {0, 1, 2}

    async def send_batch(self, batch, topic, *, partition):
        self.calls.append(("sent", topic, partition, list(batch)))

        async def acknowledged():
            await asyncio.sleep(0)
            self.calls.append(("acknowledged", topic))
            if topic == self.failing:
                raise KafkaError("lost")

        return asyncio.ensure_future(acknowledged())


def commit(flush, failing=None, times=1, made=None, **how):
    def producer(**options):
        found = Producer(failing, **options)
        if made is not None:
            made.append(found)
        return found

    async def run():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "AIOKafkaProducer", producer)
            patch.setattr(transaction, "BatchBuilder", lambda *_, **__: Batch())
            writer = Writer("id", "group", TopicPartition(CHANGELOG, 0), {}, 1_000)
            for _ in range(times):
                await writer.commit(flush, 0, **how)
            return writer

    return asyncio.run(run())


FLUSH = Flush([(b"row", b"1"), (b"gone", None)], [Message("cascades", b"k", b"v")], {"liquidations": 7})


def test_offsets_go_after_every_produce_is_acknowledged_and_before_the_commit():
    # In parallel the broker refuses them, and the client sleeps.
    calls = commit(FLUSH)._producer.calls
    names = [name for name, *_ in calls]

    assert ["begin_transaction", "sent", "sent", "acknowledged", "acknowledged"] == names[:5]
    assert ["send_offsets_to_transaction", "commit_transaction"] == names[5:]
    assert ({TopicPartition("liquidations", 0): OffsetAndMetadata(7, "")}, "group") == calls[5][1:]


def test_a_key_is_where_kafkas_own_clients_have_it():
    keys = [f"ASSET|A{number}".encode() for number in range(50)]
    calls = commit(Flush([], [Message("cascades", key, b"v") for key in keys]))._producer.calls
    where = {key: call[2] for call in calls if call[0] == "sent" for key, _ in call[3]}

    assert {key: DefaultPartitioner()(key, [0, 1, 2], []) for key in keys} == where


def test_a_flush_that_cannot_wait_sends_no_offsets():
    names = [name for name, *_ in commit(FLUSH, offsets=False)._producer.calls]

    assert ("send_offsets_to_transaction" in names, names[-1]) == (False, "commit_transaction")


def test_a_commit_does_not_look_at_a_produce_that_failed_so_we_do():
    made = []
    with pytest.raises(KafkaError, match="lost"):
        commit(FLUSH, failing="cascades", made=made)
    names = [name for name, *_ in made[0].calls]

    assert ("acknowledged" in names, "commit_transaction" in names) == (True, False)


def test_the_coordinator_is_asked_again_at_once():
    assert 10 == commit(FLUSH)._producer.options["retry_backoff_ms"]


def test_rows_that_do_not_fit_into_one_batch_are_several():
    rows = [(b"%d" % number, bytes(100_000)) for number in range(5)]
    sent = [call for call in commit(Flush(rows))._producer.calls if call[0] == "sent"]

    assert [2, 2, 1] == [len(batch) for *_, batch in sent]


def test_an_output_larger_than_brokers_take_is_our_mistake_and_a_row_is_compressed_first():
    with pytest.raises(ValueError, match="a record of 2000001 bytes for cascades is larger than what brokers take"):
        commit(Flush([], [Message("cascades", b"k", bytes(2_000_000))]))
    calls = commit(Flush([(b"k", bytes(2_000_000))]))._producer.calls
    assert [1] == [len(call[-1]) for call in calls if call[0] == "sent"]


def test_places_of_keys_that_never_come_again_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(transaction, "_PLACES_MAX", 10)
    letters = [Message("dead-letters", b"liquidations|0|%d" % offset, b"v") for offset in range(1_000)]

    assert len(commit(Flush([], letters))._places) <= 10


def test_what_only_we_read_is_compressed_and_an_output_is_as_it_comes():
    async def run():
        writer = Writer("id", "group", TopicPartition(CHANGELOG, 0), {}, 1_000, frozenset({"pane-snapshots"}))
        sizes = {}
        for topic in (CHANGELOG, "pane-snapshots", "cascades"):
            batch = writer._new_batch(topic)
            for number in range(100):
                batch.append(key=b"p%d" % number, value=bytes(500), timestamp=None)
            sizes[topic] = len(batch._build())
        await writer.stop()
        return sizes

    sizes = asyncio.run(run())
    assert max(sizes[CHANGELOG], sizes["pane-snapshots"]) < 5_000
    assert sizes["cascades"] > 50_000
