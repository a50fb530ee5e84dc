"""`streams topics` and `streams doctor` against a real Kafka."""

from __future__ import annotations

import gc

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from streams import cluster, doctor, topics
from streams.cli import main
from streams.settings import Settings
from tests.broker.kafka import Kafka, free_ports

# kafka-python leaves the sockets of failed connections to the garbage collector, which is made to come by here.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning")

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="right";'


def run(kafka, *arguments, app_id):
    return CliRunner().invoke(main, arguments, env={"STREAMS_BROKER": kafka.bootstrap, "STREAMS_APP_ID": app_id})


def test_apply_makes_the_check_green_and_a_second_apply_has_nothing_to_do(kafka):
    missing = run(kafka, "topics", "check", app_id="green")
    planned = run(kafka, "topics", "plan", "--replication", "1", app_id="green")
    applied = run(kafka, "topics", "apply", "--replication", "1", app_id="green")
    checked = run(kafka, "topics", "check", app_id="green")
    again = run(kafka, "topics", "apply", "--replication", "1", app_id="green")

    assert 1 == missing.exit_code
    assert planned.stdout == applied.stdout
    assert "create green-state-changelog: 4 partitions, cleanup.policy=compact" in applied.stdout
    assert (0, 1) == (checked.exit_code, checked.stdout.count("\n"))
    assert checked.stdout.startswith("note: only one broker has cascades, ")
    assert (0, "nothing to do\n") == (again.exit_code, again.stdout)


def test_the_doctor_finds_nothing_wrong_after_apply(kafka):
    kafka.create_topics(app_id="healthy")

    result = run(kafka, "doctor", app_id="healthy")

    assert (0, 1) == (result.exit_code, result.stdout.count("\n"))
    assert result.stdout.startswith("note: only one broker has cascades, ")


def test_the_broker_says_how_many_copies_it_makes_and_has(kafka):
    kafka.create_topics(app_id="copied")
    with cluster.admin(Settings(broker=kafka.bootstrap)) as client:
        there = topics.found(client, topics.declared("copied"))
        missing = topics.declared("uncopied")

        assert {1} == {found.replication for found in there.values()}
        assert {"1"} == {found.config["min.insync.replicas"] for found in there.values()}
        assert 1 == topics.broker_replication(client, missing, topics.found(client, missing))


def test_partitions_that_do_not_go_together_are_said_in_a_sentence(kafka):
    kafka.create_topics(app_id="first")
    settings = Settings(broker=kafka.bootstrap, app_id="odd")
    with cluster.admin(settings) as client:
        client.create_topics({"odd-state-changelog": {"num_partitions": 3}}, wait_for_metadata=True)

    result = run(kafka, "topics", "check", app_id="odd")

    assert 1 == result.exit_code
    assert "problem: odd-state-changelog has 3 partitions and liquidations has 4: " in result.stdout


@pytest.mark.parametrize("command", ["plan", "apply", "check"])
def test_a_count_that_the_cluster_does_not_have_is_refused_before_anything_is_done(kafka, command):
    kafka.create_topics(app_id="counted")

    result = run(kafka, "topics", command, "--partitions", "8", app_id="uncounted")
    made = run(kafka, "topics", "check", app_id="uncounted")

    assert 1 == result.exit_code
    assert "problem: liquidations has 4 partitions and 8 were asked for " in result.stdout
    assert "problem: uncounted-state-changelog is missing" in made.stdout


def test_apply_changes_the_kind_of_time_stamp_and_keeps_the_retention(kafka):
    settings = Settings(broker=kafka.bootstrap, app_id="stamped")
    wanted = [topic for topic in topics.declared("stamped", replication=1) if topic.name == "stamped-state-changelog"]
    with cluster.admin(settings) as client:
        configs = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
        client.create_topics({wanted[0].name: {"num_partitions": 4, "configs": configs}}, wait_for_metadata=True)

        topics.apply(client, wanted)

        assert "LogAppendTime" == topics.found(client, wanted)[wanted[0].name].config["message.timestamp.type"]


def test_the_doctor_knows_the_brokers_limits(kafka):
    settings = Settings(broker=kafka.bootstrap, session_timeout_ms=5_999)

    sentences = [finding.sentence for finding in doctor.examine(settings)]

    assert (
        "STREAMS_SESSION_TIMEOUT_MS must be at least the broker's group.min.session.timeout.ms=6000, was 5999"
        in sentences
    )


def test_a_broker_whose_clock_is_ahead_is_found_by_the_records_it_stamped(kafka, monkeypatch):
    kafka.create_topics(app_id="ahead")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    producer.send("quotes", b"stamped by the broker", partition=0)
    producer.close()
    now_ms = doctor._now_ms()
    monkeypatch.setattr(doctor, "_now_ms", lambda: now_ms - 60_000)

    findings = doctor.examine(Settings(broker=kafka.bootstrap, app_id="ahead"))

    assert any(finding.sentence.startswith("the broker's clock is ") for finding in findings)


def test_a_restarted_broker_still_has_its_topics(own_kafka):
    own_kafka.create_topics()
    own_kafka.kill()
    own_kafka.start()

    assert 0 == run(own_kafka, "topics", "check", app_id="liquidation-streams").exit_code


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, kafka):
    """A broker with a second listener that wants a login; `kafka` is asked for so that a skip is shared."""
    broker = Kafka(tmp_path_factory.mktemp("guarded"))
    (port,) = free_ports(1)
    for name, more in {
        "listeners": f"LOGIN://127.0.0.1:{port}",
        "advertised.listeners": f"LOGIN://127.0.0.1:{port}",
        "listener.security.protocol.map": "LOGIN:SASL_PLAINTEXT",
    }.items():
        broker.properties[name] += f",{more}"
    broker.properties |= {"sasl.enabled.mechanisms": "PLAIN", "listener.name.login.plain.sasl.jaas.config": JAAS}
    broker.start()
    yield f"127.0.0.1:{port}"
    broker.stop()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "BOOTSTRAP_MS", 3_000)
    yield
    gc.collect()


def login(address, password):
    return Settings(
        broker=address,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="ann",
        sasl_password=password,
    )


def test_a_login_is_accepted(guarded):
    with cluster.admin(login(guarded, "right")) as client:
        assert [] == client.list_topics()


def test_a_refused_login_is_said_without_the_password(guarded, impatient):
    (finding,) = doctor.examine(login(guarded, "hunter2"))

    assert "the login of 'ann' with PLAIN" in finding.sentence
    assert "hunter2" not in finding.sentence


def test_the_wrong_protocol_is_named(guarded, impatient):
    (finding,) = doctor.examine(Settings(broker=guarded))

    assert f"{guarded} hangs up on us; is STREAMS_SECURITY_PROTOCOL=PLAINTEXT right?" == finding.sentence


def test_tls_where_the_broker_has_none_is_named(guarded, impatient):
    (finding,) = doctor.examine(Settings(broker=guarded, security_protocol="SSL"))

    assert finding.sentence.endswith("is STREAMS_SECURITY_PROTOCOL=SSL right?")
