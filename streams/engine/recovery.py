"""How an assignment becomes state: fence, read the changelog, seek, go.

Faust's recovery reads record by record (130 µs each), hangs where a changelog
ends with a transaction's marker, swallows errors, and lets records through
before it has sought. It keeps the life cycle; the reading is ours.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from faust.tables import manager, recovery
from faust.types import TP
from mode import Service


class Recovery(recovery.Recovery):
    """Faust's recovery service with our own way to the state."""

    app: Any  # our Job

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Counter[TP], title: str) -> None:
        destination.clear()
        if title == "active":
            await self.app.owners.take(sorted(tps))

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Counter[TP], title: str) -> None:
        """Nothing: the changelog has been read."""

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Counter[TP], title: str) -> None:
        """Nothing: the changelog has been read."""

    def need_recovery(self) -> bool:
        """Faust has nothing left to read."""
        return False

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109 - as overridden
        # To Faust a wait that has timed out was stopped, and with it recovery, for the life of the process.
        await super()._wait(coro)

    @Service.task
    async def _restart_recovery(self) -> None:
        # Whatever it ends by, nobody would take up a partition any more, and nothing would say so.
        await recovery.Recovery._restart_recovery.fun(self)
        if not self.should_stop:
            await self.app.owners.fail(RuntimeError("Faust's recovery has ended, and nobody has stopped it"))

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        # Without this Faust resumes the source partitions before it seeks and then clears its queues:
        # 5 of 7 starts lost batches.
        self.app.consumer.stop_flow()
        if not await self.app.owners.has_taken(self.active_tps):
            return
        await super().on_recovery_completed(generation_id)
        self.app.owners.resumed()


class TableManager(manager.TableManager):
    """Faust's tables, recovered by us."""

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast("Recovery", self._recovery)

    async def on_start(self) -> None:
        # Faust waits a second for tables that may still be made, and who restarts a worker waits with it.
        # Ours are all made before it starts.
        await self._update_channels()
        await self.recovery.start()
