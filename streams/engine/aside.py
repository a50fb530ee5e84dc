"""What a batch of unknown schemas waits for, and who waits with it: nobody, where that takes long.

An agent has the batches of all partitions of a topic, one after the other. Where it stands still its queue fills, and
behind a full queue Faust hands out nothing of any topic: quotes that nobody could read stopped the liquidations.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faust.types import TP

from streams.codec.batch import RecordBatch
from streams.engine.owned import Owned

if TYPE_CHECKING:
    from streams.engine.owners import Owners

#: A registry that is well has answered by then.
ANSWER_SECONDS = 1.0


class Aside:
    """The batches that wait for the schema registry."""

    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        self._asked: set[asyncio.Future[None]] = set()
        self._waiting = 0

    async def readable(self, owned: Owned, batch: RecordBatch, at: int) -> bool:
        """Return whether a batch can be decoded now; else it is put aside, and will be folded when it can."""
        unknown = owned.unit.unresolved(batch)
        if not unknown:
            return True
        asked = asyncio.ensure_future(self.owners.registry.resolve(unknown))
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        await asyncio.wait([asked], timeout=0 if self._waiting else ANSWER_SECONDS)
        if asked.done() and not asked.cancelled():
            await asked
            return True
        # Where it was let go of, whoever has it now reads it anew: an agent that is told so by a cancel would end.
        if self._is_ours(owned):
            self._waiting += 1
            owned.seeking.add(batch.topic)
            self.owners.app.consumer.pause_partitions([TP(batch.topic, batch.partition)])
            self.owners.guard(self._take_up(owned, batch, at, asked))
        return False

    async def _take_up(self, owned: Owned, batch: RecordBatch, at: int, asked: asyncio.Future[None]) -> None:
        try:
            await asked
        finally:
            self._waiting -= 1
        await self.owners.fold(owned, batch, at)
        if self._is_ours(owned):
            consumer, tp = self.owners.app.consumer, TP(batch.topic, batch.partition)
            await consumer.seek_to({tp: owned.unit.next[batch.topic]})
            consumer.resume_partitions([tp])

    def _is_ours(self, owned: Owned) -> bool:
        return self.owners.owned.get((owned.stage.changelog, owned.unit.partition)) is owned

    def let_go(self) -> None:
        """Wait for nothing any more: whoever takes the partitions up asks for itself."""
        for asked in list(self._asked):
            asked.cancel()
