"""Where a liquidation becomes a number: panes, and the sliding sums over them.

A **cell** is what one second of event time holds for one instrument in one
price band; over an hour old it is one minute's. Six running sums per
(instrument, band) slide over the cells: a cell is added once when it comes and
subtracted once from each window that it leaves, so no window is ever summed
anew. An asset is the sum of its instruments and has no cells of its own.

Everything is an integer, so the order in which cells come changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import (
    LONG_COUNT,
    LONG_USD,
    NO_CELLS,
    SHORT_COUNT,
    SHORT_USD,
    Cells,
    Ints,
    Lines,
    Store,
    in_order_of_time,
    joined,
    where,
)
from streams.core.events import Instrument
from streams.core.slots import Slots
from streams.core.totals import Totals, summarise
from streams.core.windows import HOUR, LENGTHS, MINUTE, ONE_DAY, minute_leaves, minutes_kept, seconds_kept, window_start

#: So many slots, and two a row, are looked through for those that are empty.
_MANY = 4_096
_BOUNDS = {2: 0, 5: 1}  # windows whose totals per asset bound what any of its scopes can hold: 15m, 24h


class Panes:
    """Cells and sliding sums of one source partition.

    Attributes
    ----------
    newest
        The partition's newest pane (seconds since 1970), where every window of its rows ends; None before the first.
    instruments, assets
        By row and by asset number.
    as_of, newest_ms
        Per row: the second in which one of its windows last changed; its newest event time in milliseconds.
    changed
        Per row: whether one of its windows has changed since somebody has cleared it.

    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self.instruments: list[Instrument] = []
        self.assets: list[str] = []
        self.rows_of_asset: list[list[int]] = []
        self.exchanges: list[str] = []
        self.asset_of_row = np.zeros(64, np.int64)
        self.exchange_of_row = np.zeros(64, np.int64)
        self.as_of = np.zeros(64, np.int64)
        self.newest_ms = np.zeros(64, np.int64)
        self.changed = np.zeros(64, bool)
        self.bounds = np.zeros((2, 64, 2), np.int64)  # [15m, 24h], asset, side
        self._seconds, self._minutes = Store(), Store()
        self._row: dict[Instrument, int] = {}
        self._asset: dict[str, int] = {}
        self._slots = Slots()
        self._many = _MANY
        self._largest = np.zeros((len(LENGTHS), 64), np.int64)
        self._unsure = np.zeros((len(LENGTHS), 64), bool)  # the largest single may have left

    # ------------------------------------------------------------- names

    def asset_number(self, asset: str) -> int | None:
        return self._asset.get(asset)

    def knows(self, instrument: Instrument) -> bool:
        return instrument in self._row

    def row(self, instrument: Instrument) -> int:
        """Return the row of an instrument, opened if it is new."""
        row = self._row.get(instrument)
        if row is None:
            row = self._row[instrument] = len(self.instruments)
            self.instruments.append(instrument)
            if row == len(self.as_of):
                for name in ("as_of", "newest_ms", "changed", "asset_of_row", "exchange_of_row", "_largest", "_unsure"):
                    column = getattr(self, name)
                    setattr(self, name, np.concatenate((column, np.zeros_like(column)), axis=-1))
            self.asset_of_row[row] = self._open_asset(instrument.asset, row)
            self.exchange_of_row[row] = self._open_exchange(instrument.exchange)
        return row

    def _open_asset(self, asset: str, row: int) -> int:
        number = self._asset.setdefault(asset, len(self.assets))
        if number == len(self.assets):
            self.assets.append(asset)
            self.rows_of_asset.append([])
            if number == self.bounds.shape[1]:
                self.bounds = np.concatenate((self.bounds, np.zeros_like(self.bounds)), axis=1)
        self.rows_of_asset[number].append(row)
        return number

    def _open_exchange(self, exchange: str) -> int:
        if exchange not in self.exchanges:
            self.exchanges.append(exchange)
        return self.exchanges.index(exchange)

    def slots(self, rows: Ints, bands: Ints) -> Ints:
        """Return the slot of each (row, band), opened if it is new."""
        return self._slots.find(rows, bands)

    def row_of(self, slots: Ints) -> Ints:
        return self._slots.row[slots]

    def lines(self, cells: Cells) -> Lines:
        """Return cells with their rows and bands."""
        return Lines(self._slots.row[cells.slot], self._slots.band[cells.slot], *cells[1:])

    # ------------------------------------------------------------- time

    def advance(self, newest: int) -> None:
        """Move the newest pane on: what leaves a window is subtracted from it."""
        old, self.newest = self.newest, newest
        if old is None:
            return
        for window, length in enumerate(LENGTHS):
            start, end = window_start(length, old), window_start(length, newest)
            if start < end:
                for cells in self.between(start, end):
                    self._leave(window, cells)

    def settle(self) -> set[int]:
        """Turn seconds that have left the sliding hour into minutes, and drop what has left every window.

        To be called when a flush has said what has changed. Returns the rows of what was dropped.
        """
        if self.newest is None:
            return set()
        old = self._seconds.take_before(seconds_kept(self.newest))
        self._minutes.add(joined([old._replace(second=old.second - old.second % MINUTE)]))
        gone = self._minutes.take_before(minutes_kept(self.newest) * MINUTE)
        rows = set(self.row_of(gone.slot).tolist())
        if self._slots.count >= max(self._many, 2 * len(self.instruments)):
            self._forget_slots()
        return rows

    def _forget_slots(self) -> None:
        """Give up the slots of bands in which nothing is left: prices wander, and they would only become more."""
        used = np.zeros(self._slots.count, bool)
        for store in (self._seconds, self._minutes):
            for slots in store.slots():
                used[slots] = True
        number = self._slots.keep(used)
        for store in (self._seconds, self._minutes):
            store.renumber(number)
        self._many = max(_MANY, self._slots.count * 3 // 2)

    def between(self, start: int, end: int) -> list[Cells]:
        """Return all cells of seconds [start, end), in parts, to be read only."""
        return self._minutes.between(start, end) + self._seconds.between(start, end)

    def _leave(self, window: int, cells: Cells) -> None:
        """Subtract cells from a window that they have been in."""
        row = self._shift(window, cells, -1)
        self.touch(row, _leaves(window, cells.second))
        self._unsure[window, row[cells.largest >= self._largest[window, row]]] = True

    def _shift(self, window: int, cells: Cells, sign: int) -> Ints:
        """Add cells to one window's sums, or take them away; return their rows."""
        sums, row = self._slots.sums[window], self._slots.row[cells.slot]
        for column in range(4):
            np.add.at(sums[column], cells.slot, sign * cells.sums[:, column])
        if window in _BOUNDS:
            asset = self.asset_of_row[row]
            for side in (0, 1):
                np.add.at(self.bounds[_BOUNDS[window], :, side], asset, sign * cells.sums[:, side])
        return row

    def touch(self, rows: Ints, second: Ints) -> None:
        """Note that rows have changed in these seconds."""
        np.maximum.at(self.as_of, rows, second)
        self.changed[rows] = True

    def take_changed(self) -> list[int]:
        """Return the rows that have changed, and forget that they have."""
        changed = self.changed.nonzero()[0].tolist()
        self.changed[:] = False
        return changed

    def span(self) -> tuple[int, int]:
        """Return the first and the last second that holds anything; (0, -1) if none does."""
        spans = [span for store in (self._minutes, self._seconds) if (span := store.span())[1] >= 0]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else (0, -1)

    # ------------------------------------------------------------- adding

    def add(self, cells: Cells, *, minutes: bool = False) -> None:
        """Add cells, sorted by second, at the present newest pane; the windows that they have left are touched.

        With ``minutes`` they are of seconds that are no longer remembered as such, and stand at their minutes' first.
        """
        newest = self.newest
        assert newest is not None, "advance before add"
        for window, length in enumerate(LENGTHS):
            start = int(cells.second.searchsorted(window_start(length, newest)))
            inside = Cells(*(column[start:] for column in cells)) if start else cells
            row = self._shift(window, inside, +1)
            np.maximum.at(self._largest[window], row, inside.largest)
            if start:
                # What came and left within one step has touched its row all the same.
                self.touch(self.row_of(cells.slot[:start]), _leaves(window, cells.second[:start]))
        (self._minutes if minutes else self._seconds).add(cells)

    # ------------------------------------------------------------- reading

    def totals(self, scopes: Sequence[Sequence[int]]) -> Totals:
        """Return the totals of scopes, each given as its rows, in the six windows that end with the newest pane."""
        assert self.newest is not None, "advance before totals"
        rows, at = np.unique(np.fromiter(chain.from_iterable(scopes), np.int64), return_inverse=True)
        sizes = np.array([len(members) for members in scopes])
        largest = np.stack([self._largest_of(window)[rows] for window in range(len(LENGTHS))])
        return summarise(self._slots.held(rows), len(rows), at, sizes, largest)

    def _largest_of(self, window: int) -> Ints:
        """Return the largest single of each row in a window."""
        largest: Ints = self._largest[window]
        unsure = self._unsure[window]
        if unsure.any():
            assert self.newest is not None, "nothing leaves before it came"
            largest[unsure] = 0
            for cells in self.between(window_start(LENGTHS[window], self.newest), self.newest + 1):
                row = self.row_of(cells.slot)
                mine = unsure[row]
                np.maximum.at(largest, row[mine], cells.largest[mine])
            unsure[:] = False
        return largest

    def cells_of(self, rows: Sequence[int] | Ints, start: int, end: int) -> Lines:
        """Return the cells of some rows in seconds [start, end), sorted by second; there may be several of a second."""
        wanted = np.zeros(len(self.as_of), bool)
        wanted[rows] = True
        found = [where(cells, wanted[self.row_of(cells.slot)]) for cells in self.between(start, end)]
        if len(found) != 1:
            found = [in_order_of_time([NO_CELLS, *found])]
        return self.lines(found[0])

    def held_of(self, rows: Ints, window: int) -> Ints:
        """Return (rows, 2) micro-USD by side in one window that ends with the newest pane."""
        held = np.zeros((len(rows), 2), np.int64)
        slot, at = self._slots.of(rows)
        for side in (0, 1):
            np.add.at(held[:, side], at, self._slots.sums[window, side, slot])
        return held

    def sums_of(self, rows: Sequence[int]) -> tuple[Ints, Ints]:
        """Return bands and (6, bands, 4) sums of some rows in the windows that end with the newest pane."""
        slot, _ = self._slots.of(np.array(rows, np.int64))
        return self._slots.band[slot], self._slots.sums[:, :, slot].transpose(0, 2, 1)

    def largest_in(self, rows: Sequence[int], window: int, start: int, between: Lines) -> int:
        """Return the largest single of some rows in a window that starts elsewhere; ``between`` lies what differs."""
        assert self.newest is not None, "advance before asking"
        known, other = int(self._largest_of(window)[rows].max(initial=0)), int(between.largest.max(initial=0))
        if start <= window_start(LENGTHS[window], self.newest):
            return max(known, other)
        # What differs has left the window: the largest is known unless it is among that.
        return known if other < known else int(self.cells_of(rows, start, self.newest + 1).largest.max(initial=0))

    def filled_rows(self) -> Ints:
        """Return the rows that hold anything."""
        day = self._slots.sums[ONE_DAY, :, : self._slots.count]
        return np.unique(self._slots.row[: self._slots.count][day[LONG_COUNT] + day[SHORT_COUNT] > 0])

    def totals_between(self, start: int, end: int) -> dict[int, int]:
        """Return micro-USD of both sides per row over the whole minutes of [start, end)."""
        total, filled = np.zeros(len(self.as_of), np.int64), np.zeros(len(self.as_of), bool)
        for cells in self.between(start, end):
            row = self.row_of(cells.slot)
            np.add.at(total, row, cells.sums[:, LONG_USD] + cells.sums[:, SHORT_USD])
            filled[row] = True
        rows = filled.nonzero()[0]
        return dict(zip(rows.tolist(), total[rows].tolist(), strict=True))


def _leaves(window: int, second: NDArray[np.int64]) -> Ints:
    """Return the newest pane with which seconds are no longer in a window."""
    length = LENGTHS[window]
    left: Ints = second + length if length <= HOUR else minute_leaves(length, 0) + second - second % MINUTE
    return left
