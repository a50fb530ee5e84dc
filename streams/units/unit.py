"""What the engine asks of a unit of state, and what a flush of it carries.

A *unit* is the state of one partition: it takes batches, lets time pass, and is
cut into flushes. It knows nothing of Faust, of Kafka clients or of clocks;
``replay`` drives the same units from files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from streams.codec.batch import RecordBatch


class Message(NamedTuple):
    """An output: ``partition`` None is found by the key."""

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None = None


@dataclass(slots=True)
class Flush:
    """One consistent cut: changed rows, outputs, and the next offset of each source topic."""

    rows: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Counts of a unit since it was made; metrics read them."""

    consumed: Counter[str] = field(default_factory=Counter)  # by topic
    aggregated: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)  # by topic, among the aggregated
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # by topic and reason
    emitted: Counter[str] = field(default_factory=Counter)  # by topic
    cascades: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # by scope, position side and phase
    expired: Counter[str] = field(default_factory=Counter)  # by topic: retention was quicker than we
    behind_ms: dict[str, int] = field(default_factory=dict)  # by exchange, behind its asset's clock


class WrongTopic(RuntimeError):
    """An unbroken run of records that nobody can read: not bad luck, but the wrong topic or the wrong format."""


class Unit(Protocol):
    """The state of one partition."""

    partition: int
    next: dict[str, int]
    tally: Tally

    def unresolved(self, batch: RecordBatch) -> set[int]:
        """Return the schema ids that must be resolved before ``handle``."""

    def handle(self, batch: RecordBatch) -> None:
        """Fold a batch of one of the unit's topics."""

    @property
    def urgent(self) -> bool:
        """Whether something waits that should not wait for the next flush."""

    @property
    def work(self) -> bool:
        """Whether there is anything to flush."""

    @property
    def clockless(self) -> bool:
        """Whether it has no time of its own and the market must not wait for it."""

    def idle(self, idle_ms: int) -> None:
        """Hear that nothing has come for so long, with nothing left to read."""

    def cut(self) -> Flush:
        """Return everything since the last cut."""

    def restore(self, rows: Mapping[bytes, bytes]) -> None:
        """Take up the state that earlier flushes wrote."""

    def check(self) -> None:
        """Raise ``WrongTopic`` where what was read cannot have been meant for us."""


def offsets_of(batches: Iterable[RecordBatch]) -> dict[str, int]:
    """Return the next offset by topic behind some batches."""
    return {batch.topic: int(batch.offsets[-1]) + 1 for batch in batches if len(batch)}
