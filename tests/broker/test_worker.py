"""A real worker on a real Kafka, killed in the middle of things, says what the oracle says of the same log."""

from __future__ import annotations

import os
import random
import time

import pytest
from confluent_kafka import Producer

from streams.codec.encode import Encoder
from streams.core.events import Scope
from streams.core.screen import ScreenRule
from streams.registries import file_registry
from streams.settings import Settings
from tests.broker.worker import Worker, compacted, read_topic
from tests.simulation import generate, oracle
from tests.simulation.test_units import covered, known, told

FLOORS = {"instrument": 150_000, "asset": 200_000, "exchange": 400_000, "market": 500_000}
KILLS = int(os.environ.get("STREAMS_CHAOS_KILLS", "3"))
SEEDS = int(os.environ.get("STREAMS_CHAOS_SEEDS", "1"))
SEED = int(os.environ.get("STREAMS_CHAOS_SEED", "4"))


def write(broker, topic, logs, chance):
    """Write logs in pieces, so that the worker reads while they grow."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 0})
    left = [(number, record) for number, log in enumerate(logs) for record in log]
    left.sort(key=lambda each: each[1].offset)
    while left:
        count = chance.choice([10, 50, 300])
        piece, left = left[:count], left[count:]
        for number, record in piece:
            producer.produce(topic, record.value, record.key, number)
        producer.flush()
        yield


def renumbered(logs):
    """Real offsets have no gaps here, and the broker puts its own time on each record."""
    now = int(time.time() * 1000)
    return [[record._replace(offset=at, timestamp=now) for at, record in enumerate(log)] for log in logs]


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
def test_a_worker_that_is_killed_again_and_again_ends_with_the_numbers_of_the_oracle(own_kafka, tmp_path, seed):
    chance = random.Random(seed)
    logs = generate.logs(seed, records_max=1_500)
    partitions = len(logs.liquidations)
    own_kafka.create_topics(partitions=partitions, app_id="chaos")
    settings = {f"cascade_{scope}_floor_usd": floor for scope, floor in FLOORS.items()}
    settings |= {"transaction_timeout_ms": 3_000, "session_timeout_ms": 6_000, "flush_interval_ms": 50}
    worker = Worker(own_kafka, "chaos", tmp_path, idle_timeout_ms=0, **settings)
    liquidations = renumbered(logs.liquidations)
    pieces = write(own_kafka, "liquidations", liquidations, chance)

    # A partition that is empty when the worker first looks is one that nobody waits for: each has a record by then.
    next(pieces)
    for _ in range(KILLS):
        worker.start()
        worker.wait_until_ready()
        next(pieces, None)
        time.sleep(chance.uniform(0.0, 1.0))
        worker.kill()
    for _ in pieces:
        pass
    with worker:
        worker.wait_until_caught_up()
        assert worker.stop() == 0

    rules = Settings(**{f"cascade_{scope}": {"floor_usd": floor} for scope, floor in FLOORS.items()})
    by_scope = {scope: getattr(rules, f"cascade_{scope.lower()}").rule() for scope in Scope}
    outcome = oracle.run(liquidations, [[] for _ in liquidations], ScreenRule(), by_scope)
    rows = {key: covered(key, row, outcome) for key, row in outcome.rows.items()}
    letters = [record for _, record in read_topic(own_kafka, "dead-letters")]
    assert sorted(outcome.dead) == sorted((r["reason"], r["topic"], r["partition"], r["offset"]) for r in letters)
    assert known(rows, outcome) == known(compacted(read_topic(own_kafka, "liquidation-windows")), outcome)
    assert told(outcome.cascades) == told([record for _, record in read_topic(own_kafka, "cascades")])
    assert outcome.cascades, "a log without a cascade shows nothing"


def test_funding_at_thirty_times_the_base_rate_is_a_crowded_long_on_its_topic(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=1, app_id="crowd")
    encoder = Encoder(file_registry().writers())
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap})
    for number in range(12):
        at = 1_700_000_000_000 + number * 8 * 3_600_000
        record = {
            "exchange": "binance", "symbol": "BTCUSDT", "asset": "BTC", "funding_rate": 0.003,
            "funding_interval_hours": 8.0, "next_funding_time": None, "predicted_rate": None,
            "mark_price": None, "open_interest_usd": None,
            "event_time": at, "ingest_time": at,
        }  # fmt: skip
        producer.produce("funding", encoder.encode("funding", record), b"BTC", 0)
    producer.flush()

    with Worker(own_kafka, "crowd", tmp_path, idle_timeout_ms=0) as worker:
        worker.wait_until_caught_up()
        worker.stop()

    found = [record for _, record in read_topic(own_kafka, "crowded-longs")]
    assert {("ASSET", "BTC", "STARTED"), ("INSTRUMENT", "binance|BTCUSDT", "STARTED")} <= {
        (record["scope"], record["key"], record["phase"]) for record in found
    }


def test_a_topic_that_nobody_can_read_stops_the_worker_with_a_sentence(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=1, app_id="wrong")
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap})
    for number in range(50):
        producer.produce("liquidations", b"%d is not Avro" % number, b"BTC", 0)
    producer.flush()
    worker = Worker(own_kafka, "wrong", tmp_path, undecodable_run_max=20).start()

    assert worker.process.wait(60) == 1

    assert "could not be read: is this the right topic" in " ".join(worker.log_tail(200).split())
    assert len(read_topic(own_kafka, "dead-letters")) == 50
