"""Where a liquidation becomes a number: panes, and the sliding sums over them.

A **cell** is what one second of event time holds for one instrument in one
price band. Cells lie in blocks of a minute. Six running sums per (instrument,
band) slide over them: a cell is added once when it comes and subtracted once
from each window that it leaves, so no window is ever summed anew. An asset is
the sum of its instruments and has no cells of its own.

Everything is an integer, so the order in which cells come changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import LONG_USD, NO_LINES, SHORT_USD, Block, Cells, Ints, Lines, Staircase, gather, runs
from streams.core.events import Instrument
from streams.core.slots import Slots
from streams.core.totals import Totals, summarise
from streams.core.windows import HOUR, LENGTHS, MINUTE, minute_leaves, minutes_kept, seconds_kept, window_start

_RECENT, _KEPT = 2, 5  # windows whose totals per asset bound what any of its scopes can hold: 15m, 24h


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
        self.changed: set[int] = set()
        self.bounds = np.zeros((2, 64, 2), np.int64)  # [15m, 24h], asset, side
        self.blocks: dict[int, Block] = {}
        self._settled = 0
        self._minutes: list[int] = []
        self._row: dict[Instrument, int] = {}
        self._asset: dict[str, int] = {}
        self._slot: dict[int, int] = {}
        self._slots = Slots.empty(256)
        self._slots_of_row: list[list[int]] = []
        self._stairs: list[Staircase] = []

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
            self._slots_of_row.append([])
            self._stairs.append(Staircase())
            if row == len(self.as_of):
                for name in ("as_of", "newest_ms", "asset_of_row", "exchange_of_row"):
                    column = getattr(self, name)
                    setattr(self, name, np.concatenate((column, np.zeros_like(column))))
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
        known, slot = self._slot, []
        for key, row, band in zip(((rows << 22) | bands).tolist(), rows.tolist(), bands.tolist(), strict=True):
            found = known.get(key)
            slot.append(self._open_slot(key, row, band) if found is None else found)
        return np.array(slot, np.int64)

    def _open_slot(self, key: int, row: int, band: int) -> int:
        slot = self._slot[key] = len(self._slot)
        if slot == len(self._slots.row):
            self._slots = self._slots.grown()
        self._slots.row[slot], self._slots.band[slot] = row, band
        self._slots_of_row[row].append(slot)
        return slot

    def row_of(self, slots: Ints) -> Ints:
        return self._slots.row[slots]

    def band_of(self, slots: Ints) -> Ints:
        return self._slots.band[slots]

    # ------------------------------------------------------------- time

    def advance(self, newest: int) -> None:
        """Move the newest pane on: what leaves a window is subtracted from it; what nobody needs is forgotten."""
        old, self.newest = self.newest, newest
        if old is None or not self._minutes:
            return
        for window, length in enumerate(LENGTHS):
            start, end = window_start(length, old), window_start(length, newest)
            if start < end:
                self._leave(window, start, end)

    def settle(self) -> list[tuple[int, frozenset[int]]]:
        """Drop what has left every window, and the seconds of minutes that have left the sliding hour.

        To be called when a flush has said what the minutes hold. Returns (minute, rows) of what was dropped.
        """
        if self.newest is None:
            return []
        self._consolidate(seconds_kept(self.newest) // MINUTE)
        return self._forget(minutes_kept(self.newest))

    def _blocks_between(self, start: int, end: int) -> Iterable[tuple[int, Cells]]:
        """Yield (minute, cells) of the blocks that hold seconds of [start, end)."""
        at = bisect_left(self._minutes, start // MINUTE)
        while at < len(self._minutes) and self._minutes[at] * MINUTE < end:
            yield self._minutes[at], self.blocks[self._minutes[at]].cells()
            at += 1

    def _leave(self, window: int, start: int, end: int) -> None:
        length = LENGTHS[window]
        for minute, cells in self._blocks_between(start, end):
            if length > HOUR:
                left, second = cells, np.full(len(cells.slot), minute_leaves(length, minute), np.int64)
            else:
                inside = (cells.second >= start) & (cells.second < end)
                if not inside.any():
                    continue
                left = Cells(*(column[inside] for column in cells))
                second = left.second + length
            self._shift(window, left, -1)
            self.touch(self.row_of(left.slot), second)

    def _shift(self, window: int, cells: Cells, sign: int) -> None:
        """Add cells (sorted by slot) to one window's sums, or take them away."""
        slot, first = runs(cells.slot)
        self._shift_sums(window, slot, np.add.reduceat(cells.sums, first, axis=0) * sign)

    def _shift_sums(self, window: int, slot: Ints, sums: Ints) -> None:
        self._slots.sums[window, slot] += sums
        if window in (_RECENT, _KEPT):
            asset = self.asset_of_row[self.row_of(slot)]
            np.add.at(self.bounds[int(window == _KEPT)], asset, sums[:, :2])

    def touch(self, rows: Ints, second: Ints) -> None:
        """Note that rows have changed in these seconds."""
        np.maximum.at(self.as_of, rows, second)
        self.changed.update(rows.tolist())

    def _consolidate(self, end: int) -> None:
        for minute in self._minutes[bisect_left(self._minutes, self._settled) : bisect_left(self._minutes, end)]:
            block = self.blocks[minute]
            cells = block.cells()
            block.replace(gather(cells.slot, np.full_like(cells.slot, minute * MINUTE), cells.sums, cells.largest))
        self._settled = max(self._settled, end)

    def whole(self, minute: int) -> bool:
        """Return whether only the total of a minute is known any more."""
        return minute < self._settled

    def _forget(self, minute: int) -> list[tuple[int, frozenset[int]]]:
        at = bisect_left(self._minutes, minute)
        expired = [(gone, self.blocks.pop(gone).rows(self._slots.row)) for gone in self._minutes[:at]]
        for row in {row for _, rows in expired for row in rows}:
            self._stairs[row].forget_before(minute * MINUTE)
        del self._minutes[:at]
        return expired

    def span(self) -> tuple[int, int]:
        """Return the first and the last minute that holds anything; (0, -1) if none does."""
        return (self._minutes[0], self._minutes[-1]) if self._minutes else (0, -1)

    # ------------------------------------------------------------- adding

    def add(self, cells: Cells) -> None:
        """Add cells, sorted by slot then second, at the present newest pane; the windows they have left are touched."""
        newest = self.newest
        assert newest is not None, "advance before add"
        second = cells.second
        slot, first = runs(cells.slot)
        reduced: Ints | None = None
        for window, length in enumerate(LENGTHS):
            if reduced is None:
                inside = second >= window_start(length, newest)
                if not inside.all():
                    self._add_partly(window, cells, inside)
                    continue
                reduced = np.add.reduceat(cells.sums, first, axis=0)
            self._shift_sums(window, slot, reduced)
        self._store(cells)
        self._climb(cells.slot, second, cells.largest)

    def _add_partly(self, window: int, cells: Cells, inside: NDArray[np.bool_]) -> None:
        """Add what is inside of a window; what came and left within one step has touched its row all the same."""
        length = LENGTHS[window]
        if inside.any():
            self._shift(window, Cells(*(column[inside] for column in cells)), +1)
        second = cells.second[~inside]
        left = minute_leaves(length, 0) + second - second % MINUTE if length > HOUR else second + length
        self.touch(self.row_of(cells.slot[~inside]), left)

    def _store(self, cells: Cells) -> None:
        minute = cells.second // MINUTE
        for number in np.unique(minute).tolist():
            block = self.blocks.get(number)
            if block is None:
                block = self.blocks[number] = Block()
                self._minutes.insert(bisect_left(self._minutes, number), number)
            inside = minute == number
            block.append(cells if inside.all() else Cells(*(column[inside] for column in cells)))

    def _climb(self, slot: Ints, second: Ints, largest: Ints) -> None:
        """Put what is larger than all that is newer, per row, on the row's staircase."""
        row = self.row_of(slot)
        order = np.lexsort((-second, row))
        row, second, largest = row[order], second[order], largest[order]
        first = np.concatenate(([True], row[1:] != row[:-1]))
        segment = np.cumsum(first) - 1
        start = np.flatnonzero(first)
        # The running maximum per row, newest first; a step of it is a step of the staircase.
        rank = np.argsort(np.argsort(largest, kind="stable"), kind="stable")
        running = np.maximum.accumulate(rank + segment * len(rank))
        step = np.concatenate(([True], running[1:] != running[:-1])) if len(running) else first
        step[start] = True
        for at in np.flatnonzero(step).tolist():
            self._stairs[int(row[at])].add(int(second[at]), int(largest[at]))

    # ------------------------------------------------------------- reading

    def totals(self, scopes: Sequence[Sequence[int]]) -> Totals:
        """Return the totals of scopes, each given as its rows, in the six windows that end with the newest pane."""
        newest = self.newest
        assert newest is not None, "advance before totals"
        slots = [slot for rows in scopes for row in rows for slot in self._slots_of_row[row]]
        sizes = [sum(len(self._slots_of_row[row]) for row in rows) for rows in scopes]
        scope = np.repeat(np.arange(len(scopes)), sizes)
        index = np.array(slots, np.int64)
        starts = [window_start(length, newest) for length in LENGTHS]
        largest = np.array(
            [[max(self._stairs[row].since(start) for row in rows) for rows in scopes] for start in starts], np.int64
        )
        return summarise(scope, self._slots.band[index], self._slots.sums[:, index], largest, len(scopes))

    def cells_of(self, rows: Sequence[int], start: int, end: int) -> Lines:
        """Return the cells of some rows in seconds [start, end)."""
        found = [NO_LINES]
        wanted = np.zeros(len(self.as_of), bool)
        wanted[rows] = True
        for _, cells in self._blocks_between(start, end):
            row = self.row_of(cells.slot)
            inside = wanted[row] & (cells.second >= start) & (cells.second < end)
            if inside.any():
                slot = cells.slot[inside]
                found.append(
                    Lines(
                        row[inside], self.band_of(slot), cells.second[inside], cells.sums[inside], cells.largest[inside]
                    )
                )
        return Lines(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def sums_of(self, rows: Sequence[int], window: int) -> tuple[Ints, Ints]:
        """Return (band, sums) of some rows in one window that ends with the newest pane."""
        slots = np.array([slot for row in rows for slot in self._slots_of_row[row]], np.int64)
        return self.band_of(slots), self._slots.sums[window, slots]

    def largest_since(self, rows: Sequence[int], second: int) -> int:
        """Return the largest single of some rows from a second on."""
        return max((self._stairs[row].since(second) for row in rows), default=0)

    def lines_of(self, minute: int) -> Lines:
        """Return all cells of a minute."""
        cells = self.blocks[minute].cells()
        return Lines(self.row_of(cells.slot), self.band_of(cells.slot), cells.second, cells.sums, cells.largest)

    def filled_rows(self) -> set[int]:
        """Return the rows that hold anything."""
        return {row for block in self.blocks.values() for row in block.rows(self._slots.row)}

    def first_second_minute(self) -> int:
        """Return the first minute that is remembered by the second."""
        return 0 if self.newest is None else seconds_kept(self.newest) // MINUTE

    def totals_between(self, start: int, end: int) -> dict[int, int]:
        """Return micro-USD of both sides per row over the whole minutes of [start, end)."""
        total: dict[int, int] = {}
        for _, cells in self._blocks_between(start, end):
            row = self.row_of(cells.slot)
            rows, inverse = np.unique(row, return_inverse=True)
            usd = np.zeros(len(rows), np.int64)
            np.add.at(usd, inverse, cells.sums[:, LONG_USD] + cells.sums[:, SHORT_USD])
            for number, value in zip(rows.tolist(), usd.tolist(), strict=True):
                total[number] = total.get(number, 0) + value
        return total
