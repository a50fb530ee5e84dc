"""When a worker is ill, when it is not ready, and how its loop is watched."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from streams.web import pulse as beats
from streams.web.health import Health
from streams.web.pulse import INTERVAL_SECONDS, Pulse
from tests.web.worker import Owners


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health(Owners(), Pulse(clock=clock), lambda: False, 60.0, clock)


def test_a_worker_that_runs_is_well_and_ready(health):
    assert ([], []) == (health.ills(), health.lacks())


def test_one_that_waits_for_its_partitions_is_well_and_not_ready(health):
    health.owners.ready = False

    assert ([], ["partitions are being assigned or recovered"]) == (health.ills(), health.lacks())


def test_one_that_has_failed_is_ill_and_its_words_stay_inside(health):
    health.owners.failure = RuntimeError("with a secret")

    assert ["the worker has stopped: RuntimeError"] == health.ills() == health.lacks()


def test_a_crashed_app_is_ill(clock):
    assert ["the app has crashed"] == Health(Owners(), Pulse(clock=clock), lambda: True, 60.0, clock).ills()


def test_a_loop_may_stand_still_as_long_as_the_bound_and_no_longer(health, clock):
    clock.now += 60.0
    assert [] == health.ills()

    clock.now += 0.5
    assert ["the event loop has stood still for 60 s"] == health.ills()


def test_a_transaction_may_take_as_long_as_the_bound_and_no_longer(clock):
    owned = SimpleNamespace(flush_began=clock.now)
    owners = Owners({("app-state-changelog", 3): owned, ("app-state-changelog", 4): SimpleNamespace(flush_began=None)})
    health = Health(owners, SimpleNamespace(silent_seconds=lambda: 0.0), lambda: False, 60.0, clock)

    clock.now += 60.0
    assert [] == health.ills()

    clock.now += 1.0
    assert ["a transaction of app-state-changelog 3 has taken 61 s"] == health.ills()


def test_each_beat_tells_how_late_it_was(clock, monkeypatch):
    sleeps, late = iter([INTERVAL_SECONDS, INTERVAL_SECONDS + 2.0, INTERVAL_SECONDS - 0.125]), []

    async def sleep(seconds):
        assert seconds == INTERVAL_SECONDS
        try:
            clock.now += next(sleeps)
        except StopIteration:
            raise asyncio.CancelledError from None

    monkeypatch.setattr(beats.asyncio, "sleep", sleep)
    pulse = Pulse(late.append, clock)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(pulse.run())

    assert [0.0, 2.0, 0.0] == late
    assert 0.0 == pulse.silent_seconds()


def test_nobody_has_to_listen_to_the_pulse(monkeypatch):
    async def beat_once():
        task = asyncio.ensure_future(Pulse().run())
        await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()

    monkeypatch.setattr(beats, "INTERVAL_SECONDS", 0.001)

    asyncio.run(beat_once())
