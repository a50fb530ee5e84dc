"""Recorded files as their topics would hold them, put in order of event time."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.partitioner import murmur2
from rich.progress import Progress, TaskID

from streams import sources
from streams.codec.encode import Encoder
from streams.units.shard import FUNDING, LIQUIDATIONS

INPUTS: Final = (LIQUIDATIONS, FUNDING, "open-interest", "quotes", "exchange-flows")
_CACHE_KIB: Final = 65_536
_UNREADABLE_SHOWN_MAX: Final = 20
_NUMBER: Final = (float, int, type(None))


class Fed(NamedTuple):
    """A record as its topic would hold it, its place in the order (``at_ms``, ``number``), and where it came from.

    ``at_ms`` is its event time, but no later than now: it stands for the broker's own time.
    """

    at_ms: int
    number: int
    partition: int
    topic: str
    form: str
    key: bytes
    value: bytes
    file: str
    line: int


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Java's and aiokafka's clients choose for a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Loader:
    """Reads files and hands their records out by event time.

    SQLite does the sorting: in memory as far as it goes (64 MiB), beyond that in a temporary file of its own,
    about 300 bytes a record, which nobody else can open and which is gone with this object.
    """

    def __init__(self, partitions: int, encoder: Encoder, say: Callable[[str], None]) -> None:
        self.count = 0
        self.unreadable = 0
        self.with_liquidations: set[int] = set()
        self._partitions = partitions
        self._say = say
        self._encoder = encoder
        self._now_ms = time.time_ns() // 1_000_000
        self._sorted = sqlite3.connect("")
        self._sorted.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._sorted.execute("PRAGMA journal_mode = OFF")
        columns = "at_ms INTEGER, number INTEGER, partition, topic, form, key, value, file, line"
        self._sorted.execute(f"CREATE TABLE fed ({columns}, PRIMARY KEY (at_ms, number)) WITHOUT ROWID")

    def load(self, forms: dict[Path, str], progress: Progress) -> None:
        """Read all files, each in its form."""
        task = progress.add_task("reading", total=sum(path.stat().st_size for path in forms))
        done = 0
        for path, form in forms.items():
            refuse = self._refusing(path)
            for chunk in sources.read(path, form, refuse=refuse, progress=_moving(progress, task, done)):
                fed = self._fed(chunk, sources.name_of(path), refuse)
                self._sorted.executemany("INSERT INTO fed VALUES (?,?,?,?,?,?,?,?,?)", fed)
                self._sorted.commit()
            done += path.stat().st_size
        if self.unreadable > _UNREADABLE_SHOWN_MAX:
            self._say(f"and {self.unreadable - _UNREADABLE_SHOWN_MAX} more lines that cannot be read")

    def in_order(self) -> Iterator[Fed]:
        """Return the records by event time, equal ones as they were read."""
        return map(Fed._make, self._sorted.execute("SELECT * FROM fed ORDER BY at_ms, number"))

    def span_ms(self) -> int:
        """Return the time between the first and the last record; those without a time do not count."""
        (span,) = self._sorted.execute("SELECT max(at_ms) - min(at_ms) FROM fed WHERE at_ms > 0").fetchone()
        return span or 0

    def close(self) -> None:
        """Let go of the temporary file."""
        self._sorted.close()

    def _refusing(self, path: Path) -> Callable[[sources.Unreadable], None]:
        def refuse(unreadable: sources.Unreadable) -> None:
            self.unreadable += 1
            if self.unreadable <= _UNREADABLE_SHOWN_MAX:
                self._say(f"{sources.name_of(path)} line {unreadable.number}: {unreadable.detail}")

        return refuse

    def _fed(
        self, chunk: list[sources.Sourced], file: str, refuse: Callable[[sources.Unreadable], None]
    ) -> Iterator[Fed]:
        at_ms = 0
        for line, topic, record in chunk:
            if topic not in INPUTS:
                refuse(sources.Unreadable(line, f"topic must be one of {', '.join(INPUTS)}, was {topic!r}"))
                continue
            # What has no time that can be used is refused by the codec: where it stands does not matter.
            at_ms = min(_usable(record.get("event_time"), at_ms), self._now_ms)
            if record.get("ingest_time") is None:
                record["ingest_time"] = record.get("event_time")
            key = str(record.get("asset") or "").encode(errors="replace")
            partition = partition_of(key, self._partitions)
            form, value = self._encoded(topic, record)
            if topic == LIQUIDATIONS:
                self.with_liquidations.add(partition)
            self.count += 1
            yield Fed(at_ms, self.count, partition, topic, form, key, value, file, line)

    def _encoded(self, topic: str, record: sources.Record) -> tuple[str, bytes]:
        """Return Avro; JSON for what Avro cannot hold, so that the codec can say what is wrong with it."""
        # The encoder would make a number of "2_000" and of true.
        if all(type(value) in _NUMBER for name, value in record.items() if name in sources.NUMBERS):
            with suppress(ValueError):
                return "avro", self._encoder.encode(topic, record)
        return "json", json.dumps(record, default=str).encode()


def _usable(event_time: Any, otherwise: int) -> int:
    return event_time if type(event_time) is int and abs(event_time) < 1 << 53 else otherwise


def _moving(progress: Progress, task: TaskID, done: int) -> Callable[[int], None]:
    return lambda read: progress.update(task, completed=done + read)
