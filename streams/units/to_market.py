"""What stage 2 hears of a source partition: growth, context, signs of life, and behind them the watermark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.codec import rows as codec
from streams.core.cells import parts
from streams.units import keep
from streams.units.moments import busiest
from streams.units.unit import Message

if TYPE_CHECKING:
    from streams.units.shard import Shard

SNAPSHOTS = "pane-snapshots"
#: Behind the application's name in keys of kinds that the first version does not know: it takes what it does not know
#: for a watermark, and passes over what is another application's. No application has this in its name.
LATER = "+"


def report(shard: Shard) -> list[Message]:
    """Return what there is to hear since the last flush."""
    found: list[Message] = []
    for some in parts(shard.fold.growth.take(), keep.GROWN_MAX):
        value = codec.growth_row(shard.fold.exchanges, some)
        found.append(_message(shard, f"g{shard.partition}", value))
    if found:
        found += _assets(shard)
    told = [*shard.moments.take(), *(busiest(shard) if found else ())]
    found += [_message(shard, f"x{asset}", codec.json_row(content)) for asset, content in told]
    for exchange, minutes in shard.sisters.take().items():
        found.append(_message(shard, f"a{exchange}", codec.json_row(minutes)))
    # Without a clock the market must wait, until somebody has said that there is nothing to wait for: the first
    # flush may hold funding only, with liquidations still to be read.
    if shard.fold.clock_ms is not None or shard.nothing_to_read:
        watermark = codec.watermark_row(shard.fold.clock_ms, shard.partitions)
        found.append(_message(shard, f"w{shard.partition}", watermark))
    return found


def _assets(shard: Shard) -> list[Message]:
    """Return what was on time by asset."""
    grown, names = shard.fold.asset_growth.take(), shard.fold.panes.assets
    rows = (codec.assets_row(names, some) for some in parts(grown, keep.ASSETS_MAX))
    return [_message(shard, f"b{shard.partition}", row, LATER) for row in rows]


def _message(shard: Shard, key: str, value: bytes, since: str = "") -> Message:
    """Return a message to stage 2 of this application: others may share the topic."""
    return Message(SNAPSHOTS, f"{shard.rule.app_id}{since}\x1f{key}".encode(), value, 0)
