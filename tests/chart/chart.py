"""The chart as Helm renders it."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.chart.tools import tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "liquidation-streams"
KUBERNETES = "1.30.0"
#: The only value without a default.
BROKERS = "kafka.brokers=kafka-1:9092"
SASL = ("kafka.securityProtocol=SASL_SSL", "kafka.saslMechanism=SCRAM-SHA-512", "kafka.loginSecret=kafka-user")
TLS = ("kafka.securityProtocol=SSL", "kafka.caSecret=kafka-ca", "kafka.clientSecret=kafka-certificate")
REGISTRY = (
    "registry.url=https://registry.internal", "registry.loginSecret=registry-user", "registry.caSecret=registry-ca",
)  # fmt: skip
#: Everything that can be switched on, on.
EVERYTHING = (
    *SASL, "kafka.caSecret=kafka-ca", "kafka.clientSecret=kafka-certificate", *REGISTRY, "topics.replication=3",
    "networkPolicy.enabled=true", "monitoring.scrape=service", "monitoring.alerts=true", "monitoring.dashboards=true",
    "autoscaling.enabled=true", "settings.STREAMS_LATENESS_MS=3000", "image.pullSecrets={registry-pull}",
)  # fmt: skip

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(tool("helm")), *arguments], check=False, capture_output=True, text=True)


@cache
def template(*values: str) -> subprocess.CompletedProcess[str]:
    """Render the chart as release ``demo`` with ``key=value`` pairs."""
    sets = [part for value in values for part in ("--set", value)]
    return helm("template", "demo", str(CHART), "--kube-version", KUBERNETES, *sets)


def rendered(*values: str) -> list[Manifest]:
    """Return what the chart makes of these values and of a broker."""
    result = template(BROKERS, *values)
    assert result.returncode == 0, result.stderr
    return [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]


def refused(*values: str) -> str:
    """Return the sentences with which Helm refuses these values."""
    result = template(*values)
    assert result.returncode != 0, f"not refused: {' '.join(values)}"
    return result.stderr


def one(kind: str, *values: str, name: str | None = None) -> Manifest:
    """Return the only manifest of a kind."""
    (found,) = [each for each in all_of(kind, *values) if name in {None, each["metadata"]["name"]}]
    return found


def all_of(kind: str, *values: str) -> list[Manifest]:
    return [each for each in rendered(*values) if each["kind"] == kind]


def pods(*values: str) -> dict[str, Manifest]:
    """Return one pod of each component."""
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in every_pod(*values)}


def every_pod(*values: str) -> list[Manifest]:
    found = []
    for manifest in rendered(*values):
        pod = manifest if manifest["kind"] == "Pod" else manifest.get("spec", {}).get("template")
        if pod:
            found.append(pod)
    return found


def worker(*values: str) -> Manifest:
    """Return the container of the worker."""
    (container,) = pods(*values)["worker"]["spec"]["containers"]
    return container


def environment(*values: str) -> dict[str, Any]:
    """Return the worker's variables: a text, or the reference that gives it."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in worker(*values)["env"]}
