"""``streams/DESIGN.md``, section 3, as a program: one record at a time, nothing clever, nothing forgotten.

It shares with the job the decoder, the rule of a cascade, the windows' starts and the price grid. It knows no
batches, no columns, no flushes and no restarts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from streams.codec import build
from streams.codec.decoding import OneByOne
from streams.core import cascade
from streams.core.cascade import CascadeRule, CascadeState, Measure, Phase
from streams.core.events import Liquidation, Scope
from streams.core.screen import ScreenRule
from streams.core.windows import DAY_MS, HOUR, window_start
from tests.simulation import oracle_figures as figures
from tests.simulation.oracle_figures import Hours, Panes, Record
from tests.simulation.oracle_market import Seen, market
from tests.simulation.records import LIQUIDATIONS, batch_of, reader

HOUR_MS = 3_600_000


@dataclass
class Outcome:
    """What the job has to have said, however it came to it."""

    rows: dict[str, Record] = field(default_factory=dict)
    cascades: list[Record] = field(default_factory=list)
    dead: list[tuple[str, str, int, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    present: dict[str, list[str]] = field(default_factory=dict)  # row -> exchanges that its coverage speaks of
    steps: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # ms of each tick, by partition


@dataclass
class Machine:
    state: CascadeState | None = None
    closed_until: int = 0


class Partition:
    """One source partition."""

    def __init__(self, number: int, screen: ScreenRule, rules: dict[Scope, CascadeRule], outcome: Outcome) -> None:
        self.number, self.screen, self.rules, self.outcome = number, screen, rules, outcome
        self.decode = OneByOne(reader(), build.liquidation, 5_000).decode
        self.clock: int | None = None
        self.clocks: dict[str, int] = {}
        self.accepted: dict[tuple[str, str, str], int] = {}
        self.assets: dict[str, str] = {}  # instrument -> its asset
        self.panes = Panes()
        self.hours = Hours()
        self.touched: dict[str, int] = {}
        self.machines: dict[tuple[str, Scope, str, int], Machine] = {}  # the asset comes first
        self.seen: list[Seen] = []

    # ---------------------------------------------------------------- the log

    def record(self, record: Any) -> None:
        batch = batch_of(LIQUIDATIONS, self.number, [record])
        events, refused = self.decode(batch, [0])
        reason = refused[0].reason.value if refused else self.liquidation(events[0][1])
        self.outcome.counts[reason] += 1
        if reason not in {"accepted", "duplicate"}:
            self.outcome.dead.append((reason, LIQUIDATIONS, self.number, record.offset))

    def tick(self, time: int) -> None:
        self.outcome.steps[self.number].append(max(0, time - (time if self.clock is None else self.clock)))
        if self.clock is not None and time > self.clock:
            before, self.clock = self.clock, time
            self.what_is_due(before)

    def liquidation(self, event: Liquidation) -> str:
        """Return what becomes of a record that could be decoded (0 to 4), and do the rest (5 to 8)."""
        name, time = f"{event.instrument.exchange}|{event.instrument.symbol}", event.event_time_ms
        asset = event.instrument.asset
        asset_clock, clock = max(self.clocks.get(asset, 0), time), max(self.clock or 0, time)
        remembered = self.panes.usd([*self.assets], figures.minutes_remembered(clock // 1000) * 60, clock // 1000)
        if sum(remembered) + event.notional_micro_usd > self.screen.remembered_max:
            return "above_ceiling"
        if time < asset_clock - DAY_MS or time // 60_000 < figures.minutes_remembered(clock // 1000):
            return "too_old"
        if self.assets.get(name, asset) != asset:
            return "other_asset"
        if name not in self.assets and len(self.assets) >= self.screen.instruments_max:
            return "too_many_instruments"
        exchanges = {known.partition("|")[0] for known in self.assets} | {event.instrument.exchange}
        if name not in self.assets and len(exchanges) > self.screen.exchanges_max:
            return "too_many_instruments"
        identity = (event.instrument.exchange, event.instrument.symbol, event.liquidation_id)
        horizon = self.screen.duplicate_horizon_ms
        if self.accepted.get(identity, -1) > max(asset_clock - horizon, clock - horizon - HOUR_MS):
            return "duplicate"
        self.accepted[identity] = max(time, self.accepted.get(identity, time))
        before, self.clock = self.clock or 0, clock
        self.what_is_due(before)
        self.clocks[asset] = asset_clock
        self.assets[name] = asset
        self.outcome.counts["late"] += time < asset_clock - self.screen.lateness_ms
        self.hours.known(name)
        self.add(name, event, time >= clock - self.screen.market_lateness_ms)
        for scope, key in ((Scope.INSTRUMENT, name), (Scope.ASSET, asset)):
            self.measure(asset, scope, key, event)
        return "accepted"

    def add(self, name: str, event: Liquidation, on_time: bool) -> None:
        newest, second = self.clock // 1000, event.event_time_ms // 1000
        if second < figures.seconds_remembered(newest):
            second -= second % 60
        side, notional = int(event.position_side), event.notional_micro_usd
        self.panes.add(name, second, figures.band_of(event.price), side, notional)
        self.touched[name] = newest
        self.seen.append(Seen(event.instrument.exchange, event.instrument.asset, second, side, notional, on_time))

    # ---------------------------------------------------------------- cascades

    def what_is_due(self, before: int) -> None:
        """Close what is due by the clock, which was another one before."""
        closed = self.clock - self.screen.lateness_ms
        self.hours.close(closed, self.panes)
        for (asset, scope, key, _), machine in sorted(self.machines.items()):
            state, rule = machine.state, self.rules[scope]
            if state is None or cascade.ends_ms(rule, state) > closed:
                continue
            machine.state, machine.closed_until = None, cascade.ends_ms(rule, state)
            clock = max(before, machine.closed_until + self.screen.lateness_ms)
            for phase in cascade.close(state):
                self.say(asset, scope, key, state, phase, machine.closed_until, clock)

    def who(self, scope: Scope, key: str) -> list[str]:
        return [key] if scope is Scope.INSTRUMENT else [name for name, asset in self.assets.items() if asset == key]

    def kept(self, length: int, clock: int) -> int:
        newest = clock // 1000
        return figures.seconds_remembered(newest) if length <= HOUR else figures.minutes_remembered(newest) * 60

    def measure(self, asset: str, scope: Scope, key: str, event: Liquidation) -> None:
        time, newest, rule, who = (
            self.clocks[asset],
            self.clocks[asset] // 1000,
            self.rules[scope],
            self.who(scope, key),
        )
        start, hour = (max(window_start(length, newest), self.kept(length, self.clock)) for length in (300, HOUR))
        usd_5m, usd_1h = self.panes.usd(who, start, newest), self.panes.usd(who, hour, newest)
        for side in (0, 1):
            machine = self.machines.setdefault((asset, scope, key, side), Machine())
            if event.event_time_ms < machine.closed_until:
                continue
            measure = Measure(time, side, usd_5m, usd_1h)
            if machine.state is not None:
                side_of, exchange = int(event.position_side), event.instrument.exchange
                if event.event_time_ms // 1000 >= window_start(300, machine.state.started_ms // 1000):
                    machine.state.add(side_of, event.notional_micro_usd, event.price, exchange)
                phases = cascade.step(rule, machine.state, measure)
            else:
                normal = self.hours.normal(who)
                threshold = rule.threshold(normal)
                if not cascade.crosses(rule, threshold, measure):
                    continue
                machine.state = self.open(scope, key, measure, threshold, normal)
                machine.state.prices = [event.price] * 4
                for name, _, (long, short, longs, shorts, largest) in self.panes.seconds(who, start, newest):
                    for of, usd, count in ((0, long, longs), (1, short, shorts)):
                        if count:
                            machine.state.count_in(name.split("|")[0], of, usd, count, largest)
                phases = cascade.step(rule, machine.state, measure, onset=True)
            for phase in phases:
                self.say(asset, scope, key, machine.state, phase, time, self.clock)

    def open(self, scope: Scope, key: str, measure: Measure, threshold: int, normal: int | None) -> CascadeState:
        version = self.rules[scope].version()
        name = cascade.cascade_id(scope, key, measure.side, measure.time_ms // 1000, version)
        normal_5m = None if normal is None else normal // 12
        return CascadeState(name, measure.side, threshold, normal_5m, measure.time_ms, measure.time_ms)

    def say(self, asset: str, scope: Scope, key: str, state: CascadeState, phase: Phase, time: int, clock: int) -> None:
        kept, newest = partial(self.kept, clock=clock), self.clocks[asset] // 1000
        windows = figures.window_records(self.panes, self.who(scope, key), newest, kept)
        record = figures.cascade_record(self.rules[scope], scope, key, asset, state, phase, time, windows)
        self.outcome.cascades.append(record)

    # ---------------------------------------------------------------- the end

    def rows(self) -> None:
        """Write the rows of ``liquidation-windows`` that stand at the end."""
        if self.clock is None:
            return
        newest = self.clock // 1000
        exchanges = sorted({name.split("|")[0] for name in self.assets})
        changed = {
            name: max([touched, *(second for second in self.panes.leaves(name) if second <= newest)])
            for name, touched in self.touched.items()
        }
        scopes = [(Scope.INSTRUMENT, name) for name in changed]
        scopes += [(Scope.ASSET, asset) for asset in dict.fromkeys(self.assets[name] for name in changed)]
        for scope, key in scopes:
            who = self.who(scope, key)
            windows = figures.window_records(self.panes, who, newest, lambda _: 0)
            if windows[-1]["long_count"] + windows[-1]["short_count"] == 0:
                continue
            row = figures.about(scope, key) | {
                "as_of": max(changed[name] for name in who if name in changed) * 1000,
                "windows": windows,
                "hour_share_of_day": figures.share(windows),
            }
            row["asset"] = self.assets[key] if scope is Scope.INSTRUMENT else key
            self.outcome.rows[f"{scope}|{key}"] = row
            self.outcome.present[f"{scope}|{key}"] = [key.split("|")[0]] if scope is Scope.INSTRUMENT else exchanges


def run(
    logs: list[list[Any]], ticks: list[list[tuple[int, int]]], screen: ScreenRule, rules: dict[Scope, CascadeRule]
) -> Outcome:
    """Return what has to be said of some logs; a tick (offset, time) comes before the record at that offset."""
    outcome = Outcome()
    partitions = []
    for number, log in enumerate(logs):
        partition = Partition(number, screen, rules, outcome)
        due = list(ticks[number])
        for record in log:
            while due and due[0][0] <= record.offset:
                partition.tick(due.pop(0)[1])
            partition.record(record)
        for _, time in due:
            partition.tick(time)
        partition.rows()
        partitions.append(partition)
    market(partitions, screen.market_lateness_ms, rules, outcome)
    return outcome
