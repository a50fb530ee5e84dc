"""Records of what surrounds a cascade, with defaults that show only what matters."""

from streams.core.context import ContextRule, ContextTracker
from streams.core.events import ExchangeFlow, Instrument, OpenInterest, Quote

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
T = 472_224 * HOUR  # a full hour and the start of a day: 2023-11-15
SHORT = ContextRule(returns_count_min=2, spreads_count_min=3)


def quote(at_ms, price=100.0, spread=0.1, *, mark=None, exchange="binance", asset="BTC"):
    bid, ask = price - spread / 2, price + spread / 2
    return Quote(Instrument(exchange, asset + "USDT", asset), bid, 1.0, ask, 1.0, mark, at_ms, at_ms)


def interest(at_ms, coins, exchange="binance", asset="BTC"):
    return OpenInterest(Instrument(exchange, asset + "USDT", asset), coins, None, at_ms, at_ms)


def flow(end_ms, inflow, exchange="binance", *, hours=24, asset="BTC", published_ms=None):
    event_ms = end_ms if published_ms is None else published_ms
    return ExchangeFlow(asset, exchange, inflow, 0.0, end_ms - hours * HOUR, end_ms, "test", event_ms, event_ms)


def fed(*records, rule=SHORT):
    tracker = ContextTracker(rule)
    take = {Quote: tracker.quote, OpenInterest: tracker.open_interest, ExchangeFlow: tracker.flow}
    for record in records:
        take[type(record)](record)
    return tracker


def minutes(count, start_ms=T, **fields):
    """Quotes of ``count`` whole minutes and the one that closes the last; the price goes up and down by 1 %."""
    return [quote(start_ms + m * MINUTE, 101.0 if m % 2 else 100.0, **fields) for m in range(count + 1)]
