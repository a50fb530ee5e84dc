"""A unit in which a step failed midway is no moment of the log any more: nothing of it is committed."""

import asyncio
from types import SimpleNamespace

import pytest

from streams.engine import owners
from streams.engine.timekeeper import Timekeeper
from streams.engine.transport import Span
from tests.engine.jobs import failing
from tests.engine.test_owners import SLOW_SECONDS, Writer, delivered, no_kafka, taken

__all__ = ["no_kafka"]


def commits():
    return [call for call in Writer.calls if call[0] == "commit"]


def test_what_was_folded_behind_a_flush_that_failed_is_not_committed(monkeypatch):
    # Its rows would lack what the failed one had cut, and its offset would pass over it.
    monkeypatch.setattr(owners, "GIVE_WAY_SECONDS", 0.0)

    async def run():
        mine, owned = await taken(at=0)
        Writer.failing = True
        await mine.deliver(delivered(0))
        mine.kick(owned)
        await asyncio.sleep(SLOW_SECONDS / 2)
        await mine.deliver(delivered(1))
        await asyncio.sleep(2 * SLOW_SECONDS)
        Writer.failing, before = False, len(commits())
        await mine.deliver(delivered(2))
        mine.kick(owned)
        await mine.revoke()
        return owned.unit.handled, len(commits()) - before

    assert ([[0], [1]], 0) == asyncio.run(run())


def test_a_batch_that_was_folded_in_part_is_not_committed():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        owned.unit.handle = failing
        with pytest.raises(RuntimeError):
            await mine.deliver(delivered(1))
        await mine.revoke()

    asyncio.run(run())
    assert [] == commits()


def test_nor_is_what_a_clock_that_moved_in_part_has_changed():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        owned.unit.idle, owned.heard, owned.gave_time = failing, -1e9, False
        mine.options = SimpleNamespace(idle_timeout_ms=1, flush_interval_ms=500)
        with pytest.raises(RuntimeError):
            Timekeeper(mine).idle(owned, Span(1, 1, 1, 0))
        await mine.revoke()

    asyncio.run(run())
    assert [] == commits()
