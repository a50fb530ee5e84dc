"""Published funding of several venues as records in the order of time; its time zones are those of SOURCE.md."""

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.core.events import Funding, Instrument

HISTORY = Path(__file__).parents[2].parent / "shared" / "data" / "funding-history-multi"
MOSCOW = timezone(timedelta(hours=3))
ZONES = {"binance": MOSCOW, "bybit": MOSCOW, "gate": UTC, "htx": MOSCOW, "kucoin": MOSCOW, "mexc": MOSCOW}
EIGHT_HOURS_MS = 8 * 3_600_000
CONTRACTS = {"bitcoin": ("BTCUSDT", "BTC"), "ethereum": ("ETHUSDT", "ETH")}


def settlements(asset: str) -> list[Funding]:
    """Every 8-hourly settlement of an asset's USDT perpetuals, once."""
    found: dict[tuple[str, int], float] = {}
    for exchange, time_ms, rate in (*_files(asset), *_table(asset), *_binance(asset)):
        # One series a venue: two files that overlap agree but for rounding, and the first one read stands.
        found.setdefault((exchange, round(time_ms / EIGHT_HOURS_MS * 2) * EIGHT_HOURS_MS // 2), rate)
    return [
        Funding(Instrument(exchange, f"{asset}USDT", asset), rate, 8.0, None, None, None, None, time_ms, time_ms)
        for (exchange, time_ms), rate in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]


def _files(asset: str) -> Iterator[tuple[str, int, float]]:
    for exchange, zone in ZONES.items():
        for path in HISTORY.glob(f"{asset}-USDT_{exchange}_*.csv.gz"):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for row in csv.DictReader(lines):
                    yield exchange, _milliseconds(row["Date"], zone), float(row["Funding Rate"])


def _table(asset: str) -> Iterator[tuple[str, int, float]]:
    london = ZoneInfo("Europe/London")
    with gzip.open(HISTORY / "all_exchanges_8h_2023_2024.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if CONTRACTS[row["crypto"]] == (row["pair"], asset) and row["funding rate"]:
                yield row["exchange"], _milliseconds(row["time"], london), float(row["funding rate"])


def _binance(asset: str) -> Iterator[tuple[str, int, float]]:
    with gzip.open(HISTORY / f"binance_{asset}_funding_rates.json.gz", "rt", encoding="utf-8") as text:
        for row in json.load(text):
            yield "binance", row["time"], float(row["funding_rate"])


def _milliseconds(text: str, zone: timezone | ZoneInfo) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)
