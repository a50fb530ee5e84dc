"""Who owns what: from an assignment to units, from batches to flushes.

The laws of this room:

* a unit is fenced before its changelog is read, and read before its sources are sought;
* what lies below ``unit.next`` was seen before and is dropped; a batch that begins beyond it means that one was
  lost on the way, and the source is sought again;
* one transaction of a unit at a time; folding gives way to transactions under way, for a while;
* memory belongs to one generation: dropped on revoke, restored on assign;
* a unit in which a step failed midway is torn: nothing of it is committed any more;
* any failure stops the process. Nothing that was not committed has happened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from faust.types import TP

from streams.codec import rows as codec
from streams.codec.batch import RecordBatch
from streams.codec.registry import Registry
from streams.engine import changelog
from streams.engine.aside import Aside
from streams.engine.batching import Delivered
from streams.engine.owned import Options, Owned, Stage
from streams.engine.timekeeper import Timekeeper
from streams.engine.transaction import Writer
from streams.units.unit import Flush, Tally, WrongTopic

log = structlog.get_logger()
_LOST_MAX = 5
#: How long a batch waits, at most, until what is being committed is. One of so many records is of a backlog: what it
#: has to say waits for the next flush.
GIVE_WAY_SECONDS, BACKLOG_RECORDS = 1.0, 2_000
#: A flush that cannot wait takes no offsets along, unless they have been owed for so long.
OWED_SECONDS = 1.0
#: One whose last record came so long ago is of an old backlog, in which flushes are seldom.
BACKLOG_AGE_SECONDS = 10.0


def _unheard(*_: Any) -> None:
    """Nobody listens."""


class Owners:
    """All units of this process."""

    def __init__(self, app: Any, stages: Iterable[Stage], options: Options, registry: Registry) -> None:
        self.app = app
        self.options = options
        self.registry = registry
        self.stages = {stage.changelog: stage for stage in stages}
        self._by_source = {topic: stage for stage in self.stages.values() for topic in stage.sources}
        self.owned: dict[tuple[str, int], Owned] = {}
        self.leaving: dict[tuple[str, int], Owned] = {}  # let go of, their last flush under way
        self.ready = False
        self.recoveries = 0
        self._let_go = False  # since state was last asked for
        self.failure: BaseException | None = None
        #: Counts by changelog partition; they live as long as the process, whoever owns the unit now.
        self.tallies: dict[tuple[str, int], Tally] = {}
        self.flushed: Callable[[Owned], None] = _unheard
        self.folded: Callable[[str, int, float], None] = _unheard
        self.folded_seconds = 0.0
        self._aside = Aside(self)
        self._flusher: asyncio.Task[None] | None = None
        self._guarded: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    # ---------------------------------------------------------------- assignment

    async def take(self, tps: list[TP]) -> None:
        """Make the units of these changelog partitions: fence, read, restore."""
        self._let_go = False
        made: dict[TP, Owned] = {}
        try:
            made |= {tp: self._make(tp) for tp in tps if tp.partition < self.stages[tp.topic].partitions}
            owner = codec.OWNER, codec.json_row({"group": self.options.group})
            fenced = await asyncio.gather(*(mine.writer.fence(owner) for mine in made.values()))
            ends = {TopicPartition(*tp): end for tp, end in zip(made, fenced, strict=True)}
            crcs = self.options.check_crcs
            rows = await changelog.read(ends, self.options.connection, check_crcs=crcs) if ends else {}
            for tp in () if self._let_go else list(made):
                self._restore(tp, made[tp], rows[TopicPartition(*tp)])
                del made[tp]
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self.fail(error)
            raise
        finally:
            # Nobody else knows the producers of what was let go of meanwhile, or overtaken by another assignment.
            await asyncio.gather(*(mine.writer.stop() for mine in made.values()), return_exceptions=True)

    def _make(self, tp: TP) -> Owned:
        stage = self.stages[tp.topic]
        name = f"{tp.topic}-{tp.partition}"
        options = self.options
        timeout_ms, internal = options.transaction_timeout_ms, frozenset(self._by_source)
        writer = Writer(name, options.group, TopicPartition(*tp), options.connection, timeout_ms, internal)
        return Owned(stage, stage.make(tp.partition), writer, heard=time.monotonic())

    def _restore(self, tp: TP, owned: Owned, rows: dict[bytes, bytes]) -> None:
        rows.pop(codec.OWNER, None)
        started = time.perf_counter()
        owned.unit.restore(rows)
        owned.unit.tally = self.tallies.setdefault((tp.topic, tp.partition), owned.unit.tally)
        owned.size.apply(rows.items())
        # The last owner may have ended before it had paid.
        owned.owed = time.monotonic() if owned.unit.next else None
        self.owned[tp.topic, tp.partition] = owned
        log.info("unit_restored", changelog=tp.topic, partition=tp.partition, rows=len(rows), next=owned.unit.next,
                 seconds=round(time.perf_counter() - started, 3))  # fmt: skip

    async def has_taken(self, tps: Iterable[TP]) -> bool:
        """Return whether the state of these partitions is here; not if they were let go of while it was read.

        Faust ends a recovery that was overtaken as if it were complete: nobody goes on without state.
        """
        if self._let_go:
            return False
        ours = [tp for tp in tps if tp.partition < self.stages[tp.topic].partitions]
        missing = [tp for tp in ours if (tp.topic, tp.partition) not in self.owned]
        if missing:
            await self.fail(ValueError(f"recovery ended without the state of {missing}"))
        return not missing

    def positions(self, assignment: Iterable[TP]) -> dict[TP, int | None]:
        """Return where each owned source partition stands; None where nothing was ever read."""
        found: dict[TP, int | None] = {}
        for tp in assignment:
            owned = self._owner(tp.topic, tp.partition)
            if owned is not None:
                found[tp] = owned.unit.next.get(tp.topic)
        return found

    def sought(self, positions: Mapping[TP, int]) -> None:
        """Hear that sources stand at these offsets: behind those of their units where retention was quicker than we."""
        for tp, offset in positions.items():
            owned = self._owner(tp.topic, tp.partition)
            if owned is None:
                continue
            at = owned.unit.next.setdefault(tp.topic, offset)
            if offset > at:
                # To stop would bring nothing back.
                log.warning("records_expired", topic=tp.topic, partition=tp.partition, offset=at, count=offset - at)
                owned.unit.tally.expired[tp.topic] += offset - at
                owned.unit.next[tp.topic], owned.lost = offset, 0
            owned.seeking.discard(tp.topic)

    def resumed(self) -> None:
        """Recovery is complete and records flow."""
        self.ready = True
        self.recoveries += 1
        if self._flusher is None:
            self._flusher = asyncio.ensure_future(Timekeeper(self).run())

    async def revoke(self) -> None:
        """Commit what is folded and let go of everything."""
        self.ready, self._let_go = False, True
        self._aside.let_go()
        owned, self.owned = self.owned, {}
        self.leaving |= owned
        try:
            ends = await asyncio.gather(*(self._finish(mine) for mine in owned.values()), return_exceptions=True)
        finally:
            await asyncio.gather(*(mine.writer.stop() for mine in owned.values()), return_exceptions=True)
            self.leaving = {name: mine for name, mine in self.leaving.items() if name not in owned}
        for failure in ends:
            if failure is not None:
                raise failure

    def _owner(self, topic: str, partition: int) -> Owned | None:
        stage = self._by_source.get(topic)
        return self.owned.get((stage.changelog, partition)) if stage else None

    # ---------------------------------------------------------------- batches

    async def deliver(self, delivered: Delivered) -> None:
        """Fold a batch, if it is the one that its unit waits for."""
        batch = delivered.batch
        owned = self._owner(batch.topic, batch.partition)
        if owned is None or batch.topic in owned.seeking:
            return
        at = self._waits_at(owned, batch)
        if at is None or int(batch.offsets[-1]) < at:
            return
        if delivered.begins > at:
            self._seek_again(owned, batch, at)
            return
        if int(batch.offsets[0]) < at:
            batch = batch.slice(int((batch.offsets < at).sum()))
        if await self._aside.readable(owned, batch, at):
            await self.fold(owned, batch, at)

    async def fold(self, owned: Owned, batch: RecordBatch, at: int) -> None:
        """Fold a batch that can be decoded, if its unit still waits for it."""
        await self._give_way()
        if self._waits_at(owned, batch) != at:
            return
        unit, backlog = owned.unit, len(batch) >= BACKLOG_RECORDS
        if batch.topic == owned.stage.clock_topic:
            owned.heard, owned.gave_time = time.monotonic(), False
        if backlog and time.time() - int(batch.timestamps[-1]) / 1000 > BACKLOG_AGE_SECONDS:
            owned.behind = time.monotonic()
        began = time.perf_counter()
        with owned.step():
            unit.handle(batch)
        seconds = time.perf_counter() - began
        self.folded_seconds += seconds
        self.folded(batch.topic, len(batch), seconds)
        try:
            unit.check()
        except WrongTopic as error:
            await self._finish(owned)
            await self.fail(error)
            return
        if unit.urgent and not backlog:
            self.kick(owned)

    def _waits_at(self, owned: Owned, batch: RecordBatch) -> int | None:
        """Return the offset that a unit waits for; None if it is not ours any more, or torn."""
        ours = self._owner(batch.topic, batch.partition) is owned and not owned.torn
        return owned.unit.next.get(batch.topic) if ours else None

    async def _give_way(self) -> None:
        """Let transactions in flight have the loop: between batches each of their dozen steps waits its turn."""
        running = [owned.task for owned in self.owned.values() if owned.task is not None]
        if running:
            await asyncio.wait(running, timeout=GIVE_WAY_SECONDS)

    def _seek_again(self, owned: Owned, batch: RecordBatch, at: int) -> None:
        owned.lost += 1
        log.warning("batch_lost", topic=batch.topic, partition=batch.partition, expected=at, was=int(batch.offsets[0]))
        assert owned.lost <= _LOST_MAX, f"batches of {batch.topic} {batch.partition} keep getting lost before {at}"
        owned.seeking.add(batch.topic)
        position = {TP(batch.topic, batch.partition): at}
        self.guard(self.app.consumer.seek_to(position))

    def guard(self, work: Any) -> None:
        """Run something beside the agents; its failure is everybody's."""

        async def run() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it must not pass unseen
                await self.fail(error)

        task = asyncio.ensure_future(run())
        self._guarded.add(task)
        task.add_done_callback(self._guarded.discard)

    # ---------------------------------------------------------------- flushes

    def kick(self, owned: Owned) -> None:
        """Flush a unit now, or as soon as its transaction in flight is done: there is no other way to a flush."""
        owned.again = True
        if owned.task is None:
            owned.task = asyncio.ensure_future(self._run_flushes(owned))

    async def _finish(self, owned: Owned) -> None:
        """Commit all that is folded, and owe nothing; raise what kept it from that."""
        owned.last = True
        self.kick(owned)
        assert owned.task is not None, "just kicked"
        task = owned.task
        await asyncio.wait([task])
        failure = task.result()
        if failure is not None:
            raise failure

    async def _run_flushes(self, owned: Owned) -> BaseException | None:
        try:
            while owned.again:
                owned.again = False
                if owned.due:
                    await self._flush(owned)
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing was committed
            await self.fail(error)
            return error
        finally:
            owned.task = None
        return None

    async def _flush(self, owned: Owned) -> None:
        # A later cut passes over what an earlier one holds: committed beside it or after its failure, that is lost.
        assert not owned.torn, "nothing of a torn unit is committed"
        assert owned.flush_began is None, "one transaction of a unit at a time"
        owned.flush_began = began = time.monotonic()
        since = owned.owed or began
        owes = owned.unit.urgent and not owned.last and began - since < OWED_SECONDS
        # What was cut and not committed is in nobody's hands: with it missing, nothing later may be committed either.
        with owned.step():
            flush = owned.unit.cut() if owned.unit.work else Flush(offsets=dict(owned.unit.next))
            # Of a topic that is gone a broker takes no offset, and aiokafka asks for ever; the commit row keeps it.
            flush.offsets = {topic: at for topic, at in flush.offsets.items() if topic in owned.stage.sources}
            await owned.writer.commit(flush, owned.unit.partition, offsets=not owes)
        owned.owed = since if owes else None
        owned.flush_began, owned.flush_ended = None, time.monotonic()
        owned.flush_seconds, owned.flush_rows = owned.flush_ended - began, len(flush.rows)
        owned.size.apply(flush.rows)
        self._tell_faust(owned, flush.offsets)
        self.flushed(owned)

    def _tell_faust(self, owned: Owned, offsets: Mapping[str, int]) -> None:
        """Faust's detector of stalls looks at offsets that it believes to commit itself."""
        consumer = self.app.consumer
        for topic, offset in offsets.items():
            tp = TP(topic, owned.unit.partition)
            consumer._committed_offset[tp] = offset
            self.app.monitor.on_tp_commit({tp: offset})
            consumer._thread.tp_last_committed_at[tp] = time.monotonic()

    # ---------------------------------------------------------------- failure

    async def fail(self, error: BaseException) -> None:
        """Stop the process; the reason is said once."""
        if self.failure is not None:
            return
        self.failure = error
        self.ready = False
        if isinstance(error, WrongTopic | ValueError):
            log.error("worker_stopped", reason=str(error))
        else:
            log.error("worker_stopped", reason=repr(error), exc_info=error)
        self.app.stop_now()
