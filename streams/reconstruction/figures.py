"""What is published about the sell-off of 2026-01-31, and how it is spread over minutes, coins and venues.

Published (Coinglass as printed by the coinmarketbuzz series and others; see
``PRINTS``): the total of the last hour and of the last 24 hours, four times in
a row. The four pairs agree with one another only if the prints overlap: from
the first to the second both totals grow by 200, so nothing has left the hour
yet; to the third the day grows by 150 and the hour by 36, so the first 114
have left it. That fixes the half-hours below, up to a shift of all of them.

Invented, and fitting: the moments of the prints, the minutes, the coins, the
venues, the prices. The day itself went on to hours of 652 and 1,143 million;
the story ends before that, and so does this.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

LABEL: Final = "RECONSTRUCTION of the sell-off of 2026-01-31 from its published hourly figures"
CAVEAT: Final = (
    "The story as told: crowded longs, low volatility, large inflows before. On that day's real feeds funding was "
    "mixed (BTC +2 % a year, ETH -30 %, SOL -35 %) and open interest rose after the first wave. Orders, minutes, "
    "coins and prices are drawn from a seed."
)

#: 2026-01-30 15:36 UTC: a day before the hour of the story is full.
START_MS: Final = 1_769_787_360_000


def at(minutes: float) -> int:
    """Return the event time of a minute of the story: 0 is ``START_MS``, 1440 the moment of its headline."""
    return START_MS + round(minutes * MINUTE_MS)


class Print(NamedTuple):
    """One pair of published totals in millions of US dollars, and the minute at which we take it to be read."""

    minute: int
    hour_musd: float
    day_musd: float


#: 2026-01-31 14:36, 15:06, 15:36 and 16:20 UTC.
PRINTS: Final = (Print(1380, 114, 700), Print(1410, 314, 900), Print(1440, 350, 1_050), Print(1484, 125, 1_067))
HEADLINE_MINUTE: Final = 1440
WAVES_MINUTE: Final = 1350
END_MINUTE: Final = 1514


class Segment(NamedTuple):
    """So many millions of US dollars in these minutes, this share of them long positions."""

    start: int
    end: int
    musd: float
    long_share: float


#: A little above the published totals: 352 in the hour, 1,058 in the day.
SEGMENTS: Final = (
    # The day before: 592, of which nothing leaves the 24 hours before the headline.
    Segment(0, 44, 5.0, 0.60),
    Segment(44, 150, 36.0, 0.70),
    Segment(150, 270, 68.0, 0.72),
    Segment(270, 390, 62.0, 0.88),
    Segment(390, 510, 49.0, 0.88),
    Segment(510, 630, 38.0, 0.85),
    Segment(630, 750, 31.0, 0.82),
    Segment(750, 870, 40.0, 0.86),
    Segment(870, 990, 62.0, 0.90),
    Segment(990, 1110, 76.0, 0.91),
    Segment(1110, 1230, 66.0, 0.90),
    Segment(1230, 1320, 58.5, 0.89),
    Segment(1320, 1350, 0.5, 0.80),
    # The first wave: 114, from 14:06, most of it around 14:30.
    Segment(1350, 1364, 14.0, 0.93),
    Segment(1364, 1372, 62.0, 0.96),
    Segment(1372, 1376, 35.0, 0.95),
    Segment(1376, 1380, 3.0, 0.90),
    # The second: 200.
    Segment(1380, 1388, 6.0, 0.92),
    Segment(1388, 1397, 88.0, 0.96),
    Segment(1397, 1410, 106.0, 0.95),
    # The third: 152, the last five minutes the heaviest of the day.
    Segment(1410, 1430, 60.0, 0.94),
    Segment(1430, 1435, 34.0, 0.95),
    Segment(1435, 1440, 58.0, 0.97),
    # And quiet.
    Segment(1440, 1444, 5.0, 0.85),
    Segment(1444, 1450, 3.0, 0.80),
    Segment(1450, 1484, 8.0, 0.65),
    Segment(1484, 1514, 6.0, 0.60),
)


class Asset(NamedTuple):
    """A coin: its share of the dollars, its price at the waves, how much further it falls than BTC, its tightness."""

    name: str
    share: float
    price: float
    beta: float
    #: Half the spread in basis points on a calm day.
    half_spread_bp: float
    #: Binance's open interest in millions of US dollars.
    open_interest_musd: float


ASSETS: Final = (
    Asset("BTC", 0.310, 82_000.0, 1.00, 0.05, 9_000),
    Asset("ETH", 0.330, 2_640.0, 1.45, 0.10, 6_200),
    Asset("SOL", 0.100, 114.0, 1.55, 0.30, 1_900),
    Asset("XRP", 0.060, 1.70, 1.40, 0.45, 900),
    Asset("DOGE", 0.035, 0.1120, 1.60, 0.60, 480),
    Asset("BNB", 0.030, 838.0, 1.00, 0.30, 620),
    Asset("HYPE", 0.030, 29.5, 1.70, 1.20, 340),
    Asset("SUI", 0.025, 1.28, 1.75, 1.00, 260),
    Asset("ADA", 0.020, 0.315, 1.60, 0.90, 240),
    Asset("ZEC", 0.015, 340.0, 1.80, 1.80, 210),
    Asset("LINK", 0.015, 10.6, 1.55, 1.00, 200),
    Asset("AVAX", 0.010, 10.8, 1.60, 1.10, 150),
    Asset("BCH", 0.010, 536.0, 1.20, 1.40, 140),
    Asset("PEPE", 0.010, 0.0000046, 1.85, 1.90, 130),
)


class Venue(NamedTuple):
    """An exchange of the story: its share, what its prices are, whether it pushes one order per symbol and second."""

    name: str
    share: float
    price_kind: str
    sampled: bool
    #: Its open interest as a multiple of Binance's.
    open_interest: float


VENUES: Final = (
    Venue("binance", 0.30, "AVERAGE_FILL", sampled=True, open_interest=1.00),
    Venue("bybit", 0.47, "BANKRUPTCY", sampled=False, open_interest=0.55),
    Venue("okx", 0.23, "BANKRUPTCY", sampled=True, open_interest=0.35),
)
BYBIT: Final = 1

#: Coins whose quotes and flows go back for days, so that volatility and inflow have a history to be compared with.
MAJORS: Final = ("BTC", "ETH", "SOL")


def symbol(venue: str, asset: str) -> str:
    """Return the venue's own symbol of a coin's perpetual."""
    if venue == "okx":
        return f"{asset}-USDT-SWAP"
    return f"1000{asset}USDT" if asset == "PEPE" else f"{asset}USDT"


def funding_interval_hours(venue: str, asset: str) -> float:
    """Return how often a perpetual settles its funding: every eight hours but for one coin."""
    return 4.0 if asset == "HYPE" and venue != "okx" else 8.0
