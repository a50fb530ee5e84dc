"""One asset is not the market: what the study counts, and that the job says what the study's rule says."""

import pytest

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import market_study, scalar, simulated
from tests.evaluation.data import Orders
from tests.evaluation.ours import events, messages

T0 = 1_769_817_600_000  # 2026-01-31 00:00 UTC: the job wants times of our days
HOUR_MS = 3_600_000
#: In the last one two other assets happen to have had a million of that side in the hour: the rule is no proof.
CASES = [(5, 1.0, 0, 1), (5, 1.0, 3, 0), (5, 0.0, 0, 1), (5, 0.0, 3, 1), (2, 1.0, 3, 1)]


@pytest.mark.parametrize(("alone", "least", "most"), [(1.0, 1.0, 1.0), (0.9, 0.85, 1.0), (0.0, 0.3, 0.6)])
def test_a_share_of_a_cascades_orders_is_of_one_large_asset(alone, least, most):
    made = simulated.world(4, 300e6, alone)
    names = [order.symbol for order in made.cascade.orders]

    assert least <= names.count("COIN01USDT" if alone else "COIN00USDT") / len(names) <= most
    assert made.cascade.usd.sum() == pytest.approx(300e6)
    assert {name for name, *_ in simulated.VENUES} == {order.exchange for order in made.cascade.orders}


@pytest.mark.parametrize(("seed", "alone", "assets_min", "count"), CASES)
def test_the_job_calls_one_asset_a_market_only_if_it_is_not_asked_for_three(seed, alone, assets_min, count):
    shown = simulated.world(seed, 300e6, alone).shown
    hours = Orders.of(
        order._replace(time_ms=T0 + order.time_ms) for order in shown.between(29 * HOUR_MS, 34 * HOUR_MS).orders
    )
    settings = Settings(cascade_market={"assets_min": assets_min})
    job = [(each.onset, each.ended, each.reached) for each in events(messages(hours, settings), Scope.MARKET)]

    assert count == len(job)
    found = scalar.cascades(hours, settings.cascade_market.rule())
    assert [(onset, reached) for onset, _, reached in job] == [(each.onset, each.reached) for each in found]


def test_what_is_of_one_asset_is_no_episode_of_the_market():
    kinds = {share: [simulated.world(1, 300e6, share)] for share in (market_study.ALONE, market_study.TOGETHER)}
    said = {share: [world.truth for world in each] for share, each in kinds.items()}

    result = market_study._judged(said, kinds)

    assert (2, 1, 1) == (result.alerts, result.episodes, result.found)
