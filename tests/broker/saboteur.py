"""A worker without one of its protections: ``python -m tests.broker.saboteur NAME``. Only tests know of it."""

from __future__ import annotations

import functools
import sys
import uuid
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

from streams.core.market import Market
from streams.core.screen import Screen
from streams.engine import changelog, transport
from streams.engine.owners import Owners
from streams.engine.transaction import Writer
from streams.units.unit import Flush


def transaction() -> None:
    """Outputs go in one transaction, state and offsets in the next."""
    commit = Writer.commit

    async def in_two(self: Writer, flush: Flush, partition: int) -> None:
        await commit(self, Flush(messages=flush.messages), partition)
        await commit(self, Flush(rows=flush.rows, offsets=flush.offsets), partition)

    Writer.commit = in_two


def fencing() -> None:
    """Each process has transactional ids of its own: nobody shuts out anybody."""
    init = Writer.__init__

    def alone(self: Writer, name: str, *rest: Any) -> None:
        init(self, f"{name}-{uuid.uuid4()}", *rest)

    Writer.__init__ = alone


def seek() -> None:
    """The commit row's offsets are not taken up: reading goes on where the log begins."""
    restore = Owners._restore

    def forgetful(self: Owners, tp: Any, owned: Any, rows: Any) -> None:
        restore(self, tp, owned, rows)
        owned.unit.next.clear()

    Owners._restore = forgetful


def committed_recovery() -> None:
    """The changelog is read with what was never committed."""
    kinds = functools.partial(AIOKafkaConsumer)
    changelog.AIOKafkaConsumer = lambda **options: kinds(**(options | {"isolation_level": "read_uncommitted"}))


def committed_sources() -> None:
    """Sources are read with what the producer aborted, as Faust does it."""
    stock = driver.AIOKafkaConsumerThread._create_worker_consumer
    transport.ConsumerThread._create_worker_consumer = stock


def batch_rule() -> None:
    """A whole batch is folded at the clock of its end."""
    accept = Screen.accept

    def at_once(self: Screen, columns: Any) -> Any:
        accepted = accept(self, columns)
        if len(accepted.index):
            accepted.clock_ms[:] = accepted.clock_ms[-1]
        return accepted

    Screen.accept = at_once


def on_time() -> None:
    """Stage 2 decides on all totals, late ones included."""
    snapshot = Market.snapshot
    Market.snapshot = lambda self, found: snapshot(
        self, found if found.on_time is None else found._replace(on_time=found.seconds)
    )


def ticks() -> None:
    """Time is given whether or not something is left to read."""

    async def always(self: Owners, owned: Any) -> bool:
        return True

    Owners._at_end = always


def dedupe() -> None:
    """Nothing is recognised."""
    accept = Screen.accept

    def anew(self: Screen, columns: Any) -> Any:
        columns.identity[:] = [uuid.uuid4().int & 0xFFFFFFFFFFFFFFFF for _ in range(len(columns))]
        return accept(self, columns)

    Screen.accept = anew


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    from streams.cli import main

    main(["worker"])
