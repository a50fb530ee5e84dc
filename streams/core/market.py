"""Stage 2: exchanges and the market, from the minutes that the source partitions report.

A *snapshot* is a whole minute of one (source partition, exchange), absolute:
its seconds with all totals, its on-time seconds, its assets. It replaces what
was known of that minute, so a repeated one changes nothing. A *watermark* is a
source partition's clock. The market's clock is the oldest of them, and there is
none before every partition has been heard of.

Two sets of panes, in which an exchange is a row and the market is their sum:

* ``told`` holds all totals up to the market's clock: the published rows;
* ``decided`` holds on-time totals of *closed* seconds, those that end at or
  before the market's clock less the market's lateness: cascades. At each
  closed second with on-time liquidations closings that are due come first, then
  the second, then each of its exchanges and the market are measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.core import cascade
from streams.core.baseline import Baseline
from streams.core.cascade import CascadeRule, CascadeState, Measure, Phase
from streams.core.cells import LONG_USD, NO_PRICE, SHORT_USD, Cells, gather
from streams.core.events import Instrument, Scope
from streams.core.figures import cascade_record
from streams.core.follow import Notice
from streams.core.machine import Machine
from streams.core.minutes import Grown, Line, Minute, Snapshot, Waiting, chunks, with_total
from streams.core.ontime import Seconds
from streams.core.panes import Panes
from streams.core.recent import Recent, recents
from streams.core.windows import FIVE_MINUTES, HOUR, MINUTE

Ints = NDArray[np.int64]
#: Key of the scope MARKET.
ALL = "ALL"


class Market:
    """Exchanges and the market over all source partitions."""

    def __init__(self, rules: dict[Scope, CascadeRule], lateness_ms: int) -> None:
        self.rules = rules
        self.lateness_ms = lateness_ms
        self.clocks: dict[int, int] = {}
        self.partitions: int | None = None
        self.clock_ms = -1
        self.told, self.decided = Panes(), Panes()
        self.baseline = Baseline()
        self.machines: dict[tuple[Scope, str, int], Machine] = {}
        self.changed: set[tuple[Scope, str, int]] = set()
        self.minutes: dict[tuple[int, str, int], Minute] = {}
        self._by_minute: dict[int, list[tuple[int, str, int]]] = {}
        self._undecided: Grown = {}  # measured, but not yet in the panes
        self.closed = -1  # seconds before this one are decided
        self._told_waiting, self._decided_waiting = Waiting(), Waiting()
        self._versions = {scope: rule.version() for scope, rule in rules.items()}

    # ---------------------------------------------------------------- what comes in

    def snapshot(self, snapshot: Snapshot) -> None:
        """Replace what is known of one minute."""
        known = self.minutes.get(snapshot[:3])
        if known is None:
            known = self.minutes[snapshot[:3]] = Minute()
            self._by_minute.setdefault(snapshot.minute, []).append(snapshot[:3])
        row = self.row(snapshot.exchange)
        known.assets = snapshot.assets
        fresh = snapshot.seconds
        if snapshot.on_time is None:
            fresh = with_total(known.seconds, fresh[0])
        self._grow(self._told_waiting, row, snapshot.minute, known.seconds, fresh)
        known.seconds = fresh
        if snapshot.on_time is not None:
            fresh = self._without_decided(snapshot.minute, known.on_time, snapshot.on_time)
            self._grow(self._decided_waiting, row, snapshot.minute, known.on_time, fresh)
            known.on_time = fresh

    def _without_decided(self, minute: int, known: Seconds, fresh: Seconds) -> Seconds:
        """Leave decided seconds as they were: a partition that was not waited for may still come with some."""
        decided = self.closed - minute * MINUTE
        return {
            **{second: line for second, line in known.items() if second < decided},
            **{second: line for second, line in fresh.items() if second >= decided},
        }

    @staticmethod
    def _grow(waiting: Waiting, row: int, minute: int, was: Seconds, now: Seconds) -> None:
        for second, line in now.items():
            old = was.get(second, [0, 0, 0, 0, 0])
            if line != old:
                waiting.add(
                    minute * MINUTE + second, row, [a - b for a, b in zip(line[:4], old[:4], strict=True)], line[4]
                )

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

    def _oldest(self) -> int | None:
        if len(self.clocks) < (self.partitions or 1):
            return None
        clock = min(self.clocks.values())
        return None if clock == _FOREVER else clock

    def resume(self, clock_ms: int, closed: int) -> None:
        """Go on from where a flush stood, its snapshots taken in: nothing is announced again, nothing has changed."""
        if clock_ms < 0:
            return
        self.clock_ms, self.closed = clock_ms, closed
        self._resume(self.told, self._told_waiting.until(clock_ms // 1000 + 1), clock_ms // 1000)
        decided = self._decided_waiting.until(closed)
        self._resume(self.decided, decided, max(decided, default=None))

    def _resume(self, panes: Panes, grown: Grown, newest: int | None) -> None:
        if newest is None:
            return
        panes.advance(newest)
        cells, _, _ = self._cells(panes, grown)
        if cells is not None:
            panes.add(cells)
        panes.settle()
        panes.changed.clear()

    def minute(self, key: tuple[int, str, int]) -> Snapshot:
        """Return all that is known of a minute: its state row."""
        known = self.minutes[key]
        return Snapshot(*key, known.seconds, known.on_time, known.assets)

    def _known(self, partition: int, clock_ms: int | None) -> int:
        """Return the clock that may not go backwards; one of a partition that had no records counts for nothing."""
        known = self.clocks.get(partition, -1)
        return -1 if known == _FOREVER and clock_ms is not None else known

    def row(self, exchange: str) -> int:
        name = Instrument(exchange, "", ALL)
        row = self.told.row(name)
        assert row == self.decided.row(name), exchange
        return row

    # ---------------------------------------------------------------- totals

    def _tell(self) -> None:
        """Bring the published totals up to the market's clock; a second counts from its start."""
        newest = self.clock_ms // 1000
        self.told.advance(newest)
        cells, rows, seconds = self._cells(self.told, self._told_waiting.until(newest + 1))
        if cells is not None:
            self.told.touch(rows, seconds)
            self.told.add(cells)

    def flush_late(self) -> None:
        """Take in what snapshots have added behind the market's clock."""
        if self.clock_ms >= 0:
            self._tell()

    @staticmethod
    def _cells(panes: Panes, grown: Grown) -> tuple[Cells | None, Ints, Ints]:
        lines = [(row, second, sums, largest) for second, found in grown.items() for row, sums, largest in found]
        if not lines:
            return None, np.zeros(0, np.int64), np.zeros(0, np.int64)
        row = np.array([line[0] for line in lines], np.int64)
        second = np.array([line[1] for line in lines], np.int64)
        slot = panes.slots(row, np.full_like(row, NO_PRICE))
        sums = np.array([line[2] for line in lines], np.int64)
        return gather(slot, second, sums, np.array([line[3] for line in lines], np.int64)), row, second

    # ---------------------------------------------------------------- decisions

    def _decide(self) -> list[Notice]:
        end = (self.clock_ms - self.lateness_ms) // 1000
        notices: list[Notice] = []
        if end <= self.closed:
            return notices
        grown = self._decided_waiting.until(end)
        for chunk in chunks(grown):
            self._close_hours(min(chunk))
            rows = {row for lines in chunk.values() for row, _, _ in lines}
            self.baseline.start(rows, min(chunk) // HOUR)
            if self._possible(chunk):
                notices += self._watch(chunk)
            else:
                self._fold(max(chunk), chunk)
        self.closed = end
        self._close_hours(end)
        return notices + self._close_due(end * 1000)

    def _fold(self, newest: int, grown: Grown) -> None:
        self.decided.advance(max(newest, self.decided.newest or 0))
        cells, _, _ = self._cells(self.decided, grown)
        assert cells is not None, newest
        self.decided.add(cells)

    def _close_hours(self, second: int) -> None:
        due = self.baseline.hours_due(second * 1000)
        first, last = self.decided.span()
        for hour in range(max(due.start, first // 60), min(due.stop, last // 60 + 1)):
            self.baseline.close(hour, self.decided.totals_between(hour * HOUR, (hour + 1) * HOUR))
        if due:
            self.baseline.forget()

    def _possible(self, chunk: Grown) -> bool:
        """Whether a cascade is open, or the five minutes before and all of the chunk together reach the lowest bar."""
        if any(machine.state is not None for machine in self.machines.values()):
            return True
        most = [0, 0]
        for lines in chunk.values():
            for _, sums, _ in lines:
                most[0] += sums[LONG_USD]
                most[1] += sums[SHORT_USD]
        _, held = self.decided.sums_of(range(len(self.decided.instruments)), FIVE_MINUTES)
        floor = min(self.rules[scope].floor_micro_usd for scope in (Scope.EXCHANGE, Scope.MARKET))
        return max(int(held[:, side].sum()) + most[side] for side in (0, 1)) >= floor

    def _watch(self, chunk: Grown) -> list[Notice]:
        """Measure every second; the panes are brought up only where a message needs them."""
        recent = recents(self.decided, min(chunk))
        everybody = list(range(len(recent)))
        notices: list[Notice] = []
        for second, lines in chunk.items():
            notices += self._close_due(second * 1000)
            self._undecided[second] = lines
            for row, sums, _ in lines:
                recent[row].add(second, sums[LONG_USD], sums[SHORT_USD])
            for each in recent:
                each.advance(second)
            for row in sorted({row for row, _, _ in lines}):
                name = self.decided.instruments[row].exchange
                notices += self._measure(Scope.EXCHANGE, name, [row], second, lines, recent)
            notices += self._measure(Scope.MARKET, ALL, everybody, second, lines, recent)
        self._catch_up()
        return notices

    def _catch_up(self) -> None:
        if self._undecided:
            self._fold(max(self._undecided), self._undecided)
            self._undecided = {}

    def _measure(
        self, scope: Scope, key: str, rows: list[int], second: int, lines: list[Line], recent: list[Recent]
    ) -> list[Notice]:
        notices: list[Notice] = []
        five = [sum(recent[row].usd_5m[side] for row in rows) for side in (0, 1)]
        hour = [sum(recent[row].usd_1h[side] for row in rows) for side in (0, 1)]
        for side in (0, 1):
            machine = self.machines.get((scope, key, side))
            measure = Measure(second * 1000, side, five, hour)
            if machine is not None and machine.state is not None:
                self._count(machine.state, [line for line in lines if line[0] in rows])
                phases = cascade.step(self.rules[scope], machine.state, measure)
                state = machine.state
            else:
                opened = self._open(scope, key, side, rows, measure)
                if opened is None:
                    continue
                state = opened
                phases = cascade.step(self.rules[scope], state, measure, onset=True)
            self.changed.add((scope, key, side))
            notices += [self._notice(scope, key, rows, state, phase, measure.time_ms) for phase in phases]
        return notices

    def _open(self, scope: Scope, key: str, side: int, rows: list[int], measure: Measure) -> CascadeState | None:
        rule = self.rules[scope]
        if measure.side_5m < rule.floor_micro_usd:
            return None
        normal = self.baseline.normal_hour(rows)
        threshold = rule.threshold(normal)
        if not cascade.crosses(rule, threshold, measure):
            return None
        self._catch_up()
        second = measure.time_ms // 1000
        name = cascade.cascade_id(scope, key, side, second, self._versions[scope])
        normal_5m = None if normal is None else normal // 12
        state = CascadeState(name, side, threshold, normal_5m, measure.time_ms, measure.time_ms)
        self.machines.setdefault((scope, key, side), Machine()).state = state
        for line in zip(*self.decided.cells_of(rows, second - 299, second + 1)[0::3], strict=True):
            self._count(state, [(int(line[0]), line[1].tolist(), 0)])
        largest = self.decided.largest_since(rows, second - 299)
        state.largest = largest
        return state

    def _count(self, state: CascadeState, lines: list[Line]) -> None:
        for row, sums, largest in lines:
            exchange = self.decided.instruments[row].exchange
            for side in (0, 1):
                if sums[2 + side]:
                    state.count_in(exchange, side, sums[side], sums[2 + side], largest)

    def _close_due(self, boundary_ms: int) -> list[Notice]:
        notices: list[Notice] = []
        for (scope, key, side), machine in sorted(self.machines.items()):
            if machine.state is None or cascade.ends_ms(self.rules[scope], machine.state) > boundary_ms:
                continue
            state, machine.state = machine.state, None
            machine.closed_until_ms = cascade.ends_ms(self.rules[scope], state)
            self.changed.add((scope, key, side))
            rows = [row for row, name in enumerate(self.decided.instruments) if key in (ALL, name.exchange)]
            ended = machine.closed_until_ms
            notices += [self._notice(scope, key, rows, state, phase, ended) for phase in cascade.close(state)]
        return notices

    def _notice(
        self, scope: Scope, key: str, rows: list[int], state: CascadeState, phase: Phase, time_ms: int
    ) -> Notice:
        self._catch_up()
        totals = self.decided.totals([rows])
        record = cascade_record(scope, key, None, self.rules[scope], state, phase, time_ms, totals)
        return Notice((time_ms,), record, state, scope, "", phase)

    def forget(self) -> list[tuple[int, str, int]]:
        """Drop minutes that no window can see; return their keys."""
        limit = self.clock_ms // 60_000 - 1_441
        old = [minute for minute in self._by_minute if minute < limit]
        gone = [key for minute in old for key in self._by_minute.pop(minute)]
        for key in gone:
            del self.minutes[key]
        return gone

    def largest_asset(self, side: int, since_minute: int) -> str | None:
        """Return the asset of which most was liquidated on one side since a minute."""
        total: dict[str, int] = {}
        for (_, _, minute), known in self.minutes.items():
            if minute >= since_minute:
                for asset, sides in known.assets.items():
                    total[asset] = total.get(asset, 0) + sides[side]
        return max(sorted(total), key=lambda asset: total[asset], default=None)


_FOREVER = 1 << 60
