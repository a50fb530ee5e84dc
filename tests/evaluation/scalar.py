"""The rule of EXCHANGE and MARKET over one scope, second by second: the definition without the job around it.

For grids and for simulated exchanges, where the whole job would take hours. ``test_evaluation.py`` holds it against
the job.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streams.core import cascade
from streams.core.baseline import HOUR_MS, Baseline
from streams.core.cascade import SEVERITIES, CascadeRule, CascadeState, Measure
from streams.core.events import Scope
from streams.core.instrument import base_asset
from tests.evaluation.data import SIDES, Orders
from tests.evaluation.ours import Event

_MICRO = 1_000_000


def cascades(orders: Orders, rule: CascadeRule, scope: Scope = Scope.MARKET) -> list[Event]:
    """Return the cascades of all orders together."""
    second, place = np.unique(orders.second, return_inverse=True)
    usd = np.zeros((len(second), 2), np.int64)
    np.add.at(usd, place, np.round(orders.by_side * _MICRO).astype(np.int64))
    five, hour = _window(second, usd, 300), _window(second, usd, 3_600)
    assets = Assets(orders) if scope is Scope.MARKET else None
    return _Run(rule, scope, assets).through(second.tolist(), usd.sum(axis=1).tolist(), five.tolist(), hour.tolist())


def _window(second: np.ndarray, usd: np.ndarray, length: int) -> np.ndarray:
    total = np.concatenate((np.zeros((1, 2), np.int64), usd.cumsum(axis=0)))
    return total[1:] - total[np.searchsorted(second, second - length, side="right")]


class Assets:
    """The same orders by asset, to count those that take part in an hour."""

    def __init__(self, orders: Orders) -> None:
        self.second, self.usd = orders.second, np.round(orders.by_side * _MICRO).astype(np.int64)
        names = [base_asset(order.symbol)[0] for order in orders.orders]
        self.number = np.unique(names, return_inverse=True)[1]

    def count(self, second: int, side: int, threshold: int) -> int:
        first, end = np.searchsorted(self.second, (second - 3_599, second + 1))
        held = np.zeros(int(self.number.max()) + 1, np.int64)
        np.add.at(held, self.number[first:end], self.usd[first:end, side])
        return int((held * 10 >= threshold).sum())


class _Run:
    def __init__(self, rule: CascadeRule, scope: Scope, assets: Assets | None) -> None:
        self.rule, self.scope, self.assets = rule, scope, assets
        self.baseline = Baseline()
        self.open: list[tuple[CascadeState, Event] | None] = [None, None]
        self.found: list[Event] = []

    def through(self, seconds: list[int], usd: list[int], five: list[list[int]], hour: list[list[int]]) -> list[Event]:
        totals: dict[int, int] = {}
        for at, second in enumerate(seconds):
            self.hours(second, totals)
            totals[second // 3_600] = totals.get(second // 3_600, 0) + usd[at]
            for side in (0, 1):
                self.measure(Measure(second * 1000, side, five[at], hour[at]))
        return self.found

    def hours(self, second: int, totals: dict[int, int]) -> None:
        for due in self.baseline.hours_due(second * 1000):
            if due in totals:
                self.baseline.close(due, {0: totals.pop(due)})
        self.baseline.start([0], second * 1000 // HOUR_MS)

    def measure(self, measure: Measure) -> None:
        held = self.open[measure.side]
        if held is not None and cascade.ends_ms(self.rule, held[0]) <= measure.time_ms:
            held = self.open[measure.side] = None
        second = measure.time_ms // 1000
        if held is None:
            if measure.side_5m < self.rule.floor_micro_usd:
                return
            normal = self.baseline.normal_hour([0])
            threshold = self.rule.threshold(normal)
            if not cascade.crosses(self.rule, threshold, measure):
                return
            if self.assets is not None:
                measure = replace(measure, assets_count=self.assets.count(second, measure.side, threshold))
                if not cascade.crosses(self.rule, threshold, measure):
                    return
            name = cascade.cascade_id(self.scope, "ALL", measure.side, second, self.rule.version())
            state = CascadeState(name, measure.side, threshold, normal, measure.time_ms, measure.time_ms)
            event = Event(name, self.scope, "ALL", SIDES[measure.side], second, second)
            held = self.open[measure.side] = state, event
            self.found.append(event)
        state, event = held
        cascade.step(self.rule, state, measure, onset=state.highest == 0)
        event.reached.setdefault(SEVERITIES[state.severity], second)
        event.ended = state.last_above_ms // 1000
