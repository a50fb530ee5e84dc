"""What is accepted may be as far out as it likes: no sentence and no encoder fails at it."""

import json
from itertools import product

import pytest

from streams.codec.encode import Encoder
from streams.core.events import Scope
from streams.units.exchanges import Exchanges
from streams.units.shard import CASCADES, DEAD_LETTERS, Codecs, Shard
from streams.units.to_market import SNAPSHOTS
from tests.codec.builders import T, avro, exchange_flow, funding, liquidation, open_interest, quote
from tests.fuzz import session
from tests.fuzz.inputs import batch
from tests.simulation.records import registry
from tests.simulation.world import DESCRIBER

MINUTE = 60_000
LOW, HIGH = 1e-18, 1e18


class Job:
    """Both stages, with encoders that take no number which is none."""

    def __init__(self):
        by_scope, rule = session.rules()
        encoder = Encoder(registry().writers(), "json")
        self.shard = Shard(
            0, 1, rule, Codecs(session.codecs().liquidations, session.codecs().records, encoder), DESCRIBER
        )
        self.exchanges = Exchanges(by_scope, rule.fold.screen.market_lateness_ms, encoder, DESCRIBER)
        self.messages = []

    def feed(self, topic, *records):
        values = [avro(record, topic) for record in records]
        keys = [record["asset"].encode() for record in records]
        stamps = [record["event_time"] + 100 for record in records]
        self.shard.handle(batch(topic, values, keys, stamps, self.shard.next.get(topic, 0)))

    def flush(self):
        found = self.shard.cut().messages
        reports = [message for message in found if message.topic == SNAPSHOTS]
        keys, values = [each.key for each in reports], [each.value for each in reports]
        self.exchanges.handle(batch(SNAPSHOTS, values, keys, [0] * len(keys)))
        self.messages += found + self.exchanges.cut().messages


def at(time_ms, **fields):
    return {"event_time": time_ms, "ingest_time": time_ms, **fields}


def sale(time_ms, price, usd, side, asset="BTC"):
    record = liquidation(price=price, quantity=usd / price, position_side=side, symbol=f"{asset}USDT", asset=asset)
    return record | at(time_ms, liquidation_id=str(time_ms))


def story(job, before, after, side):
    rule = session.rules()[0][Scope.INSTRUMENT]
    bar = rule.hour_min * rule.floor_micro_usd / 1e6
    job.feed("funding", funding(**at(T - MINUTE), funding_rate=1.0, funding_interval_hours=1e-3, open_interest_usd=LOW))
    job.feed(
        "exchange-flows",
        exchange_flow(**at(T - MINUTE), inflow=HIGH, period_start=T - MINUTE - 1, period_end=T - MINUTE),
    )
    job.feed("open-interest", interest(T - MINUTE, before))
    job.feed("quotes", *(both_sides(T - k * MINUTE, before) for k in range(1_440, 0, -1)))
    # A dollar carries it over the bar, so that any price may be the first.
    job.feed("liquidations", sale(T, 100.0, bar - 0.5, side), sale(T + 1, before, 1.0, side))
    job.feed("liquidations", *(sale(T + 2, 100.0, 3 * bar, side, asset) for asset in ("ETH", "SOL", "XRP")))
    job.feed("open-interest", interest(T + 500, after))
    job.feed("liquidations", sale(T + 1_000, 100.0, 9 * bar, side), sale(T + 1_001, after, 1.0, side))
    job.feed("quotes", *(both_sides(T + k * MINUTE, before if k % 3 else after) for k in range(64) if k % 3 < 2))
    job.feed("open-interest", interest(T + 60 * MINUTE, after))
    job.flush()
    job.shard.idle(6 * 60 * MINUTE)
    job.flush()


def interest(time_ms, coins):
    return open_interest(**at(time_ms), open_interest=coins, open_interest_usd=None)


def both_sides(time_ms, price):
    ask = min(price * (2 if int(time_ms / MINUTE) % 7 else 1), HIGH)
    return quote(**at(time_ms), bid_price=price, ask_price=ask, mark_price=None)


@pytest.mark.parametrize(("before", "after"), list(product((LOW, 1.0, HIGH), repeat=2)))
@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_whatever_is_accepted_can_be_said(before, after, side):
    job = Job()
    story(job, before, after, side)

    told = [json.loads(message.value) for message in job.messages if message.topic == CASCADES]
    assert [] == [message.value for message in job.messages if message.topic == DEAD_LETTERS]
    assert set(product(Scope, ("ONSET", "SUBSIDED"))) <= {(record["scope"], record["phase"]) for record in told}
