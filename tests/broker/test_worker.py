"""A real worker on a real Kafka. What it does under fire is in ``test_torture.py``."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from streams.codec import rows as codec
from streams.codec.encode import Encoder
from streams.registries import file_registry
from tests.broker.judge import commit_rows
from tests.broker.worker import Worker, read_topic


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


def test_nobody_says_that_nothing_is_to_come_while_a_transaction_upstream_is_open(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=1, app_id="open")
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "transactional.id": "upstream"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("liquidations", b"whatever it is", b"BTC", 0)
    producer.flush()

    with Worker(own_kafka, "open", tmp_path, idle_timeout_ms=200) as worker:
        worker.wait_until_ready()
        time.sleep(3)
        open_ = commit_rows(own_kafka, "open-state-changelog")
        producer.commit_transaction()
        worker.wait_until(lambda: ticks(own_kafka), 20, "given time")

    assert [] == open_
    assert 1 == ticks(own_kafka)[0][0]


def ticks(broker):
    rows = [codec.parse_json(message.value()) for message in commit_rows(broker, "open-state-changelog")]
    return [tick for row in rows for tick in row["ticks"]]
