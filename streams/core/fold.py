"""What a batch of liquidations does to one source partition: totals, cascades, rows that changed.

The fold is defined one record at a time and done in columns. A batch is
let in (``ceiling``), screened (``screen``), cut where an hour of the baseline closes, and each
stretch is added to the panes (``panes``) at once, after the assets in which
something could happen have been followed record by record (``follow``). No
result depends on where a batch was cut, so small stretches are added together:
when the panes are asked for, by whomever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.core.bands import price_bands
from streams.core.baseline import HOUR_MS, Baseline
from streams.core.breadth import AssetGrowth
from streams.core.cascade import CascadeRule
from streams.core.ceiling import Ceiling
from streams.core.cells import Cells, Lines, distinct, joined, where
from streams.core.edges import edges
from streams.core.errors import Reason
from streams.core.events import MICRO, LiquidationColumns, Scope
from streams.core.follow import Follower, Notice, in_order
from streams.core.growth import Growth
from streams.core.panes import Panes
from streams.core.screen import Accepted, Screen, ScreenRule
from streams.core.stretch import Stretch
from streams.core.windows import HOUR, LENGTHS, MINUTE, minutes_kept

Ints = NDArray[np.int64]
_QUARTER = LENGTHS[2]
#: Records that may wait to be added.
WAITING_MAX = 4_096


@dataclass(frozen=True, slots=True)
class FoldRule:
    """Everything that decides what a partition's liquidations mean."""

    screen: ScreenRule
    cascades: dict[Scope, CascadeRule]


