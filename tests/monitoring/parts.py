"""Prometheus, Alertmanager and the web-hook of ``deploy/`` as plain processes on free loopback ports.

The configurations are those that are shipped; only addresses and paths are replaced.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml

from tests.broker.kafka import free_ports
from tests.monitoring.tools import find

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = ROOT / "helm" / "liquidation-streams" / "files" / "alerts.yaml"
STARTED_SECONDS_MAX = 30.0


class Process:
    """A program whose output goes to a file."""

    def __init__(self, name: str, command: list[Any], folder: Path) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_until_ready(self, port: int) -> None:
        ready = f"http://127.0.0.1:{port}/-/ready"
        wait_until(lambda: self.ended is not None or answers(ready), STARTED_SECONDS_MAX, f"an answer of {ready}")
        assert self.ended is None, self.lines()[-5:]

    @property
    def ended(self) -> int | None:
        return self._process.poll()

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()


class Webhook(Process):
    """The receiver of the compose file; its lines are the alerts."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        super().__init__("webhook", [sys.executable, "-u", DEPLOY / "compose" / "webhook.py", self.port], folder)

    def heard(self, status: str, alert: str) -> bool:
        return any(line.startswith(f"{status} ") and f" {alert}: " in line for line in self.lines())


class Alertmanager(Process):
    """Sends what Prometheus finds to the web-hook."""

    def __init__(self, folder: Path, webhook: Webhook) -> None:
        (self.port,) = free_ports(1)
        config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
        config["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{webhook.port}/"
        path = folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config))
        command = [
            find("alertmanager"), f"--config.file={path}", f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
        ]  # fmt: skip
        super().__init__("alertmanager", command, folder)


class Prometheus(Process):
    """Scrapes the worker at a port, and asks the rules."""

    def __init__(self, folder: Path, worker_port: int, alertmanager: Alertmanager) -> None:
        (self.port,) = free_ports(1)
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        config["rule_files"] = [str(RULES)]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]
        (job,) = config["scrape_configs"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{worker_port}"]}]
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        command = [
            find("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip
        super().__init__("prometheus", command, folder)

    def query(self, expression: str) -> list[dict[str, Any]]:
        return self._ask("query", query=expression)

    def range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        return self._ask("query_range", query=expression, start=start, end=end, step=step)

    def _ask(self, what: str, **parameters: Any) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            msg = f"{parameters['query']}: {error.read().decode()}"
            raise AssertionError(msg) from None
        return found


def answers(url: str) -> bool:
    """Return whether a page says 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Return after how many seconds a condition holds; it is an error if it does not in time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.5)
    return time.monotonic() - began
