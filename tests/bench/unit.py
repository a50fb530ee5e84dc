"""The job without Kafka: one shard with the worker's own settings, fed and cut as the engine does it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streams import app
from streams.codec.batch import RecordBatch
from streams.codec.encode import Encoder
from streams.registries import file_registry
from streams.settings import Settings
from streams.units.shard import LIQUIDATIONS, Shard
from tests.bench.load import START_MS, Load, liquidations

#: About what a fetch of a mebibyte holds.
BATCH_COUNT = 15_000


def shard(instruments_max: int = 20_000) -> Shard:
    """Return a new shard that is the whole topic."""
    settings = Settings(instruments_max=instruments_max)
    registry = file_registry()
    codecs = app.codecs(settings, registry, Encoder(registry.writers()))
    rule = app.shard_rule(settings)
    return Shard(0, 1, rule, codecs, app.describer(rule))


def batches(count: int, load: Load, size: int = BATCH_COUNT) -> Iterator[RecordBatch]:
    """Yield a load as the scheduler hands it on; stamped by the broker when everything has happened."""
    records = list(liquidations(count, load))
    stamp = START_MS + load.span_ms(count)
    for begin in range(0, count, size):
        keys, values = map(list, zip(*records[begin : begin + size], strict=True))
        offsets = np.arange(begin, begin + len(keys), dtype=np.int64)
        stamps = np.full(len(keys), stamp, np.int64)
        yield RecordBatch(LIQUIDATIONS, 0, offsets, keys, values, stamps, log_append_time=True)
