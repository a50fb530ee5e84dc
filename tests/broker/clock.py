"""A worker's clock that can be wrong, and jump: a small library, built where a compiler is, and preloaded."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def missing() -> str | None:
    """Say why no clock can be bent here, or None where one can."""
    if not sys.platform.startswith("linux"):
        return "bending a process's clock needs Linux's LD_PRELOAD"
    return None if shutil.which("cc") else "bending a process's clock needs cc (gcc, libc6-dev)"


class Clock:
    """One process's offset from the machine's clock, in seconds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"clock-{id(self):x}"
        self.set(0.0)
        library = folder / "clock.so"
        if not library.exists():
            source = Path(__file__).with_name("clock.c")
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self._file)}

    def set(self, seconds: float) -> None:
        # In place: the process has mapped this very file.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=d", seconds))
