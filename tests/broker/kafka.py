"""One real Apache Kafka, in one process on free loopback ports, with its data in a folder of yours.

The jars come from Maven Central once and stay in ``~/.cache/liquidation-streams``.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streams import cluster, topics
from streams.settings import Settings

VERSION = "4.1.0"
CACHE = Path.home() / ".cache" / "liquidation-streams" / f"kafka-{VERSION}"
CLUSTER_ID = "bGlxdWlkYXRpb25zdHJlYQ"
START_SECONDS_MAX = 60


def missing() -> str | None:
    """Say why no broker can run here, or None where one can."""
    lacking = [name for name in ("java", "mvn") if shutil.which(name) is None]
    return f"a real Kafka needs {' and '.join(lacking)} on the PATH" if lacking else None


def jars() -> Path:
    """Return the folder with the broker's jars, fetched by Maven on the first call."""
    if not CACHE.is_dir():
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place when whole: a second run beside this one, or Ctrl-C, must not leave half a broker.
        with tempfile.TemporaryDirectory(dir=CACHE.parent) as scratch:
            folder = Path(scratch) / "lib"
            pom = Path(__file__).with_name("pom.xml")
            command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
            subprocess.run([*command, "-DincludeScope=runtime"], check=True)
            if not CACHE.is_dir():
                folder.rename(CACHE)
    return CACHE


def free_ports(count: int) -> list[int]:
    """Return loopback ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


class Kafka:
    """A broker that can be started, stopped, killed, paused and started again on the same data and ports.

    Parameters
    ----------
    folder
        Where its properties, its log and its data go.

    ``properties`` may be changed before the first start.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.properties = self._defaults()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    def start(self) -> Kafka:
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        """Start the process; it is not waited for: of a cluster most must run before one can answer."""
        assert self._process is None, "already running"
        if not (self.folder / "data").exists():
            self._format()
        with self.log.open("ab") as log:
            command = self._java("kafka.Kafka", str(self.folder / "server.properties"))
            # Its own process group: Ctrl-C in the terminal goes to the tests, which then stop it in order.
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        # A script that ends with an exception must not leave a broker behind.
        atexit.register(self.kill)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def create_topics(
        self, partitions: int | None = None, app_id: str = "liquidation-streams", replication: int = 1
    ) -> None:
        """Create every topic of ``schemas/topics.yaml`` with the settings it has there."""
        settings = Settings(broker=self.bootstrap, app_id=app_id)
        with cluster.admin(settings) as client:
            topics.apply(client, topics.declared(app_id, partitions=partitions, replication=replication))

    def _end(self, how: signal.Signals) -> None:
        atexit.unregister(self.kill)
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        lines = [f"{name}={value}\n" for name, value in self.properties.items()]
        properties.write_text("".join(lines))
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties))
        subprocess.run(command, check=True, capture_output=True)

    def _defaults(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "4",
            # Retention counts from a record's own time: last year's records would be gone within minutes.
            "log.retention.ms": "-1",
            # A topic that a test forgot has to fail by name, not to appear with the wrong settings.
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }

    @staticmethod
    def _java(main: str, *arguments: str) -> list[str]:
        return ["java", "-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-cp", f"{jars()}{os.sep}*", main, *arguments]

    def wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                msg = f"Kafka did not start:\n{self.log.read_text()[-3000:]}"
                raise RuntimeError(msg)
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.2):
                pass
            with cluster.admin(Settings(broker=self.bootstrap)):
                return True
        except (cluster.ClusterProblem, OSError):
            return False


def main() -> None:
    """Fetch the jars, for `make kafka`."""
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    print(f"Kafka {VERSION} lies in {jars()}")


if __name__ == "__main__":
    main()
