"""The part of ``streams/DESIGN.md``, section 3, that is about exchanges and the market, as a program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from streams.core import cascade
from streams.core.cascade import CascadeRule, CascadeState, Measure, Phase
from streams.core.events import Scope
from streams.core.windows import HOUR, window_start
from tests.simulation import oracle_figures as figures
from tests.simulation.oracle_figures import Hours, Panes, Record


class Seen(NamedTuple):
    """What a partition has added to a pane."""

    exchange: str
    asset: str
    second: int
    side: int
    notional: int
    on_time: bool


def market(partitions: list[Any], lateness_ms: int, rules: dict[Scope, CascadeRule], outcome: Any) -> None:
    """Write the rows and the cascades of EXCHANGE and MARKET."""
    clocks = [partition.clock for partition in partitions if partition.clock is not None]
    if clocks:
        seen = [each for partition in partitions for each in partition.seen]
        clock = min(clocks)
        _rows(seen, clock // 1000, outcome)
        outcome.cascades += _Decisions(seen, (clock - lateness_ms) // 1000, rules).run()


def _rows(seen: list[Seen], newest: int, outcome: Any) -> None:
    panes = Panes()
    for exchange, _, second, side, notional, _ in seen:
        if second <= newest:
            panes.add(exchange, second, None, side, notional)
    changed = {
        exchange: max([*panes.of[exchange], *(leaves for leaves in panes.leaves(exchange) if leaves <= newest)])
        for exchange in panes.of
    }
    for scope, key, who in (
        *((Scope.EXCHANGE, name, [name]) for name in panes.of),
        (Scope.MARKET, "ALL", list(panes.of)),
    ):
        windows = figures.window_records(panes, who, newest, lambda _: 0)
        if windows[-1]["long_count"] + windows[-1]["short_count"]:
            outcome.rows[f"{scope}|{key}"] = figures.about(scope, key) | {
                "as_of": max(changed[name] for name in who) * 1000,
                "windows": windows,
                "hour_share_of_day": figures.share(windows),
            }
            outcome.present[f"{scope}|{key}"] = who


class _Decisions:
    """Cascades, closed second by closed second."""

    def __init__(self, seen: list[Seen], end: int, rules: dict[Scope, CascadeRule]) -> None:
        self.end = end
        self.rules = rules
        self.seconds: dict[int, list[Seen]] = {}
        for each in seen:
            if each.on_time and each.second < end:
                self.seconds.setdefault(each.second, []).append(each)
        self.panes = Panes()
        self.hours = Hours()
        self.newest = 0
        self.open: dict[tuple[Scope, str, int], CascadeState] = {}
        self.said: list[Record] = []

    def run(self) -> list[Record]:
        for second in sorted(self.seconds):
            self.hours.close(second * 1000, self.panes)
            self.close(second * 1000)
            self.second(second, self.seconds[second])
        self.close(self.end * 1000)
        return self.said

    def second(self, second: int, here: list[Seen]) -> None:
        self.newest = second
        for exchange, _, _, side, notional, _ in here:
            self.panes.add(exchange, second, None, side, notional)
            self.hours.known(exchange)
        for exchange in sorted({each.exchange for each in here}):
            self.measure(Scope.EXCHANGE, exchange, [exchange], [each for each in here if each.exchange == exchange])
        self.measure(Scope.MARKET, "ALL", list(self.panes.of), here)

    def measure(self, scope: Scope, key: str, who: list[str], here: list[Seen]) -> None:
        rule = self.rules[scope]
        start = window_start(300, self.newest)
        usd_5m = self.panes.usd(who, start, self.newest)
        usd_1h = self.panes.usd(who, window_start(HOUR, self.newest), self.newest)
        for side in (0, 1):
            measure = Measure(self.newest * 1000, side, usd_5m, usd_1h)
            state = self.open.get((scope, key, side))
            if state is not None:
                for each in here:
                    state.count_in(each.exchange, each.side, each.notional, 1, each.notional)
                phases = cascade.step(rule, state, measure)
            else:
                normal = self.hours.normal(who)
                threshold = rule.threshold(normal)
                if scope is Scope.MARKET:
                    measure = replace(measure, assets_count=self.assets(side, threshold))
                if not cascade.crosses(rule, threshold, measure):
                    continue
                name = cascade.cascade_id(scope, key, side, self.newest, rule.version())
                normal_5m = None if normal is None else normal // 12
                state = CascadeState(name, side, threshold, normal_5m, measure.time_ms, measure.time_ms)
                state.assets_count = measure.assets_count
                self.open[scope, key, side] = state
                for exchange, _, sums in self.panes.seconds(who, start, self.newest):
                    for of in (0, 1):
                        if sums[2 + of]:
                            state.count_in(exchange, of, sums[of], sums[2 + of], sums[figures.LARGEST])
                phases = cascade.step(rule, state, measure, onset=True)
            for phase in phases:
                self.say(scope, key, state, phase, measure.time_ms)

    def assets(self, side: int, threshold: int) -> int:
        """Count the assets that have a tenth of the threshold in the hour of a side."""
        held: dict[str, int] = {}
        for second in range(self.newest - HOUR + 1, self.newest + 1):
            for each in self.seconds.get(second, []):
                if each.side == side:
                    held[each.asset] = held.get(each.asset, 0) + each.notional
        return sum(usd * 10 >= threshold for usd in held.values())

    def close(self, boundary_ms: int) -> None:
        for name, state in sorted(self.open.items(), key=lambda each: each[0]):
            due = cascade.ends_ms(self.rules[name[0]], state)
            if due <= boundary_ms:
                del self.open[name]
                for phase in cascade.close(state):
                    self.say(name[0], name[1], state, phase, due)

    def say(self, scope: Scope, key: str, state: CascadeState, phase: Phase, time_ms: int) -> None:
        who = [key] if scope is Scope.EXCHANGE else list(self.panes.of)
        windows = figures.window_records(self.panes, who, self.newest, lambda _: 0)
        self.said.append(figures.cascade_record(self.rules[scope], scope, key, None, state, phase, time_ms, windows))
