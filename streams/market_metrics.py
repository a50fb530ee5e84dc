"""Gauges about the market itself: what is shown of listed symbols, of crowded assets, and of the known episodes.

Symbols come and go by the hundred, so that only those of ``STREAMS_SYMBOLS_ALLOWED``, and their assets, are shown one
by one. An asset is shown as crowded without being listed: few are, and an alert has to name them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.units import current
from streams.units.exchanges import Exchanges
from streams.units.shard import Shard
from streams.units.unit import Unit

#: Name -> (what is shown, labels).
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "asset_window_usd": ("The same of a listed symbol's asset.", ("asset", "window", "position_side")),
    "asset_crowded": ("1 for an asset with a crowded position.", ("asset", "position_side", "grade")),
    "asset_funding_annualised": ("Funding of a listed symbol's asset over its horizon, a fraction.", ("asset",)),
    "asset_funding_percentile": ("Where that stands in its own history, 0 to 100.", ("asset",)),
    "symbol_funding_annualised": ("Funding rate in force of a listed symbol, a fraction.", ("exchange", "symbol")),
    "symbol_open_interest_coins": ("Open interest of a listed symbol, in coins.", ("exchange", "symbol")),
    "episode_usd": ("Reported total of a known episode, US dollars.", ("episode", "date", "window", "confirmed")),
}

#: Name without the namespace, value, labels.
Sample = tuple[str, float, tuple[str, ...]]


def samples(unit: Unit, symbols: frozenset[str]) -> Iterator[Sample]:
    """Yield what a unit has to show, but for its windows."""
    if isinstance(unit, Exchanges):
        for episode, window, usd in unit.describer.episodes.totals():
            confirmed = str(episode.confirmed).lower()
            yield "episode_usd", usd, (episode.name, episode.date, window, confirmed)
        return
    assert isinstance(unit, Shard), unit
    for asset, side, grade in unit.crowding.running(current.clock_of(unit) or 0):
        yield "asset_crowded", 1.0, (asset, side.name, grade)
    yield from _listed(unit, symbols)


def _listed(unit: Shard, symbols: frozenset[str]) -> Iterator[Sample]:
    assets = {asset for _, symbol, asset in unit.fold.panes.instruments if symbol in symbols}
    interest = unit.context.instruments_with_open_interest()
    assets |= {asset for asset, key in interest if key.partition("|")[2] in symbols}
    clock_ms = current.clock_of(unit)
    for (exchange, symbol, asset), rate in unit.crowding.rates_in_force(clock_ms or 0):
        if symbol in symbols:
            assets.add(asset)
            yield "symbol_funding_annualised", rate, (exchange, symbol)
    for asset in sorted(assets):
        funding = unit.crowding.reading(asset, clock_ms or 0)
        if funding is not None:
            yield "asset_funding_annualised", funding.value, (asset,)
            if funding.percentile is not None:
                yield "asset_funding_percentile", funding.percentile, (asset,)
        for name, coins in unit.context.open_interest_coins(asset, clock_ms).items() if clock_ms else ():
            exchange, _, symbol = name.partition("|")
            if symbol in symbols:
                yield "symbol_open_interest_coins", coins, (exchange, symbol)
