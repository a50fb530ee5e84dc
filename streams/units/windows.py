"""What a flush says of totals: a row of ``liquidation-windows`` for each scope in which one has changed."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from streams.codec.encode import Encoder
from streams.codec.windows import TOPIC, About, Row, WindowsEncoder
from streams.core.describe import Describer, Record
from streams.core.events import Scope
from streams.core.panes import Panes
from streams.core.windows import DAY
from streams.units.unit import Message


class Changed(NamedTuple):
    """A scope whose totals have changed: its rows in the panes, and the exchanges in it."""

    about: About
    rows: list[int]
    present: tuple[str, ...]


#: Kept, because making the bytes of a name is dear, and the same scopes change again and again.
about = lru_cache(maxsize=65_536)(About)
#: One for all units of a process: each new one tries both ways first.
_shared = lru_cache(maxsize=1)(WindowsEncoder)


class WindowRows:
    """Writes them; an empty scope is a null value."""

    def __init__(self, encoder: Encoder, describer: Describer) -> None:
        self._encoder = _shared(encoder)
        self._describer = describer
        self._covered: dict[tuple[tuple[str, ...], bool, int], Record] = {}

    def messages(self, panes: Panes, changed: list[Changed]) -> list[Message]:
        """Return a message for each scope."""
        if not changed:
            return []
        totals = panes.totals([each.rows for each in changed])
        filled = np.any(totals.sums, axis=(0, 2)).tolist()
        sizes = np.array([len(each.rows) for each in changed])
        members = np.concatenate([each.rows for each in changed])
        as_of = np.maximum.reduceat(panes.as_of[members], sizes.cumsum() - sizes).tolist()
        rows = [
            Row(each.about, second, self._coverage(each, second)) for each, second in zip(changed, as_of, strict=True)
        ]
        return [
            Message(TOPIC, row.about.name, value if some else None)
            for row, value, some in zip(rows, self._encoder.values(rows, totals), filled, strict=True)
        ]

    def _coverage(self, changed: Changed, second: int) -> Record:
        """Return what is declared of the exchanges at a second: it changes at midnight, if at all."""
        whole = changed.about.scope in {Scope.ASSET, Scope.MARKET}
        name = changed.present, whole, second // DAY
        found = self._covered.get(name)
        if found is None:
            if len(self._covered) >= 1_000:
                self._covered.clear()
            found = self._covered[name] = self._describer.coverage(changed.present, second * 1000, whole=whole)
        return found
