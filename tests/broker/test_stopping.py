"""How a worker leaves: at once, with all committed; and how two of them take turns without a gap."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from itertools import pairwise

from confluent_kafka import Producer

from streams.codec import rows as codec
from tests.broker.judge import commit_rows
from tests.broker.worker import Worker, committed_offsets, log_ends, read_topic
from tests.codec.builders import avro, liquidation

STOP_SECONDS_MAX, CHANGELOG = 10.0, "storm-state-changelog"
#: How long a rebalance may hold up what is written; a busy machine gets more than a quiet one needs.
GAP_SECONDS_MAX = 20.0


class Storm:
    """Writes liquidations of 200 assets as fast as it is told, until it is stopped."""

    def __init__(self, kafka, a_second):
        self.kafka, self.pause = kafka, 100 / a_second
        self.stopped, self.count = threading.Event(), 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 5, "compression.type": "zstd",
                             "partitioner": "murmur2_random"})  # fmt: skip
        while not self.stopped.wait(self.pause):
            now = int(time.time() * 1000)
            for _ in range(100):
                self.count += 1
                asset = f"A{self.count % 200}"
                record = liquidation(
                    asset=asset, symbol=f"{asset}USDT", event_time=now, ingest_time=now, liquidation_id=str(self.count)
                )
                producer.produce("liquidations", avro(record), asset.encode())
            producer.flush()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def counted(kafka):
    """Return how many liquidations the market's day has."""
    day = dict(read_topic(kafka, "liquidation-windows"))["MARKET|ALL"]["windows"][-1]
    return day["long_count"] + day["short_count"]


def test_what_producers_compress_is_read(kafka, tmp_path):
    kafka.create_topics(app_id="compressed")
    kinds = ("gzip", "snappy", "lz4", "zstd")
    for kind in kinds:
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": kind})
        for number in range(20):
            producer.produce("quotes", f"{kind} is not Avro {number} ".encode() * 20, b"BTC", 0)
        producer.flush()

    def told():
        return {record["value"].decode().partition(" ")[0] for _, record in read_topic(kafka, "dead-letters")}

    with Worker(kafka, "compressed", tmp_path) as worker:
        worker.wait_until(lambda: set(kinds) <= told(), 60, "at the end of quotes")
        assert 0 == worker.stop()


def test_a_worker_told_to_stop_in_a_storm_has_gone_within_ten_seconds_with_everything_committed(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=4, app_id="storm")
    # Nothing is committed by the clock meanwhile: what is, was at the end.
    worker = Worker(own_kafka, "storm", tmp_path, flush_interval_ms=5_000)
    with Storm(own_kafka, 2_000) as storm, worker:
        worker.wait_until_ready()
        worker.wait_until(lambda: sum(committed_offsets(own_kafka, "storm").values()) > 5_000, 60, "in the storm")
        folded = worker.folded("liquidations")
        began = time.monotonic()
        code = worker.stop()
        seconds = time.monotonic() - began

    assert 0 == code
    assert seconds < STOP_SECONDS_MAX
    newest = {row.partition(): codec.parse_json(row.value())["next"] for row in commit_rows(own_kafka, CHANGELOG)}
    assert folded <= sum(each["liquidations"] for each in newest.values())
    # What it said and what it will go on from are one: the next one ends with every record counted once.
    with Worker(own_kafka, "storm", tmp_path) as worker:
        worker.wait_until_caught_up()
        worker.stop()
    assert storm.count == counted(own_kafka)


def test_three_workers_that_are_restarted_in_turn_leave_no_gap_longer_than_a_rebalance(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=4, app_id="rolling")
    # A worker that left without saying so would be waited for this long.
    workers = [Worker(own_kafka, "rolling", tmp_path, session_timeout_ms=60_000) for _ in range(3)]
    ends, seen = {}, {}

    def watch(stop):
        while not stop.wait(0.2):
            now = log_ends(own_kafka, ["liquidation-windows"])
            for partition, end in now.items():
                if ends.get(partition) != end:
                    ends[partition] = end
                    seen.setdefault(partition, []).append(time.monotonic())

    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(stop,))
    with Storm(own_kafka, 500) as storm, ExitStack() as stack:
        for worker in [stack.enter_context(worker) for worker in workers]:
            worker.wait_until_ready()
        watcher.start()
        for worker in workers:
            assert 0 == worker.stop()
            worker.start()
            worker.wait_until_ready()
        time.sleep(2)
        stop.set()
        watcher.join()
        ended = time.monotonic()
        storm.stopped.set()
        storm.thread.join()
        workers[0].wait_until_caught_up()
        for worker in workers:
            worker.stop()
    gaps = [later - earlier for times in seen.values() for earlier, later in pairwise([*times, ended])]

    assert 4 == len(seen)
    assert max(gaps) < GAP_SECONDS_MAX
    assert storm.count == counted(own_kafka)
