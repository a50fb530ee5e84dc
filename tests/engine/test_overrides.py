"""Each override of Faust: what it is for, and that this is lost without it.

A check is run twice: as things are, and with the override taken away, where it must fail.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import consumer, fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.exceptions import DecodeError
from faust.tables.recovery import ServiceStopped
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.engine import batching, recovery, transport
from streams.engine.batching import BatchScheduler, BatchSchema
from streams.engine.recovery import Recovery, TableManager
from streams.engine.transport import Consumer, ConsumerThread
from tests.engine.jobs import CHANGELOG, Calls, job, record

TP0, TP1 = TP("liquidations", 0), TP("liquidations", 1)


async def a_transaction_that_was_aborted_upstream_is_not_read():
    app = job()
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    consumer._closed = True  # never started: else it says so when it is collected, in whatever test that is

    assert "read_committed" == consumer._isolation_level
    assert transport.FETCH_WAIT_MS == consumer._fetch_max_wait_ms  # else a backlog waits for what has none
    assert not app.consumer.in_transaction  # Faust would make transactions of its own


async def a_record_is_handed_on_as_it_was_parsed():
    written = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1_000)
    for offset in range(3):
        written.append(offset, 1_000 + offset, b"BTC", b"value", [])
    records = MemoryRecords(bytes(written.build()))
    read = list(fetcher.PartitionRecords(TP0, records, [], 1, None, None, True, fetcher.READ_COMMITTED))

    assert [(1, 1_001, b"BTC", b"value"), (2, 1_002, b"BTC", b"value")] == [
        (each.offset, each.timestamp, each.key, each.value) for each in read
    ]
    assert not any(hasattr(each, "topic") for each in read)


async def a_full_queue_does_not_stop_its_partition():
    consumer = job().consumer
    consumer._active_partitions = {TP0}
    consumer.on_buffer_full(TP0)

    assert {TP0} == consumer._active_partitions


async def offsets_between_two_batches_are_not_listed():
    consumer = job().consumer
    await consumer._add_gap(TP0, 0, 10**9)

    assert not consumer._gap


async def faust_commits_nothing_and_counts_no_acknowledgements():
    consumer = job().consumer
    consumer._acked[TP0].extend([7, 8])

    assert consumer._new_offset(TP0) is None
    assert [] == consumer._acked[TP0]


async def sources_are_sought_to_the_commit_row_or_the_beginning():
    app, calls = job(), Calls()
    consumer = app.consumer
    consumer.seek_to_committed = calls.awaited("committed", {TP0: 99, TP1: 99})
    consumer.assignment = lambda: {TP0, TP1}
    consumer.earliest_offsets = calls.awaited("earliest", {TP0: 2, TP1: 3})
    consumer.seek_wait = calls.awaited("seek")
    consumer.scheduler = BatchScheduler()
    consumer.highwaters = calls.awaited("ends", {TP0: 7})
    app.owners.positions = lambda assignment: {TP0: 7, TP1: None}
    app.owners.sought = calls.sync("sought")
    await consumer.perform_seek()

    seek = [("seek", {TP0: 7, TP1: 3}), ("sought", {TP0: 7, TP1: 3})]
    assert [("committed",), ("ends", TP0), ("earliest", TP0, TP1), *seek] == calls
    assert {TP0: 7, TP1: 3} == consumer.scheduler.expected


async def a_delivery_is_awaited_without_a_task():
    async def delivery():
        return asyncio.current_task()

    suspended = asyncio.sleep(60)
    found = await job().consumer.wait_first(delivery(), suspended)

    assert asyncio.current_task() is found
    assert "CORO_CLOSED" == inspect.getcoroutinestate(suspended)


async def the_broker_collects_for_as_long_as_folding_is_dear():
    app = job()
    consumer, held = app.consumer, []
    consumer.can_resume_flow.set()
    consumer.flow_active = True
    consumer._active_partitions = {TP0}
    consumer._thread.linger = held.append
    found = iter([{TP0: [None]}, {TP0: [None]}, {}, {TP0: [None]}, {TP0: [None]}])

    async def getmany(**_):
        return next(found)

    consumer._getmany = getmany
    for seconds in (0.0, 0.003, 0.0, 0.0, 1.0):
        app.owners.folded_seconds += seconds
        await consumer._wait_next_records(1.0)

    assert [6, 24, 6, transport.LINGER_MS_MAX] == held


async def a_lingering_fetch_asks_for_more_and_an_idle_one_for_anything():
    thread = job().consumer._thread
    thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=fetch)
    fetch, asked = SimpleNamespace(), []
    for wait_ms in (7, 0):
        thread.linger(wait_ms)
        asked.append((fetch._fetch_max_wait_ms, fetch._fetch_min_bytes))

    assert [(7, transport.LINGER_BYTES), (transport.FETCH_WAIT_MS, 1)] == asked


async def nobody_asks_again_and_again_where_nothing_comes():
    answers = iter([False, True, False, False])

    async def answered(self, *_):
        return next(answers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetcher.Fetcher, "_proc_fetch_request", answered)
        fetch = transport.Fetcher.__new__(transport.Fetcher)
        fetch._fetch_max_wait_ms, fetch._fetch_min_bytes, asked = 30, transport.LINGER_BYTES, []
        for left in ({}, {TP0: None}, {TP0: None}, {}):
            fetch._records = left
            await fetch._proc_fetch_request(None, 1, None)
            asked.append((fetch._fetch_max_wait_ms, fetch._fetch_min_bytes))

    long, short = (transport.IDLE_WAIT_MS, 1), (transport.FETCH_WAIT_MS, 1)
    assert [long, short, short, long] == asked
    assert consumer.Fetcher is transport.Fetcher


async def a_position_that_was_moved_to_the_start_of_the_log_is_written_down():
    states = {TP0: SimpleNamespace(awaiting_reset=True), TP1: SimpleNamespace(awaiting_reset=False)}

    async def reset(*_):
        for state in states.values():
            state.position, state.has_valid_position = 500, True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetcher.Fetcher, "_update_fetch_positions", reset)
        (fetch := transport.Fetcher.__new__(transport.Fetcher)).gone_on = {}
        await fetch._update_fetch_positions(SimpleNamespace(state_value=states.get), 1, [TP0, TP1])

    assert {TP0: 500} == fetch.gone_on


async def no_changelog_is_fetched_by_faust():
    app, calls = job(), Calls()
    thread = app.consumer._thread
    app.tables._changelogs[CHANGELOG] = None
    thread._ensure_consumer = lambda: SimpleNamespace(pause=calls.sync("paused"))
    app.consumer.threadsafe_partitions_assigned = calls.awaited("faust goes on")
    assigned = {TP0, TP(CHANGELOG, 0)}
    await thread.on_partitions_assigned(assigned, 7)

    assert [("paused", TopicPartition(CHANGELOG, 0)), ("faust goes on", thread.thread_loop, assigned, 7)] == calls
    assert isinstance(calls[0][1], TopicPartition)  # aiokafka takes nothing else


async def what_was_handed_out_and_not_yet_folded_is_no_end():
    thread = job().consumer._thread
    state = SimpleNamespace(_position=4, lso=7, highwater=7, timestamp=0)
    assignment = SimpleNamespace(_tp_state={TP0: state}, state_value=lambda _: state)
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment), is_assigned={TP0}.__contains__)
    found: list[dict[TP, list[Any]]] = [{}, {TP0: [record(4), record(5)]}, {}]

    async def fetched_records(*_, **__):
        records = found.pop(0)
        state._position = 7 if records else state._position
        return records

    fetch = SimpleNamespace(fetched_records=fetched_records, _closed=False, gone_on={})
    fetch._subscriptions = SimpleNamespace(fetch_context=nullcontext)
    consumer = SimpleNamespace(_fetcher=fetch, _closed=False, _subscription=subscription)
    thread.consumer = SimpleNamespace(flow_active=True, scheduler=BatchScheduler())
    thread._ensure_consumer = lambda: consumer
    before = thread.span(TP0, 4)
    seen = []
    while found:
        await thread._fetch_records(consumer, {TP0})
        seen.append([thread.span(TP0, at)[:3] for at in (4, 6)])
    subscription.is_assigned = set().__contains__

    assert before is None
    assert [[(4, 7, 7), (6, 7, 7)], [(4, 7, 7), (7, 7, 7)], [(4, 7, 7), (7, 7, 7)]] == seen
    assert thread.span(TP0, 6) is None


async def a_consumer_thread_of_ours_reads():
    assert isinstance(job().consumer._thread, ConsumerThread)


async def a_fetch_is_one_record_a_partition_that_knows_where_it_was_read_from():
    scheduler = BatchScheduler()
    scheduler.expected = {TP0: 4}
    batches = scheduler.iterate({TP0: [record(6), record(9)], TP1: []})
    expected = dict(scheduler.expected)
    found = dict(batches)

    assert [TP0] == list(found)
    assert (9, 4, [6, 9]) == (found[TP0].offset, found[TP0].begins, found[TP0].value.batch.offsets.tolist())
    assert {TP0: 10} == expected  # whether Faust hands it on or not


async def a_batch_is_handed_through():
    assert "batch" == BatchSchema().loads_value(job(), SimpleNamespace(value="batch"))


async def a_key_is_not_looked_at():
    assert BatchSchema(key_type=int, key_serializer="json").loads_key(job(), SimpleNamespace(key=b"no json")) is None


async def an_assignment_is_fenced_and_read_by_us():
    app, calls = job(), Calls()
    app.owners.take = calls.awaited("take")
    changelogs = {TP(CHANGELOG, 1), TP(CHANGELOG, 0)}
    highwaters = {TP(CHANGELOG, 0): 12}
    await app.tables.recovery._build_highwaters(None, changelogs, highwaters, "active")
    await app.tables.recovery._build_highwaters(None, changelogs, highwaters, "standby")

    assert [("take", sorted(changelogs))] == calls
    assert {} == highwaters


async def no_changelog_is_asked_for_its_beginning():
    offsets = {}
    await job().tables.recovery._build_offsets(None, {TP(CHANGELOG, 0)}, offsets, "active")

    assert {} == offsets


async def no_changelog_is_sought():
    await job().tables.recovery._seek_offsets(None, {TP(CHANGELOG, 0)}, {TP(CHANGELOG, 0): 5}, "active")


async def nothing_is_left_to_recover():
    found = job().tables.recovery
    found.active_highwaters[TP(CHANGELOG, 0)] = 12  # a marker behind the last record: nobody would ever get there

    assert not found.need_recovery()


async def nothing_flows_before_it_is_sought_and_all_state_is_there():
    app, calls = job(), Calls()
    found, taken = app.tables.recovery, [True, False]
    app.consumer.stop_flow = calls.sync("stop_flow")

    async def has_taken(tps):
        calls.append(("has_taken", tps))
        return taken.pop(0)

    app.owners.has_taken = has_taken
    app.on_rebalance_complete = SimpleNamespace(send=calls.awaited("faust goes on"))
    app.consumer.assignment = set
    app.owners.resumed = calls.sync("resumed")
    for _ in range(2):
        await found.on_recovery_completed(generation_id=-1)

    first = ["stop_flow", "has_taken", "faust goes on", "resumed"]
    assert [*first, "stop_flow", "has_taken"] == [name for name, *_ in calls]


async def a_recovery_takes_as_long_as_it_takes():
    found, read = job().tables.recovery, []

    async def reading():
        await asyncio.sleep(0.05)
        read.append("all")

    with suppress(ServiceStopped):
        await found._wait(reading(), timeout=0.01)

    assert ["all"] == read


async def a_recovery_that_has_ended_is_a_failure_unless_it_was_stopped():
    app, calls = job(), Calls()
    found = app.tables.recovery
    found.wait_for_stopped = calls.awaited("waited", True)  # as a wait that timed out, to Faust
    app.owners.fail = calls.awaited("failed")
    await type(found)._restart_recovery(found)
    found._stopped.set()
    await type(found)._restart_recovery(found)

    assert ["waited", "failed"] == [name for name, *_ in calls]


async def tables_are_recovered_by_us():
    assert isinstance(job().tables.recovery, Recovery)


async def tables_that_are_all_there_are_waited_for_by_nobody():
    app, calls, began = job(), Calls(), time.monotonic()
    app.tables.recovery.start = calls.awaited("recovery")
    app.consumer.assignment, app.consumer.pause_partitions = set, calls.sync("paused")
    await app.tables.on_start()

    assert ["paused", "recovery"] == [name for name, *_ in calls]
    assert time.monotonic() - began < 0.5


CHECKS = {
    (transport.PartitionRecords, "_consumer_record"): a_record_is_handed_on_as_it_was_parsed,
    (transport.Fetcher, "_proc_fetch_request"): nobody_asks_again_and_again_where_nothing_comes,
    (transport.Fetcher, "_update_fetch_positions"): a_position_that_was_moved_to_the_start_of_the_log_is_written_down,
    (ConsumerThread, "_create_worker_consumer"): a_transaction_that_was_aborted_upstream_is_not_read,
    (ConsumerThread, "on_partitions_assigned"): no_changelog_is_fetched_by_faust,
    (ConsumerThread, "_fetch_records"): what_was_handed_out_and_not_yet_folded_is_no_end,
    (Consumer, "_new_consumer_thread"): a_consumer_thread_of_ours_reads,
    (Consumer, "on_buffer_full"): a_full_queue_does_not_stop_its_partition,
    (Consumer, "_add_gap"): offsets_between_two_batches_are_not_listed,
    (Consumer, "_new_offset"): faust_commits_nothing_and_counts_no_acknowledgements,
    (Consumer, "perform_seek"): sources_are_sought_to_the_commit_row_or_the_beginning,
    (Consumer, "wait_first"): a_delivery_is_awaited_without_a_task,
    (Consumer, "_wait_next_records"): the_broker_collects_for_as_long_as_folding_is_dear,
    (BatchScheduler, "iterate"): a_fetch_is_one_record_a_partition_that_knows_where_it_was_read_from,
    (BatchSchema, "loads_key"): a_key_is_not_looked_at,
    (BatchSchema, "loads_value"): a_batch_is_handed_through,
    (Recovery, "_build_highwaters"): an_assignment_is_fenced_and_read_by_us,
    (Recovery, "_build_offsets"): no_changelog_is_asked_for_its_beginning,
    (Recovery, "_seek_offsets"): no_changelog_is_sought,
    (Recovery, "need_recovery"): nothing_is_left_to_recover,
    (Recovery, "on_recovery_completed"): nothing_flows_before_it_is_sought_and_all_state_is_there,
    (Recovery, "_wait"): a_recovery_takes_as_long_as_it_takes,
    (Recovery, "_restart_recovery"): a_recovery_that_has_ended_is_a_failure_unless_it_was_stopped,
    (TableManager, "recovery"): tables_are_recovered_by_us,
    (TableManager, "on_start"): tables_that_are_all_there_are_waited_for_by_nobody,
}  # fmt: skip
NAMES = [check.__name__ for check in CHECKS.values()]
WITH_NAMES = pytest.mark.parametrize(("where", "check"), CHECKS.items(), ids=NAMES)


def test_a_lingering_fetch_asks_for_more_and_an_idle_one_for_anything():
    asyncio.run(a_lingering_fetch_asks_for_more_and_an_idle_one_for_anything())


@WITH_NAMES
def test_as_things_are(where, check):
    asyncio.run(check())


@WITH_NAMES
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_not_without_the_override(where, check, monkeypatch):
    monkeypatch.delattr(*where)

    with pytest.raises((AssertionError, AttributeError, TypeError, ValueError, KeyError, TimeoutError, DecodeError)):
        asyncio.run(asyncio.wait_for(check(), 5))


def test_every_override_is_checked():
    bases = (faust.Schema, DefaultSchedulingStrategy)
    ours = [
        each for module in (batching, recovery, transport) for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__
    ]  # fmt: skip
    overrides = {
        (each, name) for each in ours for name in vars(each) if not name.startswith("__") and name != "Consumer"
        if any(name in vars(base) for base in each.__mro__[1:-1] or bases) and callable_of(each, name)
    }  # fmt: skip

    assert overrides == set(CHECKS)


def callable_of(owner, name):
    return callable(getattr(owner, name)) or isinstance(vars(owner)[name], property)


def test_a_backlog_is_read_no_faster_than_it_is_folded():
    # Faust queues 4,096 messages, and each is a batch of mebibytes.
    assert job().conf.stream_buffer_maxsize == 4
