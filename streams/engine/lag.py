"""How much of the sources lies unread or unfolded, asked without waiting."""

from __future__ import annotations

from faust.types import TP

from streams.engine.owners import Owners


def lags(owners: Owners) -> dict[TP, int]:
    """Return the offsets that wait, by source partition, as of its last fetch; nothing of one without a fetch."""
    found: dict[TP, int] = {}
    if not owners.ready:
        return found
    consumer = owners.app.consumer
    for (_, partition), owned in owners.owned.items():
        for topic in owned.stage.sources:
            tp = TP(topic, partition)
            at, span = owned.unit.next.get(topic), consumer._thread.fetched(tp)
            if at is not None and span is not None:
                position, end = span
                # Behind the last record there may be a transaction's marker, which is never handed on.
                seen = position if consumer.scheduler.expected.get(tp, at) == at else at
                found[tp] = max(0, end - max(at, seen))
    return found
