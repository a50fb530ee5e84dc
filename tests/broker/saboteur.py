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
from streams.engine import changelog, timekeeper, transport
from streams.engine.owned import Owned
from streams.engine.owners import Owners
from streams.engine.timekeeper import Timekeeper
from streams.engine.transaction import Writer
from streams.engine.transport import Span
from streams.units.unit import Flush


def instead(owner: Any, name: str, other: Any) -> None:
    """Put something in the place of a protection, which has to be there."""
    assert hasattr(owner, name), f"{owner} has no {name}: what is the protection called now?"
    setattr(owner, name, other)


def transaction() -> None:
    """Outputs go in one transaction, state and offsets in the next."""
    commit = Writer.commit

    async def in_two(self: Writer, flush: Flush, partition: int, **how: bool) -> None:
        await commit(self, Flush(messages=flush.messages), partition)
        await commit(self, Flush(rows=flush.rows, offsets=flush.offsets), partition, **how)

    instead(Writer, "commit", in_two)


def fencing() -> None:
    """Each process has transactional ids of its own: nobody shuts out anybody."""
    init = Writer.__init__

    def alone(self: Writer, name: str, *rest: Any) -> None:
        init(self, f"{name}-{uuid.uuid4()}", *rest)

    instead(Writer, "__init__", alone)


def seek() -> None:
    """The commit row's offsets are not taken up: reading goes on where the log begins."""
    restore = Owners._restore

    def forgetful(self: Owners, tp: Any, owned: Any, rows: Any) -> None:
        restore(self, tp, owned, rows)
        owned.unit.next.clear()

    instead(Owners, "_restore", forgetful)


def committed_recovery() -> None:
    """The changelog is read with what was never committed."""
    kinds = functools.partial(AIOKafkaConsumer)
    read_all = {"isolation_level": "read_uncommitted"}
    instead(changelog, "AIOKafkaConsumer", lambda **options: kinds(**(options | read_all)))


def committed_sources() -> None:
    """Sources are read with what the producer aborted, as Faust does it."""
    stock = driver.AIOKafkaConsumerThread._create_worker_consumer
    instead(transport.ConsumerThread, "_create_worker_consumer", stock)


def batch_rule() -> None:
    """A whole batch is folded at the clock of its end."""
    accept = Screen.accept

    def at_once(self: Screen, columns: Any) -> Any:
        accepted = accept(self, columns)
        if len(accepted.index):
            accepted.clock_ms[:] = accepted.clock_ms[-1]
        return accepted

    instead(Screen, "accept", at_once)


def on_time() -> None:
    """Stage 2 decides on all totals, late ones included."""
    grow = Market.grow
    instead(Market, "grow", lambda self, names, cells: grow(self, names, cells._replace(slot=cells.slot | 1)))


def ticks() -> None:
    """Time is given whether or not something is left to read."""

    def nothing_left(self: Timekeeper, owned: Owned) -> Span | None:
        at = owned.unit.next.get(owned.stage.clock_topic)
        return None if at is None else Span(at, at, at, 0)

    instead(Timekeeper, "span", nothing_left)


def silence() -> None:
    """A worker that was asleep takes it for silence."""
    instead(Timekeeper, "was_deaf", lambda _: None)
    instead(timekeeper, "DEAF_SECONDS", 1e9)


def dedupe() -> None:
    """Nothing is recognised."""
    accept = Screen.accept

    def anew(self: Screen, columns: Any) -> Any:
        columns.identity[:] = [uuid.uuid4().int & 0xFFFFFFFFFFFFFFFF for _ in range(len(columns))]
        return accept(self, columns)

    instead(Screen, "accept", anew)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    from streams.cli import main

    main(["worker"])
