"""What is shown of listed symbols, of crowded assets and of the known episodes is what the units hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams import market_metrics
from streams.core.crowding import Crowding
from streams.core.events import Instrument, OpenInterest
from tests.core.crowding_records import HOUR, QUICK, hourly
from tests.simulation.generate import T0
from tests.web.worker import log, world

START = T0 // HOUR * HOUR - 4 * HOUR


@pytest.fixture
def made():
    return world(log({"usd": 10.0}))


def samples(unit, *symbols):
    return {(name, labels): value for name, value, labels in market_metrics.samples(unit, frozenset(symbols))}


def crowded(made, rule=QUICK, **options):
    unit = made.shards[0].unit
    unit.crowding = Crowding(rule)
    for record in hourly([2.0] * 4, start=START, **options):
        unit.crowding.step(record)
    return unit


def test_a_crowded_asset_is_named_though_nobody_has_listed_it(made):
    unit = crowded(made)

    assert {("asset_crowded", ("BTC", "LONG", "EXTREME")): 1.0} == samples(unit)


def test_the_funding_of_listed_symbols_and_of_their_assets_is_shown(made):
    unit = crowded(made)

    shown = samples(unit, "BTCUSDT")

    assert 2.0 == shown["symbol_funding_annualised", ("binance", "BTCUSDT")]
    assert 2.0 == shown["asset_funding_annualised", ("BTC",)]
    assert ("asset_funding_percentile", ("BTC",)) not in shown, "too few days for one"


def test_a_percentile_is_shown_once_there_is_history(made):
    unit = made.shards[0].unit
    unit.crowding = Crowding(QUICK)
    for record in hourly([0.1] * 24 * 4 + [2.0], start=START - (4 * 24 - 3) * HOUR):
        unit.crowding.step(record)

    assert 100.0 == samples(unit, "BTCUSDT")["asset_funding_percentile", ("BTC",)]


def test_a_rate_that_is_too_old_is_not_shown(made):
    unit = crowded(made)
    unit.crowding._assets["BTC"].clock_ms += 100 * HOUR

    assert [] == [name for name, _ in samples(unit, "BTCUSDT") if name == "symbol_funding_annualised"]


def test_the_open_interest_of_listed_symbols_is_shown(made):
    unit = crowded(made)
    for symbol in ("BTCUSDT", "BTCUSDC"):
        unit.context.open_interest(OpenInterest(Instrument("okx", symbol, "BTC"), 7.0, None, T0, T0))

    found = {labels: value for (name, labels), value in samples(unit, "BTCUSDT").items() if "interest" in name}

    assert {("okx", "BTCUSDT"): 7.0} == found


def test_the_open_interest_of_a_listed_symbol_without_a_funding_rate_is_shown_with_its_assets_funding(made):
    unit = crowded(made)
    for symbol, asset in (("BTC-SWAP", "BTC"), ("ETH-SWAP", "ETH"), ("XRP-SWAP", "XRP")):
        unit.context.open_interest(OpenInterest(Instrument("okx", symbol, asset), 7.0, None, T0, T0))

    shown = samples(unit, "BTC-SWAP", "ETH-SWAP")

    assert {("okx", "BTC-SWAP"), ("okx", "ETH-SWAP")} == {labels for name, labels in shown if "interest" in name}
    assert {("BTC",)} == {labels for name, labels in shown if name == "asset_funding_annualised"}


def test_the_funding_of_an_asset_is_shown_where_only_liquidations_of_a_listed_symbol_are_known(made):
    unit = made.shards[0].unit
    unit.crowding = Crowding(QUICK)
    for record in hourly([2.0] * 4, start=START):
        unit.crowding.step(replace(record, instrument=Instrument("okx", "BTC-SWAP", "BTC")))

    assert 2.0 == samples(unit, "BTCUSDT")["asset_funding_annualised", ("BTC",)]


def test_the_known_episodes_are_shown_by_whoever_has_the_market(made):
    shown = samples(made.exchanges.unit)

    named = ("September 2025 crash", "2025-09-22", "1h", "true")
    assert 1_070_000_000 == shown["episode_usd", named]
    assert {"episode_usd"} == {name for name, _ in shown}
