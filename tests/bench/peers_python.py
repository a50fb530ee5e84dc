"""The peers in Python and what draws the plots: an environment of their own, made once from their own lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.jvm import CACHE

LOCK = Path(__file__).with_name("peers") / "requirements.lock"


def python() -> Path:
    """Return the interpreter of the environment, made on the first call and after a change of the lock."""
    folder = CACHE / f"bench-python{sys.version_info.major}.{sys.version_info.minor}"
    found, made_from = folder / "bin" / "python", folder / LOCK.name
    # The copy of the lock is written last: without it the environment is not whole.
    if not made_from.is_file() or made_from.read_text() != LOCK.read_text():
        print(f"installing the peers in Python into {folder}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        quiet = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
        subprocess.run([str(found), "-m", "pip", "install", *quiet, "-r", str(LOCK)], check=True)
        shutil.copy(LOCK, made_from)
    return found
