"""What stage 2 hears of a source partition: growth, context, signs of life, and behind them the watermark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.codec import rows as codec
from streams.core.cells import parts
from streams.core.describe import before_onset
from streams.core.events import PositionSide
from streams.units import keep
from streams.units.unit import Message

if TYPE_CHECKING:
    from streams.units.shard import Shard

#: An asset and what was known of it.
Moment = tuple[str, dict[str, Any]]
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
    told = [*shard.take_moments(), *(_busiest(shard) if found else ())]
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


def moment(shard: Shard, asset: str, at_ms: int, usd: list[int]) -> Moment:
    """Return what is known of an asset at a moment in which it had so much of each side in a quarter of an hour."""
    known = before_onset(asset, PositionSide.LONG, at_ms, shard.context, shard.crowding)
    short = known | {"crowded": shard.crowding.crowded(asset, PositionSide.SHORT, at_ms)}
    return asset, {"at": at_ms, "usd": usd, "LONG": known, "SHORT": short}


def _busiest(shard: Shard) -> Iterator[Moment]:
    """Yield what is known now of the assets that had most of each side; of equal ones the first by name."""
    panes, clock = shard.fold.panes, shard.fold.clock_ms
    assert clock is not None, shard.partition
    usd = panes.bounds[0, : len(panes.assets)]
    most = [np.flatnonzero(side == side.max()).tolist() for side in usd.T if side.any()]
    for number in dict.fromkeys(min(each, key=panes.assets.__getitem__) for each in most):
        yield moment(shard, panes.assets[number], clock, usd[number].tolist())


def _message(shard: Shard, key: str, value: bytes, since: str = "") -> Message:
    """Return a message to stage 2 of this application: others may share the topic."""
    return Message(SNAPSHOTS, f"{shard.rule.app_id}{since}\x1f{key}".encode(), value, 0)
