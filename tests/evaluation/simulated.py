"""A simulated exchange with a known truth: how soon a cascade of known strength is seen, and what it has cost by then.

Three venues and twenty symbols. An ordinary day is a Poisson process with heavy-tailed sizes (Pareto, 1.3) and busy
hours. A cascade is self-exciting: each liquidation brings on 0.8 others of its side, half of them within 20 s, half
within minutes, on top of a first push that fades; then it is scaled to its strength. Two of the venues show only the
newest order of a symbol and second, as Binance and OKX do. Rules see what the venues show; money gone is the truth.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import rules, scalar
from tests.evaluation.data import LONG, SHORT, Order, Orders
from tests.evaluation.labels import Span
from tests.evaluation.ours import spans
from tests.evaluation.report import of, percent, table
from tests.evaluation.score import Score, right_side, score, summed

STRENGTHS_USD = (25e6, 50e6, 100e6, 300e6, 1_000e6)
SEEDS = range(8)
DAY_S, HOUR_S = 86_400, 3_600
ONSET_S = 30 * HOUR_S
SYMBOLS = [f"COIN{number:02}USDT" for number in range(20)]
VENUES = (("bybit", 0.5, False), ("binance", 0.3, True), ("okx", 0.2, True))  # share of the orders, throttled
ORDINARY_PER_HOUR = 300
ORDINARY_USD = 3_000.0
BRANCHING = 0.8


@dataclass(frozen=True)
class World:
    """Orders that the venues show, and the cascade as it was."""

    shown: Orders
    cascade: Orders

    @property
    def truth(self) -> list[Span]:
        """The cascade from its first push to its last order, with its side; nothing where there is none."""
        if not self.cascade.orders:
            return []
        return [Span(ONSET_S, int(self.cascade.second[-1]), self.cascade.orders[0].side)]


def world(seed: int, usd: float, alone: float = 0.0) -> World:
    """Return two days with a cascade of ``usd`` after 30 hours; none where it is 0.

    ``alone`` is the share of its orders that are of one asset, whatever the others are of; that asset is one of the
    three largest.
    """
    chance = random.Random(f"exchange-{seed}")
    orders = _ordinary(chance)
    cascade = _cascade(chance, usd) if usd else []
    if alone:
        one = SYMBOLS[seed % 3]
        cascade = [order._replace(symbol=one) if chance.random() < alone else order for order in cascade]
    return World(Orders.of(_throttled(orders + cascade)), Orders.of(cascade))


def _ordinary(chance: random.Random) -> list[Order]:
    orders, second = [], 0.0
    while second < 2 * DAY_S:
        busy = 1 + 0.6 * math.sin(second / DAY_S * 2 * math.pi)
        second += chance.expovariate(ORDINARY_PER_HOUR * busy / HOUR_S)
        orders.append(_order(chance, second, chance.choice((LONG, SHORT)), ORDINARY_USD * _size(chance)))
    return orders


def _size(chance: random.Random) -> float:
    return min(chance.paretovariate(1.3), 300.0)


def _order(chance: random.Random, second: float, side: int, usd: float) -> Order:
    venue = chance.choices(VENUES, [share for _, share, _ in VENUES])[0][0]
    symbol = SYMBOLS[min(int(chance.paretovariate(0.8)) - 1, len(SYMBOLS) - 1)]
    return Order(round(second * 1000), venue, symbol, side, usd, 1, 1.0)


def _cascade(chance: random.Random, usd: float) -> list[Order]:
    """Return one side of ``usd`` in all: more orders for more money, and larger ones."""
    count = round(100 * math.sqrt(usd / 1e6))
    side = chance.choice((LONG, SHORT))
    times: list[float] = []
    while len(times) < count:
        waiting = [ONSET_S + chance.expovariate(1 / 900)]
        while waiting and len(times) < count:
            time = waiting.pop()
            times.append(time)
            children = sum(chance.random() < BRANCHING / 4 for _ in range(4))
            waiting += [time + chance.expovariate(1 / chance.choice((20, 300))) for _ in range(children)]
    sizes = [_size(chance) for _ in times]
    scale = usd / sum(sizes)
    return [_order(chance, time, side, size * scale) for time, size in zip(times, sizes, strict=True)]


def _throttled(orders: list[Order]) -> list[Order]:
    """Keep the newest of a symbol and second where a venue shows no more."""
    kept: dict[object, Order] = {}
    throttled = {name for name, _, is_throttled in VENUES if is_throttled}
    for number, order in enumerate(sorted(orders, key=lambda each: each.time_ms)):
        name = (order.exchange, order.symbol, order.time_ms // 1000) if order.exchange in throttled else number
        kept[name] = order
    return list(kept.values())


def each_day_once(strengths: Iterable[float]) -> list[tuple[int, float]]:
    """Return (seed, strength) with no ordinary day twice: resampling takes days for independent."""
    return list(enumerate(usd for usd in strengths for _ in SEEDS))


def in_a_row(days: Iterable[tuple[list[Span], list[Span]]]) -> Score:
    """Score the alerts and episodes of worlds of their own as one history."""
    alerts: list[Span] = []
    episodes: list[Span] = []
    for number, day in enumerate(days):
        by = number * 3 * DAY_S
        for found, together in zip(day, (alerts, episodes), strict=True):
            together += [span._replace(start=span.start + by, end=span.end + by) for span in found]
    return score(alerts, episodes)


# --- the curves -----------------------------------------------------------------------------------------------------


def detectors() -> dict[str, Callable[[Orders], list[Span]]]:
    """Return ours and those public rules that are asked at every order."""
    settings = Settings()
    rule, exchange = settings.cascade_market.rule(), settings.cascade_exchange.rule()

    def any_exchange(orders: Orders) -> list[Span]:
        parts = [Orders.of(order for order in orders.orders if order.exchange == name) for name, *_ in VENUES]
        return [span for part in parts for span in spans(scalar.cascades(part, exchange, Scope.EXCHANGE))]

    ours = {
        "ours, any EXCHANGE": any_exchange,
        "ours, MARKET": lambda orders: spans(scalar.cascades(orders, rule)),
        "ours, MARKET, once MAJOR": lambda orders: spans(scalar.cascades(orders, rule), "MAJOR", when_said=True),
    }
    named = ("TG-Bot", "TELEGLAS", "AgentFeed", "z >=", "x10", "$5M", "$10M")
    return ours | {name: each for name, each in rules.PUBLIC.items() if name.startswith(named)}


def curves(show: Callable[[str], None]) -> None:
    """Print seconds to the alert and money gone by then, against the strength of a cascade."""
    found = detectors()
    times: dict[tuple[str, float], list[tuple[float, float] | None]] = {}
    false: dict[str, int] = dict.fromkeys(found, 0)
    sides: dict[str, list[tuple[int, int]]] = {name: [] for name in found}
    for seed in SEEDS:
        for usd in STRENGTHS_USD:
            made = world(seed, usd)
            for name, rule in found.items():
                alerts = rule(made.shown)
                times.setdefault((name, usd), []).append(seen(alerts, made))
                sides[name].append(right_side(alerts, made.truth))
                if usd == STRENGTHS_USD[0]:
                    false[name] += sum(span.end < ONSET_S for span in alerts)
    hours = len(SEEDS) * ONSET_S / HOUR_S
    show(f"\nsimulated exchange, {len(SEEDS)} seeds: seen, median time to the alert, true money gone by then\n")
    header = ["rule", *(f"${usd / 1e6:,.0f}M" for usd in STRENGTHS_USD), "false a day before it", "right side"]
    lines = []
    for name in found:
        cells = [_cell(times[name, usd]) for usd in STRENGTHS_USD]
        lines.append([name, *cells, f"{false[name] / hours * 24:.2f}", of(summed(sides[name]))])
    show(table(header, lines))


def seen(alerts: list[Span], made: World) -> tuple[float, float] | None:
    """Return how long after the onset the first alert came that says something of it, and the share gone by then."""
    (truth,) = made.truth
    at = min((max(span.start, truth.start) for span in alerts if span.meets(truth)), default=None)
    if at is None:
        return None
    return at - truth.start, float(made.cascade.usd[made.cascade.second <= at].sum() / made.cascade.usd.sum())


def _cell(found: list[tuple[float, float] | None]) -> str:
    seen = [each for each in found if each is not None]
    if not seen:
        return "0"
    seconds, gone = (statistics.median(column) for column in zip(*seen, strict=True))
    return f"{len(seen)}/{len(found)} {seconds / 60:.0f} min {percent(gone)}"
