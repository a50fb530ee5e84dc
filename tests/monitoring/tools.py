"""Prometheus and Alertmanager: on the PATH, or unpacked from Debian's packages into a cache, without root.

What is unpacked stays in ``~/.cache/liquidation-streams``; nothing is installed and no service is started.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache" / "liquidation-streams" / "monitoring"
#: Program -> Debian's package.
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
#: Where it did not come from Debian.
OTHER_NAMES = {"prometheus-alertmanager": "alertmanager"}


def find(name: str) -> Path | None:
    """Return the path of a program, fetched on the first call where apt-get can; None where it cannot be had."""
    found = shutil.which(name) or shutil.which(OTHER_NAMES.get(name, name))
    if found is not None:
        return Path(found)
    fetched = CACHE / PACKAGES[name] / "usr" / "bin" / name
    if not fetched.exists() and not _fetch(PACKAGES[name]):
        return None
    return fetched


def missing(*names: str) -> str | None:
    """Say what to install, or None where all is there."""
    lacking = sorted({PACKAGES[name] for name in names if find(name) is None})
    return f"needs {' and '.join(names)} on the PATH: apt-get install {' '.join(lacking)}" if lacking else None


def _fetch(package: str) -> bool:
    if any(shutil.which(each) is None for each in ("apt-get", "dpkg")):
        return False
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        got = subprocess.run(["apt-get", "download", "-q", package], cwd=scratch, capture_output=True, check=False)
        debs = list(Path(scratch).glob("*.deb"))
        if got.returncode or not debs:
            return False
        whole = Path(scratch) / "root"
        subprocess.run(["dpkg", "-x", debs[0], whole], check=True)
        # Renamed into place when whole: a second run beside this one must not find half a program.
        if not (CACHE / package).exists():
            whole.rename(CACHE / package)
    return True
