"""Speed, counted instead of timed: a slow-down shows on a noisy machine too.

A bound stands 4 % above what was counted: one more call a record breaks it. Whoever makes the path cheaper lowers it.
"""

from __future__ import annotations

from cProfile import Profile

import pytest

from tests.bench.load import Load
from tests.bench.unit import batches, shard

BATCH, WARM, COUNTED = 10_000, 2, 3
#: Calls of Python and C functions for 10,000 records: decoding and folding them, and cutting one flush behind them.
BOUNDS = {"ordinary": (5_210, 19_000), "storm": (19_700, 15_700)}
#: The same for one batch of 25 records, 1,250 to a second of event time, when nothing can happen in it.
SMALL, SMALL_MAX = 25, 930


def calls(profile, count=COUNTED):
    return sum(entry.callcount for entry in profile.getstats()) / count


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_batch_takes_no_more_calls_than_it_did(kind):
    unit, folding, cutting = shard(), Profile(), Profile()
    for number, batch in enumerate(batches(BATCH * (WARM + COUNTED), Load(kind), BATCH)):
        if number < WARM:
            unit.handle(batch)
            unit.cut()
            continue
        with folding:
            unit.handle(batch)
        with cutting:
            unit.cut()

    fold_max, cut_max = BOUNDS[kind]
    assert calls(folding) <= fold_max
    assert calls(cutting) <= cut_max


def test_a_small_batch_takes_no_more_calls_than_it_did():
    unit, folding = shard(), Profile()
    for number, batch in enumerate(batches(300 * SMALL, Load(hours=300 * SMALL / 1_250 / 3_600), SMALL)):
        if number % 25 == 0:
            unit.cut()
        if number < 100:
            unit.handle(batch)
            continue
        with folding:
            unit.handle(batch)

    assert calls(folding, 200) <= SMALL_MAX
