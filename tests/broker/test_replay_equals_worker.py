"""The same file through a real Kafka and a real worker says what the replay says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from rich.progress import Progress

from streams.codec.encode import Encoder
from streams.registries import file_registry
from streams.replay import run
from streams.replay.load import Loader
from streams.settings import Settings
from tests.broker.worker import Worker, compacted, read_topic
from tests.test_replay import T0, funding, jsonl, liquidation, stormy

CAPTURES = Path(__file__).parents[2].parent / "shared" / "data" / "binance-forceorder-small"
PARTITIONS = 4
#: Low enough that the captures, small as they are, have cascades in every scope.
FLOORS = {
    "cascade_instrument": {"floor_usd": 20_000},
    "cascade_asset": {"floor_usd": 20_000},
    "cascade_exchange": {"floor_usd": 50_000},
    "cascade_market": {"floor_usd": 50_000},
}
#: What other topics say, which no log orders against this one, and the sentence made of it.
LEFT_OUT = ("context", "aftermath", "headline")
CROWDED = ("crowded-longs", "crowded-shorts")


def generated(path):
    """A storm on three exchanges after four days of rates that crowd one asset, and what is refused of each."""
    rates = [0.003, 0.003, 0.003, 0.003, -0.003, -0.003]
    days = [
        funding(T0 + (day - 4) * 86_400_000, rate=rate, funding_interval_hours=24.0) for day, rate in enumerate(rates)
    ]
    bad = [funding(T0, rate=9.0), liquidation(T0, "bad", price=-1.0), liquidation(T0, "bad", symbol="a|b")]
    return jsonl(path, *days, *stormy(7), *bad)


def replayed(path, form, out):
    run(Settings(**FLOORS), [path], file_format=form, out=out, partitions=PARTITIONS)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    said = {line["topic"]: [] for line in lines}
    for line in lines:
        said[line["topic"]].append(line["record"])
    rows = {line["key"]: line["record"] for line in lines if line["topic"] == "liquidation-windows"}
    return rows, said


def produce(broker, path, form):
    """Write what the replay feeds, in its order, to the partitions that the key gives."""
    loader = Loader(PARTITIONS, Encoder(file_registry().writers()), print)
    with Progress(disable=True) as progress:
        loader.load({path: form}, progress)
    # Idempotent: the first request to a new topic may have to be sent again, and must not change the order.
    options = {"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True}
    producer = Producer(options)
    for fed in loader.in_order():
        producer.produce(fed.topic, fed.value, fed.key)
        producer.poll(0)
    producer.flush()
    loader.close()


def told(cascades):
    kept = [{name: value for name, value in each.items() if name not in LEFT_OUT} for each in cascades]
    return sorted(kept, key=lambda each: (each["cascade_id"], each["sequence"]))


def in_order(crowded):
    return sorted(crowded, key=lambda each: (each["crowded_id"], each["sequence"]))


def differing(ours, theirs):
    """Return the fields that differ by key, so that a failure can be read."""
    return {
        key: {
            name: (value, theirs[key].get(name)) for name, value in ours[key].items() if value != theirs[key].get(name)
        }
        for key in ours.keys() & theirs.keys()
        if ours[key] != theirs[key]
    }


@pytest.mark.parametrize("name", ["generated", "paulius_20250126_20250206", "neoparth_20250623_b"])
def test_a_file_through_kafka_and_the_worker_is_the_replay_of_that_file(own_kafka, tmp_path, name):
    path, form = CAPTURES / f"{name}.csv.gz", "binance-forceorder-csv"
    if name == "generated":
        path, form = generated(tmp_path / "generated.jsonl"), "jsonl"
    elif not path.exists():
        pytest.skip(f"needs the captures beside the repository: {path.name}")
    rows, said = replayed(path, form, tmp_path / "out.jsonl")
    own_kafka.create_topics(partitions=PARTITIONS, app_id="twin")
    produce(own_kafka, path, form)

    floors = {f"{scope}_floor_usd": floor["floor_usd"] for scope, floor in FLOORS.items()}
    with Worker(own_kafka, "twin", tmp_path, idle_timeout_ms=0, **floors) as worker:
        worker.wait_until_caught_up()
        worker.stop()

    def wrote(topic):
        return [record for _, record in read_topic(own_kafka, topic)]

    published = compacted(read_topic(own_kafka, "liquidation-windows"))
    assert {} == differing(rows, published)
    assert rows.keys() == published.keys()
    assert told(said["cascades"]) == told(wrote("cascades"))
    assert {"INSTRUMENT", "ASSET", "EXCHANGE", "MARKET"} == {each["scope"] for each in said["cascades"]}
    for topic in CROWDED:
        assert in_order(said.get(topic, [])) == in_order(wrote(topic))
    reasons = sorted(each["reason"] for each in wrote("dead-letters"))
    assert sorted(each["reason"] for each in said.get("dead-letters", [])) == reasons
    if name == "generated":
        assert ["above_ceiling", "impossible_number", "unusable_name"] == reasons
        assert {"STARTED", "ENDED"} <= {each["phase"] for each in said["crowded-longs"]}
