"""Speed, counted instead of timed: a slow-down shows on a noisy machine too.

A bound stands 4 % above what was counted: one more call a record breaks it. Whoever makes the path cheaper lowers it.
"""

from __future__ import annotations

import sys

import pytest

from tests.bench.load import Load
from tests.bench.unit import batches, shard

BATCH, WARM, COUNTED = 10_000, 5, 5
#: Calls of Python and C functions for 10,000 records: decoding and folding them, and cutting one flush behind them.
BOUNDS = {"ordinary": (141_000, 197_000), "storm": (101_500, 148_000)}


class Calls:
    """Counts the calls made inside of it."""

    def __init__(self):
        self.count = 0

    def __enter__(self):
        sys.setprofile(self._note)

    def __exit__(self, *_):
        sys.setprofile(None)

    def _note(self, frame, event, arg):
        self.count += event in {"call", "c_call"}


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_batch_takes_no_more_calls_than_it_did(kind):
    unit, folding, cutting = shard(), Calls(), Calls()
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
    assert folding.count / COUNTED <= fold_max
    assert cutting.count / COUNTED <= cut_max
