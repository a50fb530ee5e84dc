"""What waits is what lies between the unit and the end of the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.engine.lag import lags

TP0 = TP("liquidations", 0)


def owners(*, at, expected, fetched, ready=True):
    consumer = SimpleNamespace(
        _thread=SimpleNamespace(fetched=lambda tp: fetched), scheduler=SimpleNamespace(expected={TP0: expected})
    )
    unit = SimpleNamespace(next={} if at is None else {TP0.topic: at})
    owned = SimpleNamespace(unit=unit, stage=SimpleNamespace(sources=(TP0.topic,)))
    return SimpleNamespace(ready=ready, app=SimpleNamespace(consumer=consumer), owned={("changelog", 0): owned})


@pytest.mark.parametrize(
    ("at", "expected", "fetched", "waiting"),
    [
        pytest.param(7, 7, (7, 7), 0, id="all is folded"),
        pytest.param(7, 7, (7, 10), 3, id="three are unread"),
        pytest.param(4, 7, (7, 10), 6, id="three are in the queue, too"),
        pytest.param(7, 7, (9, 9), 0, id="behind the last record there are only markers"),
        pytest.param(7, 7, (9, 8), 0, id="the end is older than the position"),
    ],
)
def test_what_waits_is_counted_to_the_end_of_the_log(at, expected, fetched, waiting):
    assert {TP0: waiting} == lags(owners(at=at, expected=expected, fetched=fetched))


@pytest.mark.parametrize(("at", "fetched"), [(None, (7, 7)), (7, None)])
def test_nothing_is_said_of_a_partition_that_was_not_read_yet(at, fetched):
    assert {} == lags(owners(at=at, expected=7, fetched=fetched))


def test_nothing_is_said_while_partitions_change_hands():
    assert {} == lags(owners(at=7, expected=7, fetched=(7, 7), ready=False))
