"""``machine.Walk`` says of many records at once what ``cascade.step`` says one by one, wherever the log is cut."""

from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import cascade
from streams.core.cascade import CascadeRule, CascadeState, Measure
from streams.core.machine import Machine, Saying, Walk
from streams.core.measures import Measures

EXCHANGES = ["binance", "okx", "bybit"]
EXCHANGE_OF_ROW = np.array([0, 1, 0, 2])
LATENESS, QUIET = 100, 1_000
THRESHOLD = 1_000
CLOCK_BEFORE = 900_000  # of the asset


@dataclass(frozen=True)
class Line:
    """A place in the log: a record of ours, or one (``own`` false) that only moves the partition's clock."""

    step_ms: int = 0
    own: bool = True
    behind_ms: int = 0
    side: int = 0
    row: int = 0
    notional: int = 1
    price: float = 100.0
    usd_5m: tuple[int, int] = (0, 0)
    usd_1h: tuple[int, int] = (0, 0)
    assets: int | None = None


@dataclass(frozen=True)
class Place:
    """A line with the clocks as they stand after it."""

    line: Line
    time_ms: int
    clock_ms: int
    asset_clock_ms: int
    done: int


def placed(lines):
    found, clock, asset_clock, done = [], 1_000_000, CLOCK_BEFORE, 0
    for line in lines:
        clock += line.step_ms
        time_ms = clock - line.behind_ms
        if line.own:
            asset_clock, done = max(asset_clock, time_ms), done + 1
        found.append(Place(line, time_ms, clock, asset_clock, done))
    return found


def opened(side, threshold, time_ms, price):
    return CascadeState("id", side, threshold, None, time_ms, time_ms, prices=[price] * 4)


def one_by_one(rule, side, places):
    """Closings that are due, then the record: the definition."""
    machine, said = Machine(), []

    def say(phases, at, done, time_ms, asset_clock_ms, closing):
        state = asdict(machine.state)
        said.extend((Saying(at, done, time_ms, asset_clock_ms, closing, phase), state) for phase in phases)

    before = (0, CLOCK_BEFORE)
    for at, place in enumerate(places):
        line, state = place.line, machine.state
        if state is not None and place.clock_ms >= cascade.ends_ms(rule, state) + LATENESS:
            due = machine.closed_until_ms = cascade.ends_ms(rule, state)
            say(cascade.close(state), at, before[0], due, before[1], closing=True)
            machine.state = None
        before = place.done, place.asset_clock_ms
        if not line.own or place.time_ms < machine.closed_until_ms:
            continue
        measure = Measure(place.asset_clock_ms, side, list(line.usd_5m), list(line.usd_1h), line.assets)
        onset = machine.state is None
        if onset:
            if not cascade.crosses(rule, THRESHOLD, measure):
                continue
            machine.state = opened(side, THRESHOLD, place.asset_clock_ms, line.price)
            machine.state.assets_count = line.assets
        elif place.time_ms // 1000 >= machine.state.started_ms // 1000 - 299:
            machine.state.add(line.side, line.notional, line.price, EXCHANGES[EXCHANGE_OF_ROW[line.row]])
        phases = cascade.step(rule, machine.state, measure, onset=onset)
        say(phases, at, place.done, place.asset_clock_ms, place.asset_clock_ms, closing=False)
    return said, machine


def measures(own, offset):
    def column(name, kind=np.int64):
        return np.array([getattr(place.line, name) for _, place in own], kind)

    def clocks(name):
        return np.array([getattr(place, name) for _, place in own], np.int64)

    at = np.array([at - offset for at, _ in own], np.int64)
    sums, lines = np.zeros((len(own), 4), np.int64), np.arange(len(own))
    sums[lines, column("side")], sums[lines, 2 + column("side")] = column("notional"), 1
    return Measures(
        at, clocks("done"), clocks("time_ms"), clocks("asset_clock_ms"), clocks("clock_ms"),
        column("usd_5m").reshape(-1, 2), column("usd_1h").reshape(-1, 2),
        column("row"), sums, column("notional"), column("price", float),
    )  # fmt: skip


