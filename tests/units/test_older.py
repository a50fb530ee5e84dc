"""A worker takes up what a worker of the first format has left, to the last figure, and writes it anew at once."""

from __future__ import annotations

from streams.codec import rows as codec
from streams.core.cells import Cells, joined, part, where
from streams.core.windows import MINUTE
from tests.codec import older
from tests.fuzz import session
from tests.simulation.test_growth import feed

HOURS = 30
FIRST = {b"p", b"q", b"m"}


def as_the_first_would_have_it(found):
    """Replace rows of cells by those of the first format; return both changelogs."""
    panes, rows = found.shard.fold.panes, dict(found.rows)
    lines = {number: list(panes.lines(store)) for number, store in enumerate(stores(panes))}
    for key in [key for key in rows if key[:1] == b"d"]:
        del rows[key]
    for number, (kind, columns) in enumerate(((b"q", lines[0]), (b"p", lines[1]))):
        rows[codec.entry_key(kind, number)] = older.cells_row(older.lines_of(columns))
    # An entry by the second that is not gone yet may have seconds that are among the minutes already.
    rows[codec.entry_key(b"p", 7)] = older.cells_row(older.lines_of(lines[0]))
    rows[codec.COMMIT] = b"\x01" + rows[codec.COMMIT][1:]

    market, market_rows = found.exchanges.market, dict(found.market_rows)
    for key in [key for key in market_rows if key[:1] == b"g"]:
        del market_rows[key]
    names = [instrument.exchange for instrument in market.told.instruments]
    held = []
    for timely, (at, waiting) in enumerate(
        ((market.told, market._told_waiting), (market.decided, market._decided_waiting))
    ):
        cells = joined(at.between(0, 1 << 40) + waiting.between(0, 1 << 40))
        held.append(cells._replace(slot=cells.slot * 2 + timely))
    every = joined(held)
    for minute in sorted(set((every.second // MINUTE).tolist())):
        mine = where(every, every.second // MINUTE == minute)
        for at in range(0, len(mine.slot), 5):
            key = b"m" + minute.to_bytes(4, "big") + (bytes([at // 5]) if at else b"")
            market_rows[key] = codec.growth_row(names, part(mine, at, at + 5))
    market_rows[codec.COMMIT] = b"\x01" + market_rows[codec.COMMIT][1:]
    return rows, market_rows


def stores(panes):
    return [joined(store.between(0, 1 << 40)) for store in (panes._minutes, panes._seconds)]


def lived():
    found = session.Session()
    for number in range(HOURS):
        feed(found, number)
    return found


def test_what_the_first_format_kept_goes_on_as_if_nothing_had_been():
    here, there = lived(), lived()
    there.rows, there.market_rows = as_the_first_would_have_it(there)
    for found in (here, there):
        found.restart()
    assert FIRST <= {key[:1] for key in there.rows | there.market_rows}

    for number in range(HOURS, HOURS + 3):
        said = []
        for found in (here, there):
            feed(found, number)
            market = found.exchanges.market
            panes = (found.shard.fold.panes, market.told, market.decided)
            said.append([all_of(each) for each in panes])
            found.restart()
        assert said[0] == said[1]
        assert not FIRST & {key[:1] for key in there.rows | there.market_rows}


def all_of(panes):
    """Sums and largest of each row in each window, when it changed, and its cells; whichever number it has."""
    totals = panes.totals([[row] for row in range(len(panes.instruments))])
    lines = [older.lines_of(panes.lines(Cells(*store))) for store in stores(panes)]
    return {
        instrument: (
            totals.sums[:, row].tolist(),
            totals.largest[:, row].tolist(),
            int(panes.as_of[row]),
            [sorted(line[1:] for line in each if line[0] == row) for each in lines],
        )
        for row, instrument in enumerate(panes.instruments)
    }
