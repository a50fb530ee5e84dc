"""One Faust agent for each input topic, one table for each stage: where everything comes in.

An agent gets a batch of its partition and hands it to the unit that owns the
partition (``engine.owners``), whose ``handle`` does the rest; ``replay`` calls
the same ``handle``. There is nothing else to do here, and nothing to lose:
offsets, rows and outputs are committed by the unit's next flush.
"""

from __future__ import annotations

from typing import Any

import faust

from streams.engine.batching import BatchSchema
from streams.engine.job import Job
from streams.engine.owned import Stage


def register(app: Job, stage: Stage) -> None:
    """Declare a stage's table, topics and agents on the app."""
    table = stage.changelog.removeprefix(f"{app.conf.id}-").removesuffix("-changelog")
    raw: faust.Schema[Any, Any] = faust.Schema(
        key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    app.Table(table, key_type=bytes, value_type=bytes, schema=raw, partitions=stage.partitions)
    for name in stage.sources:
        topic = app.topic(name, schema=BatchSchema(), key_serializer="raw", value_serializer="raw")
        app.agent(topic, name=f"streams.agents.{name}")(agent(app))


def agent(app: Job) -> Any:
    """Return a function that hands batches on."""

    async def hand_on(stream: Any) -> None:
        async for delivered in stream:
            await app.owners.deliver(delivered)

    return hand_on
