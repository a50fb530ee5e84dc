"""Whether the worker lives, and whether it works: two questions that an orchestrator asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from streams.engine.owners import Owners
from streams.web.pulse import Pulse


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong, in sentences; nothing means well.

    Parameters
    ----------
    owners
        Of the units.
    pulse
        Of the event loop.
    crashed
        Says whether the app has crashed.
    stuck_seconds
        How long the loop may stand still, or a transaction take.
    clock
        Seconds, rising.

    """

    owners: Owners
    pulse: Pulse
    crashed: Callable[[], bool]
    stuck_seconds: float
    clock: Callable[[], float] = time.monotonic

    def ills(self) -> list[str]:
        """Return why the worker should be restarted."""
        found = []
        if self.owners.failure is not None:
            found.append(f"the worker has stopped: {type(self.owners.failure).__name__}")
        if self.crashed():
            found.append("the app has crashed")
        silent = self.pulse.silent_seconds()
        if silent > self.stuck_seconds:
            found.append(f"the event loop has stood still for {silent:.0f} s")
        return found + self._slow()

    def lacks(self) -> list[str]:
        """Return why the worker does not work, or not yet; one that was assigned nothing works."""
        waiting = [] if self.owners.ready else ["partitions are being assigned or recovered"]
        return self.ills() + waiting

    def _slow(self) -> list[str]:
        now = self.clock()
        units = self.owners.owned | self.owners.leaving
        begun = {name: owned.flush_began for name, owned in units.items() if owned.flush_began is not None}
        return [
            f"a transaction of {changelog} {partition} has taken {now - began:.0f} s"
            for (changelog, partition), began in begun.items()
            if now - began > self.stuck_seconds
        ]
