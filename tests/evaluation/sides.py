"""Short squeezes beside long cascades: is the detector as good at the one as at the other?

By the hour: the labels of a side are made of its own dollars, with one bar for both sides or one for each, or of hours
with a large price range that closed against it. Simulated: each cascade once as longs and once, order for order, as
shorts. An alert counts for the side that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import normals, rules, scalar, simulated
from tests.evaluation.data import LONG, SHORT, SIDES, Hourly, mirrored
from tests.evaluation.hourly import Study, cell
from tests.evaluation.labels import HOUR_S, Span
from tests.evaluation.ours import Event, spans
from tests.evaluation.report import of, table
from tests.evaluation.score import Score
from tests.evaluation.simulated import STRENGTHS_USD, World

HEADER = [f"{side} {name}" for side in SIDES for name in ("precision", "recall", "F1 (90 %)")]
#: Those of the simulated exchange that are cheap to ask.
ASKED = ("ours, any EXCHANGE", "ours, MARKET", "TG-Bot", "TELEGLAS", "$10M")


def of_side(alerts: Iterable[Span], side: int) -> list[Span]:
    return [span for span in alerts if span.side == side]


def cells(result: Score) -> list[str]:
    precision = f"{result.rates.precision:.2f}" if result.alerts else "-"
    return [precision, of((result.found, result.episodes)), cell(result)]


def turned(found: Iterable[Event]) -> list[tuple[int, int, str, dict[str, int]]]:
    """Return cascades as they would be of the other side: onset, end, side, when each severity was said."""
    return sorted(
        ((each.onset, each.ended, SIDES[1 - SIDES.index(each.side)], each.reached) for each in found), key=repr
    )


def as_they_are(found: Iterable[Event]) -> list[tuple[int, int, str, dict[str, int]]]:
    return sorted(((each.onset, each.ended, each.side, each.reached) for each in found), key=repr)


# --- by the hour ------------------------------------------------------------------------------------------------------


def hourly(show: Callable[[str], None], found: Hourly) -> None:
    """Print how good the rules are at each side of BTC by the hour, in the part that has chosen nothing."""
    studies = [Study(found, side) for side in (LONG, SHORT)]
    rule, orders = Settings().cascade_asset.rule(), studies[LONG].orders
    ours = scalar.cascades(orders, rule, Scope.ASSET)
    alerts = {name: studies[LONG].alerts(flags) for name, flags in rules.hourly_public(found).items()}

    def line(name: str, each: list[Span], label: str, *, second: bool = True) -> list[str]:
        return [name, *(part for study in studies for part in cells(_of_study(study, each, label, second)))]

    show("\nBTC by the hour, longs and shorts apart, from 2026-01-20 on; the last line is before it")
    p99 = [f"{SIDES[side]} ${np.percentile(found.by_side[:, side], 99) / 1e6:.1f}M" for side in (LONG, SHORT)]
    show(f"p99 of hours: {', '.join(p99)}, of both sides' together ${np.percentile(found.by_side, 99) / 1e6:.1f}M")
    for label in studies[LONG].episodes:
        lines = [line(name, each, label) for name, each in alerts.items()]
        lines += [line("ours, ASSET", spans(ours), label), line("ours, first part", spans(ours), label, second=False)]
        show(f"\n{label}\n\n{table(['rule', *HEADER], lines)}")
    label = next(iter(studies[LONG].episodes))
    for study in studies:
        show(f"\nboth parts, {label}: {_missed(study, spans(ours), label)}")
    other = scalar.cascades(mirrored(orders), rule, Scope.ASSET)
    same = "all of them" if as_they_are(other) == turned(ours) else "NOT all of them"
    show(f"\nthe same hours with longs and shorts changed: {len(other)} cascades, {same} ours with the other side")


def _missed(study: Study, alerts: list[Span], label: str) -> str:
    """Say why episodes of both parts were missed: the first term of the rule that their highest hour does not meet."""
    assert study.side is not None
    group, found = Settings().cascade_asset, study.found
    usd, normal = found.by_side[:, study.side], normals.normals(found, *normals.AS_IT_IS)
    bars = {  # an hour is spread evenly here, so that its five minutes are a twelfth of it
        f"below ${12 * group.floor_usd / 1e6:g}M an hour": np.full(len(usd), 12 * group.floor_usd),
        f"below {group.multiple} own normals": group.multiple * normal,
        f"below {group.share_min:.0%} of both sides": group.share_min * found.usd,
    }
    why = dict.fromkeys([*bars, "otherwise"], 0)
    missed = [each for each in study.episodes[label] if not any(map(each.meets, of_side(alerts, study.side)))]
    for episode in missed:
        hours = np.flatnonzero((found.hour * HOUR_S >= episode.start) & (found.hour * HOUR_S <= episode.end))
        at = hours[usd[hours].argmax()]
        why[next((name for name, bar in bars.items() if usd[at] < bar[at]), "otherwise")] += 1
    said = ", ".join(f"{times} {name}" for name, times in why.items() if times)
    return f"{SIDES[study.side]} missed {of((len(missed), len(study.episodes[label])))}: {said}"


def _of_study(study: Study, alerts: list[Span], label: str, second: bool) -> Score:
    assert study.side is not None
    return study.score(of_side(alerts, study.side), label, second=second)


# --- simulated --------------------------------------------------------------------------------------------------------


def exchange(show: Callable[[str], None]) -> None:
    """Print how good the rules are at cascades of longs, and at the same ones of shorts."""
    longs = [_of(simulated.world(seed, usd), LONG) for seed, usd in simulated.each_day_once(STRENGTHS_USD)]
    worlds = longs, [_of(world, SHORT) for world in longs]
    lines = []
    for name, rule in simulated.detectors().items():
        if not name.startswith(ASKED) or name.endswith("MAJOR"):
            continue
        said = [[rule(world.shown) for world in each] for each in worlds]
        lines.append([name, *(part for side in (LONG, SHORT) for part in cells(_score(said, worlds, side)))])
    show(f"\nsimulated exchange, {len(longs)} days with a cascade of longs and the same {len(longs)} of shorts\n")
    show(table(["rule", *HEADER], lines))


def _of(world: World, side: int) -> World:
    """Return a world whose cascade is of this side."""
    if world.truth[0].side == side:
        return world
    return World(mirrored(world.shown), mirrored(world.cascade))


def _score(said: list[list[list[Span]]], worlds: tuple[list[World], list[World]], side: int) -> Score:
    """Score the alerts of a side over its own worlds and, where all of them are false, those of the other side."""
    days = (pair for each in (side, 1 - side) for pair in zip(said[each], worlds[each], strict=True))
    return simulated.in_a_row((of_side(found, side), of_side(world.truth, side)) for found, world in days)
