"""A task that beats: how we know that the event loop still runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

INTERVAL_SECONDS = 0.25


def _unheard(_: float) -> None:
    """Nobody listens."""


class Pulse:
    """Beats four times a second and says how late each beat was, in seconds."""

    def __init__(
        self, observe: Callable[[float], None] = _unheard, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._observe = observe
        self._clock = clock
        self._last = clock()

    async def run(self) -> None:
        """Beat until cancelled."""
        self._last = self._clock()
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            now = self._clock()
            self._observe(max(0.0, now - self._last - INTERVAL_SECONDS))
            self._last = now

    def silent_seconds(self) -> float:
        """Return how long ago the last beat was."""
        return self._clock() - self._last
