"""Liquidations for the tests of the fold; every builder shows only what matters."""

import numpy as np

from streams.codec.liquidations import liquidation_columns
from streams.core.events import Instrument, Liquidation, PositionSide, PriceKind

T = 1_769_860_800_000  # 2026-01-31 12:00 UTC, the start of a day's half and so of an hour and a minute
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def liquidation(time_ms=T, usd=1_000.0, *, asset="BTC", exchange="binance", side="LONG", price=100.0, name=None):
    instrument = Instrument(exchange, f"{asset}USDT", asset)
    name = f"{exchange}{asset}{side}{time_ms}{usd}" if name is None else name
    micro = round(usd * 1_000_000)
    kind = PriceKind.AVERAGE_FILL
    return Liquidation(instrument, PositionSide[side], price, kind, usd / price, micro, time_ms, time_ms, name)


def columns(*liquidations):
    return liquidation_columns(np.arange(len(liquidations), dtype=np.int64), list(liquidations))
