"""What crowded funding foretells of the days after, and what it does not: BTC, 2022 to 2024.

Funding of seven venues goes through the job's own rule; a day is *crowded* if it ends while that side is. A *large*
day is one whose liquidations of that side are in the top 5 % of the 180 days before. Spells of crowding come in
weeks, so the interval is from resampling runs of 14 days, not days.
"""

from __future__ import annotations

import csv
import gzip
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from streams.core.crowding import Crowding
from streams.core.crowding_rule import CrowdingRule
from tests.evaluation.data import SHARED, SIDES
from tests.evaluation.funding_history import HISTORY, settlements
from tests.evaluation.report import table

DAILY = SHARED / "coinalyze-btc-daily" / "liquidation_history.csv.gz"
PRICES = HISTORY / "all_exchanges_8h_2023_2024.csv.gz"
DAY_MS = 86_400_000
BLOCK_DAYS, BEFORE_DAYS, RESAMPLES = 14, 180, 1_000
GRADES = {"ELEVATED": 1, "CROWDED": 2, "EXTREME": 3}
HORIZONS = (1, 7, 14)
VARIANTS = {
    "no floor but the base rate": CrowdingRule(floors_annualised=(0.1096, 0.1096, 0.1096)),
    "percentile 95": CrowdingRule(percentiles=(95.0, 95.0, 97.5)),
    "a week in a row": CrowdingRule(streak_hours=(168, 168, 168)),
    "mean of 3 days": CrowdingRule(horizon_hours=72, streak_hours=(96, 96, 96)),
}


@dataclass(frozen=True)
class Days:
    """One line per day: the grade of each side as the day ends, its liquidations, whether they were large, its low."""

    number: list[int]
    grade: list[tuple[int, int]]
    large: list[tuple[bool, bool]]
    usd: list[tuple[float, float]]
    low: dict[int, float]
    close: dict[int, float]


def days(rule: CrowdingRule) -> Days:
    usd = _liquidations()
    number = sorted(usd)[BEFORE_DAYS:]
    crowding = Crowding(rule)
    records = [
        record for settlement in settlements("BTC") for record in crowding.step(settlement) if record["key"] == "BTC"
    ]
    low, close = _prices()
    return Days(
        number,
        [_grade(records, (day + 1) * DAY_MS) for day in number],
        [(_large(usd, day, 0), _large(usd, day, 1)) for day in number],
        [usd[day] for day in number],
        low,
        close,
    )


def _grade(records: list[dict[str, Any]], at_ms: int) -> tuple[int, int]:
    before = [record for record in records if record["event_time"] <= at_ms]
    if not before or before[-1]["phase"] == "ENDED":
        return 0, 0
    grade = GRADES[before[-1]["grade"]]
    return (grade, 0) if before[-1]["position_side"] == SIDES[0] else (0, grade)


