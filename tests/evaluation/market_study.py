"""Is a market more than one large asset: MARKET with and without its rule of three assets, where the truth is known.

Three exchanges and twenty assets, as in ``simulated``. In one world a cascade has all of its orders in one of the three
largest assets, and MARKET is wrong if it speaks; in the other they are spread as they are on any day (43 % in the
largest), and it is wrong if it does not. Between them lies a cascade with nine tenths in one asset: whether that is a
cascade of the market is a matter of taste, so it is counted and not judged.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import rules, scalar, simulated
from tests.evaluation.data import Orders
from tests.evaluation.labels import Span
from tests.evaluation.ours import spans
from tests.evaluation.report import of, percent, table
from tests.evaluation.score import Score
from tests.evaluation.simulated import World

#: What MARKET can see: below, it is silent in any case.
STRENGTHS_USD = (100e6, 300e6, 1_000e6)
ALONE, MOSTLY, TOGETHER = 1.0, 0.9, 0.0
ASSETS_MIN = (0, 2, 3, 5)
PUBLIC = ("TELEGLAS", "$10M")


def detectors() -> dict[str, Callable[[Orders], list[Span]]]:
    """Return MARKET by how many assets it asks for, and rules that ask for none."""
    group = Settings().cascade_market

    def market(assets_min: int) -> Callable[[Orders], list[Span]]:
        rule = group.model_copy(update={"assets_min": assets_min}).rule()
        return lambda orders: spans(scalar.cascades(orders, rule))

    ours = {f"ours, MARKET, {count or 'any number of'} assets": market(count) for count in ASSETS_MIN}
    return ours | {name: rule for name, rule in rules.PUBLIC.items() if name.startswith(PUBLIC)}


def study(show: Callable[[str], None]) -> None:
    """Print how often MARKET speaks of one asset and of many, and what asking for three costs."""
    worlds = {
        share: [simulated.world(seed, usd, share) for seed, usd in simulated.each_day_once(STRENGTHS_USD)]
        for share in (ALONE, MOSTLY, TOGETHER)
    }
    lines = []
    for name, rule in detectors().items():
        said = {share: [rule(world.shown) for world in each] for share, each in worlds.items()}
        spoke = [of((_spoke(said[share], worlds[share]), len(worlds[share]))) for share in worlds]
        lines.append([name, *spoke, *_when(said[TOGETHER], worlds[TOGETHER]), *_rates(_judged(said, worlds))])
    count = len(worlds[ALONE])
    show(f"\nsimulated exchange, one asset or the market: {count} days of each kind, and of how many a rule spoke\n")
    names = ["one asset", "nine tenths in one", "many assets", "after", "money gone"]
    show(table(["rule", *names, "precision (90 %)", "recall (90 %)", "F1 (90 %)"], lines))
    rule = Settings().cascade_asset.rule()
    seen = sum(any(span.meets(world.truth[0]) for span in _asset(world, rule)) for world in worlds[ALONE])
    show(f"\nof the cascades of one asset the ASSET's own event announces {of((seen, count))}")


def _asset(world: World, rule: CascadeRule) -> list[Span]:
    """Return what is said of the asset that cascades alone."""
    symbol = world.cascade.orders[0].symbol
    shown = Orders.of(order for order in world.shown.orders if order.symbol == symbol)
    return spans(scalar.cascades(shown, rule, Scope.ASSET))


def _spoke(said: list[list[Span]], worlds: list[World]) -> int:
    return sum(simulated.seen(alerts, world) is not None for alerts, world in zip(said, worlds, strict=True))


def _when(said: list[list[Span]], worlds: list[World]) -> list[str]:
    """Return the median time to the alert and true money gone by then."""
    found = [simulated.seen(alerts, world) for alerts, world in zip(said, worlds, strict=True)]
    times, gone = zip(*(each for each in found if each is not None), strict=True)
    return [f"{statistics.median(times) / 60:.1f} min", percent(statistics.median(gone))]


def _judged(said: dict[float, list[list[Span]]], worlds: dict[float, list[World]]) -> Score:
    """Score both worlds as one history: what is of one asset is no episode of the market."""
    alone = [(alerts, []) for alerts in said[ALONE]]
    together = [(alerts, world.truth) for alerts, world in zip(said[TOGETHER], worlds[TOGETHER], strict=True)]
    return simulated.in_a_row([*alone, *together])


def _rates(result: Score) -> list[str]:
    """Return precision, recall and F1, each with 90 % of the resamples."""
    return [
        f"{rate:.2f} ({low:.2f}-{high:.2f})"
        for rate, low, high in zip(result.rates, result.low, result.high, strict=True)
    ]
