"""What a dead letter says of the record that was refused, whoever refused it."""

import json

import pytest

from streams.codec import wire
from streams.codec.liquidations import LiquidationDecoder
from streams.core.errors import Reason
from streams.units.shard import DEAD_LETTERS, Codecs, Shard
from tests.codec.builders import T, avro, exchange_flow, funding, liquidation, open_interest, quote
from tests.fuzz import session
from tests.fuzz.inputs import batch, registry
from tests.simulation.records import encoder, reader
from tests.simulation.world import DESCRIBER

SYMBOLS = [{"symbol": f"S{number}"} for number in range(session.INSTRUMENTS_MAX + 1)]
OLD = {"event_time": T - 90_000_000, "liquidation_id": "old"}
MANY = Reason.TOO_MANY_INSTRUMENTS


def letters(shard):
    return [reader().read(message.value) for message in shard.cut().messages if message.topic == DEAD_LETTERS]


def handed(topic, values, shard=None):
    shard = shard or session.shard()
    shard.handle(batch(topic, values, [b"BTC"] * len(values), [T] * len(values)))
    return [(letter["reason"], letter["schema_id"]) for letter in letters(shard)]


@pytest.mark.parametrize(
    ("topic", "records", "reason", "schema_id"),
    [
        ("liquidations", [liquidation(), liquidation(**OLD)], Reason.TOO_OLD, 1),
        ("liquidations", [liquidation(**each) for each in SYMBOLS], MANY, 1),
        ("liquidations", [liquidation(), liquidation(price=-1.0)], Reason.IMPOSSIBLE_NUMBER, 1),
        ("funding", [funding(**each) for each in SYMBOLS], MANY, 2),
        ("open-interest", [open_interest(**each) for each in SYMBOLS], MANY, 3),
        ("quotes", [quote(**each) for each in SYMBOLS], MANY, 4),
        ("exchange-flows", [exchange_flow(exchange=each["symbol"].lower()) for each in SYMBOLS], MANY, 5),
    ],
)
def test_it_has_the_schema_id_of_its_value_also_when_it_was_refused_after_it_was_decoded(
    topic, records, reason, schema_id
):
    assert [(reason, schema_id)] == handed(topic, [avro(record, topic) for record in records])


def test_it_has_the_id_that_the_value_names_and_not_that_of_the_topic():
    values = [avro(liquidation()), avro(liquidation(**OLD), schema_id=63, writer=registry().schema(63))]

    assert [(Reason.TOO_OLD, 63)] == handed("liquidations", values)
    assert [(Reason.UNKNOWN_SCHEMA, 99)] == handed("liquidations", [wire.header(99)])


def test_it_has_none_where_the_value_has_no_header_and_none_of_json():
    decoder = LiquidationDecoder(registry(), value_format="json")
    of_json = Shard(0, 1, session.rules()[1], Codecs(decoder, {}, encoder()), DESCRIBER)
    values = [json.dumps(liquidation()).encode(), json.dumps(liquidation(**OLD)).encode(), avro(liquidation())]

    assert [(Reason.UNDECODABLE, None)] * 2 == handed("liquidations", [b"?", None])
    assert [(Reason.TOO_OLD, None), (Reason.UNDECODABLE, None)] == handed("liquidations", values, of_json)
