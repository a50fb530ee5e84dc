"""What waits is what lies between the unit and the end of the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.engine.lag import Lag, lags
from streams.engine.transport import Span

TP0 = TP("liquidations", 0)


def owners(*, at, span, ready=True):
    consumer = SimpleNamespace(_thread=SimpleNamespace(span=lambda tp, at: span))
    unit = SimpleNamespace(next={} if at is None else {TP0.topic: at})
    owned = SimpleNamespace(unit=unit, stage=SimpleNamespace(sources=(TP0.topic,)))
    return SimpleNamespace(ready=ready, app=SimpleNamespace(consumer=consumer), owned={("changelog", 0): owned})


@pytest.mark.parametrize(
    ("span", "waiting"),
    [
        pytest.param(Span(7, 7, 7, 0), 0, id="all is folded"),
        pytest.param(Span(7, 10, 12, 0), 3, id="three can be read"),
        pytest.param(Span(9, 8, 8, 0), 0, id="the end is older than the position"),
    ],
)
def test_what_waits_is_counted_to_the_end_of_what_can_be_read(span, waiting):
    assert {TP0: Lag(waiting)} == lags(owners(at=7, span=span))


@pytest.mark.parametrize(
    ("end", "age_ms", "lag"),
    [
        pytest.param(7, 10_000, Lag(0), id="nothing waited a moment ago"),
        pytest.param(7, 10_001, Lag(None, 10.001), id="what has come since nobody knows"),
        pytest.param(9, 10_001, Lag(2, 10.001), id="what waited then waits still"),
    ],
)
def test_a_fetch_that_is_old_vouches_for_what_waited_and_not_that_nothing_does(end, age_ms, lag):
    assert {TP0: lag} == lags(owners(at=7, span=Span(7, end, end, age_ms)))


@pytest.mark.parametrize(("at", "span"), [(None, Span(7, 7, 7, 0)), (7, None)])
def test_nothing_is_said_of_a_partition_that_was_not_read_yet(at, span):
    assert {} == lags(owners(at=at, span=span))


def test_nothing_is_said_while_partitions_change_hands():
    assert {} == lags(owners(at=7, span=Span(7, 7, 7, 0), ready=False))
