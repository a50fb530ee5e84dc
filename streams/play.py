"""The reconstruction onto a Kafka of yours, as if it were happening: ``streams play``.

Its times are moved by whole hours, so that funding stays on the hour, the day before the sell-off lies in the past
and its end is less than an hour ago when the last record has been written.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import replace
from typing import Any

from streams import cluster, registries, topics
from streams.demo.parts import Player, Target
from streams.reconstruction import CAVEAT, END_MINUTE, LABEL, START_MS, Played, at, reconstruct
from streams.settings import Settings
from streams.sources import TIMES
from streams.view.outputs import connection

HOUR_MS = 3_600_000


class CannotPlay(Exception):
    """Why the cluster cannot be played to, in one sentence."""


class _Moved(Target):
    """A cluster that gets the story at another time.

    Parameters
    ----------
    settings
        Where it is, and how values are written.
    by_ms
        How much later than the story.

    """

    def __init__(self, settings: Settings, by_ms: int) -> None:
        super().__init__(connection(settings, "play"), registries.for_player(settings), settings.value_format)
        self._by_ms = by_ms

    def write(self, played: list[Played]) -> None:
        super().write([(moment + self._by_ms, topic, moved(record, self._by_ms)) for moment, topic, record in played])


def run(settings: Settings, seed: int, seconds: float) -> None:
    """Write the history at once, and then the sell-off in so many seconds."""
    with cluster.admin(settings) as client:
        wanted = [topic for topic in topics.declared(settings.app_id) if topic.role == "input"]
        wanted = [replace(topic, required=True) for topic in wanted]
        problems = [finding for finding in topics.check(wanted, topics.found(client, wanted)) if finding.problem]
    if problems:
        msg = f"{problems[0].sentence}; `streams topics apply` mends what it can"
        raise CannotPlay(msg)
    print(f"{LABEL}\n{CAVEAT}\ndrawing it from seed {seed}")
    played = reconstruct(seed)
    first = bisect_left(played, START_MS, key=lambda item: item[0])
    target = _Moved(settings, shift_ms(time.time(), seconds))
    target.write(played[:first])
    print(f"{first} records of history are written; {len(played) - first} follow in {seconds:g} s", flush=True)
    player = Player(target, played[first:], seconds)
    player.start()
    player.join()
    if player.failure:
        raise CannotPlay(str(player.failure))
    print("the story is over")


def shift_ms(now: float, seconds: float) -> int:
    """Return how far to move the story so that it ends before ``now + seconds``, in whole hours."""
    return (round((now + seconds) * 1000) - at(END_MINUTE)) // HOUR_MS * HOUR_MS


def moved(record: dict[str, Any], by_ms: int) -> dict[str, Any]:
    """Return a record as it would be so much later."""
    return record | {name: record[name] + by_ms for name in TIMES if record.get(name) is not None}
