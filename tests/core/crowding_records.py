"""Funding records that show only what matters, for the tests of crowding."""

from streams.core.crowding import Crowding
from streams.core.crowding_rule import NANO, YEAR_HOURS, CrowdingRule
from streams.core.events import Funding, Instrument

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_700_006_400_000  # 2023-11-15T00:00Z

#: Judges each hour by itself, from the second hour on.
QUICK = CrowdingRule(horizon_hours=1, streak_hours=(2, 2, 2), history_days_min=3, history_days_max=40)


def funding(time_ms, annualised, exchange="binance", asset="BTC", hours=1.0, weight=None):
    return Funding(
        instrument=Instrument(exchange, f"{asset}USDT", asset),
        funding_rate=annualised * hours / YEAR_HOURS,
        funding_interval_hours=hours,
        next_funding_time_ms=None,
        predicted_rate=None,
        mark_price=None,
        open_interest_usd=weight,
        event_time_ms=time_ms,
        ingest_time_ms=time_ms,
    )


def hourly(rates, start=START, **options):
    """One record at the start of each hour; the last only closes the hour before."""
    return [funding(start + number * HOUR, rate, **options) for number, rate in enumerate([*rates, rates[-1]])]


def run(records, rule=QUICK, crowding=None):
    crowding = crowding or Crowding(rule)
    return [found for record in records for found in crowding.step(record)]


def of(found, scope):
    return [record for record in found if record["scope"] == scope]


def brief(found, scope="ASSET"):
    """Phase, grade and the hour since START."""
    return [(r["phase"], r["grade"], (r["event_time"] - START) / HOUR) for r in of(found, scope)]


def billionths(annualised):
    return round(annualised * NANO)
