"""Sound inputs of each target, for a fuzzer to begin with, and words that it may put in."""

from __future__ import annotations

import json

from tests.codec.builders import T, avro, exchange_flow, funding, liquidation, open_interest, quote
from tests.fuzz.inputs import ASSETS, KINDS, framed, records, written
from tests.fuzz.targets import IDS, SHAPES, again

#: Claims of a gigabyte and more in a few bytes, numbers at the ends, broken text, dates at the ends of the range.
WORDS = [
    b"\x80\x80\x80\x80\x08", b"\xfe\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x01", b"\x00",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f", b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x01\x00\x00\x00\x00\x00\xf0\x7f",
    b"\xff\xff\xff\xff\xff\xff\xef\x7f", b"\x01\x00\x00\x00\x00\x00\x00\x00", b"\xc3\x28", b"\xed\xa0\x80", b"\x1f",
    b"|", b"1e999", b"NaN", b"Infinity", b'"\\ud800"', b"[[[[[[[[", b'{"a":{"a":{"a":', b"9" * 20, b"-0.0", b"null",
]  # fmt: skip


def columns() -> list[bytes]:
    found = []
    for at, number in enumerate(IDS):
        found += [bytes([at, 0]) + written(number, record)[5:] for record in records("liquidations")]
        found.append(bytes([at, 1]) + written(number, records("liquidations")[0]))
    return found


def reader() -> list[bytes]:
    values = [
        -(2**63), "text", b"bytes", 1.5, 2.5, True, 7, {"k": 1.0}, [None, b"x", [1, 2]], {"k": {"l": "m"}}, "B",
        b"1234567", {"a": [{"a": [None], "m": None}], "m": {"k": {"a": [], "m": None}}}, 5,
    ]  # fmt: skip
    found = [bytes([at]) + (again(at, value) or b"") for at, value in enumerate(values)]
    # A map whose name comes twice: what stood there first was no UTF-8, and nobody sees it.
    found.append(b"\x09" + b"\x02\x00\x02\x02\xfa\x00\x00" + b"\x02\x00\x00" + b"\x00")
    for at, number in enumerate(IDS, len(SHAPES) - len(IDS)):
        found += [bytes([at]) + written(number, record)[5:] for record in records("liquidations")]
    return found


def as_json() -> list[bytes]:
    return [bytes([at]) + json.dumps(record).encode() for at, topic in enumerate(KINDS) for record in records(topic)]


def units() -> list[bytes]:
    every = {topic: [avro(record, topic) for record in records(topic)] for topic in KINDS}
    mixed = b"".join(framed(topic, value) for topic in KINDS for value in every[topic][:2])
    single = [bytes([how]) + framed(topic, value) for topic in KINDS for value in every[topic] for how in (0, 255)]
    sales = [forced("LLLLLL"), forced("SSLSSS"), forced("LLLLLL", apart_ms=400_000)]
    stories = [*sales, *map(crowded, (8, 24, 740)), surrounded(), *map(strangers, KINDS), many_days()]
    stories += [silenced(), delisted(), fallen(), restless(), crowded_before(), outlived(), renamed()]
    return [*single, *(bytes([how]) + story for story in (mixed, *stories) for how in HOW)]


MINUTE, DAY = 60_000, 86_400_000
#: Records between two flushes in the low two bits; time without a record after each, a restart in the middle.
HOW = (0, 2, 3, 12, 45, 93, 158, 244, 247, 255)


def forced(sides: str, apart_ms: int = 1_500) -> bytes:
    """Return sales of $60M each, of three assets on two exchanges: cascades of every scope, from onset to end."""
    found = []
    for number, side in enumerate(sides * 2):
        at, exchange, price = number % 3, ("binance", "okx")[number % 2], 80_000.0 - 100 * number
        name = ASSETS[at].decode()
        record = liquidation(
            exchange=exchange, asset=name, symbol=name, price=price, quantity=6e7 / price, liquidation_id=str(number),
            position_side={"L": "LONG", "S": "SHORT"}[side], event_time=T + apart_ms * number, ingest_time=T + 10**8,
        )  # fmt: skip
        found.append(framed("liquidations", avro(record), key=at, stamp=7))
    return b"".join(found)


def crowded(hours: int) -> bytes:
    """Return high rates and what they were behind, so far apart: a position that is crowded, and no longer."""
    rates, step = [0.001, 0.002, 0.003] * 3 + [-0.002] * 3, hours * 3_600_000
    values = [
        funding(funding_rate=rate, event_time=T + step * number, next_funding_time=T + step * (number + 1))
        for number, rate in enumerate(rates)
    ]
    return story(*(("funding", each) for each in values))


def strangers(topic: str) -> bytes:
    """Return twelve records, each of another symbol and exchange: more than a partition takes."""
    return b"".join(
        framed(topic, avro(record, topic), stamp=7)
        for number in range(12)
        for record in [{**records(topic)[0], "symbol": f"BTC{number}", "exchange": f"x{number}"}]
    )


def surrounded() -> bytes:
    """Return open interest, quotes and flows with sales between them: a cascade with a context, and what was after."""
    before = [("open-interest", open_interest(event_time=T - 60 * MINUTE, ingest_time=T))]
    before += [("open-interest", open_interest(event_time=T - MINUTE, ingest_time=T, open_interest=99_000.0))]
    before += [("quotes", quote(event_time=T - at * MINUTE, ingest_time=T, mark_price=8e4 + at)) for at in (3, 2, 1)]
    before += [("exchange-flows", exchange_flow(period_start=T - 90 * MINUTE, period_end=T - 30 * MINUTE))]
    after = [("open-interest", open_interest(event_time=T + MINUTE, ingest_time=T + MINUTE, open_interest=50_000.0))]
    after += [("quotes", quote(event_time=T + MINUTE, ingest_time=T + MINUTE, bid_price=79_000.0))]
    sales = [
        liquidation(quantity=500.0, price=8e4 - second, liquidation_id=str(second), event_time=at, ingest_time=at)
        for second, at in ((second, T + 1_000 * second) for second in (1, 2, 3, 3_600))
    ]
    forced_ = [("liquidations", sale) for sale in sales]
    told = [*before, *forced_[:3], *after, forced_[3]]
    return b"".join(framed(topic, avro(record, topic), stamp=7) for topic, record in told)


