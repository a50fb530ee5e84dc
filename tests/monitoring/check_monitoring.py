"""The graph of the compose file as plain processes: no panel is empty, alerts fire, arrive and clear.

Opt-in, about a quarter of an hour: ``make test-monitoring``. The rules are the shipped ones, with their own times.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer

from streams.codec.encode import Encoder
from streams.registries import file_registry
from tests.broker.kafka import Kafka, free_ports
from tests.broker.kafka import missing as no_kafka
from tests.broker.worker import Worker
from tests.monitoring import pictures
from tests.monitoring.dashboards import DASHBOARDS, queries
from tests.monitoring.parts import Alertmanager, Process, Prometheus, Webhook, wait_until
from tests.monitoring.tools import missing

SYMBOLS = ",".join(f"{asset}USDT,{asset}-USDT-SWAP" for asset in ("BTC", "ETH", "SOL"))
PLAYED_SECONDS = 150
PICTURE_POINTS = 120
#: On a busy machine a transaction may take longer than the default allows; how that ends is not what is tested here.
PATIENT = {"transaction_timeout_ms": 120_000, "session_timeout_ms": 30_000}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Everything that runs while the reconstruction is played, and what each test needs to ask it."""
    reason = no_kafka() or missing("prometheus", "alertmanager")
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("monitoring")
    with ExitStack() as stack:
        kafka = Kafka(folder / "kafka").start()
        stack.callback(kafka.kill)
        kafka.create_topics()
        (port,) = free_ports(1)
        worker = Worker(kafka, "liquidation-streams", folder, symbols_allowed=SYMBOLS, web_port=port, **PATIENT)
        start(stack.enter_context(stopped_at_the_end(worker)), port)
        webhook = stack.enter_context(Webhook(folder))
        alertmanager = stack.enter_context(Alertmanager(folder, webhook))
        prometheus = stack.enter_context(Prometheus(folder, port, alertmanager))
        for each in (alertmanager, prometheus):
            each.wait_until_ready(each.port)
        yield SimpleNamespace(
            folder=folder, kafka=kafka, worker=worker, port=port, webhook=webhook, prometheus=prometheus,
            began=time.time(),
        )  # fmt: skip
        print("\nat the web-hook:", *webhook.lines(), sep="\n  ")


@contextmanager
def stopped_at_the_end(worker):
    yield worker
    if worker.process is not None:
        worker.kill()


def start(worker, port):
    worker.start()
    worker.port = port  # always the same, as behind a service: Prometheus knows it by that
    worker.wait_until_ready()


def play(world):
    command = [sys.executable, "-m", "streams", "play", "--seconds", PLAYED_SECONDS]
    return Process("player", ["env", f"STREAMS_BROKER={world.kafka.bootstrap}", *command], world.folder)


def heard(world, status, alert, seconds):
    took = wait_until(lambda: world.webhook.heard(status, alert), seconds, f"{alert} {status} at the web-hook")
    print(f"  {alert} {status} at the web-hook after {took:.0f} s", flush=True)


def liquidation(number, now, age_seconds):
    return {
        "exchange": "bybit", "symbol": "BTCUSDT", "asset": "BTC", "position_side": "LONG", "price": 80_000.0,
        "price_kind": "BANKRUPTCY", "quantity": 0.01, "notional_usd": 800.0, "event_time": now - age_seconds * 1000,
        "ingest_time": now, "liquidation_id": f"injected-{number}-{age_seconds}",
    }  # fmt: skip


def inject(world, until):
    """Write what a broken producer writes, until a condition holds: garbage, repeats, late ones."""
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "partitioner": "murmur2_random"})
    encoder = Encoder(file_registry().writers())
    # The story's time: one partition that jumps to the present would hold the market back, and rightly be announced.
    story = float(world.prometheus.query('max(streams_event_time_seconds{topic="liquidations"})')[0]["value"][1])
    began = time.time()
    for number in range(600):
        if until():
            break
        producer.produce("liquidations", b"not Avro", b"BTC")
        now = int((story + time.time() - began) * 1000)
        for age_seconds in (0, 0, 60):
            value = encoder.encode("liquidations", liquidation(number, now, age_seconds))
            producer.produce("liquidations", value, b"BTC")
        producer.flush(10)
        time.sleep(0.5)


def finite(series):
    return any(math.isfinite(float(value)) for _, value in series["values"])


def test_a_cascade_and_a_crowded_asset_are_announced_and_the_cascade_is_over_when_it_is_over(world):
    with play(world) as player:
        heard(world, "firing", "StreamsCascadeRunning", PLAYED_SECONDS + 180)
        wait_until(lambda: player.ended is not None, PLAYED_SECONDS + 120, "the end of the story")
        assert 0 == player.ended, player.lines()
    heard(world, "resolved", "StreamsCascadeRunning", 240 + 300)  # the rule holds it for so long


def test_a_producer_that_sends_garbage_is_announced(world):
    inject(world, until=lambda: world.webhook.heard("firing", "StreamsDeadLetters"))

    heard(world, "firing", "StreamsDeadLetters", 60)


def test_no_panel_is_empty(world):
    now = time.time()
    step = (now - world.began) / PICTURE_POINTS
    shown = [
        (path.stem, query, world.prometheus.range(query.expression, world.began, now, step))
        for path in DASHBOARDS
        for query in queries(path)
    ]
    print(f"  {len(shown)} queries of {len(DASHBOARDS)} dashboards, {sum(len(found) for *_, found in shown)} series")
    pictures.draw(shown, world.began, now)

    assert [] == [f"{name}: {query.title}" for name, query, found in shown if not any(map(finite, found))]


def test_the_figures_are_those_of_the_story(world):
    hour = world.prometheus.query('max_over_time(sum(streams_market_window_usd{window="1h"})[15m:5s])')

    assert 350e6 <= float(hour[0]["value"][1]) <= 360e6


def test_a_worker_that_dies_is_announced_once_and_its_return_as_well(world):
    world.worker.kill()
    heard(world, "firing", "StreamsNothingWorks", 240)
    assert not world.webhook.heard("firing", "StreamsWorkerDown"), "inhibited: it is the same news"

    start(world.worker, world.port)
    heard(world, "resolved", "StreamsNothingWorks", 180)


def test_dead_letters_are_over_when_they_are_over(world):
    heard(world, "resolved", "StreamsDeadLetters", 600)


def test_nothing_else_was_announced(world):
    names = {line.split()[2].rstrip(":") for line in world.webhook.lines()}

    assert {"StreamsCascadeRunning", "StreamsDeadLetters", "StreamsNothingWorks"} == names - {"StreamsCrowdedExtreme"}
    # Not one message of Alertmanager's own about a template that could not be filled in.
    assert not [line for line in world.webhook.lines() if "error" in line.lower()]
