"""One way to a flush: a later cut that is committed beside an earlier one passes over what that one holds."""

import asyncio
from types import SimpleNamespace

import pytest

from streams.web.health import Health
from tests.engine.jobs import CHANGELOG, failing
from tests.engine.test_owners import SLOW_SECONDS, Writer, delivered, no_kafka, taken

__all__ = ["no_kafka"]


def commits():
    return [call[1]["liquidations"] for call in Writer.calls if call[0] == "commit"]


@pytest.mark.parametrize("failing", [False, True])
def test_the_last_flush_before_a_wrong_topic_is_said_is_one_like_any_other(failing):
    # It went beside the others: the next batch, of a topic that was right, had a transaction of its own, and where
    # the first one failed that committed an offset beyond records that were in neither.
    async def run():
        mine, owned = await taken(at=0)
        owned.unit.wrong, Writer.failing = True, failing
        wrong = asyncio.ensure_future(mine.deliver(delivered(0)))
        await asyncio.sleep(SLOW_SECONDS / 2)
        owned.unit.handle(delivered(1).batch)  # as of another topic
        assert owned.due
        mine.kick(owned)
        await asyncio.gather(wrong, return_exceptions=True)
        Writer.failing = False
        await mine.revoke()
        return str(mine.failure)

    assert asyncio.run(run()) == ("the broker aborted it" if failing else "the wrong topic")
    assert commits() == ([] if failing else [1, 2])


def test_no_flush_begins_beside_another_or_behind_one_that_failed():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        mine.kick(owned)
        await asyncio.sleep(0)
        owned.unit.cut = lambda: pytest.fail("it was cut")
        with pytest.raises(AssertionError, match="one transaction of a unit at a time"):
            await mine._flush(owned)
        await owned.task
        owned.torn = True
        with pytest.raises(AssertionError, match="nothing of a torn unit is committed"):
            await mine._flush(owned)

    asyncio.run(run())
    assert commits() == [1]


def test_a_writer_is_not_stopped_amid_its_commit_because_another_unit_failed():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        other = SimpleNamespace(work=True, urgent=False, cut=failing, partition=1)
        mine.owned[CHANGELOG, 1] = type(owned)(owned.stage, other, Writer("other"))
        with pytest.raises(RuntimeError):
            await mine.revoke()

    asyncio.run(run())
    assert [("commit", {"liquidations": 1}), "offsets", "stop", "stop"] == Writer.calls[2:]


def test_a_transaction_that_hangs_while_partitions_are_let_go_of_is_seen_from_without():
    async def run():
        mine, owned = await taken(at=0)
        await mine.deliver(delivered(0))
        health = Health(mine, SimpleNamespace(silent_seconds=lambda: 0.0), lambda: False, 60.0)
        leaving = asyncio.ensure_future(mine.revoke())
        await asyncio.sleep(SLOW_SECONDS / 2)
        owned.flush_began -= 61
        during = health.ills()
        await leaving
        return during, health.ills(), mine.leaving

    during, after, leaving = asyncio.run(run())
    assert ([f"a transaction of {CHANGELOG} 0 has taken 61 s"], [], {}) == (during, after, leaving)
