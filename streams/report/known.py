"""Episodes that a reader knows, beside what a replay announced of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from streams.report.charts import market
from streams.report.minutes import MINUTE_MS, sliding
from streams.report.recorder import Recorder, Story

_FORM = "episodes must be a list, each with a name and a date, or started and ended (see schemas/episodes.yaml)"


@dataclass(frozen=True, slots=True)
class Known:
    """One episode; dollars are those that were reported, None where nobody did; ``timed``: not just a whole day."""

    name: str
    start_ms: int
    end_ms: int
    hour_usd: float | None
    day_usd: float | None
    confirmed: bool
    timed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a replay has of a known episode: our highest hour and day in it, and the market's cascades."""

    known: Known
    recorded: bool
    hour_usd: float
    day_usd: float
    stories: Sequence[Story]


def read(path: Path) -> list[Known]:
    """Return the episodes of a YAML file of the form of ``schemas/episodes.yaml``.

    Raises
    ------
    ValueError
        In one sentence, if it is no such file.

    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        lines = content["episodes"] if isinstance(content, dict) else content
        return [_known(line) for line in lines]
    except (KeyError, TypeError, ValueError, OverflowError, yaml.YAMLError) as error:
        msg = f"{path.name}: {_FORM}: {type(error).__name__}: {error}"
        raise ValueError(" ".join(msg.split())) from None


def _known(line: dict[str, Any]) -> Known:
    timed = "started" in line
    if timed:
        start, end = _moment(line["started"]), _moment(line["ended"])
        if start >= end:
            msg = f"{line['name']} must have ended after it started"
            raise ValueError(msg)
    else:
        start = _moment(line["date"])
        end = start + timedelta(days=1)
    hour, day = (None if line.get(name) is None else float(line[name]) for name in ("one_hour_usd", "day_usd"))
    return Known(str(line["name"]), _ms(start), _ms(end), hour, day, bool(line.get("confirmed")), timed)


def _moment(value: object) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def compare(known: Sequence[Known], recorder: Recorder) -> tuple[list[Found], list[Story]]:
    """Return what there is of each episode, and the market's cascades that are in none."""
    stories = market(recorder)
    found = [_found(each, recorder, stories) for each in known]
    named = {story.first["cascade_id"] for each in found for story in each.stories}
    return found, [story for story in stories if story.first["cascade_id"] not in named]


def _found(known: Known, recorder: Recorder, stories: Sequence[Story]) -> Found:
    minutes = recorder.minutes
    start, stop = known.start_ms // MINUTE_MS, -(-known.end_ms // MINUTE_MS)
    if minutes.first is None or stop <= minutes.first or start > minutes.last:
        return Found(known, False, 0.0, 0.0, [])
    before = 1_440
    usd = minutes.of(None, start - before, stop)[:, :2].sum(axis=1)
    if not known.timed:
        usd[:before] = 0  # its figures are of its day; of an episode by the hour those of 24 hours reach back
    hour, day = (float(sliding(usd, length)[before:].max()) / 1e6 for length in (60, 1_440))
    inside = [each for each in stories if each.first["started"] < known.end_ms and each.until_ms >= known.start_ms]
    return Found(known, True, hour, day, inside)
