"""What comes in, once it is decoded and found possible.

Money is a Python ``int`` or an ``int64`` of micro-USD; times are ``int``
milliseconds since 1970 (UTC); quantities are in base units (coins).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MICRO = 1_000_000

#: Above this a notional is a mistake in units, not a liquidation (USD).
NOTIONAL_USD_MAX = 10_000_000_000.0


class PositionSide(IntEnum):
    """Side of the position that was closed, never of the order that closed it."""

    LONG = 0
    SHORT = 1


class PriceKind(StrEnum):
    """What the price of a liquidation is."""

    AVERAGE_FILL = "AVERAGE_FILL"
    BANKRUPTCY = "BANKRUPTCY"
    ORDER = "ORDER"


class Scope(StrEnum):
    """What a total is over."""

    INSTRUMENT = "INSTRUMENT"
    ASSET = "ASSET"
    EXCHANGE = "EXCHANGE"
    MARKET = "MARKET"


class Instrument(NamedTuple):
    """A venue's contract: the venue in lower case, its own symbol, the base asset in single units."""

    exchange: str
    symbol: str
    asset: str


def micro_usd(usd: float) -> int:
    """Return US dollars as integer micro-USD, rounded half to even: the one way in.

    Examples
    --------
    >>> micro_usd(12.3456785)
    12345678

    """
    return round(usd * MICRO)


def to_usd(micro: int) -> float:
    """Return integer micro-USD as US dollars: the one way out; exact below 9.007 billion.

    Examples
    --------
    >>> to_usd(12_345_678)
    12.345678

    """
    return micro / MICRO


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A position, or part of one, closed by force by the venue."""

    instrument: Instrument
    position_side: PositionSide
    price: float
    price_kind: PriceKind
    quantity: float
    notional_micro_usd: int
    event_time_ms: int
    ingest_time_ms: int
    liquidation_id: str


@dataclass(frozen=True, slots=True)
class Funding:
    """What longs pay shorts per funding interval on one instrument; positive: longs pay."""

    instrument: Instrument
    funding_rate: float
    funding_interval_hours: float
    next_funding_time_ms: int | None
    predicted_rate: float | None
    mark_price: float | None
    open_interest_usd: float | None
    event_time_ms: int
    ingest_time_ms: int


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """Outstanding positions of one instrument, one side, in base units and in US dollars where known."""

    instrument: Instrument
    open_interest: float
    open_interest_usd: float | None
    event_time_ms: int
    ingest_time_ms: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask of one instrument, with sizes in base units, and the venue's fair price."""

    instrument: Instrument
    bid_price: float
    bid_quantity: float
    ask_price: float
    ask_quantity: float
    mark_price: float | None
    event_time_ms: int
    ingest_time_ms: int


@dataclass(frozen=True, slots=True)
class ExchangeFlow:
    """Coins of one asset that went to and from one exchange's wallets over a stated period."""

    asset: str
    exchange: str
    inflow: float
    outflow: float
    period_start_ms: int
    period_end_ms: int
    source: str
    event_time_ms: int
    ingest_time_ms: int


@dataclass(slots=True)
class LiquidationColumns:
    """Valid liquidations of one partition in log order, as columns of one length ``n``.

    Attributes
    ----------
    offset
        int64, rising.
    instrument
        int64 codes into ``instruments``.
    instruments
        The distinct instruments of this batch.
    side
        int64, 0 LONG or 1 SHORT.
    price
        float64, positive.
    notional
        int64 micro-USD, positive.
    event_time_ms
        int64 milliseconds.
    identity
        uint64, a stable hash of exchange, symbol and liquidation_id.

    """

    offset: NDArray[np.int64]
    instrument: NDArray[np.int64]
    instruments: list[Instrument]
    side: NDArray[np.int64]
    price: NDArray[np.float64]
    notional: NDArray[np.int64]
    event_time_ms: NDArray[np.int64]
    identity: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.offset)

    def one(self, at: int) -> LiquidationColumns:
        """Return the liquidation at a position alone."""
        alone = slice(at, at + 1)
        return LiquidationColumns(
            self.offset[alone], np.zeros(1, np.int64), [self.instruments[self.instrument[at]]], self.side[alone],
            self.price[alone], self.notional[alone], self.event_time_ms[alone], self.identity[alone],
        )  # fmt: skip