def _liquidations() -> dict[int, tuple[float, float]]:
    found = {}
    with gzip.open(DAILY, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            day = int(datetime.fromisoformat(row["t"][:10]).replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
            found[day] = _sum(row, "_long"), _sum(row, "_short")
    return found


def _sum(row: dict[str, str], end: str) -> float:
    values = [float(value) for name, value in row.items() if name.endswith(end) and value]
    return sum(value for value in values if value == value)  # noqa: PLR0124 - NaN is no data


def _large(usd: dict[int, tuple[float, float]], day: int, side: int) -> bool:
    before = sorted(usd[each][side] for each in range(day - BEFORE_DAYS, day) if each in usd)
    return usd[day][side] >= before[int(0.95 * len(before))]


def _prices() -> tuple[dict[int, float], dict[int, float]]:
    """Return lows and closes of Binance's BTCUSDT perpetual by day; the table begins in 2023."""
    low: dict[int, float] = {}
    close: dict[int, float] = {}
    with gzip.open(PRICES, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if (row["exchange"], row["pair"]) == ("binance", "BTCUSDT") and row["funding rate"]:
                day = int(datetime.fromisoformat(row["time"]).replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
                low[day] = min(low.get(day, 1e18), float(row["low"]))
                close[day] = float(row["close"])
    return low, close


# --- what came after ----------------------------------------------------------------------------------------------


def study(show: Callable[[str], None]) -> None:
    """Print how often large days followed crowded ones, beside all other days."""
    found = days(CrowdingRule())
    first, last = (datetime.fromtimestamp(day * 86_400, UTC) for day in (found.number[0], found.number[-1]))
    show(f"\nwhat crowded funding foretells: BTC, {first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(found.number)} days\n")
    lines = []
    for side, name in enumerate(SIDES):
        for grade, at_least in GRADES.items():
            flags = [grades[side] >= at_least for grades in found.grade]
            lines.append([f"{name}, {grade} or above", *_line(found, flags, side)])
    for name, rule in VARIANTS.items():
        other = days(rule)
        lines.append([f"LONG, ELEVATED or above, {name}", *_line(other, [grades[0] > 0 for grades in other.grade], 0)])
    horizons = [f"large day within {each} d" for each in HORIZONS]
    show(table(["funding at the day's end", "days", "spells", *horizons, "drawdown 14 d"], lines))
    show(
        "\ncells: share of these days, of all others, and the 90 % interval of the difference (runs of 14 d resampled);"
        "\ndrawdown: median fall of the close to the lowest low of 14 days, after these days and all others, 2023 on"
    )
    show(_caution(found))


def _caution(found: Days) -> str:
    crowded = [day for day, grades in zip(found.number, found.grade, strict=True) if grades[0]]
    first, last = (datetime.fromtimestamp(day * 86_400, UTC) for day in (crowded[0], crowded[-1]))
    large = [day for day, sides in zip(found.number, found.large, strict=True) if sides[0]]
    calm = len(set(large) - set(crowded))
    return (
        f"\nEvery day of crowded longs lies between {first:%Y-%m-%d} and {last:%Y-%m-%d}: one rise of the market, a few"
        "\nspells. Within it they were followed by more large days and deeper falls; whether crowding or that season"
        f"\ndid it, these data cannot tell. {calm} of the {len(large)} large days were not crowded at their end."
        "\nOf crowded shorts they say nothing. The liquidations are a history that others may not have."
    )


def _line(found: Days, flags: list[bool], side: int) -> list[str]:
    spells = sum(after and not before for before, after in pairwise([False, *flags]))
    enough = sum(flags) >= BLOCK_DAYS
    cells = [_cell(found, flags, side, horizon) if enough else "-" for horizon in HORIZONS]
    return [str(sum(flags)), str(spells), *cells, _drawdown(found, flags, side) if enough else "-"]


def _cell(found: Days, flags: list[bool], side: int, horizon: int) -> str:
    after = [
        any(found.large[later][side] for later in range(at + 1, at + 1 + horizon))
        for at in range(len(found.number) - horizon)
    ]
    pairs = list(zip(flags, after, strict=False))
    blocks = [pairs[at : at + BLOCK_DAYS] for at in range(0, len(pairs), BLOCK_DAYS)]
    chance = random.Random(horizon)
    drawn = (chance.choices(blocks, k=len(blocks)) for _ in range(RESAMPLES))
    draws = sorted(_difference([pair for block in each for pair in block]) for each in drawn)
    inside, outside = _shares(pairs)
    return f"{inside:.0%} {outside:.0%} ({draws[RESAMPLES // 20]:+.0%} to {draws[-RESAMPLES // 20]:+.0%})"


def _shares(pairs: list[tuple[bool, bool]]) -> tuple[float, float]:
    inside = [after for flag, after in pairs if flag]
    outside = [after for flag, after in pairs if not flag]
    return sum(inside) / max(1, len(inside)), sum(outside) / max(1, len(outside))


def _difference(pairs: list[tuple[bool, bool]]) -> float:
    inside, outside = _shares(pairs)
    return inside - outside


def _drawdown(found: Days, flags: list[bool], side: int) -> str:
    if side:  # of a squeeze it would be the rise
        return "-"
    falls: dict[bool, list[float]] = {True: [], False: []}
    for day, flag in zip(found.number, flags, strict=True):
        lows = [found.low[each] for each in range(day + 1, day + 15) if each in found.low]
        if day in found.close and len(lows) == 14:
            falls[flag].append(min(lows) / found.close[day] - 1)
    return " ".join(f"{statistics.median(each):.1%}" if each else "-" for each in falls.values())
