"""How amounts, shares and names read in a sentence that a news desk could print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_STEPS: Final = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K"))

_NAMES: Final = {
    "okx": "OKX",
    "htx": "HTX",
    "mexc": "MEXC",
    "ftx": "FTX",
    "bitmex": "BitMEX",
    "dydx": "dYdX",
    "kucoin": "KuCoin",
}

#: More venues than this are counted, not named.
NAMED_MAX: Final = 4


def money(usd: float, *, floor: bool) -> str:
    """Return US dollars with three significant digits and K, M or B.

    Parameters
    ----------
    usd
        Amount, not negative; US dollars.
    floor
        Round down, as "at least" demands; else to the nearest.

    Examples
    --------
    >>> money(352_999_999.99, floor=True), money(352_999_999.99, floor=False)
    ('$352M', '$353M')

    Rounding up carries into the next unit, rounding down never does:

    >>> money(999_999_999.0, floor=True), money(999_999_999.0, floor=False)
    ('$999M', '$1.00B')
    >>> money(999.9, floor=True), money(999.9, floor=False)
    ('$999', '$1.00K')

    """
    whole = math.floor(usd if floor else usd + 0.5)
    step = 10 ** max(len(str(whole)) - 3, 0)
    rounded = whole // step * step if floor else (whole + step // 2) // step * step
    for size, letter in _STEPS:
        if rounded >= size:
            decimals = 3 - len(str(rounded // size))
            return f"${rounded / size:.{max(decimals, 0)}f}{letter}"
    return f"${rounded}"


def percent(fraction: float) -> str:
    """Return a fraction as whole percent; what is under the whole never reads 100 %, nor what is over nothing 0 %.

    Examples
    --------
    >>> percent(0.94), percent(0.996), percent(1.0)
    ('94 %', '99 %', '100 %')
    >>> percent(0.005), percent(0.0)
    ('under 1 %', '0 %')

    """
    whole = round(fraction * 100)
    if whole == 0 and fraction > 0:
        return "under 1 %"
    return f"{99 if whole == 100 and fraction < 1 else whole} %"


def percent_a_year(fraction: float) -> str:
    """Return an annualised rate in percent with one decimal, with its sign; what rounds to nothing has none.

    Examples
    --------
    >>> percent_a_year(0.438), percent_a_year(-0.1204), percent_a_year(-0.0001)
    ('43.8 % a year', '-12.0 % a year', '0.0 % a year')

    """
    return f"{round(fraction * 100, 1) + 0.0:.1f} % a year"


def times(ratio: float) -> str:
    """Return a ratio with one decimal under ten, without from ten on.

    Examples
    --------
    >>> times(4.25), times(9.96), times(12.4)
    ('4.2 times', '10 times', '12 times')

    """
    return f"{ratio:.1f} times" if ratio < 9.95 else f"{ratio:.0f} times"


def exchange_name(exchange: str) -> str:
    """Return a venue's name as it writes itself.

    Examples
    --------
    >>> exchange_name("binance"), exchange_name("okx"), exchange_name("dydx")
    ('Binance', 'OKX', 'dYdX')

    """
    return _NAMES.get(exchange, exchange.capitalize())


def listed(names: Sequence[str]) -> str:
    """Return names as a list in prose; of more than ``NAMED_MAX`` the first three, and how many more.

    Examples
    --------
    >>> listed(["Binance"]), listed(["Binance", "Bybit", "OKX"])
    ('Binance', 'Binance, Bybit and OKX')
    >>> listed(["A", "B", "C", "D"]), listed(["A", "B", "C", "D", "E"])
    ('A, B, C and D', 'A, B, C and 2 more')
    >>> listed([])
    ''

    """
    shown = [*names[:3], f"{len(names) - 3} more"] if len(names) > NAMED_MAX else list(names)
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
