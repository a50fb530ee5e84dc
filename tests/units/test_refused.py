"""What a fold refuses is a dead letter with its reason, and is counted as one."""

from tests.codec.builders import T, avro, funding
from tests.fuzz import session
from tests.fuzz.inputs import batch


def test_funding_of_a_symbol_that_is_another_assets_is_a_dead_letter():
    shard = session.shard()
    said = [funding(symbol="PEPEUSDT", asset=asset) for asset in ("PEPE", "SHIB")]
    shard.handle(batch("funding", [avro(each, "funding") for each in said], [b"PEPE", b"SHIB"], [T, T], 7))

    assert shard.tally.refused == {("funding", "other_asset"): 1}
    assert [b"funding|0|8"] == [message.key for message in shard.cut().messages if message.topic == "dead-letters"]
    assert 1 == shard.tally.aggregated["funding"]
