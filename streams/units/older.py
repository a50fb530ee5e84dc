"""Rows of format 1, which the first flush writes anew: cells twice, by the second and by the minute; market minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from streams.codec import rows as codec
from streams.core.cells import LONG_COUNT, SHORT_COUNT, Cells, Lines, joined, where
from streams.core.windows import seconds_kept

Kinds = Mapping[bytes, list[tuple[bytes, bytes]]]
_SECONDS, _MINUTES = b"p", b"q"
MARKET_MINUTES = b"m"


def lines(kinds: Kinds, newest: int) -> Iterator[Lines]:
    """Yield stage 1's cells. Seconds that have left the sliding hour were among the minutes."""
    for _, value in kinds.get(_SECONDS, []):
        found = codec.parse_cells(value)
        inside = found.second >= seconds_kept(newest)
        yield Lines(*(column[inside] for column in found))
    for _, value in kinds.get(_MINUTES, []):
        yield codec.parse_cells(value)


def keys(kinds: Kinds) -> list[bytes]:
    """Return the keys of those rows."""
    return [key for kind in (_SECONDS, _MINUTES) for key, _ in kinds.get(kind, [])]


def grown(cells: Cells) -> Cells:
    """Return what ``Market.take`` would, of all minutes of stage 2: even slots were told, odd ones decided of these."""
    decided = where(cells, cells.slot % 2 == 1)
    taken = decided._replace(slot=decided.slot - 1, sums=-decided.sums, largest=np.zeros_like(decided.largest))
    rest = joined([where(cells, cells.slot % 2 == 0), taken])
    return joined([where(rest, rest.sums[:, LONG_COUNT] + rest.sums[:, SHORT_COUNT] > 0), decided])