def walked(rule, side, places, cuts):
    machine, said, changes = Machine(), [], []

    def before(start, at):
        place = places[start + at - 1] if start + at else None
        return (place.done, place.asset_clock_ms) if place else (0, CLOCK_BEFORE)

    def say(start, state, saying):
        saying.at += start
        said.append((saying, deepcopy(asdict(state))))

    for start, end in zip([0, *cuts], [*cuts, len(places)], strict=True):
        own = [(at, place) for at, place in enumerate(places[:end]) if at >= start and place.line.own]
        found = measures(own, start)

        def opens(at, threshold, found=found):
            return opened(side, threshold, int(found.asset_clock_ms[at]), float(found.price[at]))

        def assets(index, threshold, own=own):
            assert THRESHOLD == threshold
            return (own[at][1].line.assets for at in index.tolist())

        clock = np.array([place.clock_ms for place in places[start:end]], np.int64)
        kept = deepcopy(machine)
        walk = Walk(
            rule, machine, side, LATENESS, found, clock, partial(before, start), EXCHANGES, EXCHANGE_OF_ROW, opens,
            lambda: THRESHOLD, partial(say, start), assets,
        )  # fmt: skip
        changes.append((walk.run(), kept != machine))
    return said, machine, changes


# What lies on both sides of every bar of RULE, and beyond what a product with 1,000 would fit.
FIVE = [0, 1, 499, 500, 501, 650, 699, 700, 701, 999, 1_000, 1_001, 1_400, 1_539, 2_999, 3_000, 10_000, 30_000, 10**15]
HOURS = [0, 500, 2_999, 3_000, 4_999, 5_000, 24_999, 25_000, 100_000, 10**16]
STEPS = [0, 0, 0, 1, 99, 100, 500, 999, 1_000, 1_099, 1_100, 1_101, 5_000]
usd_5m, usd_1h = (st.tuples(*[st.sampled_from(each)] * 2) for each in (FIVE, HOURS))
ASSETS = st.sampled_from([3, 3, 2, None])
WILD = st.builds(
    Line,
    step_ms=st.sampled_from(STEPS),
    own=st.sampled_from([True, True, True, False]),
    behind_ms=st.sampled_from([0, 0, 0, 1, 99, 1_000, 1_100, 3_000]),
    side=st.integers(0, 1),
    row=st.integers(0, 3),
    notional=st.sampled_from([0, 1, 7, 10**13]),
    price=st.sampled_from([1e-6, 99.0, 100.0, 101.0]),
    usd_5m=usd_5m,
    usd_1h=st.one_of(st.just((0, 0)), usd_1h),
    assets=ASSETS,
)
# One cascade that goes up and down: peaks, higher ones and equal ones.
WAVES = st.sampled_from([1_000, 2_000, 3_000, 10_000]).map(lambda usd: (usd, usd // 4))
CALM = st.builds(Line, step_ms=st.integers(0, 1), usd_5m=WAVES, assets=ASSETS)
LINES = st.one_of(st.lists(CALM, max_size=12), st.lists(st.one_of(CALM, CALM, CALM, WILD), max_size=40))
RULES = st.builds(
    CascadeRule,
    st.sampled_from([THRESHOLD, 1]),
    hour_min=st.sampled_from([0, 0, 3]),
    share_min=st.sampled_from([0, 650, 1_000]),
    peak_fall=st.sampled_from([300, 1, 1_000]),
    release=st.sampled_from([500, 333, 1_000]),
    quiet_ms=st.just(QUIET),
    assets_min=st.sampled_from([0, 3]),
)
RULE = CascadeRule(THRESHOLD, hour_min=0, quiet_ms=QUIET)
OVER, UNDER = Line(usd_5m=(2_000, 0)), Line(usd_5m=(0, 0))


@settings(max_examples=400)
@given(RULES, st.sampled_from([0, 0, 0, 1]), LINES, st.data())
def test_a_walk_says_what_the_steps_say_wherever_the_log_is_cut(rule, side, lines, data):
    places = placed(lines)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(places) - 1), max_size=4))) if len(places) > 1 else []
    expected, machine = one_by_one(rule, side, places)
    said, walking, changes = walked(rule, side, places, cuts)

    assert expected == said
    assert asdict(machine) == asdict(walking)
    assert [] == [each for each in changes if each[1] and not each[0]]


@pytest.mark.parametrize(("late_ms", "closed"), [(0, False), (1, True)])
def test_a_cascade_subsides_when_quiet_and_lateness_are_over_for_the_partition(late_ms, closed):
    wait = QUIET + LATENESS - 1 + late_ms
    _, machine, changes = walked(RULE, 0, placed([OVER, Line(step_ms=wait, own=False)]), [1])

    assert closed == (machine.state is None)
    assert [(True, True), (closed, closed)] == changes


