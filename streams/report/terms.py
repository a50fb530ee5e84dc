"""Why a cascade's message was sent: the terms of the rule (``core/cascade.py``), with their values.

Nothing is decided here. The values are those of the message, the bars those of the rule; ``tests/report`` holds that
the terms of every message of a storm are met, so a rule that has moved on is noticed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from streams.core.cascade import SEVERITIES, CascadeRule, asset_bar, enough_assets
from streams.core.events import micro_usd
from streams.core.phrases import money, percent

Record = dict[str, Any]


class Term(NamedTuple):
    """One comparison: ``what`` is ``value``, the ``bar`` it is held against and where that comes from."""

    what: str
    value: str
    bar: str
    how: str
    met: bool


def terms(rule: CascadeRule, message: Record) -> list[Term]:
    """Return the terms that decided a message; of ESCALATED one is enough, of the others all are needed."""
    side = message["position_side"].lower()
    held = {each["window"]: each for each in message["windows"]}
    five, hour = (micro_usd(held[window][f"{side}_usd"]) for window in ("5m", "1h"))
    threshold = micro_usd(message["threshold_usd"])
    match message["phase"]:
        case "ONSET":
            both = micro_usd(held["5m"]["long_usd"]) + micro_usd(held["5m"]["short_usd"])
            found = [
                _reached(f"{side}s in five minutes", five, threshold, _threshold(rule, message)),
                Term(
                    f"share of {side}s in them",
                    f"{five / both:.1%}",
                    f"≥ {rule.share_min / 10:g} %",
                    "one side sells",
                    five * 1000 >= both * rule.share_min,
                ),
                _reached(
                    f"{side}s in the hour", hour, rule.hour_min * threshold,
                    f"{rule.hour_min} × the threshold: five minutes alone are too often all there is",
                ),
            ]  # fmt: skip
            return [*found, _assets(rule, message, threshold, side)] if rule.assets_min else found
        case "ESCALATED":
            level = SEVERITIES.index(message["severity"])
            of = f"the threshold of {money(message['threshold_usd'], floor=False)}"
            by_five, by_hour = rule.multiples[level - 1], rule.hour_multiples[level - 1]
            return [
                _reached(
                    f"{side}s in five minutes", five, by_five * threshold, f"{SEVERITIES[level]}: {by_five} × {of}"
                ),
                _reached(f"{side}s in the hour", hour, by_hour * threshold, f"or {by_hour} × {of} in the hour"),
            ]
        case "PEAK":
            return [_fallen(rule, message, five, side)]
        case _:
            return [_quiet(rule, message, side)]


def onset_bar(rule: CascadeRule, normal_usd: float | None) -> str:
    """Say where a threshold comes from."""
    floor = f"floor {money(rule.floor_micro_usd / 1e6, floor=False)}"
    if not rule.multiple:
        return f"{floor} alone"
    if normal_usd is None:
        return f"{floor}; own normal not known yet (fewer than 24 hours)"
    times = f"{rule.multiple} × own normal five minutes of {money(normal_usd, floor=False)}"
    return f"the larger of {floor} and {times} = {money(rule.multiple * normal_usd, floor=False)}"


def _threshold(rule: CascadeRule, message: Record) -> str:
    return onset_bar(rule, message["normal_usd"])


def _reached(what: str, value: int, bar: int, how: str) -> Term:
    return Term(what, exact(value), f"≥ {exact(bar)}", how, value >= bar)


def _assets(rule: CascadeRule, message: Record, threshold: int, side: str) -> Term:
    count = message["assets_count"]
    how = "a tenth of the threshold each: one large asset is not the market"
    return Term(
        f"assets with {side}s of {exact(asset_bar(threshold))} in the hour",
        "not known" if count is None else str(count),
        f"≥ {rule.assets_min}",
        how if count is not None else f"{how}; not known yet, and then not asked",
        enough_assets(rule, count),
    )


def _fallen(rule: CascadeRule, message: Record, five: int, side: str) -> Term:
    highest = micro_usd(message["peak_usd"])
    met = five * 1000 <= highest * (1000 - rule.peak_fall)
    how = f"{percent(rule.peak_fall / 1000)} under the highest five minutes, {exact(highest)}"
    if not met:
        how += "; it never fell that far: said at the end"
    return Term(
        f"{side}s in five minutes", exact(five), f"≤ {exact(highest * (1000 - rule.peak_fall) // 1000)}", how, met
    )


def _quiet(rule: CascadeRule, message: Record, side: str) -> Term:
    quiet_ms = message["event_time"] - message["ended"]
    bar = micro_usd(message["threshold_usd"]) * rule.release // 1000
    return Term(
        f"time since five minutes of {side}s last held {exact(bar)}",
        f"{quiet_ms / 60_000:g} min",
        f"≥ {rule.quiet_ms / 60_000:g} min",
        f"{percent(rule.release / 1000)} of the threshold is the bar under which it is quiet",
        quiet_ms >= rule.quiet_ms,
    )


def exact(value: int) -> str:
    """Return micro-USD as whole dollars."""
    return f"${(value + 500_000) // 1_000_000:,}"
