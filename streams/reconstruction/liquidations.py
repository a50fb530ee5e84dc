"""The liquidations of the reconstruction: as many dollars in each minute as the published totals leave room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.reconstruction.figures import (
    ASSETS,
    BYBIT,
    HEADLINE_MINUTE,
    MINUTE_MS,
    SEGMENTS,
    VENUES,
    WAVES_MINUTE,
    Segment,
    at,
    symbol,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.reconstruction.market import Floats, Ints, Market

#: Mean size of one liquidation in US dollars, before the waves and in them.
MEAN_USD: Final = (11_500.0, 13_500.0)
#: Spread of the logarithm of sizes: most are hundreds of dollars, a few are millions.
SIGMA: Final = 2.0
#: The most that one liquidation can be of its segment.
LARGEST_SHARE: Final = 0.06


def liquidations(rng: np.random.Generator, market: Market) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the story's liquidations in event-time order as (event time, topic, wire record)."""
    for segment in SEGMENTS:
        yield from _segment(rng, market, segment)


def _segment(rng: np.random.Generator, market: Market, segment: Segment) -> Iterator[tuple[int, str, dict[str, Any]]]:
    stormy = WAVES_MINUTE <= segment.start < HEADLINE_MINUTE
    count = max(8, round(segment.musd * 1e6 / MEAN_USD[stormy]))
    times = _times(rng, segment, count)
    assets, venues = _instruments(rng, times)
    notional = _sizes(rng, assets, segment.musd * 1e6)
    long = _sides(rng, notional, segment.long_share)
    ingest = times + rng.integers(15, 260, size=count)
    # Long positions go bankrupt below the fair price, short ones above it.
    gap = rng.exponential(0.0012, size=count) * np.where(long, -1.0, 1.0)
    price = np.empty(count)
    for asset in range(len(ASSETS)):
        mine = assets == asset
        price[mine] = market.mark(asset, times[mine]) * (1.0 + gap[mine])
    for n in range(count):
        yield int(times[n]), "liquidations", _record(n, segment, assets, venues, long, price, notional, times, ingest)


def _record(
    n: int,
    segment: Segment,
    assets: Ints,
    venues: Ints,
    long: np.ndarray[Any, np.dtype[np.bool_]],
    price: Floats,
    notional: Floats,
    times: Ints,
    ingest: Ints,
) -> dict[str, Any]:
    venue, asset = VENUES[venues[n]], ASSETS[assets[n]].name
    return {
        "exchange": venue.name,
        "symbol": symbol(venue.name, asset),
        "asset": asset,
        "position_side": "LONG" if long[n] else "SHORT",
        "price": float(price[n]),
        "price_kind": venue.price_kind,
        "quantity": float(notional[n] / price[n]),
        "notional_usd": float(notional[n]),
        "event_time": int(times[n]),
        "ingest_time": int(ingest[n]),
        "liquidation_id": f"reconstructed-{segment.start}-{n}",
    }


def _times(rng: np.random.Generator, segment: Segment, count: int) -> Ints:
    """Draw times in bunches: one liquidation pulls others behind it."""
    first, length = at(segment.start), (segment.end - segment.start) * MINUTE_MS
    parents = rng.integers(0, length, size=max(1, count // 6))
    chosen = parents[rng.integers(0, len(parents), size=count)]
    drawn = (chosen + rng.exponential(1_500.0, size=count).astype(np.int64)) % length
    return np.sort(first + drawn)


def _instruments(rng: np.random.Generator, times: Ints) -> tuple[Ints, Ints]:
    # Larger coins have larger orders, so the share in numbers is flatter than the share in dollars.
    weights = np.array([asset.share for asset in ASSETS]) / _scales()
    assets = rng.choice(len(ASSETS), size=len(times), p=weights / weights.sum()).astype(np.int64)
    venues = rng.choice(len(VENUES), size=len(times), p=[venue.share for venue in VENUES]).astype(np.int64)
    # Binance and OKX push one order per symbol and second; what they would hide happens on Bybit instead.
    slot = (times // 1_000 * len(ASSETS) + assets) * len(VENUES) + venues
    shown = np.zeros(len(times), dtype=np.bool_)
    shown[np.unique(slot, return_index=True)[1]] = True
    sampled = np.array([venue.sampled for venue in VENUES])[venues]
    return assets, np.where(sampled & ~shown, BYBIT, venues)


def _scales() -> Floats:
    return np.sqrt(np.array([asset.share for asset in ASSETS]) / ASSETS[0].share)


def _sizes(rng: np.random.Generator, assets: Ints, total_usd: float) -> Floats:
    """Draw heavy-tailed sizes that sum to the total to the cent."""
    drawn = rng.lognormal(0.0, SIGMA, size=len(assets)) * _scales()[assets]
    for _ in range(20):
        drawn = np.minimum(drawn * (total_usd / drawn.sum()), LARGEST_SHARE * total_usd)
    sizes = np.maximum(np.round(drawn, 2), 0.01)
    largest = int(np.argmax(sizes))
    sizes[largest] = round(sizes[largest] + total_usd - sizes.sum(), 2)
    return sizes


def _sides(rng: np.random.Generator, notional: Floats, long_share: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Draw sides, and turn the ones that bring the share of long dollars closest to the segment's own."""
    long = rng.random(len(notional)) < long_share
    excess = float(notional[long].sum()) - long_share * float(notional.sum())
    for n in np.argsort(-notional, kind="stable"):
        if long[n] == (excess > 0) and notional[n] <= abs(excess):
            long[n] = not long[n]
            excess -= float(notional[n]) if excess > 0 else -float(notional[n])
    return long
