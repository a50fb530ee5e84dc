"""Our logs and those of the libraries have one form."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from streams import logs


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_an_event_is_one_line_of_json_with_its_keys(capsys):
    logs.configure("json", "INFO")
    structlog.get_logger("streams.app").warning("topic_missing", topic="quotes")

    (line,) = lines(capsys)
    told = json.loads(line)
    assert ("topic_missing", "quotes", "warning", "streams.app") == (
        told["event"],
        told["topic"],
        told["level"],
        told["logger"],
    )


def test_what_a_library_logs_has_the_same_form(capsys):
    logs.configure("json", "INFO")
    logging.getLogger("aiokafka").error("closed %s", "it")

    (line,) = lines(capsys)
    assert ("closed it", "error", "aiokafka") == tuple(json.loads(line)[key] for key in ("event", "level", "logger"))


def test_an_error_brings_its_traceback_in_the_same_line(capsys):
    logs.configure("json", "INFO")
    try:
        int("broken")
    except ValueError as error:
        structlog.get_logger("streams").error("worker_stopped", exc_info=error)

    (line,) = lines(capsys)
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


@pytest.mark.parametrize("name", ["aiokafka.conn", "kafka.conn"])
def test_requests_as_they_are_sent_are_logged_at_no_level(capsys, name):
    # That of a PLAIN login is the password.
    logs.configure("json", "DEBUG")
    logging.getLogger(name).debug("Request: %s", "secret")
    logging.getLogger("aiokafka.client").debug("metadata")

    assert ["metadata"] == [json.loads(line)["event"] for line in lines(capsys)]


def test_what_is_below_the_level_is_not_logged(capsys):
    logs.configure("json", "WARNING")
    structlog.get_logger("streams").info("unit_restored")

    assert [] == lines(capsys)


def test_on_a_console_the_event_is_readable_and_an_error_has_its_traceback(capsys):
    logs.configure("console", "INFO")
    try:
        int("broken")
    except ValueError as error:
        structlog.get_logger("streams").error("worker_stopped", reason="x", exc_info=error)

    text = "\n".join(lines(capsys))
    assert "worker_stopped" in text
    assert "ValueError: invalid literal" in text
