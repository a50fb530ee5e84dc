"""Which coin a venue's symbol stands for, and how many of them one of its units is."""

from __future__ import annotations

import re
from typing import Final

#: Quotes that venues glue to the base, longest first. Not ``TUSD``: ``DOTUSD`` ends so, and it quotes no futures.
QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "PERP", "USD")

#: Coins whose dollar pairs look as if they were quoted in BUSD.
ENDING_IN_B: Final = frozenset({"ARB", "BB", "BNB", "BOB", "SHIB", "TRB"})

#: Coins whose own name ends like a quote.
NAMED_LIKE_A_QUOTE: Final = frozenset({"BFUSD", "BUSD", "FDUSD", "PYUSD", "RLUSD", "SUSD", "TUSD", "USDC", "XUSD"})

#: BitMEX's and Kraken's name for a coin that all others call something else.
ALIASES: Final = {"XBT": "BTC"}

_DELIVERY = re.compile(r"[FGHJKMNQUVXZ]\d{2}$")
_THOUSANDS = re.compile(r"^(10{3,6})(?=\D)")
_MILLION = re.compile(r"^1M(?=[A-Z]{3})")
_KILO = re.compile(r"^k(?=[A-Z])")
_BYBIT_SUFFIX = re.compile(r"(?<=[A-Z]{3})(10{3,6})$")


def base_asset(symbol: str) -> tuple[str, int]:
    """Return the base asset of a venue's own symbol, and how many of it one of its units is.

    ``quantity`` in the symbol's units times the multiplier is the quantity in
    coins; the price divided by it is the price of one coin::

        base_asset("1000PEPEUSDT") = ("PEPE", 1000)
        quantity = 1000 * 42, price = 0.0118 / 1000

    Parameters
    ----------
    symbol
        As the venue writes it: ``BTCUSDT`` and ``BTCUSD_PERP`` (Binance),
        ``BTC-USDT-SWAP`` (OKX), ``SHIB1000USDT`` (Bybit), ``kPEPE``
        (Hyperliquid), or bare, with the quote already taken off: ``RARE``.

    Raises
    ------
    ValueError
        Where no asset is left.

    Examples
    --------
    >>> base_asset("BTCUSDT"), base_asset("BTC-USDT-SWAP"), base_asset("BTCUSD_PERP")
    (('BTC', 1), ('BTC', 1), ('BTC', 1))
    >>> base_asset("1000PEPEUSDT"), base_asset("1MBABYDOGEUSDT"), base_asset("SHIB1000USDT")
    (('PEPE', 1000), ('BABYDOGE', 1000000), ('SHIB', 1000))

    A digit in front is a multiplier only from a thousand on, and a bare
    symbol has no quote to take off:

    >>> base_asset("1INCHUSDT"), base_asset("4USDT"), base_asset("NEIROETH")
    (('1INCH', 1), ('4', 1), ('NEIROETH', 1))

    Neither has a coin that is named like a quote:

    >>> base_asset("USDCUSDT"), base_asset("USDC"), base_asset("PYUSD")
    (('USDC', 1), ('USDC', 1), ('PYUSD', 1))

    """
    base = _without_quote(re.split(r"[-_/:]", symbol.strip(), maxsplit=1)[0])
    base, multiplier = _without_multiplier(base)
    if not base:
        msg = f"symbol must name an asset, was {symbol!r}"
        raise ValueError(msg)
    return ALIASES.get(base, base), multiplier


def _without_quote(text: str) -> str:
    if text in NAMED_LIKE_A_QUOTE:
        return text
    # Bybit and BitMEX append month and year of delivery to the quote: BTCUSDH26. A coin may end so too (``ABCZ25``).
    undated = _DELIVERY.sub("", text)
    for candidate in (undated, text):
        for quote in QUOTES:
            base = candidate.removesuffix(quote)
            if base not in ("", candidate) and not (quote == "BUSD" and base + "B" in ENDING_IN_B):
                return base
    return text


def _without_multiplier(base: str) -> tuple[str, int]:
    if found := _THOUSANDS.match(base):
        return base[found.end() :], int(found[1])
    if found := _BYBIT_SUFFIX.search(base):
        return base[: found.start()], int(found[1])
    if found := _MILLION.match(base):
        return base[found.end() :], 1_000_000
    if found := _KILO.match(base):
        return base[found.end() :], 1_000
    return base, 1
