"""The evaluation itself: its labels, its scores, the rule without the job, and that nothing looks ahead."""

import random
from functools import cache

import pytest

from streams import app
from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import labels, scalar, simulated
from tests.evaluation.data import LONG, SHORT, Order, Orders, wire
from tests.evaluation.labels import Span
from tests.evaluation.ours import events, messages, spans
from tests.evaluation.rules import PUBLIC
from tests.evaluation.score import right_side, score, stories

T0 = 1_769_860_800  # 2026-01-31 12:00 UTC
HOUR = 3_600


def order(second, usd, side=LONG, symbol="BTCUSDT"):
    return Order((T0 + second) * 1000, "binance", symbol, side, usd, 1, 1.0)


def orders(*found):
    return Orders.of(order(*each) for each in found)


def story():
    """A day of something, a cascade in two waves with a lull of 50 minutes, and another one the day after."""
    chance = random.Random(7)
    found = [order(hour * HOUR + 60 * part, 4_000.0, part % 2) for hour in range(26) for part in range(1 + hour % 2)]
    for start, side in ((26 * HOUR, LONG), (26 * HOUR + 3_000, LONG), (50 * HOUR, SHORT)):
        found += [order(start + 7 * number, chance.uniform(7e5, 2e6), side) for number in range(8)]
        found += [order(start + 30, 1.1e6, side, symbol) for symbol in ("ETHUSDT", "SOLUSDT")]
    return Orders.of([*found, order(60 * HOUR, 1.0)])


def test_an_episode_begins_with_the_hour_that_the_label_counted():
    found = orders((0, 6e6), (HOUR - 1, 4e6), (2 * HOUR, 1e6))

    assert [Span(T0, T0 + HOUR - 1)] == labels.episodes(found)


def test_stretches_less_than_an_hour_apart_are_one_episode():
    apart = orders((0, 10e6), (HOUR - 1, 10e6)), orders((0, 10e6), (HOUR, 10e6))

    assert [1, 2] == [len(labels.episodes(each)) for each in apart]


def test_a_quiet_hour_has_quiet_neighbours():
    found = orders((0, 1.0), (3 * HOUR, 1e6), (6 * HOUR, 1.0))

    assert {0, 1, 5, 6} == {hour - T0 // HOUR for hour in labels.quiet_hours(found)}


def test_precision_counts_alerts_and_recall_counts_episodes():
    found = score([Span(1, 2), Span(3, 4), Span(50, 60)], [Span(0, 10), Span(20, 30)])

    assert (2 / 3, 1 / 2) == found.rates[:2]
    assert (1, 2) == (found.found, found.most)
    assert found.low.f1 <= found.f1 <= found.high.f1


def test_an_alert_names_the_right_side_if_it_is_that_of_the_first_episode_it_touches():
    episodes = [Span(0, 10, LONG), Span(20, 30, SHORT), Span(40, 50)]
    alerts = [Span(1, 2, LONG), Span(5, 25, SHORT), Span(22, 23), Span(41, 42, LONG), Span(60, 61, LONG)]

    assert (1, 2) == right_side(alerts, episodes)


def test_the_side_of_an_episode_has_most_of_its_dollars_and_that_of_a_rule_most_of_its_window():
    found = orders((0, 9e6, SHORT), (200, 6e6), (201, 5e6, LONG), (205, 1e6, SHORT))
    (alert,) = PUBLIC["TELEGLAS: $2M, 3 orders, 30 s"](found)

    assert [Span(T0, T0 + 205, LONG)] == labels.sided([Span(T0, T0 + 205)], found)
    assert [Span(T0, T0 + 199, SHORT)] == labels.sided([Span(T0, T0 + 199)], found)
    assert [Span(T0, T0 + 9, None)] == labels.sided([Span(T0, T0 + 9)], orders((0, 5.0, LONG), (9, 5.0, SHORT)))
    assert Span(T0 + 205, T0 + 205, LONG) == alert


def test_what_touches_is_one_story():
    assert [(2, 2, 1, 1), (1, 0, 0, 0)] == stories([Span(0, 5), Span(8, 9), Span(11, 12)], [Span(4, 8)])


def test_money_gone_is_what_lies_between_the_start_and_the_alert():
    found = score([Span(T0 + 10, T0 + 20)], [Span(T0, T0 + 30)], orders((0, 1e6), (10, 2e6), (20, 7e6)))

    assert (0.3, 10) == (found.gone, found.delay_s)


def test_the_rule_without_the_job_says_what_the_job_says():
    found = story()
    rule = Settings().cascade_exchange.rule()
    job = [(each.onset, each.ended, each.reached) for each in events(messages(found), Scope.EXCHANGE)]

    assert job == [(each.onset, each.ended, each.reached) for each in scalar.cascades(found, rule, Scope.EXCHANGE)]
    assert [26 * HOUR, 50 * HOUR] == [(onset - T0) // HOUR * HOUR for onset, _, _ in job]


@pytest.mark.parametrize(("assets_min", "count"), [(0, 3), (1, 3), (3, 3), (4, 0)])
def test_the_rule_without_the_job_counts_the_assets_of_a_market_as_the_job_does(assets_min, count):
    found = story()
    low = Settings(cascade_market={"floor_usd": 5e6, "hour_min": 1, "quiet_ms": 300_000, "assets_min": assets_min})
    said = messages(found, low)
    job = [(each.onset, each.ended, each.reached) for each in events(said, Scope.MARKET)]

    assert count == len(job)
    assert job == [(each.onset, each.ended, each.reached) for each in scalar.cascades(found, low.cascade_market.rule())]
    if assets_min == 3:
        assert {3} == {each["assets_count"] for each in said if each["scope"] == Scope.MARKET}


def test_no_message_depends_on_what_comes_after_it(monkeypatch):
    """Every truncation of the history says a beginning of what the whole says; the end of a file closes nothing."""
    monkeypatch.setattr(app, "describer", cache(app.describer))  # what it reads is the same for all of them
    found = story()
    whole = said(found)
    for count in range(1, len(found.orders)):
        short = said(Orders.of(found.orders[:count]))
        assert {scope: lines[: len(short[scope])] for scope, lines in whole.items()} == short


def said(found):
    kept = (
        "cascade_id", "sequence", "phase", "severity", "event_time", "notional_usd", "threshold_usd", "windows",
        "assets_count",
    )  # fmt: skip
    lines = {scope.value: [] for scope in Scope}
    for message in messages(found):
        lines[message["scope"]].append([message[name] for name in kept])
    return lines


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_rule_says_nothing_of_a_single_small_order(name):
    assert [] == PUBLIC[name](orders((0, 100.0)))


def test_a_simulated_cascade_has_its_strength_and_venues_show_less_of_it():
    made, calm = simulated.world(1, 50e6), simulated.world(1, 0)

    assert made.cascade.usd.sum() == pytest.approx(50e6)
    assert 25e6 < made.shown.usd.sum() - calm.shown.usd.sum() < 50e6


def test_a_strong_simulated_cascade_is_one_event_and_an_ordinary_day_is_none():
    rule = Settings().cascade_market.rule()
    strong, calm = (scalar.cascades(simulated.world(2, usd).shown, rule) for usd in (300e6, 0))

    assert ([1], []) == ([len(spans(strong))], calm)


def test_orders_become_liquidations_that_the_job_accepts():
    (record,) = wire(orders((0, 5.0)))

    assert ("BTC", "LONG", 5.0) == (record["asset"], record["position_side"], record["quantity"])
