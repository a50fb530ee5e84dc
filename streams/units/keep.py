"""The fold of one partition as state rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from streams.codec import rows as codec
from streams.core.baseline import HOUR_MS, Baseline
from streams.core.breadth import AssetCells, Breadth
from streams.core.cascade import CascadeState
from streams.core.cells import Cells, Lines, in_order_of_time, joined, where
from streams.core.events import Instrument, Scope
from streams.core.fold import Fold
from streams.core.machine import Machine
from streams.core.market import Market
from streams.core.panes import Panes
from streams.core.windows import DAY_MS, MINUTE, minutes_kept, seconds_kept
from streams.units import older
from streams.units.entries import Entries, Rows

MINUTE_MS = 60_000
#: Kinds of entries: cells of a day; of assets and of exchanges (stage 2).
CELLS, ASSETS, GROWN = b"d", b"b", b"g"
#: Identities and cells in one row, 16 and up to 44 bytes each: a row must fit into a message.
ENTRY_MAX = 4_096
#: Cells that are restored at once, so that a day of them is never held twice.
RESTORED_MAX = 500_000
#: Cells of assets in one row or message, 14 bytes each; and of exchanges, 38.
ASSETS_MAX = GROWN_MAX = 16_384


def cell_entries() -> Entries[Lines]:
    """Return the entries of stage 1's cells."""
    return Entries(CELLS, codec.cells_row, ENTRY_MAX)


def asset_entries(breadth: Breadth) -> Entries[AssetCells]:
    """Return the entries of what stage 2 hears of assets."""
    return Entries(ASSETS, lambda cells: codec.assets_row(list(breadth.names), cells), ASSETS_MAX)


def grown_entries(market: Market) -> Entries[Cells]:
    """Return the entries of what stage 2 hears of exchanges; slots as ``Market.take`` returns them."""

    def pack(cells: Cells) -> bytes:
        return codec.growth_row([instrument.exchange for instrument in market.told.instruments], cells)

    return Entries(GROWN, pack, GROWN_MAX)


def pane_rows(fold: Fold, entries: Entries[Lines]) -> Rows:
    """Let the panes settle; return what a flush has added, the instruments that have changed, and tombstones.

    ``as_of`` of an instrument is kept while anything of its asset is: it may be the asset's.
    """
    panes, found = fold.panes, Rows()
    found += [codec.known_row(instrument, panes.row(instrument)) for instrument in fold.screen.new_instruments]
    fold.screen.new_instruments.clear()
    for row in panes.changed.nonzero()[0].tolist():
        found.append(codec.instrument_row(panes.instruments[row], int(panes.as_of[row]), int(panes.newest_ms[row])))
    lines, gone = fold.settle()
    # So neighbours are alike, and what is left of them when compressed is little.
    order = np.argsort(lines.row << 32 | lines.band, kind="stable")
    found += entries.add(Lines(*(column.take(order, axis=0) for column in lines)))
    if panes.newest is not None:
        found += entries.expired(minutes_kept(panes.newest) * MINUTE - 1)
    empty = {int(panes.asset_of_row[row]) for row in gone}
    if empty:
        empty -= set(panes.asset_of_row[panes.filled_rows()].tolist())
    for row in sorted(row for asset in empty for row in panes.rows_of_asset[asset]):
        found.append((codec.instrument_row(panes.instruments[row], 0, 0)[0], None))
    return found


def identity_rows(fold: Fold) -> Rows:
    """Return entries of the identities accepted since the last flush, and tombstones of those that nobody asks for."""
    found, seen = Rows(), fold.screen.seen
    if fold.new_identities:
        identity, time_ms = (np.concatenate(column) for column in zip(*fold.new_identities, strict=True))
        for start in range(0, len(identity), ENTRY_MAX):
            chunk = identity[start : start + ENTRY_MAX], time_ms[start : start + ENTRY_MAX]
            found.append(codec.identities_row(seen.journal.number(int(chunk[1].max())), *chunk))
        fold.new_identities.clear()
    found += [(codec.entry_key(b"s", number), None) for number in seen.forget(fold.screen.repeats_until())]
    return found


