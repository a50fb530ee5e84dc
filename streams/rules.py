"""Settings as the units take them: rules, words and codecs. Worker and replay both begin here, without Faust."""

from __future__ import annotations

from streams import resources
from streams.codec.encode import Encoder
from streams.codec.liquidations import LiquidationDecoder
from streams.codec.records import RecordDecoder
from streams.codec.registry import Registry
from streams.core.cascade import CascadeRule
from streams.core.coverage import Venues
from streams.core.describe import Describer
from streams.core.episodes import Episodes
from streams.core.events import Scope
from streams.core.fold import FoldRule
from streams.core.screen import ScreenRule
from streams.settings import Settings
from streams.units.shard import FUNDING, Codecs, ShardRule

#: Input topics that may be missing.
OPTIONAL = ("open-interest", "quotes", "exchange-flows")


def cascade_rules(settings: Settings) -> dict[Scope, CascadeRule]:
    """Return the thresholds of each scope."""
    return {
        Scope.INSTRUMENT: settings.cascade_instrument.rule(),
        Scope.ASSET: settings.cascade_asset.rule(),
        Scope.EXCHANGE: settings.cascade_exchange.rule(),
        Scope.MARKET: settings.cascade_market.rule(),
    }


def shard_rule(settings: Settings) -> ShardRule:
    """Return everything that decides what a shard says."""
    screen = ScreenRule(
        settings.lateness_ms, settings.market_lateness_ms, settings.duplicate_horizon_ms, settings.instruments_max
    )
    fold = FoldRule(screen, cascade_rules(settings))
    context = settings.context.rule(settings.instruments_max)
    return ShardRule(fold, settings.crowding.rule(), context, settings.undecodable_run_max, settings.app_id)


def describer(rule: ShardRule) -> Describer:
    """Return the venues and episodes of ``schemas/``, and how fresh a context must be."""
    return Describer(venues(), Episodes(resources.yaml_data("episodes.yaml")), rule.context)


def venues() -> Venues:
    """Return what each exchange's feed can show, of ``schemas/venues.yaml``."""
    return Venues(resources.yaml_data("venues.yaml"))


def codecs(settings: Settings, registry: Registry, encoder: Encoder) -> Codecs:
    """Return how bytes are read and written."""
    bound, form = settings.future_bound_ms, settings.value_format
    records = {
        kind: RecordDecoder(kind, registry, future_bound_ms=bound, value_format=form)  # type: ignore[arg-type]
        for kind in (FUNDING, *OPTIONAL)
    }
    return Codecs(LiquidationDecoder(registry, bound, form), records, encoder)
