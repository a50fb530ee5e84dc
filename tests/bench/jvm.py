"""The peers of the JVM: jars from Maven Central, once, and a few lines of Java compiled at each run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PEERS = Path(__file__).with_name("peers")
CACHE = Path.home() / ".cache" / "liquidation-streams"
#: A fixed heap and the collector for throughput: less CPU a record than the default on two cores.
HEAP = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")


def missing() -> str | None:
    """Say why no peer of the JVM can run here, or None where one can."""
    lacking = [name for name in ("java", "javac", "mvn") if shutil.which(name) is None]
    return f"needs {' and '.join(lacking)} on the PATH" if lacking else None


def jars(peer: str) -> Path:
    """Return the folder with the jars of ``peers/<peer>/pom.xml``, fetched by Maven on the first call."""
    found = CACHE / f"bench-{peer}"
    pom = PEERS / peer / "pom.xml"
    if not found.is_dir() or (found / "pom.xml").read_text() != pom.read_text():
        shutil.rmtree(found, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        # Renamed into place when whole: Ctrl-C must not leave half of it.
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            folder = Path(scratch) / "lib"
            command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
            subprocess.run([*command, "-DincludeScope=runtime"], check=True)
            shutil.copy(pom, folder)
            folder.rename(found)
    return found


@cache
def compiled(peer: str, folder: Path) -> str:
    """Compile a peer into a folder, once; return its class path."""
    target = folder / f"classes-{peer}"
    sources = [*PEERS.glob("*.java"), *(PEERS / peer).glob("*.java")]
    library = f"{jars(peer)}{os.sep}*"
    subprocess.run(["javac", "-nowarn", "-cp", library, "-d", str(target), *map(str, sources)], check=True)
    return f"{target}{os.pathsep}{library}"
