"""A worker without Kafka: real units with a few liquidations in them, and owners that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.core.screen import ScreenRule
from streams.engine.size import StateSize
from tests.simulation.generate import T0, Logs
from tests.simulation.records import LIQUIDATIONS, Record, encoder
from tests.simulation.world import CALM, Rules, World

MINUTE = 60_000
QUIET_MS = 30 * MINUTE


def rules(floor_usd=1_000_000):
    rule = CascadeRule(floor_usd * 1_000_000, hour_min=1, quiet_ms=QUIET_MS)
    return Rules(ScreenRule(2_000, 5_000, 3_600_000, 20_000), dict.fromkeys(Scope, rule))


def liquidation(number, usd, *, exchange="bybit", asset="BTC", side="LONG", at=0, price=100.0):
    record = {
        "exchange": exchange, "symbol": f"{asset}USDT", "asset": asset, "position_side": side, "price": price,
        "price_kind": "AVERAGE_FILL", "quantity": usd / price, "notional_usd": usd, "event_time": T0 + at,
        "ingest_time": T0 + at, "liquidation_id": f"id-{number}",
    }  # fmt: skip
    return Record(number, asset.encode(), encoder().encode(LIQUIDATIONS, record), T0 + at)


def log(*liquidations):
    """Number liquidations given as keywords with a ``usd``."""
    return [liquidation(number, **each) for number, each in enumerate(liquidations)]


def world(liquidations, floor_usd=1_000_000):
    """Return a run of one partition, all of it committed."""
    made = World("web", Logs([liquidations], [[]], 1), rules(floor_usd), CALM)
    made.run()
    return made


@dataclass
class Owners:
    """What pages and metrics ask of the real ones."""

    owned: dict[tuple[str, int], Any] = field(default_factory=dict)
    leaving: dict[tuple[str, int], Any] = field(default_factory=dict)
    tallies: dict[tuple[str, int], Any] = field(default_factory=dict)
    ready: bool = True
    recoveries: int = 1
    failure: BaseException | None = None
    waiting: dict[tuple[str, int], int] = field(default_factory=dict)


def owners_of(made):
    found = Owners()
    units = [("app-state-changelog", shard) for shard in made.shards] + [("app-market-changelog", made.exchanges)]
    for changelog, stage in units:
        size = StateSize()
        size.apply(stage.rows.items())
        name = changelog, stage.unit.partition
        found.tallies[name] = stage.unit.tally
        found.owned[name] = SimpleNamespace(
            stage=SimpleNamespace(changelog=changelog), unit=stage.unit, size=size, flush_began=None, flush_ended=0.0,
            flush_seconds=0.25, flush_rows=7,
        )  # fmt: skip
    return found
