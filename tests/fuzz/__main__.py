"""The long fuzz, coverage-guided by atheris: ``python -m tests.fuzz [--inputs N] [--quiet N] [target …]``.

Each target runs in processes of its own, one a core, until it has had its inputs and no new edge has come for so many.
What was found stays in ``build/fuzz``, where a run that was stopped goes on;
``--keep`` writes the smallest that lead everywhere to ``corpus/``, where they are tests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.fuzz import corpus

WORK = Path("build") / "fuzz"
#: One input longer than this (seconds of the clock, on a machine that has other work) is a hang, more memory than
#: this (MB) a leak or a bomb.
SECONDS_MAX, MEMORY_MB_MAX, BYTES_MAX = 60, 1_024, 2_048
#: Inputs of one process: atheris keeps 50 bytes of every comparison of arrays that it has seen, 5 to 25 KB an input.
BOUT_COUNT = 18_000
_LINE = re.compile(r"^#(\d+)\s.*\bcov: (\d+)")


def command(target: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.child", target, *map(str, arguments)]


def fuzz(target: str, inputs: int, quiet: int) -> tuple[int, int, int]:
    """Run one target; return how many inputs it had, how many edges they reached, and when the last one came.

    It goes on from where an earlier run was stopped.
    """
    folder, notes = WORK / target, WORK / f"{target}.json"
    folder.mkdir(parents=True, exist_ok=True)
    corpus.unpack(target, folder)
    done, edges, last = json.loads(notes.read_text()) if notes.exists() else (0, 0, 0)
    shown = time.monotonic()
    while done < inputs or done - last < quiet:
        before = done
        for ran, reached in bouts(target, folder):
            done = before + ran
            if reached > edges:
                edges, last = reached, done
            if time.monotonic() - shown > 30:
                print(f"{target}: {done:,} inputs, {edges:,} edges, the last at {last:,}", flush=True)
                notes.write_text(json.dumps([done, edges, last]))
                shown = time.monotonic()
    notes.write_text(json.dumps([done, edges, last]))
    return done, edges, last


def bouts(target: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a process a core; yield how many inputs they had and how many edges one of them reached."""
    ran = dict.fromkeys(os.sched_getaffinity(0), 0)
    heard: SimpleQueue[tuple[int, int, int] | None] = SimpleQueue()

    def listen(core: int) -> None:
        try:
            for count, edges in bout(target, folder):
                heard.put((core, count, edges))
        finally:
            heard.put(None)

    with ThreadPoolExecutor(len(ran)) as pool:
        ends = [pool.submit(listen, core) for core in ran]
        for _ in ends:
            while said := heard.get():
                core, ran[core], edges = said
                yield sum(ran.values()), edges
    for end in ends:
        end.result()


def bout(target: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run one process, from what was found so far and what others find; yield as ``bouts`` does."""
    words = corpus.dictionary(WORK / "words")
    options = [f"-timeout={SECONDS_MAX}", f"-rss_limit_mb={MEMORY_MB_MAX}", f"-max_len={BYTES_MAX}", f"-dict={words}"]
    options.append("-entropic_scale_per_exec_time=1")  # what is quick is chosen more often: twice as many in an hour
    process = subprocess.Popen(
        command(target, folder, f"-runs={BOUT_COUNT}", *options, f"-artifact_prefix={WORK}/{target}-"),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    tail: list[str] = []
    for line in process.stderr:
        tail = [*tail[-60:], line]
        if found := _LINE.match(line):
            yield int(found[1]), int(found[2])
    if process.wait():
        sys.exit(f"{target} fell over:\n{''.join(tail)}")


def chosen(target: str, folder: Path) -> list[Path]:
    """Return the files that lead where no smaller one does, with what was kept before among them."""
    corpus.unpack(target, folder)
    files = sorted(folder.iterdir(), key=lambda path: (path.stat().st_size, path.name))
    # The half of libFuzzer's -merge that runs everything; its other half starts this one, and not by "python -m".
    notes = WORK / f"{target}.merge"
    notes.write_text("".join(f"{line}\n" for line in (len(files), 0, *files)))
    subprocess.run(command(target, f"-merge_control_file={notes}", "-merge_inner=1"), check=True)
    new = re.findall(r"^FT (\d+) \d", notes.read_text(), re.MULTILINE)
    return [files[int(number)] for number in new]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_250_000, help="at least so many a target")
    parser.add_argument("--quiet", type=int, default=500_000, help="and so many since the last new edge")
    parser.add_argument("--keep", action="store_true", help="do not run; keep what leads where nothing smaller does")
    parser.add_argument("targets", nargs="*", default=list(corpus.NAMES))
    given = parser.parse_args()
    total = 0
    for target in given.targets:
        if given.keep:
            corpus.pack(target, chosen(target, WORK / target))
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
