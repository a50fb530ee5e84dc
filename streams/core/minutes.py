"""The minutes that source partitions report, and what has grown in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.core.ontime import Seconds
from streams.core.windows import HOUR


class Snapshot(NamedTuple):
    """A minute of one (source partition, exchange).

    Attributes
    ----------
    seconds
        All totals; at second 0 only where no more than the minute's total is known.
    on_time
        On-time totals; None where they are no longer known, which leaves what was said before.
    assets
        asset -> (long, short) micro-USD of the minute.

    """

    partition: int
    exchange: str
    minute: int
    seconds: Seconds
    on_time: Seconds | None
    assets: dict[str, tuple[int, int]]


@dataclass(slots=True)
class Minute:
    """What is known of a minute of one (source partition, exchange)."""

    seconds: Seconds = field(default_factory=dict)
    on_time: Seconds = field(default_factory=dict)
    assets: dict[str, tuple[int, int]] = field(default_factory=dict)


#: Growth of one row in one second: row, sums, largest.
Line = tuple[int, list[int], int]
#: Growth by second.
Grown = dict[int, list[Line]]


class Waiting:
    """Growth of seconds that a clock has not reached: second -> [(row, sums, largest)]."""

    def __init__(self) -> None:
        self.seconds: Grown = {}

    def add(self, second: int, row: int, sums: list[int], largest: int) -> None:
        self.seconds.setdefault(second, []).append((row, sums, largest))

    def until(self, end: int) -> Grown:
        """Take out and return what lies before second ``end``, oldest first."""
        return {second: self.seconds.pop(second) for second in sorted(self.seconds) if second < end}


def with_total(seconds: Seconds, total: list[int]) -> Seconds:
    """Return a minute whose total is now ``total``: what is new stands at its first second.

    Its largest single is known if it is the minute's; else it is at least the mean of what is new.
    """
    lines = [[0, 0, 0, 0, 0], *seconds.values()]
    first = seconds.get(0, lines[0])
    more = [total[at] - sum(line[at] for line in lines) for at in range(4)]
    count = more[2] + more[3]
    if not count:
        return seconds
    largest = total[4] if total[4] > max(line[4] for line in lines) else -(-(more[0] + more[1]) // count)
    return {**seconds, 0: [*(a + b for a, b in zip(first[:4], more, strict=True)), max(first[4], largest)]}


def chunks(grown: Grown) -> Iterable[Grown]:
    """Cut seconds, oldest first, into runs of at most five minutes that do not cross an hour."""
    chunk: Grown = {}
    for second, lines in grown.items():
        first = next(iter(chunk), second)
        if second - first >= 300 or second // HOUR != first // HOUR:
            yield chunk
            chunk = {}
        chunk[second] = lines
    if chunk:
        yield chunk
