"""Faust's Kafka driver, corrected for batches and transactions.

Each override names the defect it corrects; ``tests/engine/test_overrides.py``
takes each away and sees its check fail.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aiokafka import TopicPartition
from aiokafka.consumer import consumer, fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.records import memory_records

if TYPE_CHECKING:
    from streams.engine.owners import Owners


#: How long the broker may hold a fetch that finds nothing, and one of every partition, which the first record ends.
FETCH_WAIT_MS, IDLE_WAIT_MS = 20, 250
#: The price of a batch is nearly the same for one record and for fifty, and a fetch has its own (seconds). So the
#: broker is let collect records for so many times what the last fetch took, at least and at most so long; a backlog
#: of so many bytes is handed on at once.
LINGER_TIMES, FETCH_SECONDS = 6, 0.001
LINGER_MS_MIN, LINGER_MS_MAX, LINGER_BYTES = 5, 45, 262_144


class PartitionRecords(fetcher.PartitionRecords):
    """The records of a partition that a fetch brought."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        # aiokafka copies each parsed record into an object of eleven fields, which no batch has.
        del tp
        return record


class Fetcher(fetcher.Fetcher):
    """What asks the brokers for records."""

    _fetch_max_wait_ms: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: Where reading goes on, by partition, after retention has deleted what was to be read next.
        self.gone_on: dict[Any, int] = {}

    async def _proc_fetch_request(self, *arguments: Any) -> bool:
        # A fetch costs 2.5 ms, found it anything or not: fifty in a second were an eighth of a core for a worker that
        # had nothing to do.
        found: bool = await super()._proc_fetch_request(*arguments)
        if found and self._fetch_max_wait_ms == IDLE_WAIT_MS:
            self._fetch_max_wait_ms = FETCH_WAIT_MS
        elif not found and not self._records:
            # Nothing is left to hand on, so the next one is of every partition.
            self._fetch_max_wait_ms, self._fetch_min_bytes = IDLE_WAIT_MS, 1
        return found

    async def _update_fetch_positions(self, assignment: Any, node_id: Any, tps: Any) -> Any:
        # An offset in front of the log's start is answered "out of range", and aiokafka goes on behind it unheard.
        states = {tp: assignment.state_value(tp) for tp in tps}
        astray = [tp for tp, state in states.items() if state.awaiting_reset]
        needs_wakeup = await super()._update_fetch_positions(assignment, node_id, tps)
        self.gone_on.update({tp: states[tp].position for tp in astray if states[tp].has_valid_position})
        return needs_wakeup


fetcher.PartitionRecords, fetcher.MemoryRecords = PartitionRecords, memory_records  # there is no setting for any
consumer.Fetcher = Fetcher


def shrunk(tp: TP, end: int, at: int) -> ValueError:
    """Return the error that a partition ends in front of what was read of it."""
    msg = (
        f"{tp.topic} {tp.partition} ends at {end} and was read up to {at}: it was made anew, or its broker has lost "
        "records; start with a new STREAMS_APP_ID"
    )
    return ValueError(msg)


def recounted(topic: str, before: int, now: int) -> ValueError:
    """Return the error that a topic has another count of partitions than when the worker started."""
    msg = (
        f"{topic} had {before} partitions when the worker started and has {now} now: assets have moved between "
        "partitions, and what is in new ones is read by nobody"
    )
    return ValueError(msg)