def hour_rows(baseline: Baseline, instruments: list[Instrument]) -> Rows:
    """Return the rows of the days in which an hour has closed."""
    found = Rows()
    for row, day in sorted(baseline.changed):
        hours, first = baseline.day(row, day), baseline.first_hour.get(row)
        kept = first is not None and (bool(hours) or first // 24 == day)
        value = codec.hours_row(first or 0, hours) if kept else None
        found.append((codec.hours_key(instruments[row], day), value))
    baseline.changed.clear()
    return found


def cascade_rows(
    machines: dict[tuple[Scope, str, int], Machine],
    changed: set[tuple[Scope, str, int]],
    names: Mapping[tuple[Scope, str], Instrument],
) -> Rows:
    """Return the rows of the cascades that have changed."""
    found = Rows()
    for scope, key, side in sorted(changed):
        machine = machines[scope, key, side]
        state = machine.state.to_json() if machine.state else None
        content = {"state": state, "closed_until": machine.closed_until_ms, "of": names.get((scope, key))}
        if state is not None:
            # Beside the state: a version that does not know it would stumble over it there.
            content["assets_count"] = state.pop("assets_count")
        found.append((codec.cascade_key(scope, key, side), codec.json_row(content)))
    changed.clear()
    return found


def forgotten_cascades(machines: dict[tuple[Scope, str, int], Machine], clock_ms: int | None) -> Rows:
    """Forget what closed so long ago that no record can come from before it, and return the tombstones.

    Records are measured while their minute is remembered, which may begin a minute before the 24 h.
    """
    limit = (clock_ms or 0) - DAY_MS - MINUTE_MS
    gone = [name for name, machine in machines.items() if machine.state is None and machine.closed_until_ms < limit]
    for name in gone:
        del machines[name]
    return [(codec.cascade_key(*name), None) for name in gone]


def machine_of(content: dict[str, Any]) -> Machine:
    """Return a machine from its row."""
    state = content["state"]
    found = CascadeState(**state, assets_count=content.get("assets_count")) if state else None
    return Machine(found, content["closed_until"])


def restore_assets(breadth: Breadth, entries: Entries[AssetCells], rows: Mapping[bytes, bytes], closed: int) -> None:
    """Take up an hour of assets; the first versions have left none."""
    for key, value in sorted(rows.items()):
        if key[:1] == ASSETS:
            names, cells = codec.parse_assets(value)
            entries.restore(key, cells)
            breadth.resume(names, in_order_of_time([cells]), closed)


def restore_grown(market: Market, entries: Entries[Cells], rows: Mapping[bytes, bytes]) -> Cells:
    """Return what stage 2 has heard of exchanges, as ``Market.take`` returns it."""
    parts = []
    for key, value in sorted(rows.items()):
        if key[:1] == GROWN:
            names, cells = codec.parse_growth(value)
            entries.restore(key, cells)
            parts.append(rows_of_market(market, names, cells))
    return joined(parts)


def rows_of_market(market: Market, names: list[str], cells: Cells) -> Cells:
    """Return cells with the market's rows in place of numbers in a list of names."""
    row = np.array([market.row(name) for name in names], np.int64)[cells.slot >> 1]
    return cells._replace(slot=row * 2 + cells.slot % 2)


def restore(fold: Fold, entries: Entries[Lines], rows: Mapping[bytes, bytes], clock_ms: int | None) -> None:
    """Take up a partition's state."""
    if clock_ms is None:
        return
    kinds: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for key, value in sorted(rows.items()):
        kinds.setdefault(key[:1], []).append((key, value))
    fold.screen.clock_ms = clock_ms
    _restore_panes(fold, kinds, entries, clock_ms // 1000)
    for key, value in kinds.get(b"r", []):
        instrument, as_of, newest_ms = codec.parse_instrument_row(key, value)
        row = fold.panes.row(instrument)
        fold.panes.as_of[row], fold.panes.newest_ms[row] = as_of, newest_ms
        clocks = fold.screen.asset_clock_ms
        clocks[instrument.asset] = max(newest_ms, clocks.get(instrument.asset, newest_ms))
    restore_hours(fold.baseline, fold.panes, kinds.get(b"h", []), clock_ms - fold.rule.screen.lateness_ms)
    for key, value in kinds.get(b"s", []):
        fold.screen.seen.restore(*codec.parse_identities(key, value))
    for key, value in kinds.get(b"c", []):
        scope, name, side = codec.parse_cascade_key(key)
        content = codec.parse_json(value)
        row = fold.panes.row(Instrument(*content["of"]))
        machine = machine_of(content)
        fold.follower.restore((Scope(scope), name, side), machine, int(fold.panes.asset_of_row[row]), row)


def _restore_panes(
    fold: Fold, kinds: Mapping[bytes, list[tuple[bytes, bytes]]], entries: Entries[Lines], newest: int
) -> None:
    """Open the instruments in the order of their numbers and add their cells; nothing has changed by it."""
    panes = fold.panes
    for instrument, row in sorted((codec.parse_known(*each) for each in kinds.get(b"i", [])), key=itemgetter(1)):
        assert row == panes.row(instrument), instrument
        fold.screen.know([instrument])
    panes.advance(newest)
    parts: list[Cells] = []
    for key, value in kinds.get(CELLS, []):
        lines = codec.parse_cells(value)
        entries.restore(key, lines)
        parts.append(_cells(panes, lines, newest))
        if sum(len(each.slot) for each in parts) > RESTORED_MAX:
            parts = [joined(parts)]
    old = [_cells(panes, lines, newest) for lines in older.lines(kinds, newest)]
    if old:
        fold.write_again(joined(old))
        entries.replace(older.keys(kinds))
    found = joined(parts + old)
    late = found.second < seconds_kept(newest)
    panes.add(where(found, late), minutes=True)
    panes.add(where(found, ~late))
    panes.take_changed()


def _cells(panes: Panes, lines: Lines, newest: int) -> Cells:
    """Return what is still remembered of some lines, as it is remembered: by the second or by the minute."""
    second = np.where(lines.second < seconds_kept(newest), lines.second - lines.second % MINUTE, lines.second)
    cells = Cells(panes.slots(lines.row, lines.band), second, lines.sums, lines.largest)
    return where(cells, second >= minutes_kept(newest) * MINUTE)


def restore_hours(baseline: Baseline, panes: Panes, found: list[tuple[bytes, bytes]], watermark_ms: int) -> None:
    """Take up the closed hours."""
    for key, value in found:
        instrument, _ = codec.parse_hours_key(key)
        row = panes.row(instrument)
        baseline.first_hour[row], hours = codec.parse_hours(value)
        baseline.totals.setdefault(row, {}).update(hours)
    baseline.open_hour = watermark_ms // HOUR_MS
