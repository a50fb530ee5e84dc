"""What stage 1 knows of its assets at moments, kept for stage 2 as it was then: the flush may come hours later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.core.cascade import Phase
from streams.core.describe import before_onset
from streams.core.events import PositionSide, Scope, micro_usd
from streams.core.follow import Notice
from streams.core.windows import FIFTEEN_MINUTES

if TYPE_CHECKING:
    from streams.units.shard import Shard

#: An asset and what was known of it.
Moment = tuple[str, dict[str, Any]]
#: Those of an asset are so far apart; and of one whose cascade is over, as long as the market's may go on.
_APART_MS = 60_000
_AFTER_MS, _AFTER_APART_MS = 3_900_000, 240_000


class Moments:
    """What is known of assets when something is announced, while a cascade of theirs is open, and for an hour after."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._kept_ms: dict[str, int] = {}
        self._closed_ms: dict[str, int] = {}  # by asset: when its last cascade was over
        self._swept_ms = 0

    def announced(self, shard: Shard, notices: list[Notice]) -> None:
        """Keep what is known of assets of which something was announced."""
        for asset, at_ms, usd in _announced(shard, notices):
            self._keep(shard, asset, at_ms, usd)
        over = (each for each in notices if each.phase is Phase.SUBSIDED and each.scope is Scope.ASSET)
        self._closed_ms |= {each.asset: each.record["event_time"] for each in over}

    def sweep(self, shard: Shard) -> None:
        """Keep what is known of assets with an open cascade or one that was: the market's may be theirs."""
        clock, opened = shard.fold.clock_ms or 0, shard.fold.follower.open_assets()
        if not (opened or self._closed_ms) or clock - self._swept_ms < _APART_MS:
            return
        self._swept_ms, panes = clock, shard.fold.panes
        names = {panes.assets[number] for number in opened}
        self._closed_ms = {asset: at for asset, at in self._closed_ms.items() if clock - at < _AFTER_MS}
        names |= {asset for asset in self._closed_ms if clock - self._kept_ms.get(asset, 0) >= _AFTER_APART_MS}
        for asset in sorted(names):
            self._keep(shard, asset, clock, panes.bounds[0, panes.asset_number(asset)].tolist())

    def _keep(self, shard: Shard, asset: str, at_ms: int, usd: list[int]) -> None:
        if at_ms - self._kept_ms.get(asset, 0) >= _APART_MS:
            self._kept_ms[asset] = at_ms
            self._kept.append(_moment(shard, asset, at_ms, usd))

    def take(self) -> list[Moment]:
        """Return what was kept since the last call."""
        found, self._kept = self._kept, []
        return found

    def restore(self, shard: Shard) -> None:
        """Take up which assets had a cascade lately."""
        machines = shard.fold.follower.machines.items()
        over = ((name, at) for (scope, name, _), at in machines if scope is Scope.ASSET and at.state is None)
        self._closed_ms = {name: at.closed_until_ms for name, at in over}


def busiest(shard: Shard) -> Iterator[Moment]:
    """Yield what is known now of the assets that had most of each side; of equal ones the first by name."""
    panes, clock = shard.fold.panes, shard.fold.clock_ms
    assert clock is not None, shard.partition
    usd = panes.bounds[0, : len(panes.assets)]
    most = [np.flatnonzero(side == side.max()).tolist() for side in usd.T if side.any()]
    for number in dict.fromkeys(min(each, key=panes.assets.__getitem__) for each in most):
        yield _moment(shard, panes.assets[number], clock, usd[number].tolist())


def _moment(shard: Shard, asset: str, at_ms: int, usd: list[int]) -> Moment:
    """Return what is known of an asset at a moment in which it had so much of each side in a quarter of an hour."""
    known = before_onset(asset, PositionSide.LONG, at_ms, shard.context, shard.crowding)
    short = known | {"crowded": shard.crowding.crowded(asset, PositionSide.SHORT, at_ms)}
    return asset, {"at": at_ms, "usd": usd, "LONG": known, "SHORT": short}


def _announced(shard: Shard, notices: list[Notice]) -> Iterator[tuple[str, int, list[int]]]:
    """Yield announced assets, when, and what they had of each side in a quarter of an hour.

    Where only an instrument says something, its own is but a part of it: the panes have the asset's, behind the batch.
    """
    told = [(each.scope is Scope.ASSET, each) for each in notices if each.phase is not Phase.SUBSIDED]
    moments = {(each.asset, each.record["event_time"]) for whole, each in told if whole}
    for whole, each in told:
        at_ms, quarter = each.record["event_time"], each.record["windows"][FIFTEEN_MINUTES]
        usd = [micro_usd(quarter[f"{name}_usd"]) for name in ("long", "short")]
        if whole:
            yield each.asset, at_ms, usd
        elif (each.asset, at_ms) not in moments:
            panes = shard.fold.panes
            yield each.asset, at_ms, np.maximum(usd, panes.bounds[0, panes.asset_number(each.asset)]).tolist()
