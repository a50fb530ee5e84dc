"""The group's offsets may follow, and always do: an onset is readable two round trips sooner without them."""

import asyncio
import time
from dataclasses import replace

import pytest

from streams.engine import owners
from tests.engine.test_owners import SLOW_SECONDS, Unit, Writer, delivered, no_kafka, taken

__all__ = ["no_kafka"]  # used by every test here, unasked


async def hurried(mine, owned, offset):
    owned.unit.urgent = True
    await mine.deliver(delivered(offset))
    await owned.task


def test_a_flush_that_cannot_wait_leaves_the_offsets_to_the_next_that_can():
    # They are two of the five round trips until an onset can be read, and nobody but tools that show lag needs them.
    async def run():
        mine, owned = await taken(at=0)
        mine.options = replace(mine.options, flush_interval_ms=10)
        await hurried(mine, owned, 0)
        assert "offsets" not in Writer.calls
        mine.resumed()
        await asyncio.sleep(2 * SLOW_SECONDS)
        mine._flusher.cancel()
        return owned

    assert asyncio.run(run()).owed is None
    assert 1 == Writer.calls.count("offsets")


@pytest.mark.parametrize(("owed_seconds", "taken_along"), [(owners.OWED_SECONDS / 2, 0), (2 * owners.OWED_SECONDS, 1)])
def test_offsets_that_have_been_owed_for_long_do_not_wait_for_a_flush_that_can(owed_seconds, taken_along):
    async def run():
        mine, owned = await taken(at=0)
        owned.owed = time.monotonic() - owed_seconds
        await hurried(mine, owned, 0)

    asyncio.run(run())
    assert taken_along == Writer.calls.count("offsets")


def test_who_takes_up_a_unit_pays_what_the_last_owner_was_killed_before_paying(monkeypatch):
    # make chaos, seed 366412: all was done, and the group's offsets stayed behind until the next record.
    monkeypatch.setattr(Unit, "restore", lambda self, rows: self.next.update(liquidations=7))

    async def run():
        mine, owned = await taken(at=7)
        mine.options = replace(mine.options, flush_interval_ms=10)
        mine.resumed()
        await asyncio.sleep(3 * SLOW_SECONDS)
        mine._flusher.cancel()
        return owned

    monkeypatch.setattr(Unit, "cut", lambda self: pytest.fail("nothing has changed"))
    owned = asyncio.run(run())
    assert [("commit", {"liquidations": 7}), "offsets"] == Writer.calls[-2:]
    assert owned.owed is None


def test_who_lets_go_of_a_unit_owes_no_offsets():
    async def run():
        mine, owned = await taken(at=0)
        await hurried(mine, owned, 0)
        owned.unit.work = False
        await mine.revoke()

    asyncio.run(run())
    assert ["offsets", "stop"] == Writer.calls[-2:]


def test_no_offset_is_sent_of_a_topic_that_is_read_no_more(monkeypatch):
    # It was deleted, or has another count of partitions: the broker knows no such partition, and aiokafka asks again,
    # for ever, with the first transaction of each process.
    monkeypatch.setattr(Unit, "restore", lambda self, rows: self.next.update(liquidations=7, quotes=77))

    async def run():
        mine, owned = await taken(at=7)
        assert "quotes" not in owned.stage.sources
        mine.kick(owned)
        await owned.task
        await mine.deliver(delivered(7))
        mine.kick(owned)
        await owned.task
        return owned.unit.next

    assert asyncio.run(run()) == {"liquidations": 8, "quotes": 77}
    assert [call for call in Writer.calls if call[0] == "commit"] == [
        ("commit", {"liquidations": 7}), ("commit", {"liquidations": 8})
    ]  # fmt: skip