@dataclass(slots=True)
class Folded:
    """What became of a batch: positions refused, counts that add up to its length, notices in log order."""

    aggregated: int = 0
    late: int = 0
    duplicates: int = 0
    refused: list[tuple[int, Reason, str]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    behind_ms: dict[str, int] = field(default_factory=dict)  # the last of each exchange, behind its asset's clock

    def add(self, other: Folded, at: int) -> None:
        """Add what became of a part that begins at a position."""
        self.aggregated += other.aggregated
        self.late += other.late
        self.duplicates += other.duplicates
        self.refused += [(at + place, reason, detail) for place, reason, detail in other.refused]
        self.notices += other.notices
        self.behind_ms |= other.behind_ms


class Fold:
    """The liquidations of one source partition."""

    def __init__(self, rule: FoldRule) -> None:
        self.rule = rule
        self.screen = Screen(rule.screen)
        self._panes = Panes()
        self.baseline = Baseline()
        self.follower = Follower(self._panes, self.baseline, rule.cascades, rule.screen.lateness_ms)
        self._ceiling = Ceiling(rule.screen.remembered_max, self._held_from)
        self._growth, self._asset_growth = Growth(), AssetGrowth()
        self._waiting: list[Stretch] = []
        self._held = np.zeros((0, 2), np.int64)  # micro-USD of those by asset and side
        self._added: list[Cells] = []
        self.new_identities: list[tuple[NDArray[np.uint64], Ints]] = []

    @property
    def clock_ms(self) -> int | None:
        return self.screen.clock_ms

    @property
    def panes(self) -> Panes:
        """With all that was folded."""
        self._add_waiting()
        return self._panes

    @property
    def growth(self) -> Growth:
        """With all that was folded."""
        self._add_waiting()
        return self._growth

    @property
    def asset_growth(self) -> AssetGrowth:
        """With all that was folded."""
        self._add_waiting()
        return self._asset_growth

    @property
    def exchanges(self) -> list[str]:
        return self._panes.exchanges

    def fold(self, columns: LiquidationColumns) -> Folded:
        """Fold a batch of one partition, in log order."""
        now_s = self._remembered_from(self._clock())
        if self._ceiling.admits(columns.notional, now_s, now_s):
            return self._fold(columns)
        folded = Folded()
        for at in range(len(columns)):
            one, clock = columns.one(at), self._clock()
            then = max(clock, int(one.event_time_ms[0]))
            if self._ceiling.admits(one.notional, self._remembered_from(clock), self._remembered_from(then)):
                folded.add(self._fold(one), at)
            else:
                most = self.rule.screen.remembered_max // MICRO
                detail = f"with it, 24 h of its partition would be above {most:,} USD: is a producer wrong by a factor?"
                folded.refused.append((at, Reason.ABOVE_CEILING, detail))
        return folded

    def _fold(self, columns: LiquidationColumns) -> Folded:
        clock_before = self._clock()
        clocks_before = {i.asset: self._asset_clock(i.asset) for i in columns.instruments}
        accepted = self.screen.accept(columns)
        folded = Folded(len(accepted.index), int(accepted.late.sum()), len(accepted.duplicates), accepted.refused)
        if len(accepted.index):
            batch = self._columns(columns, accepted)
            self.new_identities.append((columns.identity[accepted.index], columns.event_time_ms[accepted.index]))
            before = {number: clocks_before[self._panes.assets[number]] for number in distinct(batch.asset)}
            folded.behind_ms = self._behind(batch)
            for stretch in self._stretches(batch):
                folded.notices += self._stretch(stretch, clock_before, before)
                clock_before = int(stretch.clock_ms[-1])
                after = np.zeros(len(self._panes.assets), np.int64)
                after[stretch.asset] = stretch.asset_clock_ms  # the last one stands
                here = distinct(stretch.asset)
                before.update(zip(here, after[here].tolist(), strict=True))
        return folded

    def tick(self, clock_ms: int) -> list[Notice]:
        """Let time pass without a record: the partition's clock is now ``clock_ms``."""
        before = self._clock()
        if clock_ms <= before:
            return []
        self.screen.clock_ms = clock_ms
        self._close_hours(clock_ms)
        panes = self.panes
        notices = self._follow(self.follower.due_assets(clock_ms), Stretch.of_time(clock_ms), {})
        panes.advance(clock_ms // 1000)
        return notices

    def _clock(self) -> int:
        return -1 if self.screen.clock_ms is None else self.screen.clock_ms

    @staticmethod
    def _remembered_from(clock_ms: int) -> int:
        return minutes_kept(clock_ms // 1000) * MINUTE

    def _held_from(self, second: int) -> int:
        """Return micro-USD of both sides from a second on."""
        panes = self.panes
        return sum(panes.totals_between(second, (panes.newest or 0) + 1).values())

    def _asset_clock(self, asset: str) -> int:
        return self.screen.asset_clock_ms.get(asset, -1)

    def _columns(self, columns: LiquidationColumns, accepted: Accepted) -> Stretch:
        """Return the accepted records as columns, their instruments opened."""
        index = accepted.index
        code = columns.instrument[index]
        used = distinct(code)
        rows = np.zeros(len(columns.instruments), np.int64)
        for number in used:
            rows[number] = self._panes.row(columns.instruments[number])
        row = rows[code]
        price, side, notional = columns.price[index], columns.side[index], columns.notional[index]
        sums = np.zeros((len(index), 4), np.int64)
        lines = np.arange(len(index))
        sums[lines, side] = notional
        sums[lines, 2 + side] = 1
        return Stretch(
            row, self._panes.asset_of_row[row], sums, notional, price, price_bands(price),
            columns.event_time_ms[index], accepted.clock_ms, accepted.asset_clock_ms, accepted.on_time,
        )  # fmt: skip

    def _behind(self, batch: Stretch) -> dict[str, int]:
        """Return how far the last record of each exchange is behind its asset's clock."""
        behind = np.full(len(self._panes.exchanges), -1, np.int64)
        behind[self._panes.exchange_of_row[batch.row]] = batch.asset_clock_ms - batch.time_ms  # the last one stands
        return {self._panes.exchanges[at]: int(behind[at]) for at in (behind >= 0).nonzero()[0].tolist()}

    def _stretches(self, batch: Stretch) -> Iterator[Stretch]:
        """Cut where the watermark enters a new hour."""
        hour = (batch.clock_ms - self.rule.screen.lateness_ms) // HOUR_MS
        if hour[0] == hour[-1]:
            yield batch
            return
        cuts = [0, *((hour[1:] != hour[:-1]).nonzero()[0] + 1).tolist(), len(hour)]
        for start, end in pairwise(cuts):
            yield batch.part(start, end)

    def _close_hours(self, clock_ms: int) -> None:
        due = self.baseline.hours_due(clock_ms - self.rule.screen.lateness_ms)
        if due:
            self.baseline.close_hours(due, self.panes)

    def _stretch(self, stretch: Stretch, clock_before: int, before: dict[int, int]) -> list[Notice]:
        self._close_hours(int(stretch.clock_ms[0]))
        self.baseline.start(distinct(stretch.row), self.baseline.open_hour or 0)
        followed = self._possible(stretch, clock_before, before)
        notices = self._follow(followed, stretch, before)
        self._waiting.append(stretch)
        if sum(len(each.row) for each in self._waiting) >= WAITING_MAX:
            self._add_waiting()
        return notices

    def _follow(self, assets: set[int], stretch: Stretch, before: dict[int, int]) -> list[Notice]:
        found: list[Notice] = []
        if not assets:
            return found
        around = edges(self.panes, assets, stretch)
        for asset in sorted(assets):
            asset_before = before[asset] if asset in before else self._asset_clock(self._panes.assets[asset])
            found += self.follower.follow(asset, asset_before, stretch, around[asset])
        return in_order(found)

    def _possible(self, stretch: Stretch, clock_before: int, before: dict[int, int]) -> set[int]:
        """Return the assets with a cascade to be counted or closed, and those that could reach the lowest bar here."""
        before_it, held = self._held, np.zeros((len(self._panes.assets), 2), np.int64)
        for side in (0, 1):
            np.add.at(held[:, side], stretch.asset, stretch.sums[:, side])
        held[: len(before_it)] += before_it
        here, open_assets = distinct(stretch.asset), self.follower.open_assets()
        possible = self.follower.due_assets(int(stretch.clock_ms[-1])) | (open_assets & {*here})
        floor, recent_from = self.follower.floor, clock_before // 1000 - (_QUARTER - 300)
        recent = np.array([before[asset] for asset in here]) // 1000 >= recent_from
        most = (held[here] + self._panes.bounds[np.where(recent, 0, 1), here]).max(axis=1)
        possible.update(asset for asset, usd in zip(here, most.tolist(), strict=True) if usd >= floor)
        if possible and self._waiting:
            self._add_waiting()
            return self._possible(stretch, clock_before, before)
        self._held = held
        return possible

    def _add_waiting(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._held = np.zeros((0, 2), np.int64)
            self._add(Stretch.joined(waiting))

    def _add(self, stretch: Stretch) -> None:
        panes = self._panes
        panes.advance(int(stretch.clock_ms[-1]) // 1000)
        second, now = stretch.time_ms // 1000, stretch.clock_ms // 1000
        panes.touch(stretch.row, now)
        np.maximum.at(panes.newest_ms, stretch.row, stretch.time_ms)
        # What is over an hour behind the partition is remembered by its minute only.
        kept = (now + 1 - HOUR) // MINUTE * MINUTE
        late = second < kept
        second = np.where(late, second - second % MINUTE, second)
        slot = panes.slots(stretch.row, stretch.band)
        every = Cells(slot, second, stretch.sums, stretch.largest)
        for minutes, cells in enumerate((where(every, ~late), where(every, late)) if late.any() else (every,)):
            found = joined([cells])
            panes.add(found, minutes=bool(minutes))
            self._added.append(found)
        exchange = panes.exchange_of_row[stretch.row]
        self._growth.add(exchange, second, stretch.sums, stretch.largest, stretch.on_time)
        self._asset_growth.add(stretch.asset, second, stretch.sums, stretch.largest, stretch.on_time)

    def added(self) -> Cells:
        """Return what has been added since the panes were settled."""
        self._add_waiting()
        return joined(self._added)

    def settle(self) -> tuple[Lines, set[int]]:
        """Settle the panes; return what was added since they were, and the rows that have lost something."""
        added, self._added = self._panes.lines(self.added()), []
        return added, self._panes.settle()

    def write_again(self, cells: Cells) -> None:
        """Let the next flush find cells that the panes have as if they had been added now."""
        self._added.append(cells)
