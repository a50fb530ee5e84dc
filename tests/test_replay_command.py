"""Files as they are given to ``streams replay``: what it must not write over, and names and pipes that it must take."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.replay import Report, run
from tests.test_replay import T0, jsonl, liquidation, replay, settings

LIQUIDATION = liquidation(T0, 1)


def invoke(*arguments):
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@pytest.mark.parametrize("option", ["--out", "--report"])
def test_a_recording_is_not_written_over_by_its_events(tmp_path, option):
    path = jsonl(tmp_path / "events.jsonl", LIQUIDATION)
    recorded = path.read_text()
    (tmp_path / "other.jsonl").symlink_to(path)

    result = invoke(tmp_path / "other.jsonl", option, path if option == "--out" else tmp_path)

    assert (2, recorded) == (result.exit_code, path.read_text())
    assert f"streams: the events must not be written over what is read, were to go to {path}\n" == result.stderr


@pytest.mark.parametrize(("option", "place"), [("--out", "absent/a.jsonl"), ("--report", "in.jsonl/report")])
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, option, place):
    result = invoke(jsonl(tmp_path / "in.jsonl", LIQUIDATION), option, tmp_path / place)

    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert f"streams: {tmp_path / place} cannot be written: " in result.stderr


@pytest.mark.parametrize(("content", "status"), [("not JSON\n", 1), ("", 0), (f"x\n{json.dumps(LIQUIDATION)}\n", 0)])
def test_it_fails_where_no_line_could_be_read(tmp_path, content, status):
    path = tmp_path / "a.jsonl"
    path.write_text(content)

    assert status == invoke(path).exit_code


def test_a_pipe_is_read_like_a_file(tmp_path):
    read, write = os.pipe()
    with os.fdopen(write, "w") as file:
        file.write(json.dumps(LIQUIDATION))
    out = tmp_path / "out.jsonl"

    result = invoke("--format", "jsonl", "--out", out, f"/dev/fd/{read}")

    os.close(read)
    assert (0, True) == (result.exit_code, '"long_usd":10000.0' in out.read_text())


def test_a_name_that_is_not_utf_8_is_shown_as_far_as_it_is(tmp_path):
    path = jsonl(tmp_path / os.fsdecode(b"a\xff.jsonl"), liquidation(T0, 1, price=None))

    _, lines = replay(tmp_path, path)
    run(settings(), [path], file_format=None, out=None, partitions=1, report=Report(tmp_path / "report"))

    assert ["a\ufffd.jsonl"] == [line["file"] for line in lines if line["topic"] == "dead-letters"]
    assert "Replay of a\ufffd.jsonl" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_events_are_utf_8_whatever_the_terminal_is(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1, "币安人生"))
    command = [sys.executable, "-m", "streams", "replay", str(path)]
    told = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"})

    assert "ASSET|币安人生" in {json.loads(line)["key"] for line in told.stdout.splitlines()}
