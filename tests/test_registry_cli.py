"""`streams schemas` against a stand-in that speaks a registry's end-points."""

from __future__ import annotations

import base64
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streams import doctor, registry_cli
from streams.resources import schema_text
from streams.settings import Settings
from tests.broker.kafka import free_ports

OUTPUTS = {"cascades", "crowded-longs", "crowded-shorts", "liquidation-windows", "feed-status", "dead-letters"}
MISSING = {"error_code": 40401}
INPUTS = {"liquidations", "funding", "open-interest", "quotes", "exchange-flows"}


class StandIn(ThreadingHTTPServer):
    """Subjects with one version each; `failing` is an HTTP status for every answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.subjects, self.compatible, self.failing, self.login, self.date = {}, True, None, None, None
        self.body, self.elsewhere = None, None

    def answer(self, method, parts, body):
        subject = parts[-3] if parts[-1] == "latest" else parts[1] if len(parts) > 1 else None
        match (method, parts[0], parts[-1]):
            case ("GET", "subjects", "subjects"):
                return 200, list(self.subjects)
            case ("GET", "subjects", "latest"):
                return (200, {"id": 1}) if subject in self.subjects else (404, MISSING)
            case ("POST", "compatibility", "latest"):
                return 200, {"is_compatible": self.compatible}
            case ("POST", "subjects", "versions"):
                if subject in self.subjects and not self.compatible:
                    return 409, None
                self.subjects[subject] = body["schema"]
                return 200, {"id": len(self.subjects)}
            case _:
                return (200, {"id": 1}) if self.subjects.get(subject) == body["schema"] else (404, MISSING)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply("GET", None)

    def do_POST(self):
        self.reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def reply(self, method, body):
        registry = self.server
        status, answer = registry.answer(method, self.path.strip("/").split("/"), body)
        if registry.login not in {None, self.headers["Authorization"]}:
            status = 401
        self.send_response(registry.failing or status)
        if registry.elsewhere:
            self.send_header("Location", registry.elsewhere)
        self.end_headers()
        self.wfile.write(registry.body or json.dumps(answer).encode())

    def date_time_string(self, timestamp=None):
        return self.server.date or super().date_time_string(timestamp)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def registry():
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(registry, **values):
    return Settings(registry_url=f"http://127.0.0.1:{registry.server_port}", **values)


def sentences(findings):
    return [finding.sentence for finding in findings]


def test_an_empty_registry_lacks_what_we_write_and_that_is_a_problem(registry):
    findings = registry_cli.check(settings(registry))

    lacking = {finding.sentence.partition("-value")[0]: finding.problem for finding in findings}
    assert dict.fromkeys(OUTPUTS, True) | dict.fromkeys(INPUTS, False) == lacking


def test_after_registering_the_check_finds_nothing(registry):
    said = registry_cli.register(settings(registry))

    assert "liquidations-value has id 1" == said[0].sentence
    assert [] == registry_cli.check(settings(registry))


def test_registering_twice_says_the_same(registry):
    registry_cli.register(settings(registry))
    again = registry_cli.register(settings(registry))

    assert [] == [finding for finding in again if finding.problem]


def test_a_producers_own_input_schema_stays(registry):
    registry.subjects["liquidations-value"] = "theirs"

    said = sentences(registry_cli.register(settings(registry)))

    assert "theirs" == registry.subjects["liquidations-value"]
    assert "liquidations-value stays as its producer registered it" == said[0]


@pytest.mark.parametrize(
    ("name", "schema", "written"), [("cascades", "cascade.avsc", True), ("funding", "funding.avsc", False)]
)
def test_another_version_that_fits_is_a_problem_where_we_write_and_a_note_where_we_read(
    name, schema, written, registry
):
    registry_cli.register(settings(registry))
    registry.subjects[f"{name}-value"] = "older"

    (finding,) = registry_cli.check(settings(registry))

    sentence = f"{name}-value has another version than {schema}; `streams schemas register` adds ours"
    assert (written, sentence) == finding


def test_another_version_that_does_not_fit_is_a_problem_and_is_refused(registry):
    registry_cli.register(settings(registry))
    registry.subjects["cascades-value"], registry.compatible = "foreign", False

    (finding,) = registry_cli.check(settings(registry))
    refused = [finding.sentence for finding in registry_cli.register(settings(registry)) if finding.problem]

    assert (True, "cascades-value has a version that is incompatible with cascade.avsc") == finding
    assert "cascades-value: the registry refused cascade.avsc with HTTP 409" in refused


def test_both_crowded_topics_are_registered_with_the_same_schema(registry):
    registry_cli.register(settings(registry))

    ours = schema_text("crowded-position.avsc")
    assert (ours, ours) == (registry.subjects["crowded-longs-value"], registry.subjects["crowded-shorts-value"])


def test_a_login_is_sent_and_a_refused_one_does_not_show_the_password(registry):
    registry.login = "Basic " + base64.b64encode(b"ann:secret").decode()
    refused = registry_cli.check(settings(registry, registry_username="ann", registry_password="wrong"))

    assert [] != registry_cli.check(settings(registry, registry_username="ann", registry_password="secret"))
    assert [f"the registry at {settings(registry).registry_url} refused the login of 'ann'"] == sentences(refused)


def test_a_login_does_not_follow_a_redirect(registry):
    registry.failing, registry.elsewhere, registry.body = 302, "http://127.0.0.1:1/", b"{}"

    (finding,) = registry_cli.check(settings(registry, registry_username="ann", registry_password="secret"))

    assert " answered HTTP 302 to " in finding.sentence


def test_a_registry_that_is_away_is_said_in_one_sentence():
    (port,) = free_ports(1)
    (finding,) = registry_cli.check(Settings(registry_url=f"http://127.0.0.1:{port}"))

    assert finding.problem
    assert finding.sentence.startswith(f"the registry at http://127.0.0.1:{port} does not answer: ")


def test_a_registry_that_fails_is_said_with_its_status(registry):
    registry.failing = 503
    (finding,) = registry_cli.register(settings(registry))

    assert finding.sentence.endswith(" failed with HTTP 503")


def test_something_that_is_no_registry_is_recognised(registry):
    registry.body = b"<html>welcome</html>"
    (finding,) = registry_cli.check(settings(registry))

    assert finding.sentence.endswith("is no schema registry: it did not send JSON")


@pytest.mark.parametrize(("status", "body"), [
    (429, b'{"error": "slow down"}'), (429, b"slow down"), (404, b"{}"), (404, b"[40401]"), (302, b"{}"),
])  # fmt: skip
@pytest.mark.parametrize("act", [registry_cli.check, registry_cli.register])
def test_only_the_registrys_own_word_is_that_it_lacks_something(registry, act, status, body):
    registry.failing, registry.body = status, body

    (finding,) = act(settings(registry))

    assert finding.problem
    assert f" answered HTTP {status} to " in finding.sentence
    assert {} == registry.subjects


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 abc\r\n"]
)
def test_something_that_does_not_speak_http_is_recognised(banner):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1)
                connection.sendall(banner)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4_096):
                    pass

        thread = threading.Thread(target=speak)
        thread.start()
        (finding,) = registry_cli.check(Settings(registry_url=f"http://127.0.0.1:{listening.getsockname()[1]}"))
        thread.join()

    assert finding.sentence.endswith("is no schema registry: it did not send HTTP")


def test_the_doctor_compares_clocks_with_the_registry(registry):
    registry_cli.register(settings(registry))
    registry.date = "Sat, 31 Jan 2026 18:00:00 GMT"

    (finding,) = doctor._registry(settings(registry))

    assert not finding.problem
    assert finding.sentence.startswith("the registry's clock is ")


def test_the_doctor_finds_nothing_wrong_with_a_registry_that_has_everything(registry):
    registry_cli.register(settings(registry))

    assert [] == doctor._registry(settings(registry))


def test_the_doctor_does_not_ask_a_registry_that_is_not_used(registry):
    registry.failing = 503

    assert [] == doctor._registry(settings(registry, value_format="json"))


def test_the_doctor_says_that_a_registry_fails(registry):
    registry.failing = 503

    assert [True] == [finding.problem for finding in doctor._registry(settings(registry))]
