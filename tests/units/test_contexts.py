"""An onset is told what was known before it: never what came later, and the same after a restart."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from streams.codec import rows as codec
from streams.core.cascade import CascadeRule
from streams.core.cells import Cells
from streams.core.context_rule import ContextRule
from streams.core.describe import aftermath_record, context_record
from streams.core.events import Scope
from streams.units.contexts import Contexts, after
from streams.units.exchanges import Exchanges
from streams.units.shard import CASCADES
from streams.units.to_market import SNAPSHOTS
from tests.codec.builders import T, avro, funding, liquidation
from tests.fuzz import session
from tests.fuzz.inputs import batch
from tests.simulation.generate import T0
from tests.simulation.records import Record, batch_of, encoder, reader
from tests.simulation.world import DESCRIBER

MINUTE = 60_000
RULES = {scope: CascadeRule(1_000_000_000, hour_min=1) for scope in Scope}


def side(asset, at, *, funding=None, interest=None, interest_ms=-1, spread=None, crowded=None):
    known = {"at_ms": at, "volatility": None, "spread_multiple": spread, "spread_median": None, "inflow": None}
    known["open_interest"] = interest or {}
    reading = None if funding is None else [funding, None, 0]
    times = dict.fromkeys(known["open_interest"], interest_ms)
    return {"asset": asset, "known": known, "funding": reading, "crowded": crowded, "interest_ms": times}


def moment(asset, at, usd=(1, 0), **around):
    return {"at": at, "usd": list(usd), "LONG": side(asset, at, **around), "SHORT": side(asset, at, **around)}


def heard(*moments):
    contexts = Contexts()
    for asset, each in moments:
        contexts.hear(asset, each)
    return contexts


def test_what_is_asked_for_is_the_last_that_is_not_later():
    contexts = heard(*(("BTC", moment("BTC", T0 + at * MINUTE)) for at in (0, 2, 1)))

    assert [None, T0, T0 + MINUTE, T0 + 2 * MINUTE] == [
        found and found["at"] for found in (contexts.of("BTC", T0 + at) for at in (-1, 0, 2 * MINUTE - 1, 9 * MINUTE))
    ]
    assert contexts.of("ETH", T0) is None


def test_the_busiest_has_sold_something_on_that_side_and_equals_go_by_name():
    for order in (("BTC", "SOL"), ("SOL", "BTC")):
        contexts = heard(*((asset, moment(asset, T0, (5, 0))) for asset in order), ("ETH", moment("ETH", T0, (1, 7))))
        assert "BTC" == contexts.busiest(0, T0)["LONG"]["asset"]
        assert "ETH" == contexts.busiest(1, T0)["LONG"]["asset"]
    assert heard(("BTC", moment("BTC", T0, (5, 0)))).busiest(1, T0) is None
    assert heard(("BTC", moment("BTC", T0))).busiest(0, T0 + 15 * MINUTE + 1) is None


def test_what_nobody_can_ask_for_is_forgotten_and_what_waits_is_bounded():
    contexts = heard(*(("BTC", moment("BTC", T0 + at * MINUTE)) for at in range(1_000)))
    [(_, kept)] = contexts.take_changed()
    assert len(kept) <= 33
    assert (T0, T0 + 999 * MINUTE) == (kept[0]["at"], kept[-1]["at"])

    contexts.passed(T0 + 2_000 * MINUTE)
    [(_, kept)] = contexts.take_changed()
    assert [T0 + 999 * MINUTE] == [each["at"] for each in kept]


def test_moments_near_to_each_other_are_one():
    contexts = heard(*(("BTC", moment("BTC", T0 + at * 500)) for at in range(21)))
    [(_, kept)] = contexts.take_changed()

    assert [0, 4_500, 9_000, 10_000] == [each["at"] - T0 for each in kept]


class Market:
    """Stage 2, with what it says and its changelog."""

    def __init__(self, **context):
        self.rows, self.offset = {}, 0
        self.unit = Exchanges(RULES, 5_000, encoder(), replace(DESCRIBER, context=ContextRule(**context)))

    def hear(self, *messages):
        records = [Record(self.offset + at, *each, 0) for at, each in enumerate(messages)]
        self.unit.handle(batch_of(SNAPSHOTS, 0, records))
        self.offset += len(messages)

    def said(self, scope="MARKET"):
        flush = self.unit.cut()
        self.rows |= dict(flush.rows)
        records = [reader().read(each.value) for each in flush.messages if each.topic == CASCADES]
        return [record for record in records if record["scope"] == scope]

    def restart(self):
        self.unit = Exchanges(RULES, 5_000, encoder(), DESCRIBER)
        self.unit.restore({key: value for key, value in self.rows.items() if value is not None})


def context(asset, at, **around):
    return f"\x1fx{asset}".encode(), codec.json_row(moment(asset, at, **around))


def sold(at_ms, usd=2_000, exchange="okx"):
    sums = np.array([[usd * 1_000_000, 0, 1, 0]])
    cells = Cells(np.ones(1, np.int64), np.array([at_ms // 1000]), sums, sums[:, 0])
    return b"\x1fg0", codec.growth_row([exchange], cells)


def clock(at_ms):
    return b"\x1fw0", codec.watermark_row(at_ms, 1)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_market_that_catches_up_does_not_see_into_the_future(restarted):
    market = Market()
    market.hear(context("BTC", T0 - MINUTE, funding=0.1), context("BTC", T0 + 40 * MINUTE, funding=9.9), sold(T0))
    if restarted:
        market.said()
        market.restart()
    market.hear(clock(T0 + 41 * MINUTE))
    onset = market.said()[0]

    assert ("ONSET", T0) == (onset["phase"], onset["event_time"])
    assert 0.1 == onset["context"]["funding_rate_annualised"]["value"]
    assert "BTC" == onset["context"]["asset"]


@pytest.mark.parametrize("times", [(0, 1, 0), (1, 0), (0, 0), (5, 0, 1), (1, 5, 5, 0)])
def test_a_restart_finds_the_moments_that_there_were_in_whatever_order_they_came(times):
    market = Market()
    market.hear(*[context("BTC", T0 + minute * MINUTE, funding=float(at)) for at, minute in enumerate(times)])
    market.said()
    live = market.unit.contexts._of
    market.restart()

    assert live == market.unit.contexts._of


def test_what_was_known_only_afterwards_is_not_known():
    market = Market()
    market.hear(context("BTC", T0 + 2_000, funding=9.9), sold(T0), clock(T0 + 9 * MINUTE))

    assert market.said()[0]["context"]["funding_rate_annualised"] is None


@pytest.mark.parametrize(("interest_ms", "change"), [(T0 + 50 * MINUTE, -0.5), (T0 - 2 * MINUTE, None)])
def test_open_interest_that_was_not_heard_of_since_has_not_stayed_as_it_was(interest_ms, change):
    market = Market()
    market.hear(context("BTC", T0 - MINUTE, interest={"okx|B": 10.0}, interest_ms=T0 - 2 * MINUTE), sold(T0))
    market.hear(clock(T0 + MINUTE))
    now = 5.0 if change else 10.0
    market.hear(context("BTC", T0 + 60 * MINUTE, interest={"okx|B": now}, interest_ms=interest_ms))
    market.hear(clock(T0 + 70 * MINUTE))
    *_, ended = market.said()
    found = ended["context"]["open_interest_change"]

    assert "SUBSIDED" == ended["phase"]
    assert change == (found and found["value"])
    assert change == ended["aftermath"]["open_interest_change"]
    assert change is None or 10 * MINUTE <= found["age_ms"]


def test_an_instrument_that_has_fallen_silent_does_not_make_the_change_smaller():
    before, now = (side("BTC", T0 + at * MINUTE, interest={"okx|B": 10.0, "bybit|B": 10.0}) for at in (0, 60))
    now["known"]["open_interest"]["okx|B"] = 5.0
    now["interest_ms"] = {"okx|B": T0 + 59 * MINUTE, "bybit|B": T0 - MINUTE}

    assert -0.5 == after(before, now, T0 + 60 * MINUTE, ContextRule())["open_interest_change"]
    assert after(before, now, T0 + 120 * MINUTE, ContextRule())["open_interest_change"] is None


@pytest.mark.parametrize(("heard", "spread"), [(-1, None), (50, None), (59, 8.0)])
def test_what_came_after_is_what_was_heard_since_and_lately(heard, spread):
    market = Market()
    market.hear(context("BTC", T0 - MINUTE, spread=[1.0, None, 0]), sold(T0), clock(T0 + MINUTE))
    market.hear(context("BTC", T0 + heard * MINUTE, spread=[8.0, None, 0]), clock(T0 + 70 * MINUTE))
    *_, ended = market.said()

    assert ("SUBSIDED", T0 + 60 * MINUTE) == (ended["phase"], ended["event_time"])
    assert spread == (ended["aftermath"] and ended["aftermath"]["spread_multiple"])
    assert (ended["aftermath"] is None) == (heard < 0)


@pytest.mark.parametrize(("later", "age_ms"), [(4, 4 * MINUTE + 1_000), (5, None)])
def test_a_spread_that_was_heard_a_while_ago_is_as_old_as_that_and_then_none(later, age_ms):
    heard = side("BTC", T0, spread=[8.0, None, 1_000])
    found = context_record(heard, heard, T0 + later * MINUTE, ContextRule())["spread_multiple"]

    assert age_ms == (found and found["age_ms"])


@pytest.mark.parametrize(("minutes", "spread"), [(5, None), (21, 8.0)])
def test_how_old_a_spread_may_be_is_set(minutes, spread):
    market = Market(quote_age_ms_max=minutes * MINUTE)
    market.hear(context("BTC", T0 - MINUTE, spread=[1.0, None, 0]), sold(T0), clock(T0 + MINUTE))
    market.hear(context("BTC", T0 + 40 * MINUTE, spread=[8.0, None, 0]), clock(T0 + 70 * MINUTE))

    assert spread == market.said()[-1]["aftermath"]["spread_multiple"]


def test_whether_crowding_has_ended_is_not_known_without_a_rate():
    before = side("BTC", T0, funding=0.9, crowded=["EXTREME", T0 - MINUTE])

    assert aftermath_record(before, side("BTC", T0, funding=0.9), {})["crowding_ended"] is True
    assert aftermath_record(before, side("BTC", T0), {})["crowding_ended"] is None


def test_an_exchange_of_which_all_is_seen_still_is_a_lower_bound():
    market = Market()
    market.hear(sold(T0, exchange="bybit"), clock(T0 + MINUTE))
    onset = market.said("EXCHANGE")[0]

    assert [("bybit", "FULL")] == [(each["exchange"], each["coverage"]) for each in onset["exchanges"]]
    assert onset["at_least"], "what came too late for the market is not in it"


def test_an_asset_with_an_open_cascade_is_told_each_minute_though_another_has_more():
    shard = session.shard()

    def told_after(second, asset, usd):
        at = T + second * 1_000
        record = liquidation(asset=asset, symbol=asset, quantity=usd / 8e4, notional_usd=usd, event_time=at,
                             ingest_time=at, liquidation_id=str(second))  # fmt: skip
        shard.handle(batch("liquidations", [avro(record)], [asset.encode()], [at], shard.next.get("liquidations", 0)))
        keys = [message.key for message in shard.cut().messages if message.topic == SNAPSHOTS]
        return sorted(key[2:].decode() for key in keys if key[:2] == b"\x1fx")

    assert ["BTC", "BTC"] == told_after(0, "BTC", 3e7)  # announced, and the busiest
    assert ["SOL", "SOL"] == told_after(30, "SOL", 5e7)
    assert ["BTC", "SOL"] == told_after(60, "ETH", 1.0)
    assert ["SOL"] == told_after(61, "ETH", 1.0)
    assert ["BTC", "SOL", "SOL"] == told_after(120, "ETH", 1.0)


def test_what_is_told_of_an_announced_instrument_is_its_assets_quarter_of_an_hour():
    shard = session.shard()

    def told_after(second, *sold):
        """Return what is told of BTC at a second in which exchanges have sold so much of it."""
        records = [
            liquidation(exchange=name, quantity=usd / 8e4, notional_usd=usd, event_time=T + second * 1_000,
                        ingest_time=T + second * 1_000, liquidation_id=f"{second} {name}")
            for name, usd in sold
        ]  # fmt: skip
        shard.handle(batch("liquidations", list(map(avro, records)), [b"BTC"] * len(records),
                           [T + second * 1_000] * len(records), shard.next.get("liquidations", 0)))  # fmt: skip
        return [each["usd"][0] / 1e12 for _, each in shard.moments.take()]

    others = [(name, 1.0e6) for name in ("okx", "bitmex", "gate", "htx")]
    assert [7.0] == told_after(0, *others, ("bybit", 3.0e6))  # with its asset
    shard.moments._kept_ms.clear()
    assert [10.0] == told_after(1, ("okx", 3.0e6))  # the asset says nothing anew


def test_what_was_announced_is_told_though_nothing_has_grown_since():
    shard = session.shard()
    shard.moments._kept = [("BTC", {"at": T})]

    assert [b"\x1fxBTC"] == [message.key for message in shard.cut().messages if b"\x1fx" in message.key]


@pytest.mark.parametrize("restart", [None, 80])
def test_an_asset_is_told_in_silence_while_its_cascade_is_open_and_for_an_hour_after(restart):
    shard, rows, told = session.shard(), {}, []
    sale = avro(liquidation(quantity=400.0, notional_usd=32e6, event_time=T, ingest_time=T))
    shard.handle(batch("liquidations", [sale], [b"BTC"], [T], 0))
    for minute in range(1, 150):
        shard.idle(MINUTE)
        flush = shard.cut()
        rows |= dict(flush.rows)
        told += [minute] * any(b"\x1fxBTC" in message.key for message in flush.messages)
        if minute == restart:
            shard = session.shard()
            shard.restore({key: value for key, value in rows.items() if value is not None})

    assert list(range(1, 61)) == told[:60]
    assert all(1 <= later - before <= 4 for before, later in itertools.pairwise(told))
    assert 121 <= told[-1] <= 125


def test_rows_of_the_version_before_have_the_newest_moment_alone():
    market = Market()
    market.hear(context("BTC", T0 - MINUTE, funding=0.1), context("BTC", T0, funding=0.2), sold(T0))
    market.said()
    assert 0.2 == json.loads(market.rows[b"xBTC"][1:])["LONG"]["funding"][0]
    del market.rows[b"yBTC"]
    market.restart()
    market.hear(clock(T0 + MINUTE))

    assert 0.2 == market.said()[0]["context"]["funding_rate_annualised"]["value"]


def test_the_moment_of_an_onset_is_told_as_it_was_then_however_late_the_flush():
    shard = session.shard()
    days = [funding(event_time=T + day * 86_400_000, funding_rate=0.0001 + day * 0.001) for day in range(3)]
    for topic, record in (
        ("funding", days[0]),
        ("liquidations", liquidation(quantity=400.0, notional_usd=32e6, event_time=T + 1_000)),
        *(("funding", each) for each in days[1:]),
    ):
        stamp = record["ingest_time"] = record["event_time"] + 10
        shard.handle(batch(topic, [avro(record, topic)], [b"BTC"], [stamp], shard.next.get(topic, 0)))
    told = [(key, value) for topic, key, value, _ in shard.cut().messages if topic == SNAPSHOTS and b"\x1fx" in key]
    onset, now = [json.loads(value[1:]) for _, value in told]

    assert [T + 1_000, T + 1_000] == [onset["at"], now["at"]]
    assert [32_000_000_000_000, 0] == onset["usd"]
    assert 0.0001 * 3 * 365 == pytest.approx(onset["LONG"]["funding"][0])
    assert now["LONG"]["funding"] is None  # two days ahead of it


def test_an_exchange_of_the_markets_name_ends_its_cascade_after_a_restart():
    market = Market()
    market.hear(sold(T0, exchange="okx"), sold(T0, exchange="ALL"), clock(T0 + MINUTE))
    market.said()
    market.restart()
    market.hear(sold(T0 + 70 * MINUTE, usd=1), clock(T0 + 80 * MINUTE))

    assert "SUBSIDED" in [record["phase"] for record in market.said("EXCHANGE") if record["key"] == "ALL"]
