"""Where the schema registry does not answer, what cannot be read waits, and nothing else does."""

import asyncio

import pytest

from streams.engine import aside
from tests.engine.jobs import CHANGELOG, Calls
from tests.engine.test_owners import TP0, delivered, no_kafka, taken

__all__ = ["no_kafka"]


class Registry:
    """One that says nothing until it is let."""

    def __init__(self):
        self.asked, self.well, self.failing = [], asyncio.Event(), False

    async def resolve(self, ids):
        self.asked.append(ids)
        await self.well.wait()
        if self.failing:
            raise RuntimeError("a bug of ours")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(aside, "ANSWER_SECONDS", 0.02)


async def unread(at=10):
    """Return owners of a unit that cannot read its first batch, and what the consumer was told."""
    mine, owned = await taken(at)
    mine.registry, calls = Registry(), Calls()
    owned.unit.unresolved = lambda batch: {7}

    async def seek_to(positions):
        calls.append(("seek", dict(positions)))
        mine.sought(positions)

    mine.app.consumer.seek_to = seek_to
    mine.app.consumer.pause_partitions, mine.app.consumer.resume_partitions = calls.sync("pause"), calls.sync("resume")
    return mine, owned, calls


async def let_run():
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_batch_that_cannot_be_read_holds_up_its_partition_and_no_agent():
    # Its agent stood still, its queue of four was full, and behind that Faust hands out nothing of any topic.
    async def run():
        mine, owned, calls = await unread()
        for offset in (10, 11):
            await asyncio.wait_for(mine.deliver(delivered(offset)), 1)
        before = list(calls), list(owned.unit.handled), len(mine.registry.asked)
        mine.registry.well.set()
        await let_run()
        owned.unit.unresolved = lambda batch: set()
        await mine.deliver(delivered(11))
        return before, calls, owned.unit.handled, mine.failure

    before, calls, handled, failure = asyncio.run(run())
    assert before == ([("pause", [TP0])], [], 1)
    assert calls[1:] == [("seek", {TP0: 11}), ("resume", [TP0])]
    assert (handled, failure) == ([[10], [11]], None)


def test_who_waits_behind_another_does_not_wait_for_its_patience(monkeypatch):
    monkeypatch.setattr(aside, "ANSWER_SECONDS", 0.3)

    async def run():
        mine, _, _ = await unread()
        await mine.deliver(delivered(10))
        other = mine.owned[CHANGELOG, 0]
        other.seeking.clear()
        await asyncio.wait_for(mine.deliver(delivered(10)), 0.2)
        return len(mine.registry.asked)

    assert asyncio.run(run()) == 2


def test_a_registry_that_answers_is_waited_for():
    async def run():
        mine, owned, calls = await unread()
        asyncio.get_running_loop().call_later(0.001, mine.registry.well.set)
        await mine.deliver(delivered(10))
        return owned.unit.handled, calls

    assert asyncio.run(run()) == ([[10]], [])


@pytest.mark.parametrize("amid", [True, False], ids=["before it is put aside", "afterwards"])
def test_what_was_let_go_of_while_it_waited_is_not_folded(amid):
    async def run():
        mine, owned, calls = await unread()
        waiting = asyncio.ensure_future(mine.deliver(delivered(10)))
        await asyncio.sleep(0 if amid else 0.05)
        await mine.revoke()
        mine.registry.well.set()
        await waiting  # a cancel would end the agent
        await let_run()
        return owned.unit.handled, [name for name, *_ in calls], len(mine._guarded), mine.failure

    assert asyncio.run(run()) == ([], [] if amid else ["pause"], 0, None)


def test_whatever_else_comes_of_asking_ends_the_worker():
    async def run():
        mine, _, _ = await unread()
        mine.registry.failing = True
        await mine.deliver(delivered(10))
        mine.registry.well.set()
        await let_run()
        return str(mine.failure)

    assert asyncio.run(run()) == "a bug of ours"
