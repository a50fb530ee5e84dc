"""One scope and side through a stretch of the log: ``cascade.step`` for many records at once.

Between two messages a cascade only sums and compares, so the records are looked
through for the next one that has something to say, what lies before it is
counted in one go, and so on. ``tests/core/test_machine.py`` holds this against
``cascade.step`` called record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from streams.core import cascade
from streams.core.cascade import CascadeRule, CascadeState, Phase, raise_to
from streams.core.measures import Measures

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(slots=True)
class Machine:
    """What is remembered of one scope and side: an open cascade, or until when the last one has closed it."""

    state: CascadeState | None = None
    closed_until_ms: int = 0


@dataclass(slots=True)
class Saying:
    """A message: where in the stretch, after how many of the asset's records, and whether it is a closing."""

    at: int
    done: int
    time_ms: int
    asset_clock_ms: int
    closing: bool
    phase: Phase


def no_assets(index: Ints, threshold: int) -> Iterable[int | None]:
    """Say of no record how many assets take part: what is not a market has one at most."""
    del threshold
    return repeat(None, len(index))


@dataclass(slots=True)
class Walk:
    """A machine's way through a stretch.

    Parameters
    ----------
    rule, machine, side, lateness_ms
        What decides, what is remembered.
    measures
        Of its scope.
    clock_ms
        The partition's clock at every record of the stretch.
    done_before
        Says of a position how many of the asset's records lie before it, and the asset's clock there.
    exchanges, exchange_of_row
        Names, and their number by row.
    open
        Makes the state of an onset at record ``i`` of the measures.
    say
        Takes a message; called in order.
    assets
        Says of some records of the measures how many assets take part, given a threshold; None: not known.

    """

    rule: CascadeRule
    machine: Machine
    side: int
    lateness_ms: int
    measures: Measures
    clock_ms: Ints
    done_before: Callable[[int], tuple[int, int]]
    exchanges: list[str]
    exchange_of_row: Ints
    open: Callable[[int, int], CascadeState]
    threshold: Callable[[], int]
    say: Callable[[CascadeState, Saying], None]
    assets: Callable[[Ints, int], Iterable[int | None]] = no_assets
    last_own: int = -1

    def run(self) -> bool:
        """Walk to the end; return whether anything changed."""
        at, count, changed = 0, len(self.measures.at), False
        while at < count:
            step = self._wait(at) if self.machine.state is None else self._follow(at, self.machine.state)
            changed = changed or step[1]
            at = step[0]
        return self._close_due(len(self.clock_ms) - 1) or changed

    # ---------------------------------------------------------------- closed

    def _wait(self, start: int) -> tuple[int, bool]:
        """Look for an onset."""
        m = self.measures
        usd = m.usd_5m[start:, self.side]
        if not len(usd) or int(usd.max()) < self.rule.floor_micro_usd:
            return len(m.at), False
        high = start + (usd >= self.threshold()).nonzero()[0]
        both = m.usd_5m[high].sum(axis=1)
        share = both // 1000 * self.rule.share_min + -(-(both % 1000 * self.rule.share_min) // 1000)
        hot = m.usd_1h[high, self.side] >= self.rule.hour_min * self.threshold()
        first = high[self._valid(high) & (m.usd_5m[high, self.side] >= share) & hot]
        found = self._broad(first) if len(first) else None
        if found is None:
            return len(m.at), False
        at, assets_count = found
        state = self.machine.state = self.open(at, self.threshold())
        state.assets_count = assets_count
        raise_to(state.highest_hour, m.usd_1h[at].tolist(), int(m.asset_clock_ms[at]))
        state.severity = int(self._levels(np.array([at]), state)[0])
        state.highest, state.highest_ms = int(m.usd_5m[at, self.side]), int(m.asset_clock_ms[at])
        self._say_at(at, state, Phase.ONSET)
        self.last_own = int(m.at[at])
        return at + 1, True

    def _broad(self, index: Ints) -> tuple[int, int | None] | None:
        """Return the first of some records at which enough assets take part, and how many do."""
        counts = self.assets(index, self.threshold())
        found = zip(index.tolist(), counts, strict=True)
        return next((each for each in found if cascade.enough_assets(self.rule, each[1])), None)

    def _valid(self, at: Ints | slice) -> Flags:
        valid: Flags = self.measures.time_ms[at] >= self.machine.closed_until_ms
        return valid

    # ---------------------------------------------------------------- open

    def _follow(self, start: int, state: CascadeState) -> tuple[int, bool]:
        """Count records up to the next message or closing."""
        m, rule = self.measures, self.rule
        index = start + self._valid(slice(start, None)).nonzero()[0]
        usd = m.usd_5m[index, self.side]
        above = np.where(usd >= -(-state.threshold * rule.release // 1000), m.asset_clock_ms[index], 0)
        last_above = np.maximum.accumulate(np.concatenate(([state.last_above_ms], above)))
        due = last_above[:-1] + rule.quiet_ms + self.lateness_ms
        closes = _first(m.clock_ms[index] >= due)
        levels = self._levels(index, state)
        peaks = self._peaks(usd, state)
        says = _first((levels > state.severity) | peaks)
        end = min(closes, says + 1, len(index))
        if end:
            self._count(index[:end], state, int(last_above[end]))
        if says < end:
            at = int(index[says])
            # As in cascade.step, every message of a record says how things stand after it.
            escalates = int(levels[says]) > state.severity
            state.severity = max(state.severity, int(levels[says]))
            if peaks[says]:
                state.peaked_ms = state.highest_ms
            if escalates:
                self._say_at(at, state, Phase.ESCALATED)
            if peaks[says]:
                self._say_at(at, state, Phase.PEAK)
            return at + 1, True
        if closes < len(index):
            at = int(index[closes])
            self._close_due(int(m.at[at]))
            return at, True
        return len(m.at), bool(end)

    def _levels(self, index: Ints, state: CascadeState) -> Ints:
        usd, hour = self.measures.usd_5m[index, self.side], self.measures.usd_1h[index, self.side]
        level = np.zeros(len(index), np.int64)
        for at, (five, sixty) in enumerate(zip(self.rule.multiples, self.rule.hour_multiples, strict=True), start=1):
            level[(usd >= five * state.threshold) | (hour >= sixty * state.threshold)] = at
        return level

    def _peaks(self, usd: Ints, state: CascadeState) -> Flags:
        """Return where the measure has fallen far enough from its highest for the first time."""
        highest = np.maximum.accumulate(np.concatenate(([state.highest], usd)))[:-1]
        rises = usd > highest
        armed = np.full(len(usd), True) if state.peaked_ms is None else np.logical_or.accumulate(rises)
        left = 1000 - self.rule.peak_fall
        fallen: Flags = usd <= highest // 1000 * left + highest % 1000 * left // 1000
        return armed & ~rises & fallen

    def _count(self, index: Ints, state: CascadeState, last_above_ms: int) -> None:
        m = self.measures
        # What is dated before came late: it is in the windows, but not of what began with the onset.
        records = m.records(index[m.time_ms[index] // 1000 >= cascade.first_second(state)])
        state.last_above_ms = last_above_ms
        count_lines(state, self.exchanges, self.exchange_of_row[m.row[records]], m.sums[records], m.largest[records])
        if state.prices and len(records):
            price, (first, low, high, _) = m.price[records], state.prices
            state.prices = [first, min(low, float(price.min())), max(high, float(price.max())), float(price[-1])]
        hours = m.usd_1h[index].sum(axis=1)
        most = int(index[hours.argmax()])
        raise_to(state.highest_hour, m.usd_1h[most].tolist(), int(m.asset_clock_ms[most]))
        most = int(index[m.usd_5m[index, self.side].argmax()])
        if int(m.usd_5m[most, self.side]) > state.highest:
            state.highest, state.highest_ms = int(m.usd_5m[most, self.side]), int(m.asset_clock_ms[most])
            state.peaked_ms = None
        self.last_own = int(m.at[index[-1]])

    # ---------------------------------------------------------------- messages

    def _say_at(self, at: int, state: CascadeState, phase: Phase) -> None:
        m = self.measures
        clock = int(m.asset_clock_ms[at])
        self.say(state, Saying(int(m.at[at]), int(m.done[at]), clock, clock, closing=False, phase=phase))

    def _close_due(self, last: int) -> bool:
        """Close at the first record, up to position ``last``, that brings it: after the machine's own last one."""
        state = self.machine.state
        if state is None:
            return False
        due = cascade.ends_ms(self.rule, state)
        at = max(int(self.clock_ms.searchsorted(due + self.lateness_ms)), self.last_own + 1)
        if at > last:
            return False
        self.machine.state, self.machine.closed_until_ms = None, due
        done, asset_clock = self.done_before(at)
        for phase in cascade.close(state):
            self.say(state, Saying(at, done, due, asset_clock, closing=True, phase=phase))
        return True


def count_lines(state: CascadeState, exchanges: list[str], exchange: Ints, sums: Ints, largest: Ints) -> None:
    """Count lines of exchanges into the totals since onset: (n, 4) micro-USD and counts by side, largest singles."""
    state.largest = max(state.largest, int(largest.max(initial=0)))
    totals = np.zeros((4, len(exchanges)), np.int64)
    for column in range(4):
        np.add.at(totals[column], exchange, sums[:, column])
    for at in np.flatnonzero(totals[2:].any(axis=0)).tolist():
        for side in (0, 1):
            if totals[2 + side, at]:
                state.count_in(exchanges[at], side, int(totals[side, at]), int(totals[2 + side, at]), 0)


def _first(flags: Flags) -> int:
    """Return the position of the first true flag; beyond the end if none is."""
    found = flags.nonzero()[0]
    return int(found[0]) if len(found) else len(flags) + 1
