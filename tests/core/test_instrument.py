"""Symbols as venues write them."""

from __future__ import annotations

import pytest

from streams.core.instrument import QUOTES, base_asset


@pytest.mark.parametrize(
    ("symbol", "asset", "multiplier"),
    [
        ("BTCUSDT", "BTC", 1),
        ("ETHBUSD", "ETH", 1),
        ("BNBUSD", "BNB", 1),
        ("BNBBUSD", "BNB", 1),
        ("BNBUSD_PERP", "BNB", 1),
        ("DOTUSD", "DOT", 1),
        ("BTCFDUSD", "BTC", 1),
        ("BTCUSD", "BTC", 1),
        ("BTCUSD_PERP", "BTC", 1),
        ("BTCUSD_260327", "BTC", 1),
        ("BTC_250627", "BTC", 1),
        ("BTC-USDT-SWAP", "BTC", 1),
        ("BTC-USD-260327", "BTC", 1),
        ("BTC_USDT", "BTC", 1),
        ("BTC-PERPETUAL", "BTC", 1),
        ("BTCPERP", "BTC", 1),
        ("BTCUSDH26", "BTC", 1),
        ("XBTUSD", "BTC", 1),
        ("XBTUSDTZ26", "BTC", 1),
        ("kPEPE", "PEPE", 1_000),
        ("1000PEPEUSDT", "PEPE", 1_000),
        ("1000PEPE", "PEPE", 1_000),
        ("1000BONKUSDC", "BONK", 1_000),
        ("1000XUSDT", "X", 1_000),
        ("10000SATSUSDT", "SATS", 10_000),
        ("1000000MOGUSDT", "MOG", 1_000_000),
        ("1MBABYDOGE", "BABYDOGE", 1_000_000),
        ("1MBABYDOGEUSDT", "BABYDOGE", 1_000_000),
        ("SHIB1000USDT", "SHIB", 1_000),
        ("RARE", "RARE", 1),
        ("0G", "0G", 1),
        ("2ZUSDT", "2Z", 1),
        ("LUNA2USDT", "LUNA2", 1),
        ("BANANAS31", "BANANAS31", 1),
        ("PUMPBTCUSDT", "PUMPBTC", 1),
        ("BTCDOM", "BTCDOM", 1),
        ("币安人生", "币安人生", 1),
        ("BUSD", "BUSD", 1),
        ("ABCZ25", "ABCZ25", 1),
    ],
)
def test_a_symbol_stands_for_one_asset_and_a_number_of_them(symbol: str, asset: str, multiplier: int) -> None:
    assert (asset, multiplier) == base_asset(symbol)


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quote_alone_is_an_asset(quote: str) -> None:
    assert (quote, 1) == base_asset(quote)


@pytest.mark.parametrize("symbol", ["100XUSDT", "1000USDT"])
def test_a_number_that_is_no_multiplier_stays_in_the_name(symbol: str) -> None:
    assert (symbol.removesuffix("USDT"), 1) == base_asset(symbol)


def test_ten_million_is_no_multiplier_that_a_venue_uses() -> None:
    assert ("10000000XYZ", 1) == base_asset("10000000XYZUSDT")


@pytest.mark.parametrize("symbol", ["", "-USDT-SWAP", "  "])
def test_a_symbol_without_an_asset_is_refused_by_name(symbol: str) -> None:
    with pytest.raises(ValueError, match="symbol must name an asset"):
        base_asset(symbol)
