"""What happens when the last flush before partitions are let go of fails; ``make chaos`` met it with seed 20."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import ProducerFenced
from structlog.testing import capture_logs

from streams.engine.owned import Options, Owned
from streams.engine.owners import Owners
from streams.units.unit import Flush


class FencedWriter:
    stopped = False

    async def commit(self, *_, **__):
        raise ProducerFenced

    async def stop(self):
        self.stopped = True


def test_a_zombie_that_is_fenced_while_it_lets_go_says_why_it_ends():
    stops = []
    app = SimpleNamespace(stop_now=lambda: stops.append("now"))
    owners = Owners(app, [], Options("app", {}, 3_000, 50, 0, check_crcs=True), None)
    writer = FencedWriter()
    unit = SimpleNamespace(work=True, urgent=False, cut=Flush, partition=0)
    owners.owned["state", 0] = Owned(None, unit, writer)

    with capture_logs() as logs, pytest.raises(ProducerFenced):
        asyncio.run(owners.revoke())

    assert ["worker_stopped"] == [each["event"] for each in logs]
    assert (["now"], True, {}) == (stops, writer.stopped, owners.owned)
