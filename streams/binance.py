"""What collectors have kept of Binance's ``!forceOrder@arr``, line by line, as wire records."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from streams.core.instrument import base_asset

#: An ORDER that sells closes a long.
_SIDES: Final = {"SELL": "LONG", "BUY": "SHORT"}
_COIN_MARGINED: Final = re.compile(r"USD_(PERP|\d{6})$")
_IDENTITY_COLUMNS: Final = 11

BURSTS_CAVEAT: Final = (
    "A row is a burst: the orders of one symbol, summed until they pass $30,000. Sides are loose, because a burst "
    "that holds both is called a long one. Times are those of receipt. Counts are of bursts. There are no prices: "
    "quantities are dollars, and every price reads 1."
)


def force_order(number: int, line: str) -> dict[str, Any]:
    """Return the record of a captured order, line ``number`` of its file."""
    cells = line.split(",")
    if len(cells) not in (12, 13) or cells[1] not in _SIDES:
        msg = f"a line must be symbol, BUY or SELL and ten or eleven more, was {line[:40]!r}"
        raise ValueError(msg)
    symbol = _first_symbol(cells[0]) if number == 1 else cells[0]
    if _COIN_MARGINED.search(symbol):
        msg = f"{symbol} is margined in coins and counts contracts of $10 or $100: only USDT-margined orders are read"
        raise ValueError(msg)
    asset, multiplier = base_asset(symbol)
    filled, event_time = float(cells[9]), int(cells[10])
    averaged = cells[6] != "None"
    price = float(cells[6] if averaged else cells[5])
    return {
        "exchange": "binance",
        "symbol": symbol,
        "asset": asset,
        "position_side": _SIDES[cells[1]],
        "price": price / multiplier,
        "price_kind": "AVERAGE_FILL" if averaged else "ORDER",
        "quantity": filled * multiplier,
        "notional_usd": filled * price,
        "event_time": event_time,
        # The captures did not keep when they were received.
        "ingest_time": event_time,
        "liquidation_id": _identity([symbol, *cells[1:_IDENTITY_COLUMNS]]),
    }


def burst(line: str) -> dict[str, Any]:
    """Return the record of a burst; its ``event_time`` as it is written."""
    cells = line.split(",")
    if len(cells) != 6 or cells[2] not in _SIDES:
        msg = f"a line must be symbol, dollars, BUY or SELL, count, funding and time, was {line[:40]!r}"
        raise ValueError(msg)
    symbol, usd = cells[0], float(cells[1])
    return {
        "exchange": "binance",
        "symbol": symbol,
        "asset": base_asset(symbol)[0],
        "position_side": _SIDES[cells[2]],
        # A liquidation must have a price, and a sum of many has none.
        "price": 1.0,
        "price_kind": "AVERAGE_FILL",
        "quantity": usd,
        "notional_usd": usd,
        "event_time": cells[5],
        "liquidation_id": _identity(cells),
    }


def _first_symbol(cell: str) -> str:
    """Take off the collector's greeting, which its first line has stuck to the symbol."""
    greeted = re.search(r"\s\w*?([A-Z0-9]{2,})$", cell)
    return greeted[1] if greeted else cell


def _identity(cells: list[str]) -> str:
    # Without the dollars behind: two collectors of one capture computed them differently for the same order.
    return hashlib.blake2b(",".join(cells).encode(), digest_size=8).hexdigest()
