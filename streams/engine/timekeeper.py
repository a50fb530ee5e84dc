"""What happens without a record: units that have waited are flushed, and told of silence.

Silence is what one has listened to: only who has heard its broker all the
while, and has folded all that it handed out, may say that nothing came.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from faust.types import TP

from streams.engine.owned import Owned
from streams.engine.transport import Span, recounted, shrunk

if TYPE_CHECKING:
    from streams.engine.owners import Owners

#: In an old backlog a unit is flushed so many times more seldom: a row is written once for all that changes it.
BACKLOG_INTERVALS = 4
#: A worker that slept or was away from its broker for so long has not listened; and how long one has to, before it
#: says of a partition that never had anything that nothing is there.
DEAF_SECONDS, LISTENED_MS = 1.0, 500
#: A new leader may not know at once how far its partition goes.
SHRUNK_SECONDS = 10.0


class Timekeeper:
    """Looks at the units of a process, one after the other and for ever.

    A cut holds the loop. Were all made at once, onsets would wait for them, and no broker be heard meanwhile.
    """

    def __init__(self, owners: Owners) -> None:
        self.owners = owners

    async def run(self) -> None:
        """Keep time until something fails."""
        owners = self.owners
        interval = owners.options.flush_interval_ms / 1000
        try:
            while owners.failure is None:
                found = list(owners.owned.items())
                if owners.ready:
                    await self.count_partitions()
                pause = interval / max(1, len(found))
                for key, owned in found:
                    if await _overslept(pause) > DEAF_SECONDS:
                        self.was_deaf()
                    if owners.owned.get(key) is not owned:
                        continue
                    span = self.span(owned)
                    if owners.ready:
                        self.idle(owned, span)
                        await self.look_behind(owned)
                    if owned.due and owned.task is None and is_due(owned, span, interval):
                        owners.kick(owned)
                if not found:
                    await asyncio.sleep(pause)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not pass unseen
            await owners.fail(error)

    def was_deaf(self) -> None:
        """Begin to listen anew: nobody knows whether it was silent."""
        for owned in self.owners.owned.values():
            owned.heard = time.monotonic()

    def span(self, owned: Owned) -> Span | None:
        """Return what a unit has before it of what moves its clock; None where nothing is known."""
        return self._span_of(owned, owned.stage.clock_topic)

    def _span_of(self, owned: Owned, topic: str) -> Span | None:
        at = owned.unit.next.get(topic)
        if at is None or topic in owned.seeking:
            return None
        span: Span | None = self.owners.app.consumer._thread.span(TP(topic, owned.unit.partition), at)
        return span

    async def look_behind(self, owned: Owned) -> None:
        """Stop where a source has ended in front of its unit for a while: nothing of it would be folded any more."""
        now = time.monotonic()
        for topic in owned.stage.sources:
            at, span = owned.unit.next.get(topic, 0), self._span_of(owned, topic)
            if span is None or span.end >= at:
                owned.whole[topic] = now
            elif now - owned.whole.setdefault(topic, now) > SHRUNK_SECONDS:
                await self.owners.fail(shrunk(TP(topic, owned.unit.partition), span.end, at))

    async def count_partitions(self) -> None:
        """Stop where a topic has got partitions: they have no units, and their records would be passed over unheard."""
        owners = self.owners
        for stage in owners.stages.values():
            for topic in () if stage.alone else stage.sources:
                count = owners.app.consumer._thread.partitions(topic)
                if count not in (None, stage.partitions):
                    await owners.fail(recounted(topic, stage.partitions, count))

    def idle(self, owned: Owned, span: Span | None) -> None:
        """Tell a unit that time has passed, if it was silent to the end of its source for long enough."""
        now = time.monotonic()
        if span is None or not 0 <= span.age_ms <= DEAF_SECONDS * 1000:
            owned.heard = now
            return
        silent_ms = int((now - owned.heard) * 1000)
        patience_ms = self.owners.options.idle_timeout_ms
        if owned.unit.clockless and not owned.gave_time:
            patience_ms = LISTENED_MS
        if not patience_ms or silent_ms < patience_ms or span.seen < span.end:
            return
        owned.gave_time, owned.heard = True, now
        with owned.step():
            owned.unit.idle(silent_ms)


def is_due(owned: Owned, span: Span | None, interval: float) -> bool:
    """Whether a unit that has work is to be flushed now.

    Seldom in an old backlog, at its end at once; and not just after a flush that could not wait, which has taken
    everything with it.
    """
    now, patience = time.monotonic(), interval * BACKLOG_INTERVALS
    seldom = span is not None and span.seen < span.stable and now - owned.behind < patience
    return now - owned.flush_ended >= (patience if seldom else interval / 2)


async def _overslept(seconds: float) -> float:
    """Sleep, and return by how much it was longer."""
    due = time.monotonic() + seconds
    await asyncio.sleep(seconds)
    return time.monotonic() - due
