"""What a unit keeps in its changelog: it stops growing, and is read by this version and the next."""

from __future__ import annotations

import pytest

from streams.codec import rows as codec
from streams.core.errors import Reason
from tests.codec.builders import avro, exchange_flow, funding, liquidation, open_interest, quote
from tests.fuzz import session
from tests.fuzz.inputs import Frame, batch
from tests.simulation.generate import HOUR, MINUTE, T0
from tests.simulation.records import encoder

DAYS = 34
NAMES = [("binance", "AUSDT", "A"), ("okx", "A-USDT", "A"), ("bybit", "BUSDT", "B"), ("okx", "B-USDT", "B")]


def hour(start, number):
    """An hour of four instruments: a liquidation each half hour, funding and quotes."""
    liquidations, others = [], []
    for step in range(2):
        for at, (exchange, symbol, asset) in enumerate(NAMES):
            time = start + step * 30 * MINUTE + at * 7_001
            named = {"exchange": exchange, "symbol": symbol, "asset": asset, "event_time": time, "ingest_time": time}
            price = 100.0 + (number * 7 + step) % 50
            record = liquidation(**named, price=price, quantity=500.0, liquidation_id=f"{time}")
            liquidations.append(Frame("liquidations", asset.encode(), avro(record), time + 50))
            if not step:
                others.append(Frame("funding", asset.encode(), avro(funding(**named), "funding"), time + 50))
            others.append(Frame("quotes", asset.encode(), avro(quote(**named), "quotes"), time + 50))
    return liquidations, others


def feed(found, number):
    """Let an hour pass and be flushed."""
    liquidations, others = hour(T0 + number * HOUR, number)
    found.feed("liquidations", liquidations)
    for topic in ("funding", "quotes"):
        found.feed(topic, [frame for frame in others if frame.topic == topic])
    found.flush({})


def live(rows):
    """Return how many rows and bytes a compacted changelog keeps, without commit row and hourly volatilities."""
    kept = {key: value for key, value in rows.items() if key != codec.COMMIT and not key.startswith(b"x|v|")}
    return len(kept), sum(len(key) + len(value) for key, value in kept.items())


def test_over_a_month_the_state_stops_growing():
    found = session.Session()
    days = []
    for number in range(DAYS * 24):
        feed(found, number)
        if number % 24 == 23:
            days.append((live(found.rows), live(found.market_rows)))

    # Day 8: the seven days of own normal are full, and the 24 h of everything else for long. What grows on is the
    # history of funding, 92 days of it: a number an hour and series, in few rows.
    (rows, size), (market_rows, market_size) = days[7]
    for (later_rows, later_size), market in days[8:]:
        assert later_rows <= 1.1 * rows  # entries: how many are alive depends on the minute
        assert later_size <= 1.05 * size
        assert market[0] <= market_rows
        assert market[1] <= 1.05 * market_size


def test_a_flood_of_new_symbols_is_refused_and_fills_no_memory():
    found, index = session.Session(), session.codecs().liquidations._instruments
    most = 0
    for first in range(0, 80_000, 4_000):
        numbers = range(first, first + 4_000)
        values = [encoder().encode("liquidations", liquidation(symbol=f"S{n}", liquidation_id=f"{n}")) for n in numbers]
        found.shard.handle(batch("liquidations", values, [b"BTC"] * 4_000, [T0 + 100] * 4_000, first))
        found.shard.cut()
        most = max(most, len(index.instruments))
    refused = found.shard.tally.refused["liquidations", Reason.TOO_MANY_INSTRUMENTS.value]
    fold = found.shard.fold

    assert session.INSTRUMENTS_MAX == len(fold.screen.instruments) == len(fold.panes.instruments)
    assert 80_000 - session.INSTRUMENTS_MAX == refused
    # The decoder begins its list of names anew beyond 65,536 of them.
    assert most <= 65_536 + 4_000
    assert len(index.instruments) < 20_000


def rows_of_all_kinds():
    found = session.Session()
    for number in range(30):
        feed(found, number)
    for at in (T0, T0 + 2 * HOUR):
        interest = open_interest(asset="A", event_time=at, ingest_time=at)
        flow = exchange_flow(asset="A", period_start=at - HOUR, period_end=at, event_time=at, ingest_time=at)
        for topic, record in (("open-interest", interest), ("exchange-flows", flow)):
            found.feed(topic, [Frame(topic, b"A", avro(record, topic), at + 50)])
    found.flush({})
    return found


def test_a_row_of_a_later_version_is_refused_by_name_whatever_it_holds():
    found = rows_of_all_kinds()
    kinds = {key[:3] if key[:1] in b"fx" else key[:1]: key for key in found.rows}
    market = {key[:1]: key for key in found.market_rows}
    assert set(b"\0 d h i n r s f|d f|r f|s x|f x|g x|i x|o x|q x|r x|s x|v".split()) == kinds.keys()
    for make, rows, chosen in ((session.shard, found.rows, kinds), (session.exchanges, found.market_rows, market)):
        for key in chosen.values():
            newer = rows | {key: bytes([codec.VERSION + 1]) + rows[key][1:]}
            with pytest.raises(ValueError, match=r"format|version|newer"):
                make().restore(newer)
        make().restore(rows)