class Span(NamedTuple):
    """What a unit has before it, as of its partition's last fetch.

    Attributes
    ----------
    seen
        Offset before which nothing is left to fold: behind the last record there may be markers of transactions.
    stable
        Last stable offset: end of what readers of committed records can see.
    end
        High watermark, behind what an open transaction upstream may still bring.
    age_ms
        How long ago that was, by a clock that may jump.

    """

    seen: int
    stable: int
    end: int
    age_ms: int


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that holds the real consumer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._handed_out: dict[TP, int] = {}
        self._read_to: dict[TP, int | None] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust reads committed records only under its own "exactly_once", which is broken (faust.md 4.3):
        # aborted transactions of a producer upstream would be counted.
        self.consumer.in_transaction = True
        try:
            worker = super()._create_worker_consumer(transport)
        finally:
            self.consumer.in_transaction = False
        # One fetch at a time is under way to a broker. Faust lets it wait 1,500 ms for partitions at their end, and
        # those with a backlog wait with them.
        worker._fetch_max_wait_ms = FETCH_WAIT_MS
        return worker

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        # Changelogs are read by us. Of each, Faust had a first mebibyte fetched, and nobody ever took it.
        changelogs = self.app.tables.changelog_topics
        self._ensure_consumer().pause(*(TopicPartition(*tp) for tp in assigned if tp.topic in changelogs))
        await super().on_partitions_assigned(assigned, generation_id)

    def linger(self, wait_ms: int) -> None:
        """Let the broker collect records for so long, as of the next fetch; 0: hand on the first at once."""
        fetch = self._ensure_consumer()._fetcher
        fetch._fetch_max_wait_ms, fetch._fetch_min_bytes = (wait_ms, LINGER_BYTES) if wait_ms else (FETCH_WAIT_MS, 1)

    async def _fetch_records(self, consumer: Any, *arguments: Any, **options: Any) -> Any:
        # A position moves when records are handed out; the loop hears of them later, one partition after the other.
        # Only together do both say what is still on its way. What is read first is written last.
        found = await super()._fetch_records(consumer, *arguments, **options)
        self._handed_out.update({tp: records[-1].offset + 1 for tp, records in found.items()})
        gone_on, scheduler = consumer._fetcher.gone_on, cast("Consumer", self.consumer).scheduler
        scheduler.expected.update({tp: gone_on.pop(tp) for tp in found if tp in gone_on})
        subscription = consumer._subscription.subscription
        if subscription is not None and subscription.assignment is not None:
            self._read_to = {tp: state._position for tp, state in subscription.assignment._tp_state.items()}
        return found

    def partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has, as far as the client has heard; None if it knows no such topic."""
        found = self._ensure_consumer().partitions_for_topic(topic)
        return len(found) if found else None

    def span(self, tp: TP, at: int) -> Span | None:
        """Return what is known of a partition whose unit stands at an offset; None while it has no fetch."""
        subscription = self._ensure_consumer()._subscription
        read_to = self._read_to.get(tp)
        if read_to is None or not subscription.is_assigned(tp):
            return None
        state = subscription.subscription.assignment.state_value(tp)
        stable, end, answered_ms = state.lso, state.highwater, state.timestamp
        if stable is None or end is None or answered_ms is None:
            return None
        seen = max(at, read_to) if at >= self._handed_out.get(tp, 0) else at
        return Span(seen, stable, end, int(time.time() * 1000) - answered_ms)


class Consumer(driver.Consumer):
    """The consumer that Faust's fetcher drains."""

    _folded_seconds = 0.0  # as of the last fetch
    app: Any  # our Job
    scheduler: Any  # our BatchScheduler

    @property
    def owners(self) -> Owners:
        return cast("Owners", self.app.owners)

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: the queue itself blocks.

        Faust would pause the partition and, with all paused, sleep for a second: one buffer a second.
        """

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: between two batches every offset is a gap to Faust, and it would list each of them."""

    def _new_offset(self, tp: TP) -> int | None:
        # Offsets are committed by our transactions. Faust's own count of acks stalls on batches (12,500 of 900,000).
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return None

    async def perform_seek(self) -> None:
        # Faust seeks to the group's offsets, or nowhere if there are none; the state's own row says where it stands.
        await super().perform_seek()
        await self.seek_to(self.owners.positions(self.assignment()))

    async def seek_to(self, positions: Mapping[TP, int | None]) -> None:
        """Seek, to the beginning where no position is known or nothing is left of what was to be read there.

        Never behind an end, which would be taken for the beginning.
        """
        known = [tp for tp, offset in positions.items() if offset is not None]
        for tp, end in (await self.highwaters(*known)).items() if known else ():
            if end < cast("int", positions[tp]):
                await self.owners.fail(shrunk(tp, end, cast("int", positions[tp])))
                return
        if positions:
            earliest = await self.earliest_offsets(*positions)
            found = {tp: max(earliest[tp], offset or 0) for tp, offset in positions.items()}
            await self.seek_wait(found)
            self.scheduler.expected.update(found)
            self.owners.sought(found)

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ASYNC109 - as overridden
        # Called once per message with the delivery and the suspension of the flow: four tasks and three cancels.
        # A delivery that blocks on a full queue is freed when a rebalance clears the queue.
        if len(coros) != 2 or timeout is not None:
            return await super().wait_first(*coros, timeout=timeout)
        coros[1].close()
        return await coros[0]

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - as overridden
        # At low rates a fetch returns single records at once, and each costs as much as a batch.
        found = await super()._wait_next_records(timeout)
        if found[0]:
            folded, self._folded_seconds = self._folded_seconds, self.owners.folded_seconds
            wait_ms = int(1000 * LINGER_TIMES * (FETCH_SECONDS + self._folded_seconds - folded))
            cast("ConsumerThread", self._thread).linger(min(wait_ms, LINGER_MS_MAX) if wait_ms >= LINGER_MS_MIN else 0)
        return found


class Transport(driver.Transport):
    """``batched://host:port``."""

    Consumer = Consumer
