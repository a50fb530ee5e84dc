"""How much of the sources lies unread or unfolded, asked without waiting."""

from __future__ import annotations

from faust.types import TP

from streams.engine.owners import Owners


def lags(owners: Owners) -> dict[TP, int]:
    """Return the offsets that wait, by source partition, as of its last fetch; nothing of one without a fetch."""
    found: dict[TP, int] = {}
    if not owners.ready:
        return found
    thread = owners.app.consumer._thread
    for (_, partition), owned in owners.owned.items():
        for topic in owned.stage.sources:
            tp = TP(topic, partition)
            at = owned.unit.next.get(topic)
            span = None if at is None else thread.span(tp, at)
            if span is not None:
                found[tp] = max(0, span.stable - span.seen)
    return found
