"""The parts of the demo: a broker in memory, the worker as a process, and a player of the story."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Producer

from streams.codec.encode import Encoder
from streams.reconstruction import END_MINUTE, HEADLINE_MINUTE, WAVES_MINUTE, at
from streams.registries import file_registry
from streams.settings import PREFIX
from streams.topics import declared

if TYPE_CHECKING:
    from pathlib import Path

    from streams.reconstruction import Played
    from streams.registries import Writers

APP_ID: Final = "demo"
COMMAND: Final = (sys.executable, "-m", "streams", "worker")
READY_S: Final = 90.0
STOP_S: Final = 10.0
STEP_S: Final = 0.02

#: How the minutes of the story are spread over the time of the player: the day before in brief, the waves at length;
#: and between them the story stands still, or the quotes of the day before are still unread when the waves begin.
PACE: Final = (
    (0.0, 0),
    (0.30, WAVES_MINUTE - 4),
    (0.42, WAVES_MINUTE - 4),
    (0.90, HEADLINE_MINUTE + 6),
    (1.0, END_MINUTE),
)


class DemoFailed(Exception):
    """The demo cannot go on, in one sentence."""


class Target:
    """A cluster that the story is written to.

    Parameters
    ----------
    options
        Of librdkafka's producer.
    writers
        Schema ids and schemas by topic.
    value_format
        Form of the values.

    """

    def __init__(
        self, options: dict[str, Any], writers: Writers, value_format: Literal["avro", "json"] = "avro"
    ) -> None:
        self._encoder = Encoder(writers, value_format)
        self._producer = Producer(
            {
                # The same hash as Java's and aiokafka's clients: one coin, one partition, in every topic.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
                **options,
            }
        )

    def write(self, played: list[Played]) -> None:
        """Write records to their topics, keyed by their asset, and wait until they are there."""
        for event_time, topic, record in played:
            value = self._encoder.encode(topic, record)
            self._producer.produce(topic, value, record["asset"].encode(), timestamp=event_time, on_delivery=_must)
            self._producer.poll(0)
        self._producer.flush()


def _must(error: KafkaError | None, _: object) -> None:
    if error is not None:
        raise KafkaException(error)


class Broker(Target):
    """librdkafka's mock cluster: one broker in memory, for as long as this object lives."""

    def __init__(self) -> None:
        super().__init__({"test.mock.num.brokers": 1}, file_registry().writers())
        brokers = self._producer.list_topics(timeout=READY_S).brokers
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())
        for topic in declared(APP_ID):
            # It has no CreateTopics: a topic appears when it is first asked for.
            self._producer.list_topics(topic.name, timeout=READY_S)

    def close(self) -> None:
        """End the broker; what it holds is gone. Being called last is what keeps it until then."""
        del self._producer


class Player(threading.Thread):
    """Writes the records of the story at their moments."""

    def __init__(self, target: Target, played: list[Played], seconds: float) -> None:
        super().__init__(name="player", daemon=True)
        self.ended: float | None = None
        self.failure: Exception | None = None
        self._target = target
        self._played = played
        self._seconds = seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Write until the end of the story, or until told to stop."""
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001 - the main thread says it
            self.failure = error
        self.ended = time.monotonic()

    def stop(self) -> None:
        """Stop writing, and wait for what is under way."""
        self._stopping.set()
        self.join()

    def _write_all(self) -> None:
        begun, at_once = time.monotonic(), 0
        while at_once < len(self._played) and not self._stopping.wait(STEP_S):
            until = moment((time.monotonic() - begun) / self._seconds)
            upto = bisect_left(self._played, until, lo=at_once, key=lambda item: item[0])
            self._target.write(self._played[at_once:upto])
            at_once = upto


class Worker:
    """``streams worker`` as a process of its own, as an operator would run it."""

    def __init__(self, broker: str, folder: Path) -> None:
        self._port = _free_port()
        self._log = folder / "worker.log"
        ours = {
            "BROKER": broker,
            "APP_ID": APP_ID,
            "DATA_DIR": str(folder),
            "WEB_PORT": str(self._port),
            "LOG_FORMAT": "console",
            "CHECK_CRCS": "false",  # the mock broker spoils the checksums of all batches but the first
        }
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                COMMAND,
                env={**inherited, **{PREFIX + name: value for name, value in ours.items()}},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is ours to handle: the worker is told to stop, once, and before its broker goes.
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return when the worker has its partitions and its state."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            self.must_run()
            if self._says_ready():
                return
            time.sleep(0.1)
        msg = f"the worker was not ready within {READY_S:g} s; its log ends:\n{self._log_tail()}"
        raise DemoFailed(msg)

    def must_run(self) -> None:
        """Raise with the end of its log if the worker has gone."""
        code = self._process.poll()
        if code is not None:
            msg = f"the worker ended with {code}; its log ends:\n{self._log_tail()}"
            raise DemoFailed(msg)

    def stop(self) -> None:
        """End the worker and all that it started."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def _says_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


def moment(played: float) -> int:
    """Return up to which event time the story has come when this share of its time is over; past its end at 1."""
    if played >= 1.0:
        return at(END_MINUTE) + 1
    shares, minutes = zip(*PACE, strict=True)
    return at(float(np.interp(played, shares, minutes)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
