"""What stage 2 says of a feed that has gone silent, and how that gets into its own messages."""

from __future__ import annotations

import numpy as np

from streams.codec import rows as codec
from streams.core.cascade import CascadeRule
from streams.core.cells import Cells
from streams.core.events import Scope
from streams.core.feeds import FeedRule
from streams.units.exchanges import Exchanges
from streams.units.shard import CASCADES, FEED_STATUS
from streams.units.to_market import SNAPSHOTS
from tests.simulation.generate import T0
from tests.simulation.records import Record, batch_of, encoder, reader
from tests.simulation.world import DESCRIBER

MINUTE = T0 // 60_000
RULE = FeedRule(least=2, days_least=0)


def unit():
    rules = {scope: CascadeRule(1_000_000 * 10**6, hour_min=1) for scope in Scope}
    return Exchanges(rules, 5_000, encoder(), DESCRIBER, feeds=RULE)


def alive(exchange, *minutes):
    return b"\x1fa" + exchange.encode(), codec.json_row([MINUTE + minute for minute in minutes])


def liquidated(exchange, minute, usd=1):
    sums, one = np.array([[usd * 10**6, 0, 1, 0]]), np.array([1])
    return b"\x1fg0", codec.growth_row([exchange], Cells(one, one * (MINUTE + minute) * 60 + 7, sums, sums[:, 0]))


def clock(minute):
    return b"\x1fw0", codec.watermark_row((MINUTE + minute) * 60_000 + 5_000, 1)


def handle(into, *messages):
    begin = into.next.get(SNAPSHOTS, 0)
    into.handle(batch_of(SNAPSHOTS, 0, [Record(begin + at, *message, 0) for at, message in enumerate(messages)]))
    return into.cut()


def said(flush, topic):
    return [reader().read(message.value) for message in flush.messages if message.topic == topic]


def test_a_silent_feed_is_said_once_with_its_coverage_and_back_when_it_is():
    exchanges = unit()
    quiet = handle(exchanges, liquidated("bybit", 0), alive("bybit", *range(6)), clock(6))
    back = handle(exchanges, alive("bybit", 6, 7), clock(7), liquidated("bybit", 7), clock(8), clock(9))

    assert [
        {
            "exchange": "bybit", "status": "SILENT", "coverage": "STALE",
            "event_time": (MINUTE + 4) * 60_000, "last_liquidation": T0 + 7_000,
            "detail": "No liquidation of Bybit in 3 minutes in which its other streams spoke; "
            "up to 2 are normal for it.",
        }
    ] == said(quiet, FEED_STATUS)  # fmt: skip
    assert [("OK", "FULL", (MINUTE + 8) * 60_000)] == [
        (each["status"], each["coverage"], each["event_time"]) for each in said(back, FEED_STATUS)
    ]
    assert frozenset() == exchanges.stale


def test_what_is_known_of_a_feed_survives_a_restart():
    exchanges, again = unit(), unit()
    rows = dict(handle(exchanges, liquidated("bybit", 0), alive("bybit", *range(6)), clock(6)).rows)
    again.restore({key: value for key, value in rows.items() if value is not None})

    assert exchanges.feeds.known == again.feeds.known
    assert frozenset({"bybit"}) == again.stale


def test_a_feed_that_is_forgotten_leaves_no_row():
    exchanges = unit()
    handle(exchanges, liquidated("bybit", 0), alive("bybit", *range(6)), clock(6))
    assert frozenset({"bybit"}) == exchanges.stale
    rows = dict(handle(exchanges, clock(15 * 1_440)).rows)

    assert (None, frozenset()) == (rows[b"ebybit"], exchanges.stale)


def test_an_exchange_without_a_public_feed_cannot_fall_silent():
    flush = handle(unit(), alive("hyperliquid", *range(60)), liquidated("bybit", 60), clock(61))

    assert [] == said(flush, FEED_STATUS)


def test_a_cascade_of_the_market_says_that_a_feed_in_it_is_stale():
    exchanges = unit()
    handle(exchanges, liquidated("bybit", 0), alive("bybit", *range(4)), clock(4))
    flush = handle(exchanges, liquidated("okx", 4, usd=2_000_000), clock(5))

    market = next(each for each in said(flush, CASCADES) if each["scope"] == "MARKET")
    assert {"bybit": "STALE", "okx": "SAMPLED"} == {each["exchange"]: each["coverage"] for each in market["exchanges"]}
    assert market["at_least"]


def test_coverage_does_not_hang_on_how_often_the_clock_was_told():
    messages = [
        liquidated("bybit", 0), liquidated("okx", 0, usd=2_000_000), liquidated("okx", 3, usd=8_000_000),
        liquidated("okx", 4, usd=32_000_000), alive("bybit", *range(70)),
    ]  # fmt: skip
    at_once, by_minute = unit(), unit()
    flushes = [[handle(at_once, *messages, clock(70))]]
    flushes.append([handle(by_minute, *messages), *(handle(by_minute, clock(minute)) for minute in range(1, 71))])
    coverage = [[coverage_of(each) for flush in run for each in said(flush, CASCADES)] for run in flushes]

    assert coverage[0] == coverage[1]
    assert ["FULL", "FULL", "STALE", "STALE", "STALE"] == [
        lines["bybit"] for scope, _, lines in coverage[0] if scope == "MARKET"
    ]


def coverage_of(cascade):
    lines = {each["exchange"]: each["coverage"] for each in cascade["exchanges"]}
    return cascade["scope"], cascade["phase"], lines