@pytest.mark.parametrize(("behind_ms", "opens"), [(LATENESS, True), (LATENESS + 1, False)])
def test_a_record_behind_a_closing_has_no_say_in_it_and_opens_nothing(behind_ms, opens):
    again = Line(step_ms=QUIET + LATENESS, behind_ms=behind_ms, usd_5m=(5_000, 0))
    said, machine, _ = walked(RULE, 0, placed([OVER, again]), [])

    assert 1_000_000 + QUIET == machine.closed_until_ms
    assert opens == (machine.state is not None)
    assert ["ONSET", "PEAK", "SUBSIDED", "ONSET"][: 3 + opens] == [saying.phase for saying, _ in said]


def test_a_record_that_brings_a_closing_is_not_counted_in_what_it_closes():
    said, *_ = walked(RULE, 0, placed([OVER, Line(step_ms=QUIET + LATENESS, notional=9)]), [])

    (onset, opened_as), _, (subsided, closed_as) = said
    assert opened_as["count"] == closed_as["count"] == 0
    assert (0, 1, True) == (onset.at, subsided.at, subsided.closing)
    assert (1, 1_000_000) == (subsided.done, subsided.asset_clock_ms)


def test_an_asset_that_lags_its_partition_closes_with_the_next_record_of_anybody():
    far = Line(behind_ms=5_000, usd_5m=(2_000, 0))
    said, *_ = walked(RULE, 0, placed([far, Line(own=False)]), [])

    assert [(0, "ONSET"), (1, "PEAK"), (1, "SUBSIDED")] == [(saying.at, saying.phase) for saying, _ in said]


def test_a_record_that_escalates_and_ends_a_peak_says_both_and_how_things_stand_after_it():
    lines = [OVER, Line(usd_5m=(1_000, 0), usd_1h=(5_000, 0), notional=5)]
    said, *_ = walked(RULE, 0, placed(lines), [])

    assert ["ONSET", "ESCALATED", "PEAK"] == [saying.phase for saying, _ in said]
    assert [(1, 1_000_000, 5)] * 2 == [(s["severity"], s["peaked_ms"], s["usd"][0]) for _, s in said[1:]]


def test_nothing_happens_to_nobody():
    said, machine, changes = walked(RULE, 0, placed([Line(own=False), UNDER]), [1])

    assert ([], Machine(), [(False, False)] * 2) == (said, machine, changes)


def test_a_record_that_only_escalates_says_only_that():
    said, *_ = walked(RULE, 0, placed([OVER, Line(usd_5m=(2_999, 0)), Line(usd_5m=(3_000, 0))]), [])

    assert [(0, "ONSET"), (2, "ESCALATED")] == [(saying.at, saying.phase) for saying, _ in said]
    assert ([0, 1], [2_000, 3_000]) == tuple([s[name] for _, s in said] for name in ("severity", "highest"))


def test_a_peak_is_said_once_until_a_higher_one_has_fallen():
    waves = [2_000, 1_000, 2_000, 1_000, 2_001, 1_000]
    said, *_ = walked(RULE, 0, placed([Line(step_ms=1, usd_5m=(usd, 0)) for usd in waves]), [])

    assert [(0, "ONSET"), (1, "PEAK"), (5, "PEAK")] == [(saying.at, saying.phase) for saying, _ in said]
    assert [None, 1_000_001, 1_000_005] == [state["peaked_ms"] for _, state in said]


def test_a_measured_second_counts_all_of_its_records_and_without_prices_there_are_none():
    five = np.array([[2_000, 0], [2_000, 0]])
    clock, sums = np.array([1_000_000, 1_000_500]), np.array([[9, 9, 1, 1], [1, 0, 2, 0], [0, 5, 0, 1]])
    found = Measures(
        np.array([0, 2]), np.array([1, 3]), clock, clock, clock, five, five,
        np.array([0, 1, 3]), sums, np.array([9, 1, 5]), np.full(3, np.nan), ends=np.array([1, 3]),
    )  # fmt: skip
    state = CascadeState("id", 0, THRESHOLD, None, 1_000_000, 1_000_000)
    machine = Machine()
    Walk(
        RULE, machine, 0, 0, found, clock[[0, 1, 1]], lambda _: (0, 0), EXCHANGES, EXCHANGE_OF_ROW, lambda *_: state,
        lambda: THRESHOLD, lambda *_: None,
    ).run()  # fmt: skip

    assert {"okx": [1, 0, 2], "bybit": [0, 5, 1]} == state.exchanges
    assert ([1, 5], 3, 5, None) == (state.usd, state.count, state.largest, state.prices)
