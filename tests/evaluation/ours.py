"""Our own detector on recorded orders: the units of the worker, through ``streams.replay``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from streams.codec.encode import Encoder
from streams.core.cascade import SEVERITIES
from streams.registries import file_registry
from streams.replay.fold import Replay
from streams.replay.load import Fed
from streams.settings import Settings
from tests.evaluation.data import SIDES, Orders, wire
from tests.evaluation.labels import Span


@dataclass
class Event:
    """A cascade, from its messages; times in seconds."""

    cascade_id: str
    scope: str
    key: str
    side: str
    onset: int
    ended: int
    reached: dict[str, int] = field(default_factory=dict)  # severity -> when it was first said
    usd: float = 0.0

    @property
    def severity(self) -> str:
        return max(self.reached, key=SEVERITIES.index)

    def since(self, severity: str) -> int | None:
        """Return when it was first said to be of this severity or above."""
        times = [time for name, time in self.reached.items() if SEVERITIES.index(name) >= SEVERITIES.index(severity)]
        return min(times, default=None)


_registry = cache(file_registry)


def messages(orders: Orders, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Return what the job says on ``cascades``, in order."""
    lines: list[str] = []
    registry = _registry()
    encoder = Encoder(registry.writers())
    replay = Replay(settings or Settings(), registry, 1, {0}, lines.append)
    for number, record in enumerate(wire(orders)):
        value = encoder.encode("liquidations", record)
        key = record["asset"].encode()
        replay.feed(Fed(record["event_time"], number, 0, "liquidations", "avro", key, value, "orders", number))
        if number % 20_000 == 19_999:
            replay.flush()
    replay.end()
    said = [json.loads(line) for line in lines if line.startswith('{"topic":"cascades"')]
    return [message["record"] for message in said]


def events(said: Iterable[dict[str, Any]], scope: str, key: str | None = None) -> list[Event]:
    """Return the cascades of a scope, oldest first; one that is still open ends with its last message."""
    found: dict[str, Event] = {}
    for message in said:
        if message["scope"] != scope or (key is not None and message["key"] != key):
            continue
        time = message["event_time"] // 1000
        event = found.setdefault(
            message["cascade_id"],
            Event(message["cascade_id"], scope, message["key"], message["position_side"], time, time),
        )
        event.reached.setdefault(message["severity"], time)
        event.ended = (message["ended"] or message["event_time"]) // 1000
        event.usd = message["notional_usd"]
    return list(found.values())


def spans(found: Iterable[Event], severity: str = "MINOR", *, when_said: bool = False) -> list[Span]:
    """Return the times of those that reached a severity: from their onset, or from when that severity was said."""
    kept = [(event, event.since(severity)) for event in found]
    return [
        Span(since if when_said else event.onset, event.ended, SIDES.index(event.side))
        for event, since in kept
        if since is not None
    ]
