"""A source that ends in front of what was read of it has lost records, or is another topic of that name."""

import asyncio
import time
from dataclasses import replace

import pytest
from faust.types import TP

from streams.engine import timekeeper
from streams.engine.batching import BatchScheduler
from streams.engine.timekeeper import Timekeeper
from streams.engine.transport import Span
from tests.engine.jobs import Calls
from tests.engine.test_owners import SLOW_SECONDS, TP0, no_kafka, taken

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


@pytest.mark.parametrize("topic", ["liquidations", "funding"])
@pytest.mark.parametrize(("end", "since_s", "stops"), [(9, 11, True), (9, 1, False), (10, 11, False)])
def test_where_it_is_found_while_it_is_read_the_worker_stops_after_a_while(topic, end, since_s, stops):
    assert timekeeper.SHRUNK_SECONDS < 11

    async def run():
        mine, owned = await taken(at=10)
        mine.sought({TP(topic, 0): 10})
        ends = dict.fromkeys(owned.stage.sources, 99) | {topic: end}
        mine.app.consumer._thread.span = lambda tp, at: Span(at, ends[tp.topic], ends[tp.topic], 20)
        owned.whole = dict.fromkeys(owned.stage.sources, time.monotonic() - since_s)
        await Timekeeper(mine).look_behind(owned)
        return mine.failure

    failure = asyncio.run(run())
    assert stops == (failure is not None)
    assert not stops or str(failure).startswith(SENTENCE.replace("liquidations", topic))


@pytest.mark.parametrize(
    ("counts", "alone", "sentence"),
    [
        (
            {"liquidations": 3},
            False,
            "liquidations had 2 partitions when the worker started and has 3 now: assets have",
        ),
        ({"funding": 1}, False, "funding had 2 partitions when the worker started and has 1 now: assets have"),
        ({"liquidations": 3}, True, ""),
        ({"liquidations": None}, False, ""),
        ({}, False, ""),
    ],
)
def test_where_partitions_come_while_it_is_read_the_worker_stops(counts, alone, sentence):
    # They have no units: what came there was passed over until the next start, which refuses.
    async def run():
        mine, _ = await taken()
        mine.options = replace(mine.options, flush_interval_ms=1)
        mine.stages = {name: replace(stage, alone=alone) for name, stage in mine.stages.items()}
        mine.app.consumer._thread.partitions = lambda topic: counts.get(topic, 2)
        mine.resumed()
        await asyncio.sleep(SLOW_SECONDS / 2)
        mine._flusher.cancel()
        return mine.failure

    failure = asyncio.run(run())
    assert bool(sentence) == (failure is not None)
    assert str(failure or "").startswith(sentence)
