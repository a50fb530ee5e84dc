"""The exact way where something could happen: each record is measured.

An asset is *followed* in a stretch of the log if one of its scopes has an open
cascade, or if all that its windows could hold in that stretch reaches the
lowest bar. Everything else is only added up. Following gives what the
definition asks for, record by record: clocks first, then closings that are
due, then the record, then its instrument and its asset are measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core import cascade
from streams.core.baseline import Baseline
from streams.core.breadth import Breadth
from streams.core.cascade import CascadeRule, CascadeState, Phase
from streams.core.cells import Lines
from streams.core.edges import Around, Edge
from streams.core.events import Scope
from streams.core.figures import cascade_record
from streams.core.machine import Machine, Saying, Walk, count_lines, no_assets
from streams.core.measures import Measures, measures
from streams.core.panes import Panes
from streams.core.stretch import Stretch
from streams.core.totals import NO_SUMS, Totals, placed
from streams.core.windows import HOUR, LENGTHS, MINUTE, minutes_kept, seconds_kept, window_start

Ints = NDArray[np.int64]
#: Scope, key, side.
Name = tuple[Scope, str, int]


class Family(NamedTuple):
    """Which scopes are followed: a part is one row, the whole is one asset.

    Attributes
    ----------
    by_second
        The whole is measured once a second, and what it remembers goes by its own clock: stage 2, in which a record is
        a second of an exchange.

    """

    part: Scope
    whole: Scope
    by_second: bool


STAGE_1 = Family(Scope.INSTRUMENT, Scope.ASSET, by_second=False)
STAGE_2 = Family(Scope.EXCHANGE, Scope.MARKET, by_second=True)


@dataclass(slots=True)
class Notice:
    """A message of a cascade, with what is needed to complete it; ``order`` sorts those of one stretch."""

    order: tuple[int, ...]
    record: dict[str, Any]
    state: CascadeState
    scope: Scope
    asset: str
    phase: Phase


@dataclass(slots=True)
class Follower:
    """Cascades of a family: the instruments and assets of one source partition, or the exchanges and the market."""

    panes: Panes
    baseline: Baseline
    rules: dict[Scope, CascadeRule]
    lateness_ms: int
    family: Family = STAGE_1
    breadth: Breadth | None = None  # of the whole
    machines: dict[Name, Machine] = field(default_factory=dict)
    changed: set[Name] = field(default_factory=set)
    _open: dict[int, dict[Name, int]] = field(default_factory=dict)  # asset -> open machine -> its row
    _due: dict[int, int] = field(default_factory=dict)  # asset -> the clock that closes the first of them

    @property
    def floor(self) -> int:
        """The lowest bar there is."""
        return min(self.rules[scope].floor_micro_usd for scope in (self.family.part, self.family.whole))

    def open_assets(self) -> set[int]:
        return set(self._open)

    def due_assets(self, clock_ms: int) -> set[int]:
        """Return the assets of which the partition's clock closes a cascade, if they have no more records."""
        return {asset for asset, due in self._due.items() if due <= clock_ms}

    def due_ms(self, name: Name) -> int:
        """Return the clock that closes an open cascade, if nothing more happens."""
        state = self.machines[name].state
        assert state is not None, name
        return cascade.ends_ms(self.rules[name[0]], state) + self.lateness_ms

    def restore(self, name: Name, machine: Machine, asset: int, row: int) -> None:
        self.machines[name] = machine
        self.note(name, asset, row)

    def note(self, name: Name, asset: int, row: int) -> None:
        """Keep the list of open cascades."""
        opened = self._open.setdefault(asset, {})
        if self.machines[name].state is not None:
            opened[name] = row
        else:
            opened.pop(name, None)
        if opened:
            self._due[asset] = min(map(self.due_ms, opened))
        else:
            del self._open[asset]
            self._due.pop(asset, None)

    def follow(self, asset: int, asset_clock_before: int, stretch: Stretch, around: list[Around]) -> list[Notice]:
        """Measure one asset's records of a stretch, and close what the partition's clock closes in it.

        Parameters
        ----------
        asset
            Its number in the panes, which stand before the stretch.
        asset_clock_before
            Its clock before the stretch, milliseconds (-1: none).
        stretch
            All records of the stretch; those of other assets only move the partition's clock.
        around
            The asset's part of ``edges.edges``.

        """
        return _Following(self, asset, asset_clock_before, stretch, around).run()

    def open_of(self, asset: int) -> dict[Name, int]:
        return self._open.get(asset, {})


