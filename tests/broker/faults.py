"""What can be done to a run: each function is one fault, and returns whether it hurt somebody."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer

from tests.broker.proxy import STEPS, Trap
from tests.broker.registry import MODES
from tests.broker.torture import APP, SESSION_SECONDS, TRANSACTION_SECONDS
from tests.broker.upstream import SILENT

if TYPE_CHECKING:
    from tests.broker.torture import Torture
    from tests.broker.worker import Worker

STEPS_OF_A_FLUSH = [name for name in STEPS if name != "init"]
_WORKERS_MAX = 3
_TRAP_SECONDS = 6.0
_LONG_SECONDS = 12.0
#: Longer than the slack that the judge leaves to a tick.
_OUTAGE_SECONDS = 13.0


def sigkill(run: Torture) -> bool:
    worker = _victim(run)
    if worker is None or worker.process is None:
        return False
    worker.process.kill()
    worker.process.wait()
    return True


def sigkill_in_a_flush(run: Torture) -> bool:
    def strike(port: int) -> None:
        worker = run.worker_at(port)
        if worker is not None and worker.process is not None:
            os.kill(worker.process.pid, signal.SIGKILL)

    return _trap(run, strike, seconds=0.2)


def sigterm(run: Torture) -> bool:
    worker = _victim(run)
    if worker is None:
        return False
    run.leave(worker)
    run.add_worker()
    return True


def zombie(run: Torture) -> bool:
    worker = _victim(run)
    if worker is None:
        return False
    run.sleep(worker, SESSION_SECONDS + run.chance.uniform(0.5, 3.0))
    return True


def zombie_for_long(run: Torture) -> bool:
    """Whoever takes over has long gone on when the old owner wakes with what it never flushed."""
    before = run.awake()
    if not zombie(run):
        return False
    for worker in set(before) - set(run.awake()):
        run.sleep(worker, SESSION_SECONDS + _LONG_SECONDS)
    run.wait(SESSION_SECONDS + _LONG_SECONDS + 2.0)
    return True


def zombie_in_a_flush(run: Torture) -> bool:
    stopped = []

    def strike(port: int) -> None:
        worker = run.worker_at(port)
        if worker is not None and worker.process is not None:
            os.kill(worker.process.pid, signal.SIGSTOP)
            stopped.append(worker)

    _trap(run, strike, cut=False)
    for worker in stopped:
        run.sleep(worker, SESSION_SECONDS + run.chance.uniform(0.5, 3.0))
    return bool(stopped)


def outage(run: Torture) -> bool:
    """Nobody is there for a while, and the log grows."""
    run.outage = True
    for worker in run.awake():
        if worker.process is not None:
            worker.process.kill()
    run.wait(_OUTAGE_SECONDS)
    run.outage = False
    return True


def join(run: Torture) -> bool:
    """One more, up to three."""
    if len(run.workers) == _WORKERS_MAX:
        return False
    run.add_worker()
    return True


def leave(run: Torture) -> bool:
    """One goes and stays away, unless it is the last."""
    worker = _victim(run)
    if worker is None or len(run.workers) == 1:
        return False
    run.leave(worker)
    return True


def broker_restart(run: Torture) -> bool:
    run.chance.choice(run.brokers.members).restart()
    return True


def broker_killed(run: Torture) -> bool:
    broker = run.chance.choice(run.brokers.members)
    broker.kill()
    # Of three the others go on; of one there is nothing to wait for but the workers' patience.
    run.wait(run.chance.uniform(0.5, 8.0 if len(run.brokers.members) > 1 else 2.0))
    broker.start()
    return True


def transaction_cut(run: Torture) -> bool:
    return _trap(run)


def fencing_cut(run: Torture) -> bool:
    """Who starts is cut off, or hangs, at shutting out its predecessor."""
    sigkill(run)
    return _trap(run, seconds=TRANSACTION_SECONDS * run.chance.choice([0.0, 0.5]), step="init")


def transaction_hangs(run: Torture) -> bool:
    """Shorter and longer than the broker waits for a transaction."""
    return _trap(run, seconds=TRANSACTION_SECONDS * run.chance.choice([0.3, 1.2, 2.0]), cut=run.chance.random() < 0.5)


def fenced_by_a_stranger(run: Torture) -> bool:
    """Somebody takes the transactional id of a healthy worker: its next transaction fails at its first step."""
    assert run.upstream is not None
    name = f"{APP}-state-changelog-{run.chance.randrange(run.upstream.partitions)}"
    name = run.chance.choice([name, f"{APP}-market-changelog-0"])
    how = {"bootstrap.servers": run.brokers.bootstrap, "transactional.id": name, "logger": SILENT}
    producer = Producer(how)
    try:
        producer.init_transactions(10)
    except KafkaException:
        return False
    return True


def registry_trouble(run: Torture) -> bool:
    """The registry fails just when somebody starts and needs it."""
    assert run.registry is not None, "this run has none"
    run.registry.mode = run.chance.choice(MODES)
    run.tell(f"  registry is {run.registry.mode}")
    asked = run.registry.asked
    sigkill(run)
    run.wait(run.chance.uniform(2.0, 6.0))
    run.registry.mode = "fine"
    return run.registry.asked > asked


def clock_jumps(run: Torture) -> bool:
    run.chance.choice(run.clocks).set(run.chance.choice([-3_600.0, -5.0, 0.0, 5.0, 3_600.0]))
    return True


def _victim(run: Torture) -> Worker | None:
    awake = run.awake()
    return run.chance.choice(awake) if awake else None


def _trap(
    run: Torture,
    strike: Callable[[int], None] = lambda port: None,
    seconds: float = 0.0,
    *,
    cut: bool = True,
    step: str | None = None,
) -> bool:
    step, before = step or run.chance.choice(STEPS_OF_A_FLUSH), run.chance.random() < 0.5
    trap = Trap(step, before, seconds, cut, strike)
    run.brokers.proxy.set_trap(trap)
    caught = run.wait(_TRAP_SECONDS, trap.sprung.is_set)
    run.brokers.proxy.remove(trap)
    run.tell(f"  {'before' if before else 'after'} {step}{'' if caught else ': nobody came'}")
    return caught
