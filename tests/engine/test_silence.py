"""Silence is told to a unit by who has listened to the end of its source."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from streams.engine import timekeeper
from streams.engine.timekeeper import Timekeeper
from streams.engine.transport import Span
from tests.engine.test_owners import SLOW_SECONDS, delivered, no_kafka, taken

__all__ = ["no_kafka"]


@pytest.mark.parametrize(
    ("span", "told"),
    [
        pytest.param(Span(10, 10, 10, 20), [700], id="at its end"),
        pytest.param(Span(12, 12, 12, 20), [700], id="markers only"),
        pytest.param(Span(10, 12, 12, 20), [], id="records on their way"),
        pytest.param(Span(10, 10, 12, 20), [], id="a transaction upstream is open"),
        pytest.param(Span(10, 10, 10, 5_000), [], id="the broker has not answered for long"),
        pytest.param(Span(10, 10, 10, -5_000), [], id="the clock was put back since"),
        pytest.param(None, [], id="never fetched"),
    ],
)
@pytest.mark.parametrize(("patience_ms", "clockless"), [(300, False), (0, True)])
def test_a_unit_is_told_of_silence_by_who_has_listened_to_the_end(span, told, patience_ms, clockless):
    found = asyncio.run(idled(lambda keeper, owned: keeper.idle(owned, span), span, patience_ms, clockless=clockless))

    assert told == found


@pytest.mark.parametrize(
    ("patience_ms", "clockless", "told"), [(1_000, False, [1_400]), (0, False, []), (0, True, [700])]
)
def test_silence_is_told_when_it_has_lasted_or_once_where_nothing_ever_was(patience_ms, clockless, told):
    span = Span(10, 10, 10, 20)

    def twice(keeper, owned):
        for _ in range(2):
            keeper.idle(owned, span)
            owned.heard -= 0.7

    assert told == asyncio.run(idled(twice, span, patience_ms, clockless=clockless))


def test_who_was_asleep_has_not_heard_that_it_was_silent():
    # A worker that was stopped for 15 s woke up, took its last fetch for the end, and moved the clock by 15 s.
    span = Span(10, 10, 10, 20)

    def asleep(keeper, owned):
        keeper.was_deaf()
        keeper.idle(owned, span)

    assert [] == asyncio.run(idled(asleep, span, 300))


def test_a_loop_that_was_held_up_begins_to_listen_anew(monkeypatch):
    monkeypatch.setattr(timekeeper, "DEAF_SECONDS", SLOW_SECONDS / 2)
    calls = []

    async def run():
        mine, _ = await taken(at=0)
        mine.options = replace(mine.options, flush_interval_ms=1)
        keeper = Timekeeper(mine)
        keeper.was_deaf = lambda: calls.append("deaf")
        keeper.idle = lambda *_: calls.append("idle")
        mine.ready = True
        running = asyncio.ensure_future(keeper.run())
        await asyncio.sleep(SLOW_SECONDS / 5)
        calls.append("held up")
        time.sleep(SLOW_SECONDS)  # noqa: ASYNC251 - it holds the loop
        await asyncio.sleep(0.005)
        running.cancel()
        await mine.revoke()

    asyncio.run(run())
    assert 1 == calls.count("deaf")
    assert ["held up", "deaf", "idle"] == calls[calls.index("held up") :][:3]


async def idled(look, span, patience_ms, *, clockless=False):
    """Return what a unit is told that stands at 10 and has heard nothing for 700 ms."""
    mine, owned = await taken(at=10)
    mine.options = replace(mine.options, idle_timeout_ms=patience_ms)
    mine.app.consumer._thread.span = lambda tp, at: span
    told = []
    owned.unit.idle, owned.unit.clockless = told.append, clockless
    owned.heard = time.monotonic() - 0.7
    look(Timekeeper(mine), owned)
    await mine.revoke()
    return [ms // 10 * 10 for ms in told]


@pytest.mark.parametrize(
    ("span", "behind_s", "flushed_s", "due"),
    [
        pytest.param(Span(10, 99, 99, 20), 0.1, 0.6, False, id="in the middle of an old backlog"),
        pytest.param(Span(10, 99, 99, 20), 0.1, 2.0, True, id="in it, and long since the last flush"),
        pytest.param(Span(99, 99, 99, 20), 0.1, 0.6, True, id="at its end"),
        pytest.param(Span(10, 99, 99, 20), 2.0, 0.6, True, id="what comes is new, or little"),
        pytest.param(None, 0.1, 0.6, True, id="nothing is known of the log"),
        pytest.param(Span(99, 99, 99, 20), 9.0, 0.2, False, id="just after one that could not wait"),
    ],
)
def test_flushes_are_seldom_in_an_old_backlog_and_not_one_upon_the_other(span, behind_s, flushed_s, due):
    async def run():
        mine, owned = await taken()
        now = time.monotonic()
        owned.behind, owned.flush_ended = now - behind_s, now - flushed_s
        await mine.revoke()
        return timekeeper.is_due(owned, span, 0.5)

    assert due == asyncio.run(run())


@pytest.mark.parametrize(("count", "age_s", "behind"), [(2_000, 60, True), (1_999, 60, False), (2_000, 1, False)])
def test_a_backlog_is_many_records_that_are_old(count, age_s, behind):
    async def run():
        mine, owned = await taken(at=0)
        batch = delivered(*range(count))
        batch.batch.timestamps[:] = (time.time() - age_s) * 1000
        await mine.deliver(batch)
        await mine.revoke()
        return owned.behind > 0

    assert behind == asyncio.run(run())
