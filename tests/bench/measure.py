"""What a process costs, read from outside in the same way for everyone (Linux)."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

#: After this a peer has failed.
PEER_SECONDS_MAX = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Sample(NamedTuple):
    """A moment of a process: monotonic time, own CPU (user and system), most memory and memory now, bytes to files.

    ``machine_idle``: seconds for which the machine's cores have had nothing to do, all together.
    """

    at: float
    cpu: float
    peak_mb: float
    now_mb: float
    disk_bytes: int
    machine_idle: float


def sample(pid: int) -> Sample:
    """Read a process now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak, now = (_mebibytes(status, name) for name in ("VmHWM:", "VmRSS:"))
    written = int(Path(f"/proc/{pid}/io").read_text().partition("\nwrite_bytes:")[2].split()[0])
    return Sample(time.monotonic(), (int(fields[11]) + int(fields[12])) / _TICKS, peak, now, written, _idle())


def _idle() -> float:
    *_, idle, iowait = map(int, Path("/proc/stat").read_text().split()[1:6])
    return (idle + iowait) / _TICKS


def _mebibytes(status: str, name: str) -> float:
    return int(status.partition(name)[2].split()[0]) / 1024 if name in status else 0.0  # a zombie has none


class Mark(NamedTuple):
    """How far a process was at a moment."""

    records: int
    sample: Sample


class Span(NamedTuple):
    """From the end of the warm-up to the last record, and the CPU of it all when everything put off was done."""

    warm: Mark
    done: Mark
    closed_cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """One engine, once, over the records behind its warm-up."""

    engine: str
    round: int
    records: int
    seconds: float
    cpu_seconds: float
    #: The same to its end: with what it had put off until then.
    closed_cpu_seconds: float
    peak_mb: float
    #: What it wrote to files of its own, by each record: stores and checkpoints.
    disk_bytes: float
    #: What it wrote to Kafka by topic, warm-up and end included, by each record of it all.
    written_each: dict[str, float]
    #: What a record takes on the topic.
    input_bytes: float

    @classmethod
    def of(cls, engine: str, number: int, span: Span, written: Mapping[str, int], input_bytes: float) -> Run:
        begun, ended = span.warm.sample, span.done.sample
        return cls(
            engine,
            number,
            span.done.records - span.warm.records,
            ended.at - begun.at,
            ended.cpu - begun.cpu,
            span.closed_cpu - begun.cpu,
            ended.peak_mb,
            (ended.disk_bytes - begun.disk_bytes) / (span.done.records - span.warm.records),
            {topic: size / span.done.records for topic, size in written.items()},
            input_bytes,
        )

    @property
    def changelog_bytes(self) -> float:
        return sum(size for topic, size in self.written_each.items() if "changelog" in topic)

    @property
    def kafka_bytes(self) -> float:
        return sum(self.written_each.values())

    @property
    def per_second(self) -> float:
        return self.records / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.records * 1e6

    @property
    def closed_cpu_us(self) -> float:
        return self.closed_cpu_seconds / self.records * 1e6


def spoken(command: list[str], log: Path) -> Span:
    """Run a peer that says ``warm <records>`` and ``done <records>``, and then ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    marks: dict[str, Mark] = {}
    with log.open("ab") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as peer:
        assert peer.stdout is not None
        patience = threading.Timer(PEER_SECONDS_MAX, peer.kill)
        patience.start()
        try:
            for line in peer.stdout:
                word, _, records = line.strip().partition(" ")
                if word in {"warm", "done"}:
                    marks[word] = Mark(int(records), sample(peer.pid))
            peer.wait()
        finally:
            patience.cancel()
            if "done" not in marks:
                peer.kill()
    assert "done" in marks, f"{command} ended with {peer.returncode}; its log ends:\n{log.read_text()[-3000:]}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    closed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Span(marks["warm"], marks["done"], closed)


def log_bytes(data: Path) -> Counter[str]:
    """Return the bytes that a broker's topics hold, without Kafka's own."""
    found = Counter[str]()
    for each in data.glob("*/*.log"):
        topic = each.parent.name.rpartition("-")[0]
        if not topic.startswith("__"):
            found[topic] += each.stat().st_size
    return found
