"""One Kafka for all broker tests of a session; a test that hurts it takes `own_kafka`."""

from __future__ import annotations

import pytest

from tests.broker.kafka import Kafka, missing


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(item.config.rootpath / "tests" / "broker"):
            item.add_marker(pytest.mark.broker)


def started(folder):
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return Kafka(folder).start()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    broker = started(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture
def own_kafka(tmp_path):
    broker = started(tmp_path / "kafka")
    yield broker
    broker.kill()
