"""``make chaos``: faults of all kinds from one printed seed, until there were enough; the oracle must find nothing.

python -m tests.broker.chaos --faults 200 --seed 20261122
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.broker import clock, faults
from tests.broker.kafka import missing
from tests.broker.torture import Plan, Torture

#: Rounds that have found something once, and what; ``make chaos`` begins with them.
FOUND = {
    334063: "a worker that had slept for 15 s took its last fetch for the end of the log, and gave time",
    334068: "a unit whose first records were on their way was told that there were none",
    366412: "a worker was killed while it owed the group's offsets, and nobody paid until the next record",
}
_EACH_ROUND = 24
#: By how often each comes in a round, at most.
_KINDS = {
    "sigkill": 4, "sigkill_in_a_flush": 5, "sigterm": 2, "zombie": 2, "zombie_in_a_flush": 2, "zombie_for_long": 1,
    "outage": 1, "join": 3, "leave": 2, "broker_restart": 1, "broker_killed": 1, "transaction_cut": 3,
    "transaction_hangs": 2, "fencing_cut": 1, "fenced_by_a_stranger": 2, "registry_trouble": 2, "clock_jumps": 3,
}  # fmt: skip


def plan_of(seed: int) -> Plan:
    """Return a round that is drawn from a seed: every third has three brokers, every fourth is run again."""
    chance = random.Random(f"plan-{seed}")
    registry, clocks = chance.random() < 0.5, chance.random() < 0.5 and clock.missing() is None
    without = (set() if registry else {"registry_trouble"}) | (set() if clocks else {"clock_jumps"})
    pool = [name for name, count in _KINDS.items() if name not in without for _ in range(count)]
    names = tuple(chance.sample(pool, _EACH_ROUND))
    again = seed % 4 == 0
    return Plan(
        seed,
        names,
        brokers=3 if seed % 3 == 0 else 1,
        workers=chance.choice([1, 2, 3]),
        registry=registry,
        clocks=clocks,
        again=again,
        settings={"idle_timeout_ms": 0} if again else {},
    )


def tormented(folder: Path, plan: Plan) -> Torture:
    """Run a plan to its verdict: ``problems`` of what is returned."""
    run = Torture(folder, plan)
    try:
        run.begin()
        for number, name in enumerate(plan.faults, 1):
            run.await_moment()
            run.tell(name)
            run.release(number)
            run.did[name] += getattr(faults, name)(run)
        run.heal()
    finally:
        run.end()
    return run


def report(run: Torture) -> str:
    """Return the story of a run, for somebody who has to understand it."""
    return "\n".join([f"{run.plan}", *run.story, f"workers' ends: {dict(run.ended)}", *run.problems])


def main() -> None:
    """Run rounds until there were enough faults; exit 1 where the oracle found anything."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int)
    wanted = parser.parse_args()
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    seeds = [*FOUND, random.randrange(10**6)] if wanted.seed is None else [wanted.seed]
    print(f"seed {seeds[-1]}; bent clocks: {clock.missing() or 'yes'}", flush=True)
    did, written, seen = Counter[str](), Counter[str](), Counter[str]()
    bad, began = 0, time.monotonic()
    while did.total() < wanted.faults:
        seed = seeds.pop(0)
        seeds = seeds or [seed + 1]
        with tempfile.TemporaryDirectory() as folder:
            run = tormented(Path(folder), plan_of(seed))
        assert run.upstream is not None
        did, written, seen = did + run.did, written + run.upstream.did, seen + run.seen
        bad += len(run.problems)
        minutes = (time.monotonic() - began) / 60
        print(f"round {seed}: {run.did.total()} faults, {len(run.problems)} differences; {minutes:.1f} min", flush=True)
        if run.problems:
            print(report(run), flush=True)
    for name, count in sorted(did.items()):
        print(f"  {count:4d} {name}")
    print(f"{did.total()} faults in {(time.monotonic() - began) / 60:.1f} min; upstream: {dict(written)}")
    print(f"compared: {dict(seen)}")
    print(f"differences to the oracle: {bad}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
