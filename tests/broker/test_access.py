"""Nobody is let in without a login, nobody needs more than the access list of the README, and nobody sees a secret."""

from __future__ import annotations

import shutil
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from streams import access, cluster
from streams.cli import main
from streams.settings import Settings
from tests.broker.guarded import SECRET, Guarded
from tests.broker.kafka import missing
from tests.broker.worker import Worker, read_topic
from tests.codec.builders import avro, liquidation

# kafka-python leaves the sockets of failed connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning")

APP = "guarded"
PAGES = ("/metrics", "/healthz", "/readyz", "/api", "/api/windows", "/api/cascades", "/api/crowded")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    reason = missing() or (None if shutil.which("openssl") else "certificates need openssl on the PATH")
    if reason is not None:
        pytest.skip(reason)
    broker = Guarded(tmp_path_factory.mktemp("guarded")).start()
    broker.create_topics(partitions=2, app_id=APP)
    yield broker
    broker.kill()


def lacks(settings):
    with cluster.admin(settings) as client:
        return access.lacking(client, APP)


def settle(settings, expected):
    """Ask until the access list has arrived at the broker."""
    deadline = time.monotonic() + 20
    while (found := lacks(settings)) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    assert expected == found


def put(guarded):
    """Write a liquidation that counts, and one that does not."""
    now = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": guarded.bootstrap})
    good = avro(liquidation(event_time=now, ingest_time=now, liquidation_id=str(now)))
    producer.produce("liquidations", good, b"BTC", 0)
    producer.produce("liquidations", b"not Avro", b"BTC", 0)
    producer.flush()
    return now


def page(worker, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}{path}", timeout=5) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("how", ["SCRAM-SHA-512", "PLAIN", "certificate"])
def test_a_worker_with_the_access_list_of_the_readme_works_and_keeps_its_secret(guarded, tmp_path, how):
    listener = "CERTIFICATE" if how == "certificate" else "LOGIN"
    given = guarded.certificate() if how == "certificate" else guarded.login(how)
    if how == "PLAIN":  # from a file, as an orchestrator mounts it
        file = tmp_path / "password"
        file.write_text(given.pop("sasl_password") + "\n")
        given["sasl_password_file"] = str(file)
    guarded.allow(access.needed(APP), listener)
    settle(Settings(app_id=APP, **given), [])
    now = put(guarded)

    with Worker(guarded, APP, tmp_path, **given, log_level="DEBUG") as worker:
        worker.wait_until_ready()
        worker.wait_until(lambda: f'"as_of":{now // 1000 * 1000}' in page(worker, "/api/windows"), 60, "at the record")
        said = "".join(page(worker, path) for path in PAGES)
        said += Path(f"/proc/{worker.process.pid}/cmdline").read_text()
        assert 0 == worker.stop()

    environment = {f"STREAMS_{name.upper()}": value for name, value in given.items()} | {"STREAMS_APP_ID": APP}
    doctor = CliRunner().invoke(main, ["doctor"], env=environment)
    written = [worker.log.read_text(), said, doctor.output, repr(Settings(app_id=APP, **given))]
    key = (guarded.certificates.folder / "worker.key").read_text().splitlines()[1]
    assert [False] * 8 == [secret in text for text in written for secret in (SECRET, key)]
    assert "unit_restored" in written[0]
    assert read_topic(guarded, "dead-letters")


@pytest.mark.parametrize("right", [each for each in access.needed(APP) if "trans" not in each.kind], ids=str)
def test_one_right_fewer_is_named(guarded, right):
    optional = right.name in {"open-interest", "quotes", "exchange-flows"}
    guarded.allow([each for each in access.needed(APP) if each != right])

    # Without the only right on an optional topic it is as if it were not there.
    settle(Settings(app_id=APP, **guarded.login()), [] if optional else [right])


def ended(guarded, tmp_path, **given):
    worker = Worker(guarded, APP, tmp_path, **given).start()
    try:
        return worker.process.wait(60), worker.log.read_text()
    finally:
        worker.kill()


def test_a_worker_that_lacks_a_right_says_which_and_ends(guarded, tmp_path):
    lacking = access.Right("WRITE", "topic", "cascades")
    guarded.allow([each for each in access.needed(APP) if each != lacking])
    settle(Settings(app_id=APP, **guarded.login()), [lacking])

    code, log = ended(guarded, tmp_path, **guarded.login())

    assert 2 == code
    assert f"user 'worker' at {guarded.address} needs WRITE on topic cascades" in log


def test_a_worker_that_may_not_use_its_transactional_ids_says_so_and_ends(guarded, tmp_path):
    guarded.allow([each for each in access.needed(APP) if "trans" not in each.kind])
    settle(Settings(app_id=APP, **guarded.login()), [])

    code, log = ended(guarded, tmp_path, **guarded.login())

    assert 1 == code
    assert f"the login needs WRITE on transactional id {APP}-" in log


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_ends_the_worker_and_is_not_repeated(guarded, tmp_path, mechanism):
    code, log = ended(guarded, tmp_path, **guarded.login(mechanism, SECRET + "-not"), log_level="DEBUG")

    assert 2 == code
    assert f"{guarded.address} refused the login of 'worker' with {mechanism}" in log
    assert SECRET not in log


def test_a_broker_that_is_not_there_is_waited_for(guarded, tmp_path):
    with Worker(guarded, APP, tmp_path, **guarded.login() | {"broker": "127.0.0.1:1"}) as worker:
        worker.wait_until(lambda: "broker_unreachable" in worker.log.read_text(), 40, "said that it waits")

        assert worker.process.poll() is None
    assert "no broker at 127.0.0.1:1 answered within" in worker.log.read_text()


def test_who_does_not_know_the_authority_is_not_talked_to(guarded, tmp_path):
    given = guarded.login()
    del given["ssl_cafile"]
    with Worker(guarded, APP, tmp_path, **given) as worker:
        worker.wait_until(lambda: "broker_unreachable" in worker.log.read_text(), 40, "said that it waits")
    assert "answers, but not with TLS that we accept" in worker.log.read_text()
