"""What goes with the selling: funding that had been crowded, open interest, quotes, and coins sent to exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.reconstruction.figures import (
    ASSETS,
    DAY_MS,
    END_MINUTE,
    HEADLINE_MINUTE,
    HOUR_MS,
    MAJORS,
    MINUTE_MS,
    START_MS,
    VENUES,
    WAVES_MINUTE,
    Asset,
    Venue,
    at,
    funding_interval_hours,
    symbol,
)
from streams.reconstruction.market import HISTORY_DAYS, sold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.reconstruction.market import Floats, Ints, Market

    Timed = Iterator[tuple[int, str, dict[str, Any]]]

FUNDING_DAYS: Final = 110
FLOW_DAYS: Final = 14
#: Share of the coins' open interest that is gone when the hour of the headline is full.
OPEN_INTEREST_LOST: Final = 0.08
#: A venue's base rate per eight hours; most settlements are exactly this.
BASE_RATE: Final = 0.0001
#: Days before the waves and the rate per eight hours then: the crowd comes in over a week.
CROWDING: Final = ((-7.0, 0.0001), (-6.0, 0.0003), (-4.0, 0.0005), (-2.0, 0.0008), (-0.5, 0.0010), (0.0, 0.0010))
#: Coins sent to each venue in an ordinary hour, in US dollars.
INFLOW_USD: Final = 21_000_000.0
INFLOW_MULTIPLE: Final = 3.0
#: How much longer one of the records below is on its way than one of another kind.
DELAY_MS: Final = {"funding": 120, "open-interest": 400, "quotes": 12, "exchange-flows": 45_000}


def funding(rng: np.random.Generator, market: Market) -> Timed:
    """Yield settlements of 110 days, then the running rate every five minutes of the story."""
    first = START_MS - FUNDING_DAYS * DAY_MS
    for row, asset in enumerate(ASSETS):
        for venue in VENUES:
            hours = funding_interval_hours(venue.name, asset.name)
            interval = round(hours * HOUR_MS)
            settled = np.arange(first // interval + 1, at(END_MINUTE) // interval + 1) * interval
            running = np.array([at(minute) for minute in range(0, END_MINUTE, 5)])
            times = np.union1d(settled, running)
            eight_hourly = _funding_rates(rng, times) * rng.uniform(0.92, 1.08)
            marks = market.mark(row, times)
            interest = _open_interest_usd(asset, venue, times)
            for n, time in enumerate(times.tolist()):
                yield (
                    time,
                    "funding",
                    {
                        **_instrument(venue, asset),
                        "funding_rate": round(float(eight_hourly[n]) * hours / 8, 8),
                        "funding_interval_hours": hours,
                        "next_funding_time": (time // interval + 1) * interval,
                        "predicted_rate": None,
                        "mark_price": float(marks[n]),
                        "open_interest_usd": float(interest[n]),
                        **_times("funding", time),
                    },
                )


def open_interest(rng: np.random.Generator, market: Market) -> Timed:
    """Yield open interest in coins every five minutes: built up, then closed by force."""
    times = np.array([at(minute) for minute in range(0, END_MINUTE, 5)])
    for row, asset in enumerate(ASSETS):
        marks = market.mark(row, times)
        for venue in VENUES:
            # Coins, from the dollars at the price of the waves: in dollars it would fall with the price alone.
            coins = _open_interest_usd(asset, venue, times) / asset.price * rng.normal(1.0, 0.0008, size=len(times))
            for n, time in enumerate(times.tolist()):
                yield (
                    time,
                    "open-interest",
                    {
                        **_instrument(venue, asset),
                        "open_interest": float(coins[n]),
                        "open_interest_usd": float(coins[n] * marks[n]),
                        **_times("open-interest", time),
                    },
                )


def quotes(rng: np.random.Generator, market: Market) -> Timed:
    """Yield best bids and asks: by the minute, and every ten seconds from shortly before the waves."""
    history = np.arange(at(-HISTORY_DAYS * 1440), at(0), MINUTE_MS)
    calm = np.arange(at(0), at(WAVES_MINUTE - 5), MINUTE_MS)
    storm = np.arange(at(WAVES_MINUTE - 5), at(END_MINUTE), 10_000)
    for row, asset in enumerate(ASSETS):
        for venue in VENUES:
            known = asset.name in MAJORS and venue is VENUES[0]
            times = np.concatenate([history, calm, storm] if known else [calm, storm])
            times += rng.integers(0, 900, size=len(times))
            yield from _quotes(rng, market, row, venue, times)


def exchange_flows(rng: np.random.Generator, market: Market) -> Timed:
    """Yield coins in and out of each venue by the hour: three times as many in the last day and a half."""
    ends = np.arange(START_MS // HOUR_MS - FLOW_DAYS * 24, at(END_MINUTE) // HOUR_MS + 1) * HOUR_MS
    rush = np.interp(ends, [at(WAVES_MINUTE - 2160), at(WAVES_MINUTE - 1980)], [1.0, INFLOW_MULTIPLE])
    for row, asset in enumerate(ASSETS[: len(MAJORS)]):
        ordinary = INFLOW_USD * asset.share / ASSETS[0].share / market.mark(row, ends)
        for venue in VENUES:
            coming = ordinary * venue.share / VENUES[0].share * rush * rng.lognormal(0.0, 0.18, size=len(ends))
            going = ordinary * venue.share / VENUES[0].share * rng.lognormal(0.0, 0.18, size=len(ends))
            for n, time in enumerate(ends.tolist()):
                yield (
                    time,
                    "exchange-flows",
                    {
                        "asset": asset.name,
                        "exchange": venue.name,
                        "inflow": float(coming[n]),
                        "outflow": float(going[n]),
                        "period_start": time - HOUR_MS,
                        "period_end": time,
                        "source": "reconstruction",
                        **_times("exchange-flows", time),
                    },
                )


def _quotes(rng: np.random.Generator, market: Market, row: int, venue: Venue, times: Ints) -> Timed:
    asset = ASSETS[row]
    mark = market.mark(row, times)
    mid = mark * (1.0 + rng.normal(0.0, 0.00002, size=len(times)))
    half = asset.half_spread_bp * 1e-4 * market.spread_multiple(times) * rng.lognormal(0.0, 0.10, size=len(times))
    depth = 90_000.0 * np.sqrt(asset.share) / market.spread_multiple(times) / mark
    sizes = depth * rng.lognormal(0.0, 0.6, size=(2, len(times)))
    for n, time in enumerate(times.tolist()):
        yield (
            time,
            "quotes",
            {
                **_instrument(venue, asset),
                "bid_price": float(mid[n] * (1.0 - half[n])),
                "bid_quantity": float(sizes[0, n]),
                "ask_price": float(mid[n] * (1.0 + half[n])),
                "ask_quantity": float(sizes[1, n]),
                "mark_price": float(mark[n]),
                **_times("quotes", time),
            },
        )


def _funding_rates(rng: np.random.Generator, times: Ints) -> Floats:
    days = (times - at(WAVES_MINUTE)) / DAY_MS
    crowd = np.interp(days, *np.array(CROWDING).T)
    # The premium clears with the positions: half an hour after the headline nobody pays for being long.
    left = np.interp(
        (times - START_MS) / MINUTE_MS,
        [WAVES_MINUTE, WAVES_MINUTE + 30, HEADLINE_MINUTE, HEADLINE_MINUTE + 20],
        [1.0, 0.6, 0.15, 0.0],
    )
    below = np.where(rng.random(len(times)) < 0.4, 0.0, rng.exponential(0.00003, size=len(times)))
    return np.asarray(BASE_RATE + (crowd - BASE_RATE) * left - below, dtype=np.float64)


def _open_interest_usd(asset: Asset, venue: Venue, times: Ints) -> Floats:
    minutes = (times - START_MS) / MINUTE_MS
    built = np.interp(minutes, [-7 * 1440, WAVES_MINUTE], [0.90, 1.0])
    return asset.open_interest_musd * 1e6 * venue.open_interest * built * (1.0 - OPEN_INTEREST_LOST * sold(minutes))


def _instrument(venue: Venue, asset: Asset) -> dict[str, Any]:
    return {"exchange": venue.name, "symbol": symbol(venue.name, asset.name), "asset": asset.name}


def _times(topic: str, event_time: int) -> dict[str, int]:
    return {"event_time": event_time, "ingest_time": event_time + DELAY_MS[topic]}
