"""A job as the worker builds it, with nobody to talk to, and what stands in for its surroundings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.engine import job as engine
from streams.engine.owned import Options, Stage

OPTIONS = Options("app", {}, 15_000, 500, 5_000, True)
CHANGELOG = "app-state-changelog"


def job(make: Any = None, partitions: int = 2) -> engine.Job:
    """Return a job; it never connects."""
    how = engine.JobOptions("localhost:1", None, 10_000, 1 << 20, True, "127.0.0.1", 6066, None, "INFO")
    return engine.build([Stage(CHANGELOG, ("liquidations", "funding"), make, partitions)], how, OPTIONS, None)


class Calls(list[Any]):
    """What was called, in order: (name, arguments)."""

    def sync(self, name: str, answer: Any = None) -> Any:
        return lambda *arguments: (self.append((name, *arguments)), answer)[1]

    def awaited(self, name: str, answer: Any = None) -> Any:
        async def call(*arguments: Any) -> Any:
            self.append((name, *arguments))
            return answer

        return call


def record(offset: int, timestamp: int = 5) -> Any:
    return SimpleNamespace(offset=offset, key=b"BTC", value=b"v", timestamp=timestamp, timestamp_type=1)


def failing(*_: Any) -> None:
    msg = "a bug of ours"
    raise RuntimeError(msg)
