"""The demo's own wiring: broker, player, worker process, view. The worker's part is a stand-in's."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

from streams.codec.values import ValueReader
from streams.demo import parts, show
from streams.demo.parts import Broker, DemoFailed, Worker, moment
from streams.reconstruction import END_MINUTE, HEADLINE_MINUTE, START_MS, WAVES_MINUTE, at, reconstruct
from streams.registries import file_registry
from streams.view.outputs import TOPICS, Outputs, Seen

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


@pytest.fixture(scope="module")
def played():
    return reconstruct(seed=7)


@pytest.fixture
def at_once(monkeypatch, played):
    monkeypatch.setattr(show, "reconstruct", lambda _: played)


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    yield
    assert [] == list(tmp_path.glob("streams-demo-*"))


@pytest.mark.usefixtures("at_once")
def test_the_story_is_played_read_back_and_carried(monkeypatch, capsys):
    monkeypatch.setattr(parts, "COMMAND", STAND_IN)
    monkeypatch.setattr(show, "LINE_S", 0.5)
    show.run(seed=7, seconds=4)
    said = capsys.readouterr().out

    assert "RECONSTRUCTION" in said
    assert "funding was mixed" in " ".join(said.split())
    assert "market  5m -  1h" in said
    assert "Said by a stand-in." in said
    # The stand-in adds in the order of partitions, so its hour is about right.
    assert re.search(r"cascades: \$3[5-9]\dM in the hour, \$1\.0\dB in the day; the story has .*: carried", said)


@pytest.mark.usefixtures("at_once")
def test_a_worker_that_dies_ends_the_demo_with_the_end_of_its_log(monkeypatch, capsys):
    monkeypatch.setattr(parts, "COMMAND", (sys.executable, "-c", "print('the reason'); raise SystemExit(3)"))
    with pytest.raises(SystemExit) as ended:
        show.run(seed=7, seconds=1)

    assert 1 == ended.value.code
    assert "the worker ended with 3; its log ends:\nthe reason" in capsys.readouterr().out


@pytest.mark.usefixtures("at_once")
def test_ctrl_c_stops_the_worker_and_leaves_nothing(monkeypatch, capsys):
    found = []

    class Interrupted(Worker):
        def wait_until_ready(self):
            found.append(self._process)
            raise KeyboardInterrupt

    monkeypatch.setattr(parts, "COMMAND", STAND_IN)
    monkeypatch.setattr(show, "Worker", Interrupted)
    with pytest.raises(SystemExit) as ended:
        show.run(seed=7, seconds=1)

    assert 130 == ended.value.code
    assert found[0].poll() is not None
    assert "nothing is left behind" in capsys.readouterr().out


def test_a_worker_that_will_not_stop_is_killed(monkeypatch, tmp_path):
    deaf = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    monkeypatch.setattr(parts, "COMMAND", (sys.executable, "-c", deaf))
    monkeypatch.setattr(parts, "STOP_S", 0.2)
    worker = Worker("127.0.0.1:1", tmp_path)
    while "deaf" not in (tmp_path / "worker.log").read_text():
        worker.must_run()
    worker.stop()

    with pytest.raises(DemoFailed, match="the worker ended with -9"):
        worker.must_run()


def test_a_worker_that_never_gets_ready_ends_the_demo(monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(parts, "READY_S", 0.2)
    worker = Worker("127.0.0.1:1", tmp_path)
    with pytest.raises(DemoFailed, match="not ready within"):
        worker.wait_until_ready()
    worker.stop()


def test_the_worker_inherits_no_settings_but_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("STREAMS_LATENESS_MS", "1")
    code = "import os; print(sorted(n for n in os.environ if n.startswith('STREAMS_')))"
    monkeypatch.setattr(parts, "COMMAND", (sys.executable, "-c", code))
    worker = Worker("127.0.0.1:1", tmp_path)
    worker._process.wait()

    names = (tmp_path / "worker.log").read_text()
    assert "STREAMS_LATENESS_MS" not in names
    assert "STREAMS_BROKER" in names
    assert os.environ["STREAMS_LATENESS_MS"] == "1"


@pytest.mark.parametrize(
    ("share", "event_time"),
    [
        (0.0, START_MS),
        (0.30, at(WAVES_MINUTE - 4)),
        (0.42, at(WAVES_MINUTE - 4)),
        (0.90, at(HEADLINE_MINUTE + 6)),
        (1.0, at(END_MINUTE) + 1),
        (7.0, at(END_MINUTE) + 1),
    ],
)
def test_the_waves_take_half_of_the_time(share, event_time):
    assert event_time == moment(share)


def test_the_embedded_broker_has_every_topic_and_gives_back_what_was_written():
    broker = Broker()
    outputs = Outputs({"bootstrap.servers": broker.address}, ValueReader(file_registry()), tail=1)
    first = json.loads((EXAMPLES / "crowded-position" / "asset_longs.json").read_text())
    second = {**first, "sequence": 1}
    broker.write([(5, "crowded-longs", first), (6, "crowded-longs", second)])
    outputs.open(5)
    seen = [one for _ in range(20) for one in outputs.read(0.1)]
    outputs.close()

    assert [] == outputs.missing
    assert [Seen("crowded-longs", first["asset"], second)] == seen
    assert 6 == len(TOPICS)
