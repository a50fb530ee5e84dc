"""Crowded positions by their definition: each hour is looked at by itself, from the records that were there.

Nothing of ``streams/core/crowding*.py`` is asked but the rule's thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

from streams.core.crowding_rule import CrowdingRule
from streams.core.events import Funding

HOUR, DAY, NANO = 3_600_000, 86_400_000, 1_000_000_000
GRADES = ("ELEVATED", "CROWDED", "EXTREME")
Record = dict[str, Any]


@dataclass
class Rate:
    """What a venue said: in force from its time until the next of its instrument, or until it is stale."""

    at: int
    until: int
    nano: int
    weight: int | None


@dataclass
class Series:
    """Values of hours in a row, means of days, and what is running: (side, grade, start, sequence)."""

    hours: list[int] = field(default_factory=list)
    days: dict[int, list[int]] = field(default_factory=dict)
    past: dict[int, int] = field(default_factory=dict)
    kept: list[str | None] = field(default_factory=list)  # of each hour: the side whose lowest grade would be kept
    running: tuple[str, int, int, int] | None = None


@dataclass
class Asset:
    """An asset: its instruments' rates, oldest first."""

    name: str
    clock: int | None = None
    rates: dict[tuple[str, ...], list[Rate]] = field(default_factory=dict)
    series: dict[tuple[str, ...], Series] = field(default_factory=dict)

    def of(self, name: tuple[str, ...]) -> Series:
        return self.series.setdefault(name, Series())


