"""What a person sees who watches a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams import registry_cli, watch
from streams.codec.values import ValueReader
from streams.demo.parts import Broker
from streams.registry_cli import Answer, RegistryProblem
from streams.settings import Settings
from streams.view.outputs import WINDOWS, AskedRegistry, Outputs, connection

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


def example(schema, case, **changes):
    return {**json.loads((EXAMPLES / schema / f"{case}.json").read_text()), **changes}


@pytest.fixture
def broker():
    broker = Broker()
    rows = [example("liquidation-windows", "market", asset="MARKET|ALL")]  # the broker keys by asset
    broker.write([(0, WINDOWS, row) for row in rows])
    broker.write([(0, "crowded-longs", example("crowded-position", "asset_longs"))])
    return broker


@pytest.fixture
def few_reads(monkeypatch):
    read, left = Outputs.read, [8]

    def counted(self, timeout_s, count=2_000):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return read(self, timeout_s, count)

    monkeypatch.setattr(Outputs, "read", counted)
    monkeypatch.setattr(watch, "LINE_S", 0.5)


@pytest.mark.usefixtures("few_reads")
def test_without_a_terminal_windows_and_events_are_lines_until_ctrl_c(broker, capsys):
    watch.run(Settings(broker=broker.address))
    said = capsys.readouterr().out

    assert "market  5m" in said
    assert "BTC crowding GRADE_CHANGED" in said


@pytest.mark.usefixtures("few_reads")
def test_who_reads_in_the_wrong_form_is_told_so(broker, capsys):
    watch.run(Settings(broker=broker.address, value_format="json"))

    assert "2 messages could not be read: STREAMS_VALUE_FORMAT or registry?" in capsys.readouterr().out


@pytest.mark.usefixtures("few_reads")
def test_by_the_wrong_registry_a_value_may_be_another_record_and_is_not_shown(broker, capsys, monkeypatch):
    monkeypatch.setattr(ValueReader, "read", lambda *_: example("liquidation", "ordinary"))
    watch.run(Settings(broker=broker.address))

    assert "2 messages could not be read" in capsys.readouterr().out


@pytest.mark.usefixtures("few_reads")
def test_on_a_terminal_the_board_is_drawn(broker, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch.run(Settings(broker=broker.address))

    assert "MARKET" in capsys.readouterr().out


def test_a_broker_that_is_away_is_named(capsys, monkeypatch):
    monkeypatch.setattr(watch, "CONNECT_S", 0.2)
    with pytest.raises(SystemExit) as ended:
        watch.run(Settings(broker="127.0.0.1:1"))

    assert 1 == ended.value.code
    assert "no broker at 127.0.0.1:1 answered" in capsys.readouterr().err


@pytest.mark.usefixtures("few_reads")
def test_a_registry_that_is_away_ends_in_its_own_sentence(broker, capsys, monkeypatch):
    def away(*_):
        sentence = "the registry does not answer"
        raise RegistryProblem(sentence)

    monkeypatch.setattr(registry_cli, "ask", away)
    with pytest.raises(SystemExit):
        watch.run(Settings(broker=broker.address, registry_url="http://127.0.0.1:1"))

    assert "the registry does not answer" in capsys.readouterr().err


@pytest.mark.usefixtures("few_reads")
def test_schemas_come_from_the_registry_once_each(broker, capsys, monkeypatch):
    asked = []

    def answer(_settings, _method, path, _body=None):
        asked.append(path)
        schema = {"/schemas/ids/6": "liquidation-windows.avsc"}.get(path)
        text = (EXAMPLES.parent / schema).read_text() if schema else None
        return Answer(200 if schema else 404, {"schema": text} if schema else {"error_code": 40403}, None)

    monkeypatch.setattr(registry_cli, "ask", answer)
    watch.run(Settings(broker=broker.address, registry_url="http://127.0.0.1:1"))

    assert ["/schemas/ids/6", "/schemas/ids/8"] == sorted(asked)
    assert "market  5m" in capsys.readouterr().out


def test_an_asked_registry_needs_each_id_once():
    registry = AskedRegistry({1: "one"}.get)

    assert ("one", None) == (registry.schema(1), registry.schema(2))
    assert [False, False, True] == [registry.needs(n) for n in (1, 2, 3)]


def test_the_connection_says_how_to_log_in_and_leaves_out_what_is_not_set():
    options = connection(
        Settings(
            broker="kafka:9093",
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username="me",
            sasl_password="word",
        )
    )

    assert {
        "bootstrap.servers": "kafka:9093",
        "client.id": "liquidation-streams-watch",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "word",
    } == options
