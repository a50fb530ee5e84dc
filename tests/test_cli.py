"""The command line: exit codes, one sentence a mistake, and nothing loaded that is not needed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from streams import sources
from streams.cli import FORMATS, main
from tests.broker.kafka import free_ports

# kafka-python leaves the sockets of failed connections to the garbage collector, which is made to come by here.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning")


@pytest.fixture
def run(monkeypatch):
    for name in [name for name in os.environ if name.startswith("STREAMS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("streams.cluster.BOOTSTRAP_MS", 300)

    def invoke(*arguments, **environment):
        return CliRunner().invoke(main, arguments, env=environment)

    yield invoke
    gc.collect()


@pytest.fixture
def stand_in(monkeypatch):
    """Put a module of our own where a command looks for the one it runs."""

    def put(name):
        calls = []
        module = SimpleNamespace(run=lambda *args, **kwargs: calls.append((args, kwargs)))
        monkeypatch.setitem(sys.modules, f"streams.{name}", module)
        monkeypatch.setattr(f"streams.{name}", module, raising=False)
        return calls

    return put


@pytest.fixture
def nowhere():
    (port,) = free_ports(1)
    return f"127.0.0.1:{port}"


def test_help_names_every_command(run):
    listed = run("--help").output

    assert [] == [name for name in main.commands if f"  {name} " not in listed]
    assert {"worker", "demo", "play", "replay", "topics", "schemas", "watch", "doctor"} == set(main.commands)


def test_help_loads_neither_faust_nor_kafka_nor_numpy():
    command = "import streams.cli, sys; print({'faust', 'kafka', 'numpy', 'pydantic'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)

    assert "set()" == told.stdout.strip()


def test_the_formats_of_the_command_are_those_of_the_reader():
    assert sources.FORMATS == FORMATS


@pytest.mark.parametrize("command", ["worker", "watch", "doctor", "topics check", "schemas check"])
def test_a_misspelled_setting_stops_every_command_with_one_sentence(run, command):
    result = run(*command.split(), STREAMS_BROKR="a:1")

    assert 2 == result.exit_code
    assert "streams: STREAMS_BROKR is not a setting; did you mean STREAMS_BROKER?\n" == result.stderr


def test_the_worker_runs_with_the_settings(run, stand_in):
    calls = stand_in("app")

    assert 0 == run("worker", STREAMS_BROKER="a:1", STREAMS_LOG_FORMAT="console").exit_code
    ((settings,), _) = calls[0]
    assert "a:1" == settings.broker


def test_the_demo_has_a_seed_and_a_length(run, stand_in):
    calls = stand_in("demo")

    assert 0 == run("demo", "--seed", "7", "--seconds", "1.5").exit_code
    assert [((7, 1.5), {})] == calls


@pytest.mark.parametrize("command", ["demo", "play"])
@pytest.mark.parametrize("seconds", ["0", "-5"])
def test_a_story_takes_some_time(run, stand_in, command, seconds):
    calls = stand_in(command)

    assert (2, []) == (run(command, "--seconds", seconds).exit_code, calls)


def test_a_replay_is_given_its_files(run, stand_in, tmp_path):
    calls = stand_in("replay")
    path = tmp_path / "in.jsonl"
    path.touch()

    assert 0 == run("replay", str(path), "--format", "jsonl", "--partitions", "2").exit_code
    ((_, files), options) = calls[0]
    asked = {"file_format": "jsonl", "out": None, "partitions": 2, "report": None}
    assert ((path,), asked) == (files, options)


def test_a_replay_of_a_file_that_is_not_there_is_refused(run, tmp_path):
    assert 2 == run("replay", str(tmp_path / "absent.csv")).exit_code


@pytest.mark.parametrize("command", ["topics plan", "topics apply", "topics check"])
def test_a_broker_that_is_away_is_said_in_one_sentence(run, command, nowhere):
    result = run(*command.split(), STREAMS_BROKER=nowhere)

    assert 1 == result.exit_code
    assert f"streams: no broker at {nowhere} answered within 0.3 s" == result.stderr.splitlines()[-1]


def test_the_doctor_finds_a_broker_that_is_away(run, nowhere):
    result = run("doctor", STREAMS_BROKER=nowhere)

    assert 1 == result.exit_code
    assert f"problem: no broker at {nowhere} answered within 0.3 s\n" == result.stdout


def test_a_name_that_nobody_knows_is_said_to_be_unknown(run):
    result = run("topics", "check", STREAMS_BROKER="broker.invalid:9092")

    assert "streams: broker.invalid:9092: the name is unknown" == result.stderr.splitlines()[-1]


def test_schemas_are_listed_with_their_ids(run):
    lines = run("schemas", "list").output.splitlines()

    assert ["liquidations", "liquidations-value", "1", "liquidation.avsc"] == lines[1].split()


def test_without_a_registry_the_check_says_where_ids_come_from(run):
    result = run("schemas", "check")

    assert (0, "note: STREAMS_REGISTRY_URL is unset: schema ids come from schemas/topics.yaml\n") == (
        result.exit_code,
        result.output,
    )
