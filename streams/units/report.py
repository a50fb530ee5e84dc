"""What a shard reports to the market: the minutes that have changed, by exchange, all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import gather
from streams.core.fold import Fold
from streams.core.minutes import Snapshot
from streams.core.ontime import Seconds

Ints = NDArray[np.int64]


def snapshots(fold: Fold, partition: int) -> list[Snapshot]:
    """Return every changed minute of every exchange in it, whole."""
    panes, changed = fold.panes, sorted(fold.changed_minutes)
    if not changed:
        return []
    parts = [panes.lines_of(minute) for minute in changed]
    row, second, sums, largest = (np.concatenate([part[at] for part in parts]) for at in (0, 2, 3, 4))
    pair = _pair(panes.exchange_of_row[row], second // 60)
    wanted = {
        int(_pair(panes.exchange_of_row[row], minute)) for minute, rows in fold.changed_minutes.items() for row in rows
    }
    pairs = np.array(sorted(wanted), np.int64)
    inside = np.isin(pair, pairs)
    row, second, sums, largest = row[inside], second[inside], sums[inside], largest[inside]
    number = np.searchsorted(pairs, pair[inside])
    seconds = _by_pair(number, second % 60, sums, largest, len(pairs))
    assets = _by_pair(number, panes.asset_of_row[row], sums, largest, len(pairs))
    found = []
    for at, key in enumerate(pairs.tolist()):
        exchange, minute = panes.exchanges[key & 0xFFFF], key >> 16
        known = None if panes.whole(minute) else fold.on_time.minutes.get((exchange, minute), {})
        named = {panes.assets[asset]: (line[0], line[1]) for asset, line in assets[at].items()}
        found.append(Snapshot(partition, exchange, minute, seconds[at], known, named))
    return found


def _pair(exchange: Ints, minute: Ints | int) -> Ints:
    return (minute << 16) | exchange


def _by_pair(number: Ints, within: Ints, sums: Ints, largest: Ints, count: int) -> list[Seconds]:
    """Return, for each pair, its sums and largest single by ``within``."""
    cells = gather(number, within, sums, largest)
    found: list[Seconds] = [{} for _ in range(count)]
    lines = zip(cells.slot.tolist(), cells.second.tolist(), cells.sums.tolist(), cells.largest.tolist(), strict=True)
    for at, inner, line, most in lines:
        found[at][inner] = [*line, most]
    return found