def run(records: Iterable[Funding], rule: CrowdingRule, refused: list[Funding]) -> list[Record]:
    """Return what one partition says, but for the sentences, and add to what is refused as another asset's."""
    assets: dict[str, Asset] = {}
    said: list[Record] = []
    day = -1
    for record in records:
        name, at = tuple(record.instrument), record.event_time_ms
        if any(each[:2] == name[:2] and each != name for other in assets.values() for each in other.rates):
            refused.append(record)
            continue
        asset = assets.setdefault(record.instrument.asset, Asset(record.instrument.asset))
        if name in asset.rates and at <= asset.rates[name][-1].at:
            continue
        clock = at if asset.clock is None else asset.clock
        for end in range(clock // HOUR * HOUR + HOUR, at // HOUR * HOUR + 1, HOUR):
            if not any(rates[-1].until >= end for rates in asset.rates.values()) and not any(
                asset.of(each).hours for each in asset.rates
            ):
                break  # nobody knows anything any more: the other hours are like this one
            said += close(asset, end, rule)
        if at // DAY > day:
            day = at // DAY
            for _, other in sorted(assets.items()):
                if other is not asset and not any(rates[-1].until > at - 7 * DAY for rates in other.rates.values()):
                    said += silence(other, rule)
                for each in [n for n, rates in other.rates.items() if rates[-1].at < at - rule.history_days_max * DAY]:
                    del other.rates[each], other.series[each]
                if other is not asset and not other.rates:
                    del assets[other.name]
        asset.clock = max(clock, at)
        hours = record.funding_interval_hours
        until = at + round(rule.stale_after_intervals * hours * HOUR)
        nano = round(record.funding_rate * 24 * 365 / hours * NANO)
        usd = record.open_interest_usd
        weight = None if usd is None else round(usd * 1_000_000)
        asset.rates.setdefault(name, []).append(Rate(at, until, nano, weight))
        asset.of(name)
    return said


def silence(asset: Asset, rule: CrowdingRule) -> list[Record]:
    """End what is running on an asset that has not been heard of for a week."""
    names = [*sorted(asset.rates), (asset.name,)]
    if not any(asset.of(name).running for name in names):
        return []
    until = {name: rates[-1].until for name, rates in asset.rates.items()}
    ends = {name: until.get(name, max(until.values())) // HOUR * HOUR + HOUR for name in names}
    for rates in asset.rates.values():
        rates[-1].until = min(rates[-1].until, asset.clock)
    return [record for name in names for record in judge(asset, name, None, [], ends[name], rule)]


def close(asset: Asset, end: int, rule: CrowdingRule) -> list[Record]:
    """Judge the hour that ends: each instrument by its name, then the asset."""
    parts: list[tuple[tuple[str, ...], int]] = []
    said: list[Record] = []
    for name in sorted(asset.rates):
        value = of_hour(asset.rates[name], end)
        mine = [] if value is None else [(name, value)]
        parts += mine
        said += judge(asset, name, value, mine, end, rule)
    weights = weigh(asset, parts)
    value = None
    if parts:
        value = nearest(Fraction(sum(v * weights[name] for name, v in parts), sum(weights.values())))
    return said + judge(asset, (asset.name,), value, parts, end, rule)


def of_hour(rates: list[Rate], end: int) -> int | None:
    """Return the mean of an instrument's rates over what of the hour they cover; None if the last is stale."""
    if rates[-1].until < end:
        return None
    total = covered = 0
    for rate, following in pairwise([*rates, Rate(end, end, 0, 0)]):
        span = min(rate.until, following.at, end) - max(rate.at, end - HOUR)
        if span > 0:
            total, covered = total + rate.nano * span, covered + span
    return nearest(Fraction(total, covered))


def weigh(asset: Asset, parts: list[tuple[tuple[str, ...], int]]) -> dict[tuple[str, ...], int]:
    weights = {name: asset.rates[name][-1].weight for name, _ in parts}
    if None in weights.values() or set(weights.values()) == {0}:
        return dict.fromkeys(weights, 1)
    return weights


def judge(
    asset: Asset, name: tuple[str, ...], value: int | None, parts: list[Any], end: int, rule: CrowdingRule
) -> list[Record]:
    """Take the value of one more hour and return what follows from it, if anything."""
    series = asset.of(name)
    if value is None:
        said = []
        if series.running is not None:
            side, grade, started, sequence = series.running
            ended = (side, grade, started, sequence + 1)
            said.append(told(record_of(asset, name, parts, end, rule), rule, ended, "ENDED", end))
        series.hours, series.kept, series.running = [], [], None
        return said
    remember(series, value, (end - 1) // DAY, rule)
    series.hours.append(value)
    side, reached, kept = graded(series, rule)
    series.kept.append(side if kept else None)
    streak = streak_of(series)
    entered = sum(streak >= hours for hours in rule.streak_hours[:reached])
    was = series.running
    record = record_of(asset, name, parts, end, rule)
    said = []
    if was is not None:
        before, grade, started, sequence = was
        now = max(entered, min(grade, kept)) if side == before else 0
        if now != grade:
            changed = (before, now or grade, started, sequence + 1)
            series.running = changed if now else None
            said.append(told(record, rule, changed, "GRADE_CHANGED" if now else "ENDED", end))
    if series.running is None and entered:
        series.running = (side, entered, end, 0)
        said.append(told(record, rule, series.running, "STARTED", end))
    return said


def remember(series: Series, value: int, day: int, rule: CrowdingRule) -> None:
    """Count the hour to its day; the day before is past now, if it had enough hours."""
    for known in [each for each in series.days if each != day]:
        hours = series.days.pop(known)
        if len(hours) >= rule.history_day_hours_min:
            series.past[known] = nearest(Fraction(sum(hours), len(hours)))
            series.past = {each: mean for each, mean in series.past.items() if each >= day - rule.history_days_max}
    series.days.setdefault(day, []).append(value)


def horizon(series: Series, rule: CrowdingRule) -> int:
    hours = series.hours[-rule.horizon_hours :]
    return nearest(Fraction(sum(hours), len(hours)))


def percentile(series: Series, value: int, rule: CrowdingRule) -> float | None:
    """Return the middle of a value's ranks among the past days."""
    past = list(series.past.values())
    if len(past) < rule.history_days_min:
        return None
    return 100 * (sum(each < value for each in past) + sum(each <= value for each in past)) / (2 * len(past))


def graded(series: Series, rule: CrowdingRule) -> tuple[str, int, int]:
    """Return the side of the newest mean, the grade that it reaches, and the one that it would keep."""
    value, base = horizon(series, rule), round(rule.base_rate_annualised * NANO)
    side = "LONG" if value > base else "SHORT"
    excess = max(value - base, -value, 0)
    rank = percentile(series, value, rule)
    if rank is not None and side == "SHORT":
        rank = 100 - rank
    found = []
    for share, points in ((1.0, 0.0), (rule.keep_share, rule.keep_points)):
        rates = rule.bands_annualised if rank is None else rule.floors_annualised
        met = [
            excess >= round((rate - rule.base_rate_annualised) * share * NANO)
            and (rank is None or rank >= least - points)
            for rate, least in zip(rates, rule.percentiles, strict=True)
        ]
        found.append([*met, False].index(False))
    return side, found[0], found[1]


def streak_of(series: Series) -> int:
    """Return for how many hours in a row the side of the newest would have kept a grade."""
    newest = series.kept[-1]
    if newest is None:
        return 0
    return next((at for at, side in enumerate(reversed(series.kept)) if side != newest), len(series.kept))


def record_of(asset: Asset, name: tuple[str, ...], parts: list[Any], end: int, rule: CrowdingRule) -> Record:
    """Return what a record says of the hour, whatever became of it."""
    series, whole = asset.of(name), len(name) == 1
    value, weights = horizon(series, rule), weigh(asset, parts)
    lines = [
        {
            "exchange": each[0],
            "symbol": each[1],
            "funding_rate_annualised": horizon(asset.of(each), rule) / NANO,
            "weight": weights[each] / sum(weights.values()),
            "age_ms": end - asset.rates[each][-1].at,
        }
        for each, _ in parts
    ]
    return {
        "scope": "ASSET" if whole else "INSTRUMENT",
        "key": asset.name if whole else "|".join(name[:2]),
        "exchange": None if whole else name[0],
        "symbol": None if whole else name[1],
        "asset": asset.name,
        "funding_rate_annualised": value / NANO,
        "percentile": percentile(series, value, rule),
        "history_days": float(len(series.past)),
        "streak_hours": float(streak_of(series)) if series.kept else 0.0,
        "exchanges": lines,
    }


def told(record: Record, rule: CrowdingRule, running: tuple[str, int, int, int], phase: str, end: int) -> Record:
    side, grade, started, sequence = running
    about = f"{record['scope']}|{record['key']}|{side}|{started}|{rule.version()}"
    return record | {
        "crowded_id": hashlib.blake2b(about.encode(), digest_size=16).hexdigest(),
        "sequence": sequence,
        "rule_version": rule.version(),
        "position_side": side,
        "phase": phase,
        "grade": GRADES[grade - 1],
        "started": started,
        "event_time": end,
        "ended": end if phase == "ENDED" else None,
    }


def nearest(value: Fraction) -> int:
    """Return the nearest integer, half upwards."""
    return floor(value + Fraction(1, 2))