def many_days() -> bytes:
    """Return one sale in each of twelve months: all that expires, expires."""
    times = [T + 31 * DAY * number for number in range(12)]
    sales = [liquidation(event_time=at, liquidation_id=str(at), quantity=100.0) for at in times]
    return story(*(("liquidations", each) for each in sales))


def story(*said: tuple[str, dict[str, object]]) -> bytes:
    """Return records, each ingested when it happened and under the key of its asset."""
    return b"".join(
        framed(topic, avro({**record, "ingest_time": record["event_time"]}, topic), key=key, stamp=7)
        for topic, record in said
        for key in [ASSETS.index(str(record["asset"]).encode())]
    )


def silenced() -> bytes:
    """Return a venue whose quotes go on without liquidations, and that is back: a feed silent, and well again."""
    quotes = [("quotes", quote(event_time=T + at * MINUTE)) for at in (1, 2, 3, 4, 5, 11, 12)]
    clock = [("liquidations", liquidation(exchange="okx", event_time=T + at * MINUTE)) for at in (9, 40)]
    sales = [("liquidations", liquidation(event_time=T + at * MINUTE, liquidation_id=str(at))) for at in (0, 11)]
    return story(sales[0], *quotes[:5], clock[0], quotes[5], sales[1], quotes[6], clock[1])


def delisted() -> bytes:
    """Return an asset that was crowded and of which nothing is heard for weeks in which another one speaks."""
    others = [
        funding(asset="ETH", symbol="ETH", event_time=T + at * DAY, next_funding_time=T + (at + 1) * DAY)
        for at in (4, 12, 20, 80)
    ]
    return story(*rising(), *(("funding", each) for each in others))


def rising() -> list[tuple[str, dict[str, object]]]:
    """Return three days of rates, each higher than the one before."""
    rates = [(T + DAY // 3 * number, 0.001 * (1 + number)) for number in range(8)]
    return [
        ("funding", funding(funding_rate=rate, event_time=at, next_funding_time=at + DAY // 3)) for at, rate in rates
    ]


def fallen() -> bytes:
    """Return a cascade between quotes that fall and come back."""
    prices = {0: 80_000.0, 1: 80_000.0, 2: 79_000.0, 3: 76_000.0, 63: 76_000.0, 64: 78_000.0, 65: 79_500.0}
    quotes = [
        ("quotes", quote(event_time=T + at * MINUTE, bid_price=price, ask_price=price + at + 1, mark_price=None))
        for at, price in prices.items()
    ]
    sales = [
        ("liquidations", liquidation(event_time=T + at, price=79_500.0, quantity=900.0, liquidation_id=str(at)))
        for at in (90_000, 91_000, 92_000, 310_000, 4_000_000)
    ]
    return story(*quotes[:2], *sales[:3], *quotes[2:], *sales[3:])


def restless() -> bytes:
    """Return three days of quotes that move more each day, and sales: a volatility with a rank."""
    quotes = [
        ("quotes", quote(event_time=T + day * DAY + at * MINUTE, mark_price=8e4 + at * day * 300))
        for day in range(3) for at in range(3)
    ]  # fmt: skip
    last = T + 2 * DAY + 2 * MINUTE
    sales = [
        ("liquidations", liquidation(event_time=last + 1_000 * at, quantity=900.0, liquidation_id=str(at)))
        for at in (1, 2, 3)
    ]
    return story(*quotes, *sales)


def crowded_before() -> bytes:
    """Return a crowded asset and its cascade, while its last rate holds."""
    onset = T + 3 * DAY - 120 * MINUTE
    sales = [
        ("liquidations", liquidation(event_time=onset + at, quantity=900.0, liquidation_id=str(at)))
        for at in (1_000, 2_000, 3_000, 4_000_000)
    ]
    return story(*rising(), *sales)


def outlived() -> bytes:
    """Return what surrounds an asset, again, too late, and of another asset when the first is long forgotten."""
    hour, later = 60 * MINUTE, T + 400 * DAY
    ends = ((T, "BTC"), (T, "BTC"), (T + hour, "BTC"), (T - 2 * DAY, "BTC"), (later, "ETH"), (T - 50 * DAY, "SOL"))
    flows = [
        ("exchange-flows", exchange_flow(asset=asset, period_start=at - hour, period_end=at, event_time=at))
        for at, asset in ends
    ]
    others = [
        (topic, make(asset=asset, symbol=asset, event_time=at))
        for topic, make in (("open-interest", open_interest), ("quotes", quote))
        for asset, at in (("BTC", T), ("BTC", T + hour), ("ETH", later))
    ]
    return story(*flows, *others)


def renamed() -> bytes:
    """Return records of one symbol under two assets."""
    return story(
        *(
            (topic, make(asset=asset, event_time=T + at))
            for topic, make in (("liquidations", liquidation), ("funding", funding), ("open-interest", open_interest))
            for at, asset in enumerate(("BTC", "ETH", "BTC"))
        )
    )


SEEDS = {"columns": columns, "reader": reader, "as_json": as_json, "units": units}
