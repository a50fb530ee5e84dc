"""What a whole bench has found, as a file: the report and the plots are made from it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import jvm, peers_python
from tests.bench.growth import Cost
from tests.bench.latency import Latency
from tests.bench.measure import Run
from tests.bench.scale import Day, Scaled

_OURS = ("faust-streaming", "aiokafka", "numpy", "confluent-kafka")
_PEERS = ("quixstreams", "bytewax")
_KINDS = {"ordinary": Run, "storm": Run, "latencies": Latency, "costs": Cost, "scaled": Scaled, "days": Day}


@dataclass(slots=True)
class Results:
    """Everything measured, and where."""

    machine: dict[str, str] = field(default_factory=dict)
    ordinary: list[Run] = field(default_factory=list)
    storm: list[Run] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    scaled: list[Scaled] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Results:
        found: dict[str, Any] = json.loads(path.read_text())
        return cls(found["machine"], **{name: [kind(**each) for each in found[name]] for name, kind in _KINDS.items()})


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines() if "model name" in line]
    memory = int(_read("/proc/meminfo").split()[1]) / 2**20
    found = {
        "machine": f"{len(cpu)} cores of {cpu[0] if cpu else platform.machine()}, {memory:.0f} GiB",
        "kernel": platform.release(),
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "Java": _java(),
    }
    found |= {name: version(name) for name in _OURS}
    found["Kafka, Kafka Streams"], found["Flink"] = (
        _jar("kafka_streams", "kafka-streams"),
        _jar("flink", "flink-streaming-java"),
    )
    listed = subprocess.run(
        [str(peers_python.python()), "-m", "pip", "list", "--format=json"], check=True, capture_output=True
    )
    versions = {each["name"]: each["version"] for each in json.loads(listed.stdout)}
    return found | {name: versions[name] for name in _PEERS}


def _jar(peer: str, name: str) -> str:
    (found,) = jvm.jars(peer).glob(f"{name}-[0-9]*.jar")
    return found.stem.removeprefix(f"{name}-")


def _java() -> str:
    said = subprocess.run(["java", "-version"], check=True, capture_output=True, text=True).stderr
    return said.splitlines()[0].split('"')[1]


def _read(path: str) -> str:
    return Path(path).read_text() if sys.platform == "linux" else ""
