"""``make sabotage``: each protection is taken away in turn, and the torturer has to notice."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.broker.chaos import tormented
from tests.broker.kafka import missing
from tests.broker.torture import Plan

_RUNS_MAX = 4
_KILLS = ("sigkill_in_a_flush",) * 6
#: What hurts where the protection would be needed.
RUNS = {
    "transaction": {"faults": _KILLS},
    "fencing": {"faults": ("zombie_for_long",) * 3, "workers": 2, "settings": {"flush_interval_ms": 1_000}},
    "seek": {"faults": ("sigkill",) * 2},
    "committed_recovery": {"faults": _KILLS},
    "committed_sources": {"faults": ("sigterm",) * 2},
    "batch_rule": {"faults": ("sigterm",) * 2},
    "on_time": {"faults": ("sigterm",) * 2},
    "ticks": {"faults": ("outage",) * 2, "settings": {"idle_timeout_ms": 10, "flush_interval_ms": 10}},
    "silence": {"faults": ("zombie_for_long",) * 3, "settings": {"idle_timeout_ms": 300, "flush_interval_ms": 10}},
    "dedupe": {"faults": ("sigterm",) * 2},
}


def noticed(name: str) -> tuple[int, list[str]]:
    """Return the seed of the run that noticed, and what it found; nothing after the last run."""
    for seed in range(_RUNS_MAX):
        plan = Plan(seed=seed, command=("-m", "tests.broker.saboteur", name), **RUNS[name])
        with tempfile.TemporaryDirectory() as folder:
            run = tormented(Path(folder), plan)
        # A saboteur that falls over is no evidence, nor one that hangs.
        fell = [problem for problem in run.problems if problem.startswith("a worker ended")]
        assert not fell, fell
        if run.differences:
            return seed, run.differences
    return _RUNS_MAX, []


def main() -> None:
    """Take away what is named, or everything in turn; exit 1 where nobody noticed."""
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    unnoticed = []
    for name in sys.argv[1:] or RUNS:
        seed, problems = noticed(name)
        print(f"{name}: " + (f"run {seed} noticed: {problems[0][:200]}" if problems else "NOT NOTICED"), flush=True)
        unnoticed += [] if problems else [name]
    sys.exit(f"nobody noticed without {', '.join(unnoticed)}" if unnoticed else 0)


if __name__ == "__main__":
    main()
