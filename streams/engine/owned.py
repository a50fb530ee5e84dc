"""What the engine is told of a kind of unit, and what it keeps of each that it owns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from streams.engine.size import StateSize
from streams.engine.transaction import Writer
from streams.units.unit import Unit


@dataclass(frozen=True, slots=True)
class Stage:
    """A kind of unit: its changelog, its source topics, and how one is made for a partition."""

    changelog: str
    sources: tuple[str, ...]
    make: Callable[[int], Unit]
    partitions: int
    alone: bool = False  # one unit, of partition 0, however many a broker has made

    @property
    def clock_topic(self) -> str:
        """The source that moves the unit's clock: silence of the others is not its concern."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class Options:
    """What the owners need to know of the settings."""

    group: str
    connection: Mapping[str, Any]
    transaction_timeout_ms: int
    flush_interval_ms: int
    idle_timeout_ms: int
    check_crcs: bool


@dataclass(slots=True)
class Owned:
    """A unit that this process owns in this generation."""

    stage: Stage
    unit: Unit
    writer: Writer
    task: asyncio.Task[BaseException | None] | None = None  # its flushes; what came of them
    again: bool = False
    last: bool = False  # the flushes to come leave no offsets to another
    torn: bool = False  # a step of it failed midway: what it holds is no moment of the log any more
    lost: int = 0
    seeking: set[str] = field(default_factory=set)
    heard: float = 0.0  # monotonic: when the last batch came, or time was last given
    gave_time: bool = False
    whole: dict[str, float] = field(default_factory=dict)  # by source: when it last went as far as was read of it
    owed: float | None = None  # monotonic: since when the group's offsets are behind what is committed
    behind: float = 0.0  # monotonic: when a batch of an old backlog came
    size: StateSize = field(default_factory=StateSize)
    flush_began: float | None = None  # monotonic: when the transaction in flight began
    flush_ended: float = 0.0  # monotonic: when the last one was committed
    flush_seconds: float = 0.0
    flush_rows: int = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Do something after which the unit is whole again, or never."""
        try:
            yield
        except BaseException:
            self.torn = True
            raise

    @property
    def due(self) -> bool:
        """Whether there is anything that can be flushed."""
        return not self.torn and (self.unit.work or self.owed is not None)
