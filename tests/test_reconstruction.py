"""The reconstruction carries the published totals, and what the story says went with them."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from streams.core.instrument import base_asset
from streams.reconstruction import END_MINUTE, HEADLINE_MINUTE, PRINTS, START_MS, WAVES_MINUTE, Played, at, reconstruct
from streams.reconstruction.figures import ASSETS, Print
from streams.reconstruction.liquidations import liquidations
from streams.reconstruction.market import Market

HOUR, DAY = 60, 1440


@pytest.fixture(scope="module")
def played() -> list[Played]:
    return reconstruct(seed=7)


def of(played: list[Played], topic: str) -> list[dict[str, Any]]:
    return [record for _, name, record in played if name == topic]


def musd(played: list[Played], start: float, end: float, side: str | None = None) -> float:
    return 1e-6 * math.fsum(
        record["notional_usd"]
        for record in of(played, "liquidations")
        if at(start) <= record["event_time"] < at(end) and side in (None, record["position_side"])
    )


@pytest.mark.parametrize("published", PRINTS, ids=str)
def test_the_hour_and_the_day_of_each_print_are_the_published_ones_within_a_hundredth(
    played: list[Played], published: Print
) -> None:
    hour = musd(played, published.minute - HOUR, published.minute)
    day = musd(played, published.minute - DAY, published.minute)

    assert published.hour_musd == pytest.approx(hour, rel=0.01)
    assert published.day_musd == pytest.approx(day, rel=0.01)


def test_the_headline_is_carried_and_hardly_more(played: list[Played]) -> None:
    liquidations = of(played, "liquidations")
    times = np.array([record["event_time"] for record in liquidations])
    sums = np.concatenate([[0.0], np.cumsum([record["notional_usd"] for record in liquidations])])
    sliding_hour = sums[1:] - sums[np.searchsorted(times, times - HOUR * 60_000, side="right")]

    assert 350e6 <= sliding_hour.max() <= 356e6
    assert at(HEADLINE_MINUTE) - 60_000 <= times[sliding_hour.argmax()] <= at(HEADLINE_MINUTE + 8)
    assert musd(played, HEADLINE_MINUTE - DAY, HEADLINE_MINUTE) >= 1_050


def test_longs_took_the_brunt(played: list[Played]) -> None:
    hour = musd(played, HEADLINE_MINUTE - HOUR, HEADLINE_MINUTE, "LONG") / 352
    day = musd(played, HEADLINE_MINUTE - DAY, HEADLINE_MINUTE, "LONG") / 1_058

    assert (0.95, 0.90) == (pytest.approx(hour, abs=0.02), pytest.approx(day, abs=0.02))


def test_it_ends_in_more_than_half_an_hour_of_quiet(played: list[Played]) -> None:
    assert musd(played, END_MINUTE - 60, END_MINUTE) < 16


def test_the_same_seed_gives_the_same_records(played: list[Played]) -> None:
    assert played == reconstruct(seed=7)


def test_another_seed_gives_other_prices_and_orders() -> None:
    first, second = (
        next(liquidations(np.random.default_rng(seed), Market(np.random.default_rng(seed)))) for seed in (7, 8)
    )

    assert first != second


def test_records_come_in_event_time_order_and_no_liquidation_is_history(played: list[Played]) -> None:
    times = [time for time, _, _ in played]

    assert sorted(times) == times
    assert {"funding", "quotes", "exchange-flows"} == {topic for time, topic, _ in played if time < START_MS}
    assert all(time == record["event_time"] <= record["ingest_time"] for time, _, record in played)


def test_there_are_about_ninety_thousand_liquidations_of_very_unequal_size(played: list[Played]) -> None:
    sizes = [record["notional_usd"] for record in of(played, "liquidations")]

    assert 60_000 <= len(sizes) <= 120_000
    assert max(sizes) > 100 * sum(sizes) / len(sizes)
    assert min(sizes) > 0


def test_prices_quantities_and_dollars_of_every_liquidation_agree(played: list[Played]) -> None:
    for record in of(played, "liquidations"):
        assert math.isclose(record["notional_usd"], record["price"] * record["quantity"], rel_tol=1e-9)


def test_symbols_are_the_venues_own_and_assets_single_coins(played: list[Played]) -> None:
    found = {(r["exchange"], r["symbol"], r["asset"]) for _, topic, r in played if topic != "exchange-flows"}

    assert len(ASSETS) * 3 == len(found)
    assert {("binance", "1000PEPEUSDT", "PEPE"), ("okx", "PEPE-USDT-SWAP", "PEPE")} <= found
    assert all(base_asset(symbol)[0] == asset for _, symbol, asset in found)


@pytest.mark.parametrize("venue", ["binance", "okx"])
def test_a_sampled_venue_shows_one_order_per_symbol_and_second(played: list[Played], venue: str) -> None:
    shown = Counter(
        (record["symbol"], record["event_time"] // 1_000)
        for record in of(played, "liquidations")
        if record["exchange"] == venue
    )

    assert {1} == set(shown.values())


def test_funding_sits_at_the_base_rate_for_months_and_is_crowded_before_the_waves(played: list[Played]) -> None:
    btc = [r for r in of(played, "funding") if r["symbol"] == "BTC-USDT-SWAP"]
    months = [r["funding_rate"] for r in btc if r["event_time"] < at(WAVES_MINUTE - 8 * DAY)]
    before = [r["funding_rate"] for r in btc if at(WAVES_MINUTE - DAY) <= r["event_time"] < at(WAVES_MINUTE)]
    after = [r["funding_rate"] for r in btc if r["event_time"] >= at(HEADLINE_MINUTE + 20)]

    assert len(months) >= 100 * 3
    assert max(months) <= 0.00011
    assert min(before) >= 0.0004
    assert max(after) <= 0.00011


def test_a_coin_that_settles_every_four_hours_says_so_and_pays_half_the_rate(played: list[Played]) -> None:
    hype = [r for r in of(played, "funding") if r["symbol"] == "HYPEUSDT"]

    assert {4.0} == {r["funding_interval_hours"] for r in hype}
    assert max(r["funding_rate"] for r in hype if r["event_time"] < at(-8 * DAY)) <= 0.000055
    assert {0} == {r["next_funding_time"] % (4 * 3_600_000) for r in hype}


def test_open_interest_in_coins_falls_with_the_selling(played: list[Played]) -> None:
    btc = [r for r in of(played, "open-interest") if r["symbol"] == "BTC-USDT-SWAP"]
    before = next(r["open_interest"] for r in btc if r["event_time"] >= at(WAVES_MINUTE - 5))
    after = btc[-1]["open_interest"]

    assert after / before - 1 == pytest.approx(-0.08, abs=0.01)


def test_prices_fall_in_the_waves_and_come_back_in_part(played: list[Played]) -> None:
    marks = {r["event_time"]: r["mark_price"] for r in of(played, "quotes") if r["symbol"] == "BTC-USDT-SWAP"}

    def mark(minute: float) -> float:
        return marks[min(marks, key=lambda time: abs(time - at(minute)))]

    assert 81_500 <= mark(WAVES_MINUTE) <= 82_500
    assert -0.06 <= mark(HEADLINE_MINUTE) / mark(WAVES_MINUTE) - 1 <= -0.02
    assert mark(HEADLINE_MINUTE) < mark(END_MINUTE) < mark(WAVES_MINUTE)


def test_volatility_was_low_before(played: list[Played]) -> None:
    btc = [r for r in of(played, "quotes") if r["symbol"] == "BTCUSDT" and r["exchange"] == "binance"]

    def volatility(start: float, end: float) -> float:
        prices = [r["mark_price"] for r in btc if at(start) <= r["event_time"] < at(end)]
        return float(np.std(np.diff(np.log(prices))))

    week = [volatility(-n * DAY, -(n - 1) * DAY) for n in range(3, 11)]
    assert volatility(0, WAVES_MINUTE - 5) < min(week)


def test_spreads_are_narrow_before_and_wide_after(played: list[Played]) -> None:
    btc = [r for r in of(played, "quotes") if r["symbol"] == "BTC-USDT-SWAP"]

    def spread(start: float, end: float) -> float:
        found = [
            (r["ask_price"] - r["bid_price"]) / r["mark_price"] for r in btc if at(start) <= r["event_time"] < at(end)
        ]
        return float(np.median(found))

    calm = spread(0, WAVES_MINUTE - 5)
    assert spread(HEADLINE_MINUTE - 5, HEADLINE_MINUTE + 5) > 5 * calm
    assert spread(HEADLINE_MINUTE + 15, END_MINUTE) > 2 * calm
    assert all(0 < r["bid_price"] < r["ask_price"] for r in of(played, "quotes"))


def test_inflows_were_three_times_as_large_in_the_last_day(played: list[Played]) -> None:
    flows = [r for r in of(played, "exchange-flows") if (r["asset"], r["exchange"]) == ("BTC", "bybit")]
    before = np.mean([r["inflow"] for r in flows if r["event_time"] < at(-DAY)])
    last_day = np.mean([r["inflow"] for r in flows if r["event_time"] >= at(WAVES_MINUTE - DAY)])

    assert last_day / before == pytest.approx(3.0, rel=0.25)
    assert len(flows) >= 10 * 24
