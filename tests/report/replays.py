"""Replays for the tests of reports: records in, what the recorder heard and the page out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.codec.encode import Encoder
from streams.registries import file_registry
from streams.replay.fold import Replay
from streams.replay.load import Fed, partition_of
from streams.replay.summary import Summary
from streams.report.recorder import Recorder
from streams.rules import cascade_rules
from streams.settings import Settings
from tests.test_replay import settings

HOUR_MS = 3_600_000


@dataclass
class Heard:
    recorder: Recorder
    summary: Summary
    settings: Settings

    @property
    def rules(self):
        return cascade_rules(self.settings)

    def stories(self, *scopes):
        found = self.recorder.cascades.values()
        return [story for story in found if not scopes or story.first["scope"] in scopes]


def hear(records: list[dict[str, Any]], *, partitions=2, flush_count=40, of: Settings | None = None) -> Heard:
    """Replay liquidations with a recorder."""
    of = of or settings()
    registry = file_registry()
    encoder = Encoder(registry.writers())
    keys = [record["asset"].encode() for record in records]
    numbers = [partition_of(key, partitions) for key in keys]
    recorder = Recorder()
    replay = Replay(of, registry, partitions, set(numbers), lambda _: None, recorder)
    order = sorted(range(len(records)), key=lambda at: records[at]["event_time"])
    for count, at in enumerate(order):
        record = {"ingest_time": records[at]["event_time"], **records[at]}
        value = encoder.encode("liquidations", record)
        replay.feed(Fed(record["event_time"], at, numbers[at], "liquidations", "avro", keys[at], value, "a", at))
        if count % flush_count == flush_count - 1:
            replay.flush()
    replay.end()
    return Heard(recorder, replay.summary(0), of)
