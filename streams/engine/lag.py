"""How much of the sources lies unread or unfolded, asked without waiting."""

from __future__ import annotations

from typing import NamedTuple

from faust.types import TP

from streams.engine.owners import Owners

#: A fetch is answered several times a second; one that is older than this says nothing of what has come since.
UNANSWERED_SECONDS = 10.0


class Lag(NamedTuple):
    """What waits of a source partition.

    Attributes
    ----------
    records
        Offsets not yet folded as of the last fetch: a floor where that is old. None where it is old and found none.
    unanswered_seconds
        How long ago the last fetch was, where that is long; else 0.

    """

    records: int | None
    unanswered_seconds: float = 0.0


def lags(owners: Owners) -> dict[TP, Lag]:
    """Return what waits, by source partition; nothing of one without a fetch."""
    found: dict[TP, Lag] = {}
    if not owners.ready:
        return found
    thread = owners.app.consumer._thread
    for (_, partition), owned in owners.owned.items():
        for topic in owned.stage.sources:
            tp = TP(topic, partition)
            at = owned.unit.next.get(topic)
            span = None if at is None else thread.span(tp, at)
            if span is not None:
                waiting, age = max(0, span.stable - span.seen), span.age_ms / 1000
                # Behind a schema that is waited for nothing is fetched, and what was known to wait still does.
                found[tp] = Lag(waiting) if age <= UNANSWERED_SECONDS else Lag(waiting or None, age)
    return found
