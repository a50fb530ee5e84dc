"""Prometheus and Alertmanager: on the PATH, or fetched into a cache, without root.

Prometheus is unpacked from Debian's package. Debian's Alertmanager runs only where it is installed, so that one is
built by Go. What is fetched stays in ``~/.cache/liquidation-streams``; nothing is installed, no service is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache" / "liquidation-streams" / "monitoring"
ALERTMANAGER = "github.com/prometheus/alertmanager/cmd/alertmanager@v0.28.1"
#: Program -> what Debian calls it and its package.
DEBIAN = {
    "prometheus": ("prometheus", "prometheus"),
    "promtool": ("promtool", "prometheus"),
    "alertmanager": ("prometheus-alertmanager", "prometheus-alertmanager"),
}


def find(name: str) -> Path | None:
    """Return the path of a program, fetched on the first call where that is possible; None where it cannot be had."""
    found = shutil.which(name) or shutil.which(DEBIAN[name][0])
    if found is not None:
        return Path(found)
    return _built() if name == "alertmanager" else _unpacked(*DEBIAN[name])


def missing(*names: str) -> str | None:
    """Say what to install, or None where all is there."""
    lacking = sorted({DEBIAN[name][1] for name in names if find(name) is None})
    return f"needs {' and '.join(names)} on the PATH: apt-get install {' '.join(lacking)}" if lacking else None


def _built() -> Path | None:
    path = CACHE / "alertmanager"
    if not path.exists() and shutil.which("go"):
        # Where there is no network, Go says so and the test is skipped.
        subprocess.run(["go", "install", ALERTMANAGER], env=os.environ | {"GOBIN": str(CACHE)}, check=False)
    return path if path.exists() else None


def _unpacked(name: str, package: str) -> Path | None:
    path = CACHE / package / "usr" / "bin" / name
    if not path.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        _fetch(package)
    return path if path.exists() else None


def _fetch(package: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        subprocess.run(["apt-get", "download", "-q", package], cwd=scratch, capture_output=True, check=False)
        for deb in Path(scratch).glob("*.deb"):
            whole = Path(scratch) / "root"
            subprocess.run(["dpkg", "-x", deb, whole], check=True)
            # Renamed into place when whole: a second run beside this one must not find half a program.
            if not (CACHE / package).exists():
                whole.rename(CACHE / package)
