"""The guard behind all overrides, and the life of a unit."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from faust.types import TP

from streams.codec.batch import RecordBatch
from streams.engine import changelog, owners
from streams.engine.batching import Delivered
from streams.units.unit import Flush, Tally, WrongTopic
from tests.engine.jobs import CHANGELOG, Calls, job

TP0 = TP("liquidations", 0)
SLOW_SECONDS = 0.05


class Unit:
    """What the engine asks of a unit, written down."""

    def __init__(self, partition):
        self.partition, self.next, self.tally = partition, {}, Tally()
        self.handled, self.restored, self.wrong = [], None, False
        self.urgent = self.work = self.clockless = False

    def unresolved(self, batch):
        return set()

    def handle(self, batch):
        self.handled.append(batch.offsets.tolist())
        self.next[batch.topic] = int(batch.offsets[-1]) + 1
        self.work = True

    def check(self):
        if self.wrong:
            raise WrongTopic("the wrong topic")

    def cut(self):
        self.work = self.urgent = False
        return Flush([(b"k", b"v")], [], dict(self.next))

    def restore(self, rows):
        self.restored = rows


class Writer:
    """A transaction that takes its time, or fails."""

    calls = Calls()
    failing = False
    open = 0

    def __init__(self, name, *_):
        self.name = name

    async def fence(self, owner):
        self.calls.append("fence")
        return 4

    async def commit(self, flush, partition, *, offsets=True):
        assert not self.open, "one transaction of a unit at a time"
        self.open += 1
        await asyncio.sleep(SLOW_SECONDS)
        self.open -= 1
        if self.failing:
            raise RuntimeError("the broker aborted it")
        self.calls.append(("commit", dict(flush.offsets)))
        if offsets:
            self.calls.append("offsets")

    async def stop(self):
        self.calls.append("stop")


@pytest.fixture(autouse=True)
def no_kafka(monkeypatch):
    async def read(ends, connection, *, check_crcs):
        Writer.calls.append(("read", {tp.partition: end for tp, end in ends.items()}))
        return {tp: {b"row": b"1"} for tp in ends}

    monkeypatch.setattr(owners, "Writer", Writer)
    monkeypatch.setattr(changelog, "read", read)
    Writer.calls, Writer.failing = Calls(), False


async def taken(at=10):
    app = job(Unit)
    app.ends = Calls()
    app.stop_now = app.ends.sync("stop_now")
    await app.owners.take([TP(CHANGELOG, 0)])
    app.owners.sought({TP0: at})
    app.owners.ready = True
    thread = SimpleNamespace(tp_last_committed_at={}, span=lambda tp, at: None, partitions=lambda topic: 2)
    consumer = app.consumer
    consumer._thread = thread
    return app.owners, app.owners.owned[CHANGELOG, 0]


def delivered(*offsets, begins=None):
    at = np.array(offsets, np.int64)
    batch = RecordBatch("liquidations", 0, at, [b"BTC"] * len(at), [b"v"] * len(at), at)
    return Delivered(batch, at[0] if begins is None else begins)


def test_a_unit_is_fenced_then_read_then_restored():
    async def run():
        _, owned = await taken()
        return owned.unit.restored

    assert {b"row": b"1"} == asyncio.run(run())
    assert ["fence", ("read", {0: 4})] == Writer.calls


def test_what_lies_below_the_next_offset_is_dropped():
    async def run():
        mine, owned = await taken(at=10)
        await mine.deliver(delivered(8, 9))
        await mine.deliver(delivered(8, 9, 10, 11))
        return owned.unit.handled

    assert [[10, 11]] == asyncio.run(run())


def test_offsets_that_upstream_left_out_are_no_loss_and_a_batch_that_begins_too_late_is_sought_again():
    async def run():
        mine, owned = await taken(at=10)
        sought = Calls()
        mine.app.consumer.seek_to = sought.awaited("seek")
        await mine.deliver(delivered(15, begins=10))
        await mine.deliver(delivered(30, begins=20))
        await asyncio.sleep(0)
        await mine.deliver(delivered(31))  # until the seek is done nothing of this topic counts
        return owned.unit.handled, sought

    assert ([[15]], [("seek", {TP0: 16})]) == asyncio.run(run())


def test_a_partition_whose_batches_are_lost_again_and_again_is_not_read_for_ever():
    async def run():
        mine, _ = await taken(at=10)
        mine.app.consumer.seek_to = Calls().awaited("seek")
        for _ in range(6):
            await mine.deliver(delivered(30, begins=20))
            mine.sought({TP0: 10})

    with pytest.raises(AssertionError, match="keep getting lost before 10"):
        asyncio.run(run())


def test_transactions_of_a_unit_follow_each_other_and_what_is_folded_meanwhile_is_in_the_next(monkeypatch):
    monkeypatch.setattr(owners, "GIVE_WAY_SECONDS", 0)

    async def run():
        mine, owned = await taken(at=0)
        for offset in range(4):
            await mine.deliver(delivered(offset))
            mine.kick(owned)
            await asyncio.sleep(SLOW_SECONDS / 4)
        await owned.task
        return len(owned.unit.handled)

    assert 4 == asyncio.run(run())
    commits = [call[1]["liquidations"] for call in Writer.calls if call[0] == "commit"]
    assert (4, sorted(commits)) == (commits[-1], commits)
    assert len(commits) < 4


@pytest.mark.parametrize(("count", "at_once"), [(1, True), (owners.BACKLOG_RECORDS, False)])
def test_folding_gives_way_to_what_is_being_committed_and_only_a_backlog_waits_for_the_next_flush(count, at_once):
    async def run():
        found, owned = await taken()
        owned.unit.work = owned.unit.urgent = True
        found.kick(owned)
        await asyncio.sleep(0)
        owned.unit.urgent = True
        await found.deliver(delivered(*range(10, 10 + count)))
        assert owned.unit.handled[0][0] == 10
        return Writer.calls.count(("commit", {"liquidations": 10})), owned.task is not None

    assert asyncio.run(run()) == (1, at_once)


def test_a_transaction_that_hangs_does_not_hold_a_backlog_for_ever(monkeypatch):
    monkeypatch.setattr(owners, "GIVE_WAY_SECONDS", 0.01)

    async def run():
        found, owned = await taken()
        owned.unit.work = True
        found.kick(owned)
        await asyncio.sleep(0)
        await found.deliver(delivered(*range(10, 10 + owners.BACKLOG_RECORDS)))
        return owned.task is not None and bool(owned.unit.handled)

    assert asyncio.run(run())


def test_a_backlog_that_was_let_go_of_while_it_gave_way_is_not_folded():
    async def run():
        found, owned = await taken()
        owned.unit.work = True
        found.kick(owned)
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(found.deliver(delivered(*range(10, 10 + owners.BACKLOG_RECORDS))))
        await asyncio.sleep(0)
        found.owned.clear()
        await waiting
        return owned.unit.handled

    assert asyncio.run(run()) == []


def test_faust_hears_what_we_committed():
    # Its detector of stalls believes that nothing moves otherwise.
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0, 1))
        await mine._flush(owned)
        consumer = mine.app.consumer
        return consumer._committed_offset[TP0], consumer._thread.tp_last_committed_at[TP0]

    offset, at = asyncio.run(run())
    assert 2 == offset
    assert time.monotonic() - at < 60


def test_between_the_cuts_of_two_units_the_loop_has_its_turn():
    # 48 units were cut in a row, nobody heard the broker meanwhile, and their transactions timed out.
    seen = []

    def look(loop):
        seen.append("turn")
        loop.call_soon(look, loop)

    async def run():
        mine, _ = await taken(at=0)
        await mine.app.owners.take([TP(CHANGELOG, 1)])
        for number, owned in enumerate(mine.owned.values()):
            owned.unit.work, owned.gave_time = True, True
            owned.unit.cut = lambda number=number, cut=owned.unit.cut: (seen.append(number), cut())[1]
        mine.options = replace(mine.options, flush_interval_ms=1)
        mine.resumed()
        look(asyncio.get_running_loop())
        await asyncio.sleep(SLOW_SECONDS / 2)
        mine._flusher.cancel()
        await mine.revoke()

    asyncio.run(run())
    assert "turn" in seen[seen.index(0) : seen.index(1)]


def test_a_transaction_that_fails_stops_the_worker():
    async def run():
        mine, owned = await taken(at=0)
        Writer.failing = True
        await mine.deliver(delivered(0))
        mine.kick(owned)
        await asyncio.sleep(2 * SLOW_SECONDS)
        return mine

    mine = asyncio.run(run())
    assert ("the broker aborted it", False) == (str(mine.failure), mine.ready)
    assert [("stop_now",)] == mine.app.ends


def test_on_revoke_and_at_the_end_the_rest_is_committed_and_the_producers_are_stopped():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        mine.kick(owned)
        await asyncio.sleep(SLOW_SECONDS / 2)
        await mine.deliver(delivered(1))
        began = time.monotonic()
        await mine.app.on_before_shutdown.send()
        return mine, time.monotonic() - began

    mine, seconds = asyncio.run(run())
    commits = [("commit", {"liquidations": 1}), "offsets", ("commit", {"liquidations": 2}), "offsets"]
    assert [*commits, "stop"] == Writer.calls[2:]
    assert ({}, False) == (mine.owned, mine.ready)
    assert seconds < 5


def test_the_wrong_topic_stops_the_worker_after_what_was_good_is_committed():
    async def run():
        mine, owned = await taken(at=0)
        owned.unit.wrong = True
        await mine.deliver(delivered(0))
        return mine

    assert "the wrong topic" == str(asyncio.run(run()).failure)
    assert ("commit", {"liquidations": 1}) in Writer.calls


def test_a_recovery_that_ended_without_state_stops_the_worker():
    async def run():
        mine, _ = await taken()
        here = [await mine.has_taken([TP(CHANGELOG, at)]) for at in (0, 9, 1)]
        return here, str(mine.failure)

    here, failure = asyncio.run(run())
    assert [True, True, False] == here  # of 9 there is no source
    assert f"recovery ended without the state of [TP(topic='{CHANGELOG}', partition=1)]" == failure


@pytest.mark.parametrize("amid", [False, True], ids=["after it was read", "while it was read"])
def test_state_that_is_let_go_of_while_it_is_taken_up_is_nobodys(monkeypatch, amid):
    async def run():
        mine, _ = await taken()
        if amid:

            async def read(ends, connection, *, check_crcs):
                await mine.revoke()
                return {tp: {} for tp in ends}

            monkeypatch.setattr(changelog, "read", read)
            await mine.take([TP(CHANGELOG, 0)])
        else:
            await mine.revoke()
        return mine.owned, await mine.has_taken([TP(CHANGELOG, 0)]), mine.failure

    assert ({}, False, None) == asyncio.run(run())
    assert "stop" == Writer.calls[-1]


def test_producers_of_an_assignment_that_was_overtaken_are_stopped(monkeypatch):
    # Faust cancels a recovery when another assignment comes; each left its producers behind, connected.
    async def run():
        app = job(Unit)
        reading = asyncio.Event()

        async def read(ends, connection, *, check_crcs):
            reading.set()
            await asyncio.sleep(60)

        monkeypatch.setattr(changelog, "read", read)
        taking = asyncio.ensure_future(app.owners.take([TP(CHANGELOG, 0), TP(CHANGELOG, 1)]))
        await reading.wait()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        return app.owners.owned, app.owners.failure

    assert ({}, None) == asyncio.run(run())
    assert ["fence", "fence", "stop", "stop"] == Writer.calls


def test_counts_live_as_long_as_the_process_whoever_owns_the_unit():
    async def run():
        mine, owned = await taken(at=0)
        owned.unit.tally.consumed = Counter(liquidations=5)
        await mine.revoke()
        await mine.take([TP(CHANGELOG, 0)])
        return mine.owned[CHANGELOG, 0].unit.tally.consumed

    assert {"liquidations": 5} == asyncio.run(run())


def test_the_collector_leaves_alone_what_lives_long():
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        app = job(Unit)
        (settle,) = app._app_tasks
        asyncio.run(settle())
        assert (200_000, 20, 100) == gc.get_threshold()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
