"""`streams play` against a real Kafka: the story at another time."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner

from streams import play
from streams.cli import main
from streams.reconstruction import START_MS, reconstruct
from tests.broker.worker import log_ends, read_topic

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning")
HOUR_MS = 3_600_000


def run(kafka, *arguments, **environment):
    environment = {"STREAMS_BROKER": kafka.bootstrap, **environment}
    return CliRunner().invoke(main, ["play", *arguments], env=environment)


def test_a_cluster_without_the_topics_is_refused_in_a_sentence(own_kafka):
    result = run(own_kafka, "--seconds", "1")

    assert 1 == result.exit_code
    assert "streams: liquidations is missing" in result.output
    assert "streams topics apply" in result.output


def test_every_record_is_written_and_the_end_is_less_than_an_hour_ago(own_kafka, monkeypatch):
    story = [each for each in reconstruct(7) if each[0] >= START_MS - HOUR_MS][::20]
    monkeypatch.setattr(play, "reconstruct", lambda _: story)
    own_kafka.create_topics()

    result = run(own_kafka, "--seconds", "2")

    assert 0 == result.exit_code, result.output
    assert len(story) == sum(log_ends(own_kafka, sorted({topic for _, topic, _ in story})).values())
    last = max(record["event_time"] for _, record in read_topic(own_kafka, "liquidations"))
    assert 0 <= time.time() * 1000 - last < HOUR_MS + 10_000