class _Following:
    """One asset in one stretch."""

    def __init__(
        self, follower: Follower, asset: int, asset_clock_before: int, stretch: Stretch, around: list[Around]
    ) -> None:
        self.f = follower
        self.panes = follower.panes
        self.asset = asset
        self.clock_before = asset_clock_before
        self.family = follower.family
        self.stretch = stretch
        self.mine = (stretch.asset == asset).nonzero()[0]
        self.rows = self.panes.rows_of_asset[asset]
        self.around = around
        self._leaving: dict[int, Lines] = {}
        self.notices: list[Notice] = []

    def run(self) -> list[Notice]:
        done, rows = np.arange(1, len(self.mine) + 1), self.stretch.row[self.mine]
        for row in self._possible(rows):
            instrument = self.panes.instruments[row]
            inside = rows == row
            edges = [around.of_row(self.rows.index(row), row) for around in self.around]
            key = instrument.exchange if self.family.by_second else f"{instrument.exchange}|{instrument.symbol}"
            self._scope(self.family.part, key, row, self.mine[inside], done[inside], edges)
        edges = [around.of_all() for around in self.around]
        self._scope(self.family.whole, self.panes.assets[self.asset], self.rows[0], self.mine, done, edges)
        return self.notices

    def _possible(self, rows: Ints) -> list[int]:
        """Return the parts with a cascade to be counted or closed, and those that could reach the bar."""
        five = self.around[0]
        members, most = np.array(self.rows), five.held.copy()
        for row, usd in ((five.row, five.usd), (rows, self.stretch.sums[self.mine])):
            at = members.searchsorted(row)
            for side in (0, 1):
                np.add.at(most[:, side], at, usd[:, side])
        parts = [(row, name) for name, row in self.f.open_of(self.asset).items() if name[0] is self.family.part]
        reach = members[most.max(axis=1) >= self.f.rules[self.family.part].floor_micro_usd].tolist()
        clock = int(self.stretch.clock_ms[-1])
        due = {row for row, name in parts if self.f.due_ms(name) <= clock}
        return sorted(due | ({*reach, *(row for row, _ in parts)} & {*rows.tolist()}))

    def _scope(self, scope: Scope, key: str, row: int, at: Ints, done: Ints, edges: list[Edge]) -> None:
        found = measures(self.stretch, at, done, edges, by_second=self.family.by_second)
        for side in (0, 1):
            self._walk((scope, key, side), row, found)

    def _walk(self, name: Name, row: int, found: Measures) -> None:
        scope, key, side = name
        rule = self.f.rules[scope]
        machine = self.f.machines.get(name) or Machine()
        normal: list[int | None] = []

        def threshold() -> int:
            if not normal:
                normal.append(self.f.baseline.normal_hour(self._rows(scope, row)))
            return rule.threshold(normal[0])

        def opened(at: int, bar: int) -> CascadeState:
            clock = int(found.asset_clock_ms[at])
            name = cascade.cascade_id(scope, key, side, clock // 1000, rule.version())
            usual = None if normal[0] is None else normal[0] // 12
            prices = None if self.family.by_second else [float(found.price[at])] * 4
            state = CascadeState(name, side, bar, usual, clock, clock, prices=prices)
            self._count_window(scope, row, state, int(found.done[at]), clock // 1000, int(found.clock_ms[at]))
            return state

        def say(state: CascadeState, saying: Saying) -> None:
            newest, kept = saying.asset_clock_ms // 1000, self._clock_of(saying) // 1000
            totals = self._totals(scope, row, saying.done, newest, kept)
            instrument = self.panes.instruments[row] if scope is Scope.INSTRUMENT else None
            record = cascade_record(scope, key, instrument, rule, state, saying.phase, saying.time_ms, totals)
            order = (saying.at, int(not saying.closing), int(scope is self.family.whole), side, len(self.notices))
            self.notices.append(Notice(order, record, state, scope, self.panes.assets[self.asset], saying.phase))

        def assets(index: Ints, bar: int) -> Iterable[int | None]:
            if self.f.breadth is None or scope is not self.family.whole:
                return no_assets(index, bar)
            second, hour = found.asset_clock_ms[index] // 1000, found.usd_1h[index, side]
            return self.f.breadth.counts(second, side, bar, hour)

        walk = Walk(
            rule, machine, side, self.f.lateness_ms, found, self.stretch.clock_ms, self._done_before,
            self.panes.exchanges, self.panes.exchange_of_row, opened, threshold, say, assets,
        )  # fmt: skip
        if walk.run():
            self.f.machines[name] = machine
            self.f.changed.add(name)
            self.f.note(name, self.asset, row)

    def _clock_of(self, saying: Saying) -> int:
        """Return the clock by which the windows of a message are remembered: of a closing that which brought it.

        How much further the clock has jumped since hangs on how often silence was told.
        """
        if self.family.by_second:
            return saying.asset_clock_ms
        if not saying.closing:
            return int(self.stretch.clock_ms[saying.at])
        before = int(self.stretch.clock_ms[saying.at - 1]) if saying.at else (self.panes.newest or 0) * 1000
        return max(saying.time_ms + self.f.lateness_ms, before)

    def _done_before(self, at: int) -> tuple[int, int]:
        done = int(self.mine.searchsorted(at))
        return done, int(self.stretch.asset_clock_ms[self.mine[done - 1]]) if done else self.clock_before

    # ---------------------------------------------------------------- figures

    def _count_window(self, scope: Scope, row: int, state: CascadeState, done: int, newest: int, clock_ms: int) -> None:
        """Begin the totals of a cascade with the five minutes that made it."""
        start = max(cascade.first_second(state), seconds_kept(clock_ms // 1000))
        rows = self._rows(scope, row)
        for lines in (self.panes.cells_of(rows, start, newest + 1), self._new(rows, done, start)):
            count_lines(state, self.panes.exchanges, self.panes.exchange_of_row[lines.row], lines.sums, lines.largest)

    def _rows(self, scope: Scope, row: int) -> list[int]:
        return [row] if scope is self.family.part else self.rows

    def _new(self, rows: list[int], done: int, start: int) -> Lines:
        """Return the first ``done`` records of the asset here, of some rows and from a second on, as lines."""
        s, first = self.stretch, self.mine[:done]
        inside = s.time_ms[first] // 1000 >= start
        first = first[inside if rows is self.rows else inside & (s.row[first] == rows[0])]
        return Lines(s.row[first], s.band[first], s.time_ms[first] // 1000, s.sums[first], s.largest[first])

    def _totals(self, scope: Scope, row: int, done: int, newest: int, partition_newest: int) -> Totals:
        """Return the scope's totals after ``done`` of the asset's records, in the windows that end with ``newest``.

        The panes stand before the stretch and their windows end with the partition's newest pane: what lies between
        the two starts of a window is put right, and the stretch's own records are added.
        """
        rows, starts = self._rows(scope, row), []
        for length in LENGTHS:
            kept = seconds_kept(partition_newest) if length <= HOUR else minutes_kept(partition_newest) * MINUTE
            starts.append(max(window_start(length, newest), kept))
        new = self._new(rows, done, starts[-1])
        largest = [int(new.largest[new.second >= start].max(initial=0)) for start in starts]
        if self.panes.newest is None:
            return placed(new, starts, NO_SUMS, [], largest)
        differing = []
        for window, start in enumerate(starts):
            sign, between = self._between(rows, window, start)
            differing.append((window, between.band, sign * between.sums))
            largest[window] = max(largest[window], self.panes.largest_in(rows, window, start, between))
        return placed(new, starts, self.panes.sums_of(rows), differing, largest)

    def _between(self, rows: list[int], window: int, start: int) -> tuple[int, Lines]:
        """Return what the panes' window has too much (-1) or lacks (1) of one that starts elsewhere."""
        assert self.panes.newest is not None, self.asset
        theirs = window_start(LENGTHS[window], self.panes.newest)
        if start < theirs:
            return 1, self.panes.cells_of(rows, start, theirs)
        left = self._left(window, theirs)
        left = Lines(*(column[: int(left.second.searchsorted(start))] for column in left))
        if rows is self.rows or not len(left.row):
            return -1, left
        mine = (left.row == rows[0]).nonzero()[0]
        return -1, Lines(*(column[mine] for column in left))

    def _left(self, window: int, start: int) -> Lines:
        """Return the asset's cells that leave a window in this stretch."""
        if window not in self._leaving:
            end = window_start(LENGTHS[window], int(self.stretch.clock_ms[-1]) // 1000)
            self._leaving[window] = self.panes.cells_of(self.rows, start, end)
        return self._leaving[window]


def in_order(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices in the order of the records that caused them."""
    return sorted(notices, key=lambda notice: notice.order)
