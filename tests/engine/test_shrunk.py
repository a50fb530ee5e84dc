"""A source that ends in front of what was read of it has lost records, or is another topic of that name."""

import asyncio
import time

import pytest

from streams.engine import timekeeper
from streams.engine.batching import BatchScheduler
from streams.engine.timekeeper import Timekeeper
from streams.engine.transport import Span
from tests.engine.jobs import Calls
from tests.engine.test_owners import TP0, no_kafka, taken

__all__ = ["no_kafka"]
SENTENCE = "liquidations 0 ends at 9 and was read up to 10: it was made anew, or its broker has lost records"


def test_where_it_is_found_when_it_is_sought_the_worker_stops():
    # The broker would have no such offset, and it would be read from its beginning: all of it "seen before".
    async def run():
        mine, _ = await taken(at=10)
        consumer, calls = mine.app.consumer, Calls()
        consumer.scheduler, consumer.seek_wait = BatchScheduler(), calls.awaited("seek")
        consumer.highwaters = calls.awaited("ends", {TP0: 9})
        await consumer.seek_to({TP0: 10})
        return mine, calls

    mine, calls = asyncio.run(run())
    assert [("ends", TP0)] == calls
    assert str(mine.failure).startswith(SENTENCE)


@pytest.mark.parametrize(("end", "since_s", "stops"), [(9, 11, True), (9, 1, False), (10, 11, False)])
def test_where_it_is_found_while_it_is_read_the_worker_stops_after_a_while(end, since_s, stops):
    assert timekeeper.SHRUNK_SECONDS < 11

    async def run():
        mine, owned = await taken(at=10)
        owned.whole = time.monotonic() - since_s
        await Timekeeper(mine).look_behind(owned, Span(10, end, end, 20))
        return mine.failure

    failure = asyncio.run(run())
    assert stops == (failure is not None)
    assert not stops or str(failure).startswith(SENTENCE)
