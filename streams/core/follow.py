"""The exact way for the assets where something could happen: each of their records is measured.

An asset is *followed* in a stretch of the log if one of its scopes has an open
cascade, or if all that its windows could hold in that stretch reaches the
lowest bar. Everything else is only added up. Following gives what the
definition asks for, record by record: clocks first, then closings that are
due, then the record, then its instrument and its asset are measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.core import cascade
from streams.core.baseline import Baseline
from streams.core.cascade import CascadeRule, CascadeState, Phase
from streams.core.cells import Lines
from streams.core.events import Scope
from streams.core.figures import cascade_record
from streams.core.machine import Machine, Saying, Walk
from streams.core.measures import Measures, measures
from streams.core.panes import Panes
from streams.core.stretch import Stretch
from streams.core.totals import Totals, summarise
from streams.core.windows import FIVE_MINUTES, HOUR, LENGTHS, MINUTE, minutes_kept, seconds_kept, window_start

Ints = NDArray[np.int64]
#: Scope, key, side.
Name = tuple[Scope, str, int]


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
    """Cascades of the instruments and assets of one source partition."""

    panes: Panes
    baseline: Baseline
    rules: dict[Scope, CascadeRule]
    lateness_ms: int
    machines: dict[Name, Machine] = field(default_factory=dict)
    changed: set[Name] = field(default_factory=set)
    _open: dict[int, dict[Name, int]] = field(default_factory=dict)  # asset -> open machine -> its row

    @property
    def floor(self) -> int:
        """The lowest bar there is."""
        return min(self.rules[scope].floor_micro_usd for scope in (Scope.INSTRUMENT, Scope.ASSET))

    def open_assets(self) -> set[int]:
        return set(self._open)

    def restore(self, name: Name, machine: Machine, asset: int, row: int) -> None:
        self.machines[name] = machine
        self.note(name, asset, row)

    def note(self, name: Name, asset: int, row: int) -> None:
        """Keep the list of open cascades."""
        if self.machines[name].state is not None:
            self._open.setdefault(asset, {})[name] = row
        elif name in self._open.get(asset, {}):
            del self._open[asset][name]
            if not self._open[asset]:
                del self._open[asset]

    def past(self, assets: Iterable[int]) -> dict[int, Lines]:
        """Return the cells of assets that a window of an hour can see."""
        panes, wanted = self.panes, sorted(assets)
        newest = -1 if panes.newest is None else panes.newest
        rows = [row for asset in wanted for row in panes.rows_of_asset[asset]]
        lines = panes.cells_of(rows, seconds_kept(newest), newest + 1)
        order = np.argsort(panes.asset_of_row[lines.row], kind="stable")
        asset = panes.asset_of_row[lines.row][order]
        cuts = np.searchsorted(asset, wanted), np.searchsorted(asset, wanted, side="right")
        return {
            each: Lines(*(column[order[start:end]] for column in lines))
            for each, start, end in zip(wanted, *(cut.tolist() for cut in cuts), strict=True)
        }

    def follow(self, asset: int, asset_clock_before: int, stretch: Stretch, past: Lines) -> list[Notice]:
        """Measure one asset's records of a stretch, and close what the partition's clock closes in it.

        Parameters
        ----------
        asset
            Its number in the panes, which stand before the stretch.
        asset_clock_before
            Its clock before the stretch, milliseconds (-1: none).
        stretch
            All records of the stretch; those of other assets only move the partition's clock.
        past
            The asset's cells of the last hour.

        """
        return _Following(self, asset, asset_clock_before, stretch, past).run()

    def open_of(self, asset: int) -> dict[Name, int]:
        return self._open.get(asset, {})


class _Following:
    """One asset in one stretch."""

    def __init__(self, follower: Follower, asset: int, asset_clock_before: int, stretch: Stretch, past: Lines) -> None:
        self.f = follower
        self.panes = follower.panes
        self.asset = asset
        self.clock_before = asset_clock_before
        self.stretch = stretch
        self.mine = np.flatnonzero(stretch.asset == asset)
        self.rows = self.panes.rows_of_asset[asset]
        self.past = past
        self.notices: list[Notice] = []

    def run(self) -> list[Notice]:
        done = np.arange(1, len(self.mine) + 1)
        rows = self.stretch.row[self.mine]
        seen = set(np.unique(rows).tolist()) | {
            row for (scope, _, _), row in self.f.open_of(self.asset).items() if scope is Scope.INSTRUMENT
        }
        for row in sorted(seen):
            instrument = self.panes.instruments[row]
            inside, known = rows == row, self.past.row == row
            key = f"{instrument.exchange}|{instrument.symbol}"
            self._scope(
                Scope.INSTRUMENT, key, row, inside, done[inside], Lines(*(column[known] for column in self.past))
            )
        everything = np.full(len(self.mine), fill_value=True)
        self._scope(Scope.ASSET, self.panes.assets[self.asset], self.rows[0], everything, done, self.past)
        return self.notices

    def _scope(self, scope: Scope, key: str, row: int, inside: NDArray[np.bool_], done: Ints, past: Lines) -> None:
        floor = self.f.rules[scope].floor_micro_usd
        at = self.mine[inside]
        names = [(scope, key, side) for side in (0, 1)]
        most = past.sums[:, :2].sum() + self.stretch.notional[at].sum()
        if most < floor and not any(name in self.f.open_of(self.asset) for name in names):
            return
        found = measures(self.stretch, at, done, past)
        for name in names:
            self._walk(name, row, found)

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
            state = CascadeState(name, side, bar, usual, clock, clock, prices=[float(found.price[at])] * 4)
            self._count_window(scope, row, state, int(found.done[at]), clock // 1000, int(found.clock_ms[at]))
            return state

        def say(state: CascadeState, saying: Saying) -> None:
            clock = int(self.stretch.clock_ms[saying.at])
            totals = self._totals(scope, row, saying.done, saying.asset_clock_ms // 1000, clock // 1000)
            instrument = self.panes.instruments[row] if scope is Scope.INSTRUMENT else None
            record = cascade_record(scope, key, instrument, rule, state, saying.phase, saying.time_ms, totals)
            order = (saying.at, int(not saying.closing), int(scope is Scope.ASSET), side, len(self.notices))
            self.notices.append(Notice(order, record, state, scope, self.panes.assets[self.asset], saying.phase))

        walk = Walk(
            rule, machine, side, self.f.lateness_ms, found, self.stretch.clock_ms, self._done_before,
            self.panes.exchanges, self.panes.exchange_of_row, opened, threshold, say,
        )  # fmt: skip
        if walk.run():
            self.f.machines[name] = machine
            self.f.changed.add(name)
            self.f.note(name, self.asset, row)

    def _done_before(self, at: int) -> tuple[int, int]:
        done = int(np.searchsorted(self.mine, at))
        return done, int(self.stretch.asset_clock_ms[self.mine[done - 1]]) if done else self.clock_before

    # ---------------------------------------------------------------- figures

    def _count_window(self, scope: Scope, row: int, state: CascadeState, done: int, newest: int, clock_ms: int) -> None:
        """Begin the totals of a cascade with the five minutes that made it."""
        start = max(window_start(LENGTHS[FIVE_MINUTES], newest), seconds_kept(clock_ms // 1000))
        rows = self._rows(scope, row)
        for lines in (self.panes.cells_of(rows, start, newest + 1), self._new(rows, done, start)):
            for number, sums, largest in zip(
                lines.row.tolist(), lines.sums.tolist(), lines.largest.tolist(), strict=True
            ):
                exchange = self.panes.instruments[number].exchange
                for side in (0, 1):
                    if sums[2 + side]:
                        state.count_in(exchange, side, sums[side], sums[2 + side], largest)

    def _rows(self, scope: Scope, row: int) -> list[int]:
        return [row] if scope is Scope.INSTRUMENT else self.rows

    def _new(self, rows: list[int], done: int, start: int) -> Lines:
        """Return the first ``done`` records of the asset here, of some rows and from a second on, as lines."""
        s, first = self.stretch, self.mine[:done]
        first = first[(s.time_ms[first] // 1000 >= start) & np.isin(s.row[first], rows)]
        sums = np.zeros((len(first), 4), np.int64)
        at = np.arange(len(first))
        sums[at, s.side[first]] = s.notional[first]
        sums[at, 2 + s.side[first]] = 1
        return Lines(s.row[first], s.band[first], s.time_ms[first] // 1000, sums, s.notional[first])

    def _totals(self, scope: Scope, row: int, done: int, newest: int, partition_newest: int) -> Totals:
        """Return the scope's totals after ``done`` of the asset's records, in the windows that end with ``newest``.

        The panes stand before the stretch and their windows end with the partition's newest pane: what lies between
        the two starts of a window is put right, and the stretch's own records are added.
        """
        rows, panes = self._rows(scope, row), self.panes
        bands, sums, windows, largest = [], [], [], []
        for window, length in enumerate(LENGTHS):
            kept = seconds_kept(partition_newest) if length <= HOUR else minutes_kept(partition_newest) * MINUTE
            start = max(window_start(length, newest), kept)
            new = self._new(rows, done, start)
            parts = [(new.band, new.sums), *(() if panes.newest is None else self._put_right(rows, window, start))]
            for band, part in parts:
                bands.append(band)
                sums.append(part)
                windows.append(np.full(len(band), window))
            largest.append(max(panes.largest_since(rows, start), int(new.largest.max(initial=0))))
        # One line per band: what was taken away must cancel before anybody asks which bands hold something.
        band, line = np.unique(np.concatenate(bands), return_inverse=True)
        placed = np.zeros((len(LENGTHS), len(band), 4), np.int64)
        np.add.at(placed, (np.concatenate(windows), line), np.concatenate(sums))
        return summarise(np.zeros(len(band), np.int64), band, placed, np.array(largest)[:, None], 1)

    def _put_right(self, rows: list[int], window: int, start: int) -> list[tuple[Ints, Ints]]:
        panes = self.panes
        assert panes.newest is not None
        theirs = window_start(LENGTHS[window], panes.newest)
        sign = -1 if start >= theirs else 1
        between = panes.cells_of(rows, min(start, theirs), max(start, theirs))
        return [panes.sums_of(rows, window), (between.band, sign * between.sums)]


def in_order(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices in the order of the records that caused them."""
    return sorted(notices, key=lambda notice: notice.order)
