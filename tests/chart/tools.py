"""Programs that the chart's tests call: from the PATH, or built once by Go into ``~/.cache/liquidation-streams``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache" / "liquidation-streams"
MODULES = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.19.2",
    "kubectl-validate": "sigs.k8s.io/kubectl-validate@v0.0.4",
}
#: What Helm's own build says: without it Helm believes to talk to a Kubernetes 1.20 where it talks to none.
KUBERNETES_OF_HELM = "helm.sh/helm/v3/pkg/chartutil.k8sVersionM"
FLAGS = {"helm": f"-ldflags=-X {KUBERNETES_OF_HELM}ajor=1 -X {KUBERNETES_OF_HELM}inor=34"}
#: Modules that hold the definitions of the custom resources that the chart makes, and where.
DEFINITIONS = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/kedacore/keda/v2@v2.18.0": "config/crd/bases",
}
KINDS = ("podmonitors", "servicemonitors", "prometheusrules", "scaledobjects", "triggerauthentications")


def missing(name: str) -> str | None:
    """Say why a program cannot be had here, or None where it can."""
    if shutil.which(name) or _cached(name).is_file() or shutil.which("go"):
        return None
    return f"the chart's tests need {name} on the PATH, or go to build {MODULES[name]}"


def tool(name: str) -> Path:
    """Return the program, built by Go on the first call where the PATH has none; that takes minutes."""
    found = shutil.which(name)
    return Path(found) if found else built(name)


def built(name: str) -> Path:
    """Return the program of exactly the version that is named here."""
    path = _cached(name)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place when whole: a second run beside this one, or Ctrl-C, must not leave half a program.
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            go("install", FLAGS.get(name, "-ldflags="), MODULES[name], GOBIN=scratch)
            (Path(scratch) / name).rename(path)
    return path


def definitions() -> list[Path]:
    """Return the files that define the custom resources, fetched by Go on the first call."""
    folders = [fetched(module) / folder for module, folder in DEFINITIONS.items()]
    return sorted(path for folder in folders for name in KINDS for path in folder.glob(f"*_{name}.yaml"))


def no_definitions() -> str | None:
    """Say why the custom resources cannot be checked here, or None where they can."""
    return None if shutil.which("go") else "definitions of custom resources are fetched by go, which is not on the PATH"


def fetched(module: str) -> Path:
    """Return the folder of a Go module, fetched on the first call."""
    return Path(json.loads(go("mod", "download", "-json", module))["Dir"])


def go(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    """Run Go and return what it prints."""
    result = subprocess.run(
        ["go", *arguments], cwd=cwd or CACHE, env=os.environ | environment, check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, f"go {' '.join(arguments)}:\n{result.stdout}{result.stderr}"
    return result.stdout


def _cached(name: str) -> Path:
    version = MODULES[name].partition("@")[2]
    return CACHE / f"{name}-{version}" / name
