"""How many assets an onset of the market is made of: counted exactly, and known only where they add up."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.breadth import AssetCells, AssetGrowth, Breadth
from streams.core.cells import Cells
from streams.core.events import Scope
from streams.core.market import Market
from tests.core.test_cells import ints
from tests.core.test_market import RULES, S

LONG, SHORT = 0, 1
THREE = RULES | {Scope.MARKET: replace(RULES[Scope.MARKET], assets_min=3)}  # of 1,000, and 100 by asset


def cells(*found):
    """Cells (asset, side, second behind S, micro-USD), sorted by second."""
    asset, side, second, usd = ints(sorted(found, key=lambda each: each[2])).reshape(-1, 4).T
    return AssetCells(asset * 2 + side, second + S, usd)


def lines(found):
    return list(zip(*(column.tolist() for column in found), strict=True))


# ---------------------------------------------------------------- what is told


def test_what_an_asset_has_grown_on_time_in_a_second_is_one_cell_of_each_side():
    growth, one = AssetGrowth(), np.array([True, True])
    long, short = [7, 0, 1, 0], [0, 5, 0, 1]
    growth.add(ints([1, 1]), ints([S, S]), ints([long, short]), ints([7, 5]), one)
    growth.add(ints([1, 0]), ints([S, S]), ints([long, long]), ints([7, 7]), one)
    growth.add(ints([1, 1]), ints([S - 1, S]), ints([long, long]), ints([9, 9]), np.array([True, False]))

    assert [(2, S - 1, 9), (0, S, 7), (2, S, 14), (3, S, 5)] == lines(growth.take())
    assert [] == lines(growth.take())


# ---------------------------------------------------------------- what is counted


def counted(breadth, second, usd, *, side=LONG, threshold=1_000):
    (count,) = breadth.counts(ints([S + second]), side, threshold, ints([usd]))
    return count


def heard(*found, names=("BTC", "ETH", "SOL"), closed=0):
    breadth = Breadth()
    breadth.grow(list(names), cells(*found), closed)
    return breadth


def test_an_asset_takes_part_with_a_tenth_of_the_threshold():
    breadth = heard((0, LONG, 0, 5_000), (1, LONG, 1, 100), (2, LONG, 2, 99))
    assert 2 == counted(breadth, 2, 5_199)

    breadth.grow(["SOL"], cells((0, LONG, 3, 1)), 0)
    assert 3 == counted(breadth, 3, 5_200)
    assert 2 == counted(breadth, 2, 5_199)


def test_each_side_has_assets_of_its_own():
    breadth = heard((0, LONG, 0, 500), (0, SHORT, 0, 300), (1, SHORT, 0, 300))

    assert [1, 2] == [counted(breadth, 0, 500), counted(breadth, 0, 600, side=SHORT)]


@pytest.mark.parametrize(("second", "usd", "count"), [(3_599, 800, 2), (3_600, 500, 1)])
def test_what_is_an_hour_old_does_not_count(second, usd, count):
    assert count == counted(heard((0, LONG, 0, 300), (1, LONG, 1, 500)), second, usd)


def test_what_comes_after_the_second_does_not_count():
    assert 1 == counted(heard((0, LONG, 0, 300), (1, LONG, 1, 500)), 0, 300)


@pytest.mark.parametrize("usd", [299, 301])
def test_what_does_not_add_up_to_the_markets_hour_is_not_known(usd):
    assert counted(heard((0, LONG, 0, 300)), 0, usd) is None


def test_nothing_is_known_of_a_market_whose_assets_nobody_has_told():
    assert counted(Breadth(), 0, 300) is None


def test_seconds_that_are_decided_stay_as_they_were():
    breadth = heard((0, LONG, 9, 300), (1, LONG, 10, 500), closed=S + 10)

    assert 1 == counted(breadth, 20, 500)
    assert [(2, S + 10, 500)] == lines(breadth.take())


FOUND = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 9_000), st.sampled_from([1, 50, 99, 100, 900])),
    max_size=40,
)


@given(FOUND, st.integers(0, 1), st.sets(st.integers(0, 13_000), min_size=1, max_size=6), st.integers(1, 9))
def test_however_it_was_told_the_count_is_that_of_the_definition(found, side, seconds, size):
    breadth = Breadth()
    for start in range(0, len(found), size):
        breadth.grow(list("FEDCBA"), cells(*found[start : start + size]), 0)
    seconds, wanted, hours = sorted(seconds), [], []
    for second in seconds:
        held = dict.fromkeys(range(6), 0)
        for asset, of, at, usd in found:
            held[asset] += usd * (of == side and second - 3_600 < at <= second)
        hours.append(sum(held.values()))
        wanted.append(sum(usd * 10 >= 1_000 for usd in held.values()))

    assert wanted == list(breadth.counts(ints(seconds) + S, side, 1_000, ints(hours)))
    one_by_one = zip(seconds, hours, strict=True)
    assert wanted == [counted(breadth, second, hour, side=side) for second, hour in one_by_one]


@given(FOUND, st.lists(st.integers(0, 5_000), max_size=8))
def test_forgetting_changes_no_count_that_can_still_be_asked_for(found, steps):
    breadth, forgetful, closed = heard(*found, names="FEDCBA"), heard(*found, names="FEDCBA"), S
    for step in steps:
        closed += step
        forgetful.forget(closed)
        hour = sum(usd for _, side, at, usd in found if side == LONG and closed - 3_600 < at + S <= closed)

        assert counted(breadth, closed - S, hour) == counted(forgetful, closed - S, hour)


def test_what_is_asked_for_hours_later_has_none_of_what_was_asked_before():
    breadth = heard((0, LONG, 0, 300), (1, LONG, 1, 500), (2, LONG, 8_000, 100))

    assert [1, 2, 1, 0, 1] == [
        counted(breadth, *each) for each in ((0, 300), (1, 800), (3_600, 500), (3_601, 0), (8_000, 100))
    ]


@pytest.mark.parametrize(("closed", "kept"), [(3_599, 1), (3_600, 0)])
def test_a_restart_takes_up_what_the_next_hour_can_see(closed, kept):
    breadth = Breadth()
    breadth.resume(["BTC"], cells((0, LONG, 0, 300)), S + closed)

    assert kept == counted(breadth, closed, 300 * kept)
    assert [] == lines(breadth.take())


def test_an_hour_that_is_over_takes_no_memory():
    breadth = heard((0, LONG, 0, 300), (1, LONG, 600, 500))
    breadth.forget(S + 3_600)

    assert [(2, S + 600, 500)] == [line for part in breadth._parts for line in lines(part)]


# ---------------------------------------------------------------- what a market is


def market(*found, made=None, clock=600, told=True):
    """A market that hears of longs (asset, second, micro-USD) on one exchange, and of their assets if they are told."""
    made = made or Market(THREE, 5_000)
    by_second = {}
    for _, second, usd in found:
        by_second[second] = by_second.get(second, 0) + usd
    second, usd = ints(sorted(by_second.items())).reshape(-1, 2).T
    sums = np.zeros((len(second), 4), np.int64)
    sums[:, 0], sums[:, 2] = usd, 1
    made.grow(["okx"], Cells(np.ones(len(second), np.int64), second + S, sums, usd))
    if told:
        names = list(dict.fromkeys(name for name, *_ in found))
        made.grow_assets(names, cells(*((names.index(name), LONG, *rest) for name, *rest in found)))
    return made, [
        (notice.record["started"] // 1_000 - S, notice.record["assets_count"])
        for notice in made.watermark(0, (S + clock) * 1_000, 1)
        if notice.scope is Scope.MARKET
    ]


def test_two_large_assets_are_no_market_and_three_are():
    large = [("BTC", 10, 50_000), ("ETH", 11, 50_000)]

    assert [] == market(*large)[1]
    assert [] == market(*large, ("SOL", 12, 99))[1]
    assert [(12, 3)] == market(*large, ("SOL", 12, 100))[1]


def test_the_onset_is_at_the_second_that_brings_the_third_asset():
    made, said = market(("BTC", 10, 900), ("ETH", 10, 900), ("SOL", 10, 50), clock=60)
    assert [] == said

    assert [(100, 3)] == market(("SOL", 90, 49), ("SOL", 100, 1), ("BTC", 101, 7), made=made)[1]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_seconds_are_told_before_they_are_decided_changes_nothing(order):
    found = [("BTC", 10, 900), ("ETH", 12, 900), ("SOL", 11, 100)]
    made = Market(THREE, 5_000)
    for at in order[:2]:
        market(found[at], made=made, clock=15)

    assert [(12, 3)] == market(found[order[2]], made=made, clock=60)[1]


def test_an_exchange_asks_for_no_assets():
    made, _ = market(("BTC", 10, 50_000))

    assert {Scope.EXCHANGE} == {scope for scope, *_ in made.follower.machines}


def test_where_the_assets_are_not_told_the_market_is_as_it_was_before():
    assert [(10, None)] == market(("BTC", 10, 50_000), told=False)[1]


def test_an_hour_after_the_last_that_was_told_without_assets_they_are_known_again():
    made, _ = market(("BTC", 0, 999), told=False)
    assert [] == market(("BTC", 3_400, 500), ("ETH", 3_400, 100), made=made, clock=3_500)[1]

    assert [(3_599, None)] == market(("BTC", 3_599, 500), made=made, clock=3_605)[1]
    made, _ = market(("BTC", 0, 999), told=False)
    market(("BTC", 3_400, 500), ("ETH", 3_400, 100), made=made, clock=3_500)
    assert [] == market(("BTC", 3_600, 500), made=made, clock=3_605)[1]
    assert [(3_601, 3)] == market(("SOL", 3_601, 100), made=made, clock=3_700)[1]


def test_with_zero_any_number_of_assets_will_do_and_is_said():
    made = Market(RULES, 5_000)

    assert [(10, 1)] == market(("BTC", 10, 50_000), made=made)[1]
