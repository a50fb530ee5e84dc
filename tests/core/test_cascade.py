"""The rule, at each of its edges; money in micro-USD, shares in thousandths."""

from dataclasses import replace

import pytest

from streams.core import cascade
from streams.core.cascade import CascadeRule, CascadeState, Measure, Phase
from streams.core.events import Scope

RULE = CascadeRule(floor_micro_usd=1_000)
LONG, SHORT = 0, 1


def measure(long, short=0, *, hour=None, time_ms=0, side=LONG):
    return Measure(time_ms, side, [long, short], [3_000, 3_000] if hour is None else hour)


def opened(*measures, rule=RULE):
    state = CascadeState("id", LONG, 1_000, None, 0, 0)
    cascade.step(rule, state, measures[0], onset=True)
    return state, [phase for each in measures[1:] for phase in cascade.step(rule, state, each)]


@pytest.mark.parametrize(("long", "crosses"), [(999, False), (1_000, True)])
def test_an_onset_needs_the_threshold(long, crosses):
    assert crosses == cascade.crosses(RULE, 1_000, measure(long))


@pytest.mark.parametrize(("short", "crosses"), [(3_500, True), (3_501, False)])
def test_an_onset_needs_65_percent_of_both_sides(short, crosses):
    assert crosses == cascade.crosses(RULE, 1_000, measure(6_500, short))


@pytest.mark.parametrize(("hour", "crosses"), [([3_000, 0], True), ([2_999, 9_000], False)])
def test_an_onset_needs_three_thresholds_of_its_side_in_the_hour(hour, crosses):
    assert crosses == cascade.crosses(RULE, 1_000, measure(1_000, hour=hour))


def test_each_side_is_judged_for_itself():
    assert cascade.crosses(RULE, 1_000, measure(0, 1_000, side=SHORT))
    assert not cascade.crosses(RULE, 1_000, measure(0, 1_000, side=LONG))


def test_the_threshold_is_never_below_the_floor():
    assert [1_000, 1_000, 1_000, 1_002] == [RULE.threshold(hour) for hour in (None, 0, 400, 401)]


@pytest.mark.parametrize(
    ("five", "hour", "severity"),
    [
        *((2_999, 4_999, 0), (3_000, 0, 1), (0, 5_000, 1), (9_999, 0, 1)),
        *((10_000, 0, 2), (0, 25_000, 2), (30_000, 0, 3), (0, 100_000, 3)),
    ],
)
def test_severity_is_the_highest_bar_that_five_minutes_or_the_hour_meet(five, hour, severity):
    state, _ = opened(measure(1_000), measure(five, hour=[hour, 0]))

    assert severity == state.severity


def test_an_onset_that_is_severe_at_once_does_not_escalate():
    state = CascadeState("id", LONG, 1_000, None, 0, 0)

    assert [Phase.ONSET] == cascade.step(RULE, state, measure(10_000), onset=True)
    assert 2 == state.severity


def test_it_escalates_once_per_level_and_never_goes_back():
    state, phases = opened(measure(1_000), measure(3_000), measure(3_000), measure(2_999), measure(10_000))

    assert [Phase.ESCALATED, Phase.ESCALATED] == phases
    assert 2 == state.severity


@pytest.mark.parametrize(("then", "phases"), [(1_401, []), (1_400, [Phase.PEAK])])
def test_a_peak_is_said_when_the_measure_has_fallen_by_30_percent(then, phases):
    state, said = opened(measure(2_000, time_ms=7), measure(then, time_ms=9))

    assert phases == said
    assert (7 if phases else None) == state.peaked_ms


def test_a_peak_is_said_once_and_a_higher_one_is_a_new_one():
    measures = [measure(value) for value in (2_000, 1_000, 900, 2_000, 1_000, 2_001, 1_000)]
    _, said = opened(*measures)

    assert [Phase.PEAK, Phase.PEAK] == said


@pytest.mark.parametrize(("then", "last_above"), [(249, 0), (250, 60_000)])
def test_it_is_above_while_a_quarter_of_the_threshold_is_met(then, last_above):
    state, _ = opened(measure(1_000), measure(then, time_ms=60_000))

    assert last_above == state.last_above_ms
    assert last_above + 3_600_000 == cascade.ends_ms(RULE, state)


def test_a_closing_says_the_peak_that_was_not_said_yet():
    open_peak, _ = opened(measure(2_000, time_ms=5))
    said_peak, _ = opened(measure(2_000), measure(1_000))

    assert [Phase.PEAK, Phase.SUBSIDED] == cascade.close(open_peak)
    assert 5 == open_peak.peaked_ms
    assert [Phase.SUBSIDED] == cascade.close(said_peak)


def test_the_highest_hour_is_the_first_one_of_equals():
    hours = [[1_000, 0], [1_000, 0], [500, 501]]
    state, _ = opened(*(measure(1_000, hour=hour, time_ms=time) for time, hour in enumerate(hours, start=1)))

    assert [500, 501, 3] == state.highest_hour


def test_totals_take_the_price_where_there_is_one():
    state, _ = opened(measure(1_000))
    for price in (100.0, 90.0, 95.0, None):
        state.add(LONG, 10, price, "okx")
    state.add(SHORT, 30, 120.0, "binance")

    assert [100.0, 90.0, 120.0, 120.0] == state.prices
    assert ([40, 30], 5, 30) == (state.usd, state.count, state.largest)
    assert {"okx": [40, 0, 4], "binance": [0, 30, 1]} == state.exchanges


def test_a_state_survives_its_row():
    state, _ = opened(measure(2_000), measure(1_000))

    assert state == CascadeState(**state.to_json())


def test_an_id_is_a_function_of_scope_key_side_second_and_rule():
    names = [
        cascade.cascade_id(scope, key, side, second, version)
        for scope in (Scope.ASSET, Scope.INSTRUMENT)
        for key in ("BTC", "ETH")
        for side in (LONG, SHORT)
        for second in (1, 2)
        for version in ("a", "b")
    ]

    assert 32 == len(set(names))
    assert names[0] == cascade.cascade_id(Scope.ASSET, "BTC", LONG, 1, "a")


def test_any_threshold_changes_the_version_of_a_rule():
    others = [CascadeRule(1_001), CascadeRule(1_000, quiet_ms=1), CascadeRule(1_000, multiples=(3, 10, 31))]

    assert 4 == len({rule.version() for rule in (RULE, *others)})


def test_a_rule_that_asks_nothing_of_assets_has_the_version_of_before():
    assert "b4463302" == RULE.version()
    assert RULE.version() != replace(RULE, assets_min=3).version()


@pytest.mark.parametrize(("count", "crosses"), [(2, False), (3, True), (None, True)])
def test_a_market_needs_its_assets_where_they_are_known(count, crosses):
    rule = replace(RULE, assets_min=3)

    assert crosses == cascade.crosses(rule, 1_000, Measure(0, LONG, [5_000, 0], [5_000, 0], count))
