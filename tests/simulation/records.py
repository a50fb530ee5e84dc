"""What a log is here: records with offsets, and the schemas they are written with."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from streams.codec.batch import RecordBatch
from streams.codec.encode import Encoder
from streams.codec.values import ValueReader
from streams.registries import file_registry

LIQUIDATIONS = "liquidations"


class Record(NamedTuple):
    """One record of a partition; ``timestamp`` is the broker's own (LogAppendTime)."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


def batch_of(topic, partition, records):
    columns = zip(*records, strict=True)
    offsets, keys, values, timestamps = (list(column) for column in columns)
    return RecordBatch(
        topic,
        partition,
        np.array(offsets, np.int64),
        keys,
        values,
        np.array(timestamps, np.int64),
        log_append_time=True,
    )


@cache
def registry():
    return file_registry()


@cache
def encoder():
    return Encoder(registry().writers())


@cache
def reader():
    return ValueReader(registry())
