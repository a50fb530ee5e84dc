"""Recorded liquidations as columns: what every rule of the evaluation is fed."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import sources
from streams.core.instrument import base_asset

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
CAPTURES = SHARED / "binance-forceorder-small"
BURSTS = SHARED / "binance-liq-bursts-202301" / "liqs.csv.gz"
HOURLY = SHARED / "coinglass-btc-hourly-dev"

#: A capture that is silent for longer is two: somebody stopped recording.
SESSION_GAP_S = 900
LONG, SHORT = 0, 1
SIDES = ("LONG", "SHORT")


class Order(NamedTuple):
    """One liquidation, or one row that folds several."""

    time_ms: int
    exchange: str
    symbol: str
    side: int
    usd: float
    count: int
    price: float


@dataclass(frozen=True)
class Orders:
    """Orders by time, as columns; ``second`` is the pane."""

    orders: list[Order]
    time: NDArray[np.int64]  # ms
    second: NDArray[np.int64]
    usd: NDArray[np.float64]
    by_side: NDArray[np.float64]  # (n, 2)
    count: NDArray[np.int64]

    @classmethod
    def of(cls, orders: Iterable[Order]) -> Orders:
        found = sorted(orders, key=lambda order: order.time_ms)
        time = np.array([order.time_ms for order in found], np.int64)
        usd = np.array([order.usd for order in found], np.float64)
        by_side = np.zeros((len(found), 2))
        by_side[np.arange(len(found)), [order.side for order in found]] = usd
        count = np.array([order.count for order in found], np.int64)
        return cls(found, time, time // 1000, usd, by_side, count)

    def between(self, start_ms: int, end_ms: int) -> Orders:
        return Orders.of(order for order in self.orders if start_ms <= order.time_ms < end_ms)

    def sessions(self) -> list[Orders]:
        """Cut where nothing was recorded."""
        cuts = np.flatnonzero(np.diff(self.second) > SESSION_GAP_S) + 1
        bounds = zip([0, *cuts.tolist()], [*cuts.tolist(), len(self.orders)], strict=True)
        return [Orders.of(self.orders[start:end]) for start, end in bounds]

    @property
    def hours(self) -> float:
        """Hours from the first to the last."""
        return float(self.time[-1] - self.time[0]) / 3_600_000


def wire(orders: Orders) -> Iterator[dict[str, Any]]:
    """Return orders as records of ``liquidations``."""
    for number, order in enumerate(orders.orders):
        asset, _ = base_asset(order.symbol)
        yield {
            "exchange": order.exchange, "symbol": order.symbol, "asset": asset, "position_side": SIDES[order.side],
            "price": order.price, "price_kind": "AVERAGE_FILL", "quantity": order.usd / order.price,
            "notional_usd": order.usd, "event_time": order.time_ms, "ingest_time": order.time_ms,
            "liquidation_id": str(number),
        }  # fmt: skip


def read(path: Path, form: str | None = None) -> Orders:
    """Read a recorded file, each order once."""
    once = {
        (record["exchange"], record["symbol"], record["liquidation_id"]): record
        for chunk in sources.read(path, form, refuse=lambda _: None)
        for _, topic, record in chunk
        if topic == "liquidations"
    }
    return Orders.of(
        Order(
            record["event_time"], record["exchange"], record["symbol"], SIDES.index(record["position_side"]),
            record["notional_usd"], 1, record["price"],
        )
        for record in once.values()
    )  # fmt: skip


def captures() -> dict[str, Orders]:
    return {path.name.split(".")[0]: read(path, "binance-forceorder-csv") for path in sorted(CAPTURES.glob("*.csv.gz"))}


def bursts() -> Orders:
    """Read the bursts of January 2023, all as LONG: the file's own side is that of the burst's last letter."""
    with gzip.open(BURSTS, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[1:]  # the first one is left over from three days before
    return Orders.of(
        Order(
            round(datetime.fromisoformat(row["time"]).timestamp() * 1000), "binance", row["s"], LONG,
            float(row["liq_amount"]), int(float(row["q"])), 1.0,
        )
        for row in rows
    )  # fmt: skip


def mirrored(orders: Orders) -> Orders:
    """Return the same orders with longs and shorts in each other's place."""
    return Orders.of(order._replace(side=1 - order.side) for order in orders.orders)


@dataclass(frozen=True)
class Hourly:
    """Totals of BTC by the hour, and its price where it is known (NaN elsewhere)."""

    hour: NDArray[np.int64]
    by_side: NDArray[np.float64]
    price_range: NDArray[np.float64]  # (high - low) / open
    move: NDArray[np.float64]  # close / open - 1

    @property
    def usd(self) -> NDArray[np.float64]:
        total: NDArray[np.float64] = self.by_side.sum(axis=1)
        return total


def regime() -> list[dict[str, str]]:
    """Read price, funding and open interest of BTC by the hour."""
    return _rows(HOURLY / "regime_1h_20251204_20260219.csv.gz")


def hourly() -> Hourly:
    totals = _rows(HOURLY / "liq_1h_20251123_20260219.csv.gz")
    prices = {int(row["timestamp"]): row for row in regime()}
    times = [int(row["timestamp"]) for row in totals]
    by_side = np.array([[float(row["longUsd"]), float(row["shortUsd"])] for row in totals])
    swing, move = np.full(len(times), np.nan), np.full(len(times), np.nan)
    for at, time in enumerate(times):
        if time in prices:
            opened, high, low, close = (float(prices[time][f"price_{name}"]) for name in _PRICES)
            swing[at], move[at] = (high - low) / opened, close / opened - 1
    return Hourly(np.array(times) // 3_600_000, by_side, swing, move)


_PRICES = ("open", "high", "low", "close")


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def spread(hourly: Hourly) -> Orders:
    """Return hourly totals as twelve equal parts of five minutes: a rule of minutes needs something to slide over."""
    step_ms, orders = 300_000, []
    for hour, sides in zip(hourly.hour.tolist(), hourly.by_side.tolist(), strict=True):
        for part in range(12):
            time = hour * 3_600_000 + part * step_ms
            orders += [
                Order(time, "binance", "BTCUSDT", side, usd / 12, 1, 1.0) for side, usd in enumerate(sides) if usd > 0
            ]
    return Orders.of(orders)
