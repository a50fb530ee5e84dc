"""Workers that are killed, stopped, cut off and shut out end with the numbers of the oracle: none lost, none twice.

``make chaos`` is the long run, and begins with the seeds that have ever failed.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.broker import kafka, sabotage
from tests.broker.chaos import report, tormented
from tests.broker.torture import Plan

SHORT = Plan(
    seed=4,
    workers=2,
    faults=(
        "sigkill", "sigkill", "sigkill_in_a_flush", "sigkill", "zombie", "sigkill", "sigkill_in_a_flush", "sigkill",
        "broker_restart", "sigkill", "sigkill", "fenced_by_a_stranger", "sigkill", "sigterm", "sigkill", "sigkill",
    ),
)  # fmt: skip


@pytest.mark.skipif(kafka.missing() is not None, reason=str(kafka.missing()))
def test_ten_sigkills_a_zombie_and_a_broker_restart_change_nothing(tmp_path):
    run = tormented(tmp_path, SHORT)

    print(report(run))
    assert [] == run.problems
    assert all(run.seen[kind] for kind in ("rows", "cascades", "crowded", "dead letters", "feed status"))
    assert run.did["sigkill"] + run.did["sigkill_in_a_flush"] >= 10
    assert run.did["zombie"] == run.did["broker_restart"] == 1
    assert run.slowest_end <= 10


@pytest.mark.parametrize("name", sabotage.RUNS)
def test_each_protection_is_where_the_saboteur_takes_it_away(name):
    program = f"from tests.broker import saboteur; saboteur.{name}()"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert 0 == found.returncode, found.stderr
