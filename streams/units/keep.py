"""The fold of one partition as state rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streams.codec import rows as codec
from streams.core.baseline import HOUR_MS, Baseline
from streams.core.cascade import CascadeState
from streams.core.cells import Lines, gather
from streams.core.events import Instrument, Scope
from streams.core.fold import Fold
from streams.core.machine import Machine
from streams.core.panes import Panes
from streams.core.windows import DAY_MS

Rows = list[tuple[bytes, bytes | None]]
MINUTE_MS = 60_000


#: Identities in one row, 16 bytes each: a row must fit into a message.
IDENTITIES_MAX = 4_096


def pane_rows(fold: Fold) -> Rows:
    """Return the rows of the minutes and instruments that have changed."""
    panes, found = fold.panes, Rows()
    for minute, changed in sorted(fold.changed_minutes.items()):
        lines = panes.lines_of(minute)
        inside = np.isin(lines.row, list(changed))
        values = codec.pane_rows(Lines(*(column[inside] for column in lines)), panes.whole(minute))
        found += [(codec.pane_key(minute, panes.instruments[row]), value) for row, value in values.items()]
    for row in sorted(panes.changed):
        found.append(codec.instrument_row(panes.instruments[row], int(panes.as_of[row]), int(panes.newest_ms[row])))
    return found


def known_rows(fold: Fold) -> Rows:
    """Return a row for each instrument that was never seen before: the limit on instruments counts them for ever."""
    found: Rows = [codec.known_row(instrument) for instrument in fold.screen.new_instruments]
    fold.screen.new_instruments.clear()
    return found


def expired_rows(panes: Panes) -> Rows:
    """Let the panes forget what has left every window, and return the tombstones.

    ``as_of`` of an instrument is kept while anything of its asset is: it may be the asset's.
    """
    found = Rows()
    gone: set[int] = set()
    for minute, rows in panes.settle():
        gone |= rows
        found += [(codec.pane_key(minute, panes.instruments[row]), None) for row in sorted(rows)]
    empty = {int(panes.asset_of_row[row]) for row in gone}
    if empty:
        empty -= {int(panes.asset_of_row[row]) for row in panes.filled_rows()}
    for row in sorted(row for asset in empty for row in panes.rows_of_asset[asset]):
        found.append((codec.instrument_row(panes.instruments[row], 0, 0)[0], None))
    return found


def identity_rows(fold: Fold) -> Rows:
    """Return one row of the identities accepted since the last flush, and tombstones of those that nobody asks for."""
    found = Rows()
    if fold.new_identities:
        identity, time_ms = (np.concatenate(column) for column in zip(*fold.new_identities, strict=True))
        for start in range(0, len(identity), IDENTITIES_MAX):
            chunk = identity[start : start + IDENTITIES_MAX], time_ms[start : start + IDENTITIES_MAX]
            found.append(codec.identities_row(fold.screen.seen.add_chunk(*chunk), *chunk))
        fold.new_identities.clear()
    none = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for number in fold.screen.seen.forget(fold.screen.repeats_until()):
        found.append((codec.identities_row(number, *none)[0], None))
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
    return Machine(CascadeState(**state) if state else None, content["closed_until"])


def on_time_rows(fold: Fold) -> Rows:
    """Return the rows of the on-time minutes that have changed, and tombstones of what is over an hour old."""
    timely, found = fold.on_time, Rows()
    for exchange, minute in sorted(timely.changed):
        found.append((codec.on_time_key(exchange, minute), codec.on_time_row(timely.minutes[exchange, minute])))
    timely.changed.clear()
    found += [(codec.on_time_key(*key), None) for key in timely.forget_before(fold.panes.first_second_minute())]
    return found


def restore(fold: Fold, rows: Mapping[bytes, bytes], clock_ms: int | None) -> None:
    """Take up a partition's state."""
    if clock_ms is None:
        return
    kinds: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for key, value in sorted(rows.items()):
        kinds.setdefault(key[:1], []).append((key, value))
    fold.screen.clock_ms = clock_ms
    restore_panes(fold.panes, kinds.get(b"p", []), clock_ms // 1000)
    for key, value in kinds.get(b"r", []):
        instrument, as_of, newest_ms = codec.parse_instrument_row(key, value)
        row = fold.panes.row(instrument)
        fold.panes.as_of[row], fold.panes.newest_ms[row] = as_of, newest_ms
        clocks = fold.screen.asset_clock_ms
        clocks[instrument.asset] = max(newest_ms, clocks.get(instrument.asset, newest_ms))
    restore_hours(fold.baseline, fold.panes, kinds.get(b"h", []), clock_ms - fold.rule.screen.lateness_ms)
    for key, value in kinds.get(b"o", []):
        fold.on_time.minutes[codec.parse_on_time_key(key)] = codec.parse_on_time(value)
    for key, value in kinds.get(b"s", []):
        fold.screen.seen.restore(*codec.parse_identities(key, value))
    for key, value in kinds.get(b"c", []):
        scope, name, side = codec.parse_cascade_key(key)
        content = codec.parse_json(value)
        row = fold.panes.row(Instrument(*content["of"]))
        machine = machine_of(content)
        fold.follower.restore((Scope(scope), name, side), machine, int(fold.panes.asset_of_row[row]), row)
    fold.screen.instruments = {codec.parse_known_key(key) for key, _ in kinds.get(b"i", [])}


def restore_panes(panes: Panes, found: list[tuple[bytes, bytes]], newest: int) -> None:
    """Add the cells of pane rows at the newest pane; nothing has changed by it."""
    panes.advance(newest)
    parts = []
    for key, value in found:
        minute, instrument = codec.parse_pane_key(key)
        row = panes.row(instrument)
        second, band, sums, largest = codec.parse_pane(value)
        slot = panes.slots(np.full_like(band, row), band)
        parts.append((slot, minute * 60 + second, sums, largest))
    if parts:
        panes.add(gather(*(np.concatenate(column) for column in zip(*parts, strict=True))))
    panes.settle()
    panes.changed.clear()


def restore_hours(baseline: Baseline, panes: Panes, found: list[tuple[bytes, bytes]], watermark_ms: int) -> None:
    """Take up the closed hours."""
    for key, value in found:
        instrument, _ = codec.parse_hours_key(key)
        row = panes.row(instrument)
        baseline.first_hour[row], hours = codec.parse_hours(value)
        baseline.totals.setdefault(row, {}).update(hours)
    baseline.open_hour = watermark_ms // HOUR_MS
