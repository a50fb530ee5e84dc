"""Says on standard output when the warm-up is over and when the last record has been seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable


class Progress:
    """Counts records; ``done`` is called once, behind the last."""

    def __init__(self, warm: int, total: int, done: Callable[[], None] = lambda: None) -> None:
        self.warm = warm
        self.total = total
        self.seen = 0
        self.done = done

    def step(self) -> None:
        self.seen += 1
        if self.seen == self.warm:
            print("warm", self.seen, flush=True)
        elif self.seen == self.total:
            print("done", self.seen, flush=True)
            self.done()


def leave() -> None:
    """End where there is nothing to close, once the bench has had time to look."""
    time.sleep(0.3)
    os._exit(0)
