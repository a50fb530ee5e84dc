"""The long fuzz, coverage-guided by atheris: ``python -m tests.fuzz [--inputs N] [--quiet N] [target …]``.

Each target runs in a process of its own until it has had its inputs and no new edge has come for so many.
What was found stays in ``build/fuzz``; ``--keep`` writes it to ``corpus/``, where it is tests.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz import corpus

WORK = Path("build") / "fuzz"
#: One input longer than this (seconds of the clock, on a machine that has other work) is a hang, more memory than
#: this (MB) a leak or a bomb.
SECONDS_MAX, MEMORY_MB_MAX, BYTES_MAX = 60, 1_024, 2_048
_LINE = re.compile(r"^#(\d+)\s.*\bcov: (\d+)")


def command(target: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.child", target, *map(str, arguments)]


def fuzz(target: str, inputs: int, quiet: int) -> tuple[int, int, int]:
    """Run one target; return how many inputs it had, how many edges they reached, and when the last one came."""
    folder = WORK / target
    folder.mkdir(parents=True, exist_ok=True)
    corpus.unpack(target, folder)
    words = corpus.dictionary(WORK / "words")
    options = [f"-timeout={SECONDS_MAX}", f"-rss_limit_mb={MEMORY_MB_MAX}", f"-max_len={BYTES_MAX}", f"-dict={words}"]
    process = subprocess.Popen(
        command(target, folder, *options, f"-artifact_prefix={WORK}/{target}-"), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    done, edges, last, tail, shown = 0, 0, 0, list[str](), time.monotonic()
    for line in process.stderr:
        tail = [*tail[-60:], line]
        found = _LINE.match(line)
        if not found:
            continue
        done, reached = int(found[1]), int(found[2])
        if reached > edges:
            edges, last = reached, done
        if time.monotonic() - shown > 30:
            print(f"{target}: {done:,} inputs, {edges:,} edges, the last at {last:,}", flush=True)
            shown = time.monotonic()
        if done >= inputs and done - last >= quiet:
            process.terminate()
            break
    else:
        process.wait()
        sys.exit(f"{target} fell over after {done:,} inputs:\n{''.join(tail)}")
    process.wait()
    return done, edges, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_250_000, help="at least so many a target")
    parser.add_argument("--quiet", type=int, default=500_000, help="and so many since the last new edge")
    parser.add_argument("--keep", action="store_true", help="do not run; keep what was found")
    parser.add_argument("targets", nargs="*", default=list(corpus.NAMES))
    given = parser.parse_args()
    total = 0
    for target in given.targets:
        if given.keep:
            corpus.pack(target, WORK / target)
            continue
        began = time.monotonic()
        done, edges, last = fuzz(target, given.inputs, given.quiet)
        total += done
        seconds = time.monotonic() - began
        print(f"{target}: {done:,} inputs in {seconds:,.0f} s, {edges:,} edges, the last new one at {last:,}, no crash")
    if not given.keep:
        print(f"{total:,} inputs, crashes 0")


if __name__ == "__main__":
    main()
