"""Shorts are as good as longs: what happens to them says the same, word for word, as if it had happened to longs."""

import random

import pytest

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import scalar, simulated
from tests.evaluation.data import LONG, SHORT, Order, Orders, mirrored
from tests.evaluation.ours import messages
from tests.evaluation.rules import PUBLIC
from tests.evaluation.sides import as_they_are, turned
from tests.mirror import lines, other

T0 = 1_769_860_800_000  # 2026-01-31 12:00 UTC


def story(seed):
    """Three hours of both sides, cascades of either on two exchanges, and a second that is large on both sides."""
    chance = random.Random(seed)
    found = [order(chance, second, chance.choice((LONG, SHORT)), 4_000.0) for second in range(0, 10_800, 60)]
    for start in (11_000, 20_000, 30_000):
        side = chance.choice((LONG, SHORT))
        found += [order(chance, start + 5 * number, side, chance.uniform(2e5, 2e6)) for number in range(40)]
        found += [order(chance, start + 7 * number, 1 - side, chance.uniform(1e4, 5e5)) for number in range(30)]
    found += [order(chance, 40_000, side, 9e7) for side in (LONG, SHORT)]
    return Orders.of([*found, order(chance, 60_000, LONG, 1.0)])


def order(chance, second, side, usd):
    name, exchange = chance.choice(("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")), chance.choice(("binance", "bybit"))
    return Order(T0 + second * 1000, exchange, name, side, usd, 1, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_job_says_of_shorts_what_it_says_of_longs(seed):
    found = story(seed)
    said = messages(found)

    assert {scope.value for scope in Scope} == {each["scope"] for each in said}
    assert {"LONG", "SHORT"} == {each["position_side"] for each in said}
    assert lines(map(other, said)) == lines(messages(mirrored(found)))


@pytest.mark.parametrize(("seed", "usd"), [(1, 100e6), (2, 300e6), (3, 1_000e6)])
@pytest.mark.parametrize("scope", [Scope.EXCHANGE, Scope.MARKET])
def test_a_simulated_squeeze_is_a_simulated_sell_off(seed, usd, scope):
    shown, settings = simulated.world(seed, usd).shown, Settings()
    rule = {Scope.EXCHANGE: settings.cascade_exchange, Scope.MARKET: settings.cascade_market}[scope].rule()
    found = scalar.cascades(shown, rule, scope)

    assert found
    assert turned(found) == as_they_are(scalar.cascades(mirrored(shown), rule, scope))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_rule_names_the_other_side_of_the_other_orders(name):
    found = story(7)
    alerts = PUBLIC[name](found)

    assert alerts
    assert alerts == [
        each._replace(side=None if each.side is None else 1 - each.side) for each in PUBLIC[name](mirrored(found))
    ]
