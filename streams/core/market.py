"""Stage 2: exchanges and the market, from what the source partitions report.

A source partition reports by how much the seconds of its exchanges have
*grown*, all of it and what was on time, and then its *watermark*, its clock.
The market's clock is the oldest of them, and there is none before every
partition has been heard of. One that had no records while it went on, and
comes with some from before what is closed, is not waited for.

Two sets of panes, in which an exchange is a row and the market is their sum:

* ``told`` holds all totals up to the market's clock: the published rows;
* ``decided`` holds on-time totals of *closed* seconds, those that end at or
  before the market's clock less the market's lateness: cascades. They are
  followed as those of assets are (``follow``), a second of an exchange taking
  the place of a record.

Beside them ``breadth`` has an hour of the same on-time totals by asset: how
many of them an onset of the market is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.core.baseline import Baseline
from streams.core.breadth import AssetCells, Breadth
from streams.core.cascade import CascadeRule
from streams.core.cells import NO_PRICE, Cells, Waiting, distinct, joined, part, runs, where
from streams.core.edges import edges
from streams.core.events import Instrument, Scope
from streams.core.follow import STAGE_2, Follower, Notice, in_order
from streams.core.panes import Panes
from streams.core.stretch import Stretch
from streams.core.windows import FIVE_MINUTES, HOUR, MINUTE, minutes_kept

Ints = NDArray[np.int64]
#: Key of the scope MARKET.
ALL = "ALL"
_FOREVER = 1 << 60


class Market:
    """Exchanges and the market over all source partitions.

    Attributes
    ----------
    grown
        Long and short micro-USD of everything that was ever reported.
    """

    def __init__(self, rules: dict[Scope, CascadeRule], lateness_ms: int) -> None:
        self.rules = rules
        self.lateness_ms = lateness_ms
        self.clocks: dict[int, int] = {}
        self.partitions: int | None = None
        self.clock_ms = -1
        self.closed = -1  # seconds before this one are decided
        self.told, self.decided = Panes(), Panes()
        self.baseline = Baseline()
        self.breadth = Breadth()
        self.follower = Follower(self.decided, self.baseline, rules, 0, STAGE_2, self.breadth)
        self.grown = np.zeros(2, np.int64)
        self._new: list[Cells] = []
        #: What the clock has not reached; slots are rows.
        self._told_waiting, self._decided_waiting = Waiting(), Waiting()

    def row(self, exchange: str) -> int:
        name = Instrument(exchange, "", ALL)
        if not self.told.knows(name):
            for panes in (self.told, self.decided):
                row = np.array([panes.row(name)], np.int64)
                # An exchange has one slot, of the same number: it has no price bands.
                assert panes.slots(row, np.full_like(row, NO_PRICE)).tolist() == row.tolist(), exchange
        return self.told.row(name)

    # ---------------------------------------------------------------- what comes in

    def grow(self, exchanges: list[str], cells: Cells) -> None:
        """Hear by how much seconds have grown; slots are those of ``growth.Growth``, exchanges by their number there.

        On-time seconds that are decided stay as they were: a partition that was not waited for may still come with
        some.
        """
        row = np.array([self.row(name) for name in exchanges], np.int64)[cells.slot >> 1]
        timely = (cells.slot % 2 == 1) & (cells.second >= self.closed)
        self.grown += cells.sums[:, :2].sum(axis=0)
        self._hear(cells._replace(slot=row * 2 + timely))

    def _hear(self, cells: Cells, *, new: bool = True) -> None:
        """Take in cells; slots are rows × 2, and one more for what decisions hear of."""
        if new:
            self._new.append(cells)
        found = cells._replace(slot=cells.slot >> 1)
        self._told_waiting.add(found)
        self._decided_waiting.add(where(found, cells.slot % 2 == 1))

    def grow_assets(self, assets: list[str], cells: AssetCells) -> None:
        """Hear by how much seconds of assets have grown on time; what is decided stays as it was."""
        self.breadth.grow(assets, cells, self.closed)

    def watermark(self, partition: int, clock_ms: int | None, partitions: int) -> list[Notice]:
        """Hear a source partition's clock (None: it has no records and waits for none); decide what is closed by it."""
        self.hear(partition, clock_ms, partitions)
        clock = self._oldest()
        if clock is None or clock <= self.clock_ms:
            return []
        self.clock_ms = clock
        self._tell()
        return self._decide()

    def hear(self, partition: int, clock_ms: int | None, partitions: int) -> None:
        """Take note of a watermark without deciding anything."""
        self.partitions = partitions
        self.clocks[partition] = max(_FOREVER if clock_ms is None else clock_ms, self._known(partition, clock_ms))

    def _known(self, partition: int, clock_ms: int | None) -> int:
        """Return the clock that may not go backwards; one of a partition that had no records counts for nothing."""
        known = self.clocks.get(partition, -1)
        return -1 if known == _FOREVER and clock_ms is not None else known

    def _oldest(self) -> int | None:
        """Return the oldest clock, but for those behind what is closed: theirs were empty, and come too late for it."""
        if len(self.clocks) < (self.partitions or 1):
            return None
        counted = (clock for clock in self.clocks.values() if clock >= self.clock_ms - self.lateness_ms)
        clock = min(counted, default=_FOREVER)
        return None if clock == _FOREVER else clock

    # ---------------------------------------------------------------- totals

    def _tell(self) -> None:
        """Bring the published totals up to the market's clock; a second counts from its start."""
        newest = self.clock_ms // 1000
        self.told.advance(newest)
        cells = self._told_waiting.take_before(newest + 1)
        self.told.touch(cells.slot, cells.second)
        self.told.add(cells)

    def flush_late(self) -> None:
        """Take in what has grown behind the market's clock."""
        if self.clock_ms >= 0:
            self._tell()

    # ---------------------------------------------------------------- decisions

    def _decide(self) -> list[Notice]:
        end = (self.clock_ms - self.lateness_ms) // 1000
        if end <= self.closed:
            return []
        notices: list[Notice] = []
        for cells in self._hours(self._decided_waiting.take_before(end)):
            first, newest = int(cells.second[0]), int(cells.second[-1])
            self.baseline.close_due(first * 1000, self.decided)
            self.baseline.start(distinct(cells.slot), first // HOUR)
            if self._possible(cells):
                notices += self._follow(Stretch.of_seconds(cells.slot, cells.second, cells.sums, cells.largest))
            self.decided.advance(newest)
            self.decided.add(cells)
        self.closed = end
        self.baseline.close_due(end * 1000, self.decided)
        if self.follower.due_assets(end * 1000):
            notices += self._follow(Stretch.of_time(end * 1000))
        return notices

    @staticmethod
    def _hours(cells: Cells) -> Iterator[Cells]:
        _, first = runs(cells.second // HOUR)
        for start, end in pairwise([*first.tolist(), len(cells.slot)]):
            yield part(cells, start, end)

    def _possible(self, cells: Cells) -> bool:
        """Whether a cascade is open, or the five minutes before and all of these together reach the lowest bar."""
        if self.follower.open_assets():
            return True
        held = self.decided.held_of(np.arange(len(self.decided.instruments)), FIVE_MINUTES)
        most = held.sum(axis=0) + cells.sums[:, :2].sum(axis=0)
        return int(most.max()) >= self.follower.floor

    def _follow(self, stretch: Stretch) -> list[Notice]:
        clock_ms = -1 if self.decided.newest is None else self.decided.newest * 1000
        return in_order(self.follower.follow(0, clock_ms, stretch, edges(self.decided, [0], stretch)[0]))

    # ---------------------------------------------------------------- state

    def take(self) -> Cells:
        """Return what was heard since the last flush, summed up; slots are rows × 2, and one more for the on-time."""
        new, self._new = self._new, []
        return joined(new)

    def settle(self) -> int:
        """Forget what no window can see; return the last second that none of them can."""
        for panes in (self.told, self.decided):
            panes.settle()
        self.breadth.forget(self.closed)
        newest = [panes.newest for panes in (self.told, self.decided) if panes.newest is not None]
        return minutes_kept(min(newest)) * MINUTE - 1 if self.told.newest is not None else -1

    def resume(self, clock_ms: int, closed: int, cells: Cells, *, new: bool = False) -> None:
        """Go on from where a flush stood: nothing is announced again, nothing has changed.

        Cells are as ``take`` returns them; ``new`` ones are to be written again.
        """
        self._hear(cells, new=new)
        self.clock_ms, self.closed = clock_ms, closed
        if clock_ms >= 0:
            self._resume(self.told, self._told_waiting.take_before(clock_ms // 1000 + 1), clock_ms // 1000)
            decided = self._decided_waiting.take_before(closed)
            if len(decided.second):
                self._resume(self.decided, decided, int(decided.second[-1]))

    @staticmethod
    def _resume(panes: Panes, cells: Cells, newest: int) -> None:
        panes.advance(newest)
        panes.add(cells)
        panes.settle()
        panes.take_changed()
