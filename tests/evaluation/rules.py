"""The public rules, each as its authors wrote it, asked at every order through windows that slide by the second.

They have no notion of an event's end. So alerts of one rule that are at most ten minutes apart are one alert here,
which is kind to them: most repeat themselves after one to five minutes. The side that an alert names is the one with
most dollars in the rule's own window when it first speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.evaluation.data import Hourly, Orders
from tests.evaluation.labels import Span, joined, majority, sliding

JOINED_S: Final = 600
DAY_MINUTES: Final = 1_440
Rule = Callable[[Orders], list[Span]]


def _alerts(seconds: NDArray[np.int64], orders: Orders, window: int) -> list[Span]:
    """Join moments at which a rule speaks; ``window`` is how many seconds it then looks back on."""
    spans = joined(seconds, JOINED_S)
    return [span._replace(side=majority(orders, span.start - window + 1, span.start)) for span in spans]


def _fixed(seconds: int, usd: float, count: int) -> Rule:
    def rule(orders: Orders) -> list[Span]:
        says = (sliding(orders, seconds) >= usd) & (sliding(orders, seconds, orders.count) >= count)
        return _alerts(orders.second[says], orders, seconds)

    return rule


def _minutes(orders: Orders) -> tuple[int, NDArray[np.float64]]:
    first = int(orders.second[0]) // 60
    return first, np.bincount(orders.second // 60 - first, orders.usd)


def _z_score(orders: Orders) -> list[Span]:
    """Three standard deviations above the mean of the 60 minutes before, empty ones included."""
    first, usd = _minutes(orders)
    says = [at for at in range(10, len(usd)) if usd[at] > 0 and usd[at] >= _bar(usd[max(0, at - 60) : at])]
    return _ends(orders, first, says)


def _bar(before: NDArray[np.float64]) -> float:
    return float(before.mean() + 3 * before.std())


def _multiple(orders: Orders) -> list[Span]:
    """Ten times the median of those minutes of seven days that were not empty, once there are ten of them."""
    first, usd = _minutes(orders)
    says = []
    for at in np.flatnonzero(usd).tolist():
        before = usd[max(0, at - 7 * DAY_MINUTES) : at]
        before = before[before > 0]
        if len(before) >= 10 and usd[at] >= 10 * np.median(before):
            says.append(at)
    return _ends(orders, first, says)


def _ends(orders: Orders, first: int, minutes: list[int]) -> list[Span]:
    """A rule of whole minutes speaks when the minute is over."""
    return _alerts((np.array(minutes, np.int64) + first + 1) * 60 - 1, orders, 60)


def _quantile(orders: Orders) -> list[Span]:
    """Five minutes above the 95th percentile of those of 24 h and $100k, 65 % of one side. Its price move is left out.

    None of the files has a price of the market: what is left is more than the rule would say.
    """
    five, by_side = sliding(orders, 300), [sliding(orders, 300, orders.by_side[:, side]) for side in (0, 1)]
    first = int(orders.second[0]) // 300
    buckets = np.bincount(orders.second // 300 - first, orders.usd)
    says = []
    for at, second in enumerate(orders.second.tolist()):
        now = second // 300 - first
        before = buckets[max(0, now - 288) : now]
        bar = max(np.percentile(before, 95) if len(before) >= 12 else 0, 100_000)
        if five[at] >= bar and max(by_side[0][at], by_side[1][at]) >= 0.65 * five[at]:
            says.append(second)
    return _alerts(np.array(says, np.int64), orders, 300)


PUBLIC: Final[dict[str, Rule]] = {
    "TG-Bot: $500k, 5 orders, 60 s": _fixed(60, 500_000, 5),
    "TELEGLAS: $2M, 3 orders, 30 s": _fixed(30, 2_000_000, 3),
    "AgentFeed: $50k, 4 orders, 90 s": _fixed(90, 50_000, 4),
    "5 min >= p95 of the day, $100k, 65 %": _quantile,
    "z >= 3 of minutes": _z_score,
    "x10 of the median minute": _multiple,
    "$5M in 60 min": _fixed(3600, 5_000_000, 1),
    "$10M in 60 min (the label itself)": _fixed(3600, 10_000_000, 1),
}


# --- the same where there is only one pane an hour ------------------------------------------------------------------


def constant(hourly: Hourly, usd: float) -> NDArray[np.bool_]:
    says: NDArray[np.bool_] = hourly.usd >= usd
    return says


def _each(hourly: Hourly, count: int, says: Callable[[int, NDArray[np.float64]], bool]) -> NDArray[np.bool_]:
    usd = hourly.usd
    return np.array([at >= 24 and says(at, usd[max(0, at - count) : at]) for at in range(len(usd))])


def hourly_public(hourly: Hourly) -> dict[str, NDArray[np.bool_]]:
    """What the rules that know their own normal say of hours; a second's window means nothing here."""
    usd = hourly.usd

    def multiple(at: int, before: NDArray[np.float64]) -> bool:
        return bool(usd[at] >= 10 * np.median(before[before > 0]))

    def quantile(at: int, before: NDArray[np.float64]) -> bool:
        moves = hourly.move[at - 24 : at]
        moved = abs(hourly.move[at]) >= 3 * moves.std()  # false without a price
        one_sided = hourly.by_side[at].max() >= 0.65 * usd[at]
        return bool(moved and one_sided and usd[at] >= max(np.percentile(before, 95), 100_000))

    with np.errstate(all="ignore"):
        return {
            "3 sigma move, p95 of the day, 65 %": _each(hourly, 24, quantile),
            "z >= 3 of 60 hours": _each(hourly, 60, lambda at, before: bool(usd[at] >= _bar(before))),
            "x10 of the median hour of 7 days": _each(hourly, 168, multiple),
        }
