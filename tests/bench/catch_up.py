"""One worker catches up on a topic of liquidations: `python -m tests.bench.catch_up [records] [hours of event time]`.

Prints records a second from the worker's first commit to its last, and its own CPU per record.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.load import produce
from tests.broker.kafka import Kafka
from tests.broker.worker import Worker, committed_offsets, log_ends

APP = "bench"


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def committed(broker: Kafka) -> int:
    return sum(offset for (topic, _), offset in committed_offsets(broker, APP).items() if topic == "liquidations")


def catch_up(broker: Kafka, folder: Path) -> str:
    """Run a worker to the end of the topic and say how fast it was."""
    end = sum(log_ends(broker, ["liquidations"]).values())
    with Worker(broker, APP, folder, fetch_bytes=2 << 20) as worker:
        assert worker.process is not None
        while not (first := committed(broker)):
            time.sleep(0.05)
        began, cpu = time.monotonic(), cpu_seconds(worker.process.pid)
        while (now := committed(broker)) < end:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        used = cpu_seconds(worker.process.pid) - cpu
    count = now - first
    return f"{count} records in {seconds:.1f} s: {count / seconds:,.0f} a second, {used / count * 1e6:.1f} µs CPU each"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    hours = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with tempfile.TemporaryDirectory() as scratch:
        broker = Kafka(Path(scratch) / "kafka").start()
        try:
            broker.create_topics(partitions=4, app_id=APP)
            produce(broker.bootstrap, count, hours=hours)
            print(catch_up(broker, Path(scratch)))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
