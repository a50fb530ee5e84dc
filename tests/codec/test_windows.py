"""Rows of ``liquidation-windows`` by the fast way are those of the general way, byte for byte."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from streams.codec import windows
from streams.codec.encode import Encoder
from streams.codec.windows import TOPIC, About, Row, WindowsEncoder
from streams.core.events import Instrument, Scope
from streams.core.totals import Totals
from streams.registries import file_registry

WRITERS = file_registry().writers()
VENUES = [{"exchange": "binance", "coverage": "FULL"}, {"exchange": "okx", "coverage": "STALE"}]
COVERED = {"coverage": VENUES, "at_least": True}
INSTRUMENT = Instrument("okx", "ÄB", "ä")


def some_totals(seed, count):
    """Of windows that lie in each other: one that holds as many as the one before it holds the same."""
    rng = np.random.default_rng(seed)
    shape = (6, count)
    sums = rng.integers(0, 1 << rng.integers(1, 62, (*shape, 4)), dtype=np.int64) * rng.integers(0, 2, (1, count, 1))
    largest, densest = rng.integers(0, 1 << 60, (2, *shape))
    prices = np.exp(rng.normal(0, 9, (4, *shape)))
    prices[:, rng.random(shape) < 0.3] = np.nan
    columns = [sums, largest, *prices, densest]
    nothing = [np.zeros((count, 4), np.int64), 0, *[np.nan] * 4, 0]
    for window in range(6):
        before = [column[window - 1] for column in columns] if window else nothing
        same = (sums[window, :, 2:] == before[0][:, 2:]).all(axis=1) | (rng.random(count) < 0.3)
        for column, held in zip(columns, before, strict=True):
            column[window, same] = held[same] if isinstance(held, np.ndarray) else held
    return Totals(*columns)


def some_rows(count):
    names = [(Scope.ASSET, None), (Scope.MARKET, None), (Scope.EXCHANGE, None), (Scope.INSTRUMENT, INSTRUMENT)]
    covered = [COVERED, {"coverage": [], "at_least": False}]
    about = [About(*names[at % 4], "k" * (at % 200)) for at in range(count)]
    return [Row(each, at << at % 40, covered[at % 2]) for at, each in enumerate(about)]


@pytest.mark.parametrize(("seed", "count"), [*((seed, 50) for seed in range(20)), (20, 1), (21, 1_300)])
def test_both_ways_write_the_same(seed, count):
    encoder = WindowsEncoder(Encoder(WRITERS))
    assert encoder.fast
    rows, totals = some_rows(count), some_totals(seed, count)
    assert list(encoder._general(rows, totals)) == list(encoder.values(rows, totals))


def reshaped(change):
    schema_id, schema = WRITERS[TOPIC]
    schema = copy.deepcopy(schema)
    change(schema["fields"])
    return Encoder({**WRITERS, TOPIC: (schema_id, schema)})


def reordered(fields):
    fields.insert(0, fields.pop(1))


def other_coverage(fields):
    items = next(each for each in fields if each["name"] == "coverage")["type"]["items"]["fields"]
    items[1]["type"]["symbols"].reverse()


def other_prices(fields):
    items = next(each for each in fields if each["name"] == "windows")["type"]["items"]["fields"]
    items[6]["type"] = ["double", "null"]


@pytest.mark.parametrize("change", [reordered, other_coverage, other_prices])
def test_a_writers_schema_of_another_shape_is_written_the_general_way(change):
    encoder = WindowsEncoder(reshaped(change))
    assert not encoder.fast
    rows, totals = some_rows(8), some_totals(1, 8)
    assert list(encoder.values(rows, totals)) == list(encoder._general(rows, totals))


def test_a_schema_that_rows_do_not_fit_is_said_when_one_is_written():
    encoder = WindowsEncoder(reshaped(lambda fields: fields.append({"name": "more", "type": "string"})))
    with pytest.raises(ValueError, match="not shaped like its schema"):
        list(encoder.values(some_rows(1), some_totals(1, 1)))


def test_json_is_json():
    encoder = WindowsEncoder(Encoder(WRITERS, "json"))
    found = [json.loads(value) for value in encoder.values(some_rows(4), some_totals(2, 4))]
    assert not encoder.fast
    assert [each["scope"] for each in found] == ["ASSET", "MARKET", "EXCHANGE", "INSTRUMENT"]


def test_coverages_beyond_counting_are_forgotten():
    encoder = WindowsEncoder(Encoder(WRITERS))
    for number in range(1_500):
        row = some_rows(1)[0]._replace(covered={**COVERED, "at_least": bool(number % 2)})
        assert list(encoder.values([row], some_totals(0, 1))) == list(encoder._general([row], some_totals(0, 1)))
    assert len(encoder._tails) < 1_000


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, 4_095, 4_096, 1 << 62, -(1 << 62)])
def test_longs_are_avros(value):
    schema = {"type": "record", "name": "T", "fields": [{"name": "n", "type": "long"}]}
    assert Encoder({"t": (1, schema)}).encode("t", {"n": value})[5:] == windows._long(value)
