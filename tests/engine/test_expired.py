"""What retention deletes before it was read is named, and reading goes on with what is left."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from streams.engine.batching import BatchScheduler
from tests.engine.jobs import Calls, job, record
from tests.engine.test_owners import TP0, no_kafka, taken

__all__ = ["no_kafka"]


def log_from(mine, start, end):
    """Let a broker have the offsets from ``start`` to ``end``."""
    consumer, calls = mine.app.consumer, Calls()
    consumer.scheduler = BatchScheduler()
    consumer.highwaters = calls.awaited("ends", {TP0: end})
    consumer.earliest_offsets = calls.awaited("earliest", {TP0: start})
    consumer.seek_wait = calls.awaited("sought")
    return consumer, calls


@pytest.mark.parametrize(("start", "sought", "said"), [(500, 500, [400]), (100, 100, []), (7, 100, [])])
def test_at_a_start_it_is_said_how_many_were_deleted_unread(start, sought, said):
    async def run():
        mine, owned = await taken(at=100)
        consumer, calls = log_from(mine, start, 900)
        with capture_logs() as logs:
            await consumer.seek_to({TP0: 100})
        return mine, owned, calls, logs

    mine, owned, calls, logs = asyncio.run(run())
    what = {"event": "records_expired", "log_level": "warning", "topic": "liquidations", "partition": 0, "offset": 100}
    assert logs == [what | {"count": count} for count in said]
    assert [sum(said)] == [owned.unit.tally.expired["liquidations"]]
    assert (calls[-1], owned.unit.next, mine.failure) == (("sought", {TP0: sought}), {"liquidations": sought}, None)


async def handed_out(consumer, records, gone_on):
    """Return the batch that the loop gets of what a fetch brought."""

    async def fetched_records(*_, **__):
        return {TP0: records}

    fetch = SimpleNamespace(fetched_records=fetched_records, gone_on=gone_on, _closed=False)
    fetch._subscriptions = SimpleNamespace(fetch_context=nullcontext)
    client = SimpleNamespace(_fetcher=fetch, _closed=False, _subscription=SimpleNamespace(subscription=None))
    thread = job().consumer._thread
    thread.consumer = SimpleNamespace(flow_active=True, scheduler=consumer.scheduler)
    found = await thread._fetch_records(client, {TP0})
    ((_, batch),) = consumer.scheduler.iterate(found)
    return batch.value


def test_while_it_is_read_the_same_is_found_where_the_client_has_gone_on_by_itself():
    async def run():
        mine, owned = await taken(at=100)
        consumer, _ = log_from(mine, 500, 900)
        consumer.scheduler.expected[TP0] = 100
        gone_on = {TP0: 500}
        batch = await handed_out(consumer, [record(503)], gone_on)
        with capture_logs() as logs:
            await mine.deliver(batch)
            await asyncio.gather(*mine._guarded)
        await mine.deliver(await handed_out(consumer, [record(503), record(504)], gone_on))
        return [(each["event"], each.get("count")) for each in logs], owned, gone_on

    logs, owned, gone_on = asyncio.run(run())
    assert logs == [("batch_lost", None), ("records_expired", 400)]
    assert (owned.unit.handled, owned.lost, gone_on) == ([[503, 504]], 0, {})
