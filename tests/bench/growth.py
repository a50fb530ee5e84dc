"""How the cost of an event grows, where Kafka adds nothing: one shard, fed and cut without it."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.load import HOUR_MS, Load
from tests.bench.unit import BATCH_COUNT, batches, shard

CUT_EVERY = 45_000
INSTRUMENTS = (50, 500, 5_000, 50_000)
BATCHES = (1, 10, 100, 1_000, 5_000, 20_000)
DISORDER_MS = (0, 2_000, 60_000, HOUR_MS)
DUPLICATES = (0.0, 0.01, 0.1, 0.5)
EVENTS_PER_SECOND = (5, 50, 500)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of an event at one point of one curve, µs."""

    curve: str
    x: float
    fold_us: float
    cut_us: float


def cost(curve: str, x: float, load: Load, count: int, size: int = BATCH_COUNT) -> Cost:
    """Fold a load batch by batch and cut it as often as a worker does; its first third is the warm-up."""
    # Small batches are dear: fewer of them say the same.
    given = list(batches(count, load, size))[: max(3, min(count, 2_000 * size) // size)]
    unit = shard(instruments_max=100_000)
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # as the worker does (engine/job.py)
    folding = cutting = 0.0
    records = since = 0
    for number, batch in enumerate(given):
        warm = number < len(given) // 3
        began = time.process_time()
        unit.handle(batch)
        folded = time.process_time()
        since += len(batch)
        if since >= CUT_EVERY or number == len(given) - 1:
            unit.cut()
            since = 0
        if not warm:
            folding += folded - began
            cutting += time.process_time() - folded
            records += len(batch)
    gc.unfreeze()
    return Cost(curve, x, folding / records * 1e6, cutting / records * 1e6)


def costs(count: int) -> Iterator[Cost]:
    """Measure every curve, each point on so many records."""
    for instruments in INSTRUMENTS:
        yield cost("instruments", instruments, Load(instruments=instruments), count)
    for size in BATCHES:
        yield cost("batch", size, Load(), count, size)
    for disorder in DISORDER_MS:
        yield cost("disorder", disorder / 1000, Load(disorder_ms=disorder), count)
    for duplicates in DUPLICATES:
        yield cost("duplicates", duplicates * 100, Load(duplicates=duplicates), count)
    for rate in EVENTS_PER_SECOND:
        for kind in ("ordinary", "storm"):
            yield cost(f"density, {kind}", rate, Load(kind, hours=count / rate / 3_600), count)
