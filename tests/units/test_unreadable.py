"""A wrong topic is told from bad luck by its own run of unreadable records, whatever comes beside it."""

from dataclasses import replace

import pytest

from streams.units.unit import WrongTopic
from tests.codec.builders import T, avro, liquidation, quote
from tests.fuzz import session
from tests.fuzz.inputs import batch


def fed(shard, topic, value, at):
    shard.handle(batch(topic, [value], [b"BTC"], [T], at))


def test_a_healthy_topic_does_not_hide_a_broken_one():
    shard = session.shard()
    shard.rule = replace(shard.rule, unreadable_run_max=3)
    for at in range(3):
        shard.check()
        fed(shard, "liquidations", b"?", at)
        fed(shard, "quotes", avro(quote(), "quotes"), at)

    with pytest.raises(WrongTopic, match="the last 3 records of liquidations 0 could not be read"):
        shard.check()


def test_two_topics_that_are_broken_a_little_are_not_one_that_is_broken():
    shard = session.shard()
    shard.rule = replace(shard.rule, unreadable_run_max=3)
    for at in range(2):
        fed(shard, "liquidations", b"?", at)
        fed(shard, "quotes", b"?", at)

    shard.check()


@pytest.mark.parametrize("change", [{"exchange": "Binance"}, {"symbol": "S" * 101}, {"symbol": "A|B"}])
def test_a_producer_that_spells_names_otherwise_is_no_wrong_topic(change):
    shard = session.shard()
    shard.rule = replace(shard.rule, unreadable_run_max=3)
    for at in range(4):
        fed(shard, "liquidations", avro(liquidation(**change)), at)

    shard.check()
    assert {("liquidations", "unusable_name"): 4} == shard.tally.refused
