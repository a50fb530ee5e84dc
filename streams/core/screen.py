"""Which of the liquidations that arrive count: clocks, lateness, repeats, age.

For each record in log order, with the asset's clock and the partition's clock
taken as if the record were accepted:

* a new instrument beyond the limit, or of an exchange beyond theirs, is refused (``too_many_instruments``);
* more than 24 h behind its asset's clock is refused (``too_old``);
* so is one whose exchange and symbol were accepted as another asset's (``other_asset``);
* a *duplicate* has the exchange, symbol and liquidation_id of an accepted
  record that is less than the horizon behind the asset's clock, and less than
  the horizon and an hour behind the partition's;
* what is left is accepted, moves both clocks, and is *late* if it is more than
  ``lateness`` behind its asset's clock.

A clock that has left the 24 h that the partition remembers is forgotten.
Batches are judged at once where every clock in the batch leads to the same
answer, one by one where it does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.core.cells import distinct
from streams.core.errors import Reason, other_asset, too_many
from streams.core.events import MICRO, Instrument, LiquidationColumns
from streams.core.journal import Journal
from streams.core.table import Table
from streams.core.windows import DAY_MS, MINUTE, SECOND_MS, minutes_kept

Ints = NDArray[np.int64]
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ScreenRule:
    """How late, how long ago and how many: milliseconds and counts.

    Exchanges have a limit of their own: messages of an asset and of the market list them all, and must stay small.
    """

    lateness_ms: int = 2_000
    market_lateness_ms: int = 5_000
    duplicate_horizon_ms: int = HOUR_MS
    instruments_max: int = 20_000
    exchanges_max: int = 200
    remembered_max: int = 500_000_000_000 * MICRO  # micro-USD: 18 such partitions are still a number of 64 bits


@dataclass(slots=True)
class Accepted:
    """The accepted records of a batch, in log order, with the clocks as they stood after each.

    Attributes
    ----------
    index
        Position in the batch.
    asset_clock_ms, clock_ms
        The record's asset's clock and the partition's.
    late, on_time
        Behind its asset's clock; not behind the partition's by more than the market's lateness.
    duplicates
        Positions of the duplicates.
    refused
        (position, reason, sentence) of what cannot count.

    """

    index: Ints
    asset_clock_ms: Ints
    clock_ms: Ints
    late: NDArray[np.bool_]
    on_time: NDArray[np.bool_]
    duplicates: list[int] = field(default_factory=list)
    refused: list[tuple[int, Reason, str]] = field(default_factory=list)


#: Identities that are borne before anybody looks for those that can be forgotten.
_FORGET_LEAST = 65_536


class Seen:
    """Identities of accepted records and their newest event time, in entries that are forgotten as a whole."""

    def __init__(self) -> None:
        self.times = Table()
        self.journal = Journal()
        self._least = _FORGET_LEAST

    def restore(self, number: int, identity: NDArray[np.uint64], time_ms: Ints) -> None:
        """Take up an entry."""
        self.journal.restore(number, int(time_ms.max()))
        order = np.lexsort((time_ms, identity))
        last = np.append(identity[order][1:] != identity[order][:-1], True)
        identity, time_ms = identity[order][last], time_ms[order][last]
        self.times.put(identity, np.maximum(time_ms, self.times.find(identity)))

    def forget(self, until_ms: int) -> list[int]:
        """Drop the entries all of whose times are at or before ``until_ms``; return their numbers."""
        gone = self.journal.expired(until_ms)
        if len(self.times) > self._least:
            self.times.drop(until_ms)
            self._least = max(_FORGET_LEAST, 2 * len(self.times))
        return gone


class Screen:
    """The clocks and the memory of one source partition."""

    def __init__(self, rule: ScreenRule) -> None:
        self.rule = rule
        self.clock_ms: int | None = None
        self.asset_clock_ms: dict[str, int] = {}
        self.instruments: set[Instrument] = set()
        self._assets: dict[tuple[str, str], str] = {}  # of the instruments, by exchange and symbol
        self.new_instruments: list[Instrument] = []  # since the last flush
        self.seen = Seen()

    def clock_of(self, asset: str) -> int | None:
        """Return an asset's clock while the partition remembers it."""
        clock = self.asset_clock_ms.get(asset)
        if clock is None or self.clock_ms is None or _remembered(clock, self.clock_ms):
            return clock
        return None

    def repeats_until(self) -> int:
        """Return the event time at or before which the partition's clock has ended every duplicate horizon."""
        return (self.clock_ms or 0) - self.rule.duplicate_horizon_ms - HOUR_MS

    def accept(self, columns: LiquidationColumns) -> Accepted:
        """Judge a batch and move the clocks."""
        names = [instrument.asset for instrument in columns.instruments]
        assets = list(dict.fromkeys(names))
        number = {asset: at for at, asset in enumerate(assets)}
        code = np.array([number[name] for name in names], np.int64)[columns.instrument]
        before = np.array([_or(self.clock_of(asset)) for asset in assets], np.int64)
        accepted = self._at_once(columns, code, before) or self._one_by_one(columns)
        if len(accepted.index):
            self._move(assets, code[accepted.index], accepted)
            met = [columns.instruments[i] for i in distinct(columns.instrument[accepted.index])]
            new = [instrument for instrument in met if instrument not in self.instruments]
            self.new_instruments += new
            self.know(new)
        return accepted

    def know(self, instruments: Iterable[Instrument]) -> None:
        """Remember instruments for ever."""
        for instrument in instruments:
            self.instruments.add(instrument)
            self._assets[instrument[:2]] = instrument.asset

    def _move(self, assets: list[str], code: Ints, accepted: Accepted) -> None:
        self.clock_ms = int(accepted.clock_ms[-1])
        newest = np.full(len(assets), -1, np.int64)
        np.maximum.at(newest, code, accepted.asset_clock_ms)
        for at in (newest >= 0).nonzero()[0].tolist():
            self.asset_clock_ms[assets[at]] = int(newest[at])

    def _at_once(self, columns: LiquidationColumns, code: Ints, before: Ints) -> Accepted | None:
        """Judge a batch in which nothing is refused and no duplicate could move a clock; None if it is not one."""
        time = columns.event_time_ms
        latest = before.copy()
        np.maximum.at(latest, code, time)
        if self._crowded(columns.instruments) or (time < latest[code] - DAY_MS).any() or self._forgets(before, time):
            return None
        first, place, where, known = self._repeated(columns)
        if (time[where] > known).any():
            return None
        asset_clock, clock = self._clocks(time, code, before)
        horizon = self.rule.duplicate_horizon_ms
        twin = known > np.maximum(asset_clock[where] - horizon, clock[where] - horizon - HOUR_MS)
        duplicates = where[twin]
        index = np.delete(np.arange(len(time)), duplicates)
        self.seen.times.add(columns.identity[first], time[first], place)
        return self._judged(index, asset_clock[index], clock[index], time[index], duplicates.tolist(), [])

    def _crowded(self, met: list[Instrument]) -> bool:
        """Whether one of those that were met could be refused."""
        new = [instrument for instrument in met if instrument not in self.instruments]
        if not new:
            return False
        names = {instrument[:2] for instrument in new}
        exchanges = {exchange for exchange, _ in self._assets.keys() | names}
        return (
            len(names) < len(new)
            or not names.isdisjoint(self._assets)
            or len(self.instruments) + len(new) > self.rule.instruments_max
            or len(exchanges) > self.rule.exchanges_max
        )

    def _repeated(self, columns: LiquidationColumns) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the positions of new identities and their places, those of all others and their newest event time."""
        identity, time = columns.identity, columns.event_time_ms
        known, place = self.seen.times.look(identity)
        first = _first_of_each(identity)
        earlier = np.where(known >= 0, known, time[first])
        fresh = (known < 0) & (first == np.arange(len(time)))
        where = (~fresh).nonzero()[0]
        return fresh.nonzero()[0], place[fresh], where, earlier[where]

    def _forgets(self, before: Ints, time: Ints) -> bool:
        """Whether an asset's clock could be forgotten in the middle of the batch."""
        oldest = min(int(time.min()), int(before[before >= 0].min(initial=time[0])))
        return not _remembered(oldest, max(int(time.max()), _or(self.clock_ms)))

    def _clocks(self, time: Ints, code: Ints, before: Ints) -> tuple[Ints, Ints]:
        """Return each record's asset's clock and the partition's, as after it."""
        clock = np.maximum.accumulate(np.concatenate(([_or(self.clock_ms)], time)))[1:]
        order = code.argsort(kind="stable")
        span = np.int64(1) << 42  # a millisecond of the year 2109 fits below it
        running = np.maximum.accumulate(np.maximum(time[order], before[code[order]]) + code[order] * span)
        asset_clock = np.empty_like(time)
        asset_clock[order] = running - code[order] * span
        return asset_clock, clock

    def _judged(
        self,
        index: Ints,
        asset_clock: Ints,
        clock: Ints,
        time: Ints,
        duplicates: list[int],
        refused: list[tuple[int, Reason, str]],
    ) -> Accepted:
        late = time < asset_clock - self.rule.lateness_ms
        on_time = time >= clock - self.rule.market_lateness_ms
        return Accepted(index, asset_clock, clock, late, on_time, duplicates, refused)

    def _one_by_one(self, columns: LiquidationColumns) -> Accepted:
        rule, times = self.rule, self.seen.times.find(columns.identity)
        seen = {key: time for key, time in zip(columns.identity.tolist(), times.tolist(), strict=True) if time >= 0}
        instruments, clocks, clock = dict(self._assets), dict(self.asset_clock_ms), self.clock_ms
        exchanges = {exchange for exchange, _ in instruments}
        index, asset_clock, partition_clock, duplicates = [], [], [], []
        refused: list[tuple[int, Reason, str]] = []
        for at, (code, time, key) in enumerate(
            zip(columns.instrument.tolist(), columns.event_time_ms.tolist(), columns.identity.tolist(), strict=True)
        ):
            instrument = columns.instruments[code]
            mine, all_ = max(clocks.get(instrument.asset, -1), time), max(_or(clock), time)
            refusal = _too_old(instrument, time, mine, all_) or self._refusal(instrument, instruments, exchanges)
            if refusal:
                refused.append((at, *refusal))
                continue
            twin = seen.get(key)
            if twin is not None and twin > max(
                mine - rule.duplicate_horizon_ms, all_ - rule.duplicate_horizon_ms - HOUR_MS
            ):
                duplicates.append(at)
                continue
            seen[key] = max(time, twin or 0)
            clocks[instrument.asset], clock = mine, all_
            instruments[instrument[:2]] = instrument.asset
            exchanges.add(instrument.exchange)
            index.append(at)
            asset_clock.append(mine)
            partition_clock.append(all_)
        self.seen.times.put(np.array(list(seen), np.uint64), np.array(list(seen.values()), np.int64))
        where = np.array(index, np.int64)
        time_ms = columns.event_time_ms[where]
        return self._judged(
            where, np.array(asset_clock, np.int64), np.array(partition_clock, np.int64), time_ms, duplicates, refused
        )

    def _refusal(
        self, instrument: Instrument, known: dict[tuple[str, str], str], exchanges: set[str]
    ) -> tuple[Reason, str] | None:
        asset = known.get(instrument[:2])
        if asset is not None and asset != instrument.asset:
            other = other_asset(asset, instrument.asset)
            return Reason.OTHER_ASSET, f"{instrument.exchange} {instrument.symbol} {other}"
        if asset is None:
            rule = self.rule
            detail = too_many(len(known), rule.instruments_max, exchanges, rule.exchanges_max, instrument.exchange)
            if detail:
                return Reason.TOO_MANY_INSTRUMENTS, f"{instrument.exchange} {instrument.symbol} {detail}"
        return None


def _too_old(instrument: Instrument, time: int, asset_clock: int, clock: int) -> tuple[Reason, str] | None:
    """Refuse what is more than a day behind its asset, or in a minute that the partition has forgotten: in no total."""
    if time < asset_clock - DAY_MS:
        behind, whose = asset_clock - time, f"asset {instrument.asset}"
    elif not _remembered(time, clock):
        behind, whose = clock - time, "its partition"
    else:
        return None
    name = f"{instrument.exchange} {instrument.symbol}"
    detail = (
        f"event_time is {behind / HOUR_MS:.1f} h behind the newest of {whose}; liquidations count up to 24 h behind it"
    )
    return Reason.TOO_OLD, f"{name}: {detail}"


def _first_of_each(keys: NDArray[np.uint64]) -> Ints:
    """Return, for each key, the position of the first one like it.

    Keys are hashes: nearly all have a bucket of their own, and only the others are sorted.
    """
    first = np.arange(len(keys))
    bucket = keys & np.uint64((1 << (8 * len(keys)).bit_length()) - 1)
    owner = np.empty(1 << (8 * len(keys)).bit_length(), np.int64)
    owner[bucket[::-1]] = first[::-1]
    others = bucket[owner[bucket] != first]
    if len(others):
        shared = np.zeros(len(owner), bool)
        shared[others] = True
        some = shared[bucket].nonzero()[0]
        order = some[keys[some].argsort(kind="stable")]
        starts = np.append(True, keys[order][1:] != keys[order][:-1])
        first[order] = order[starts.nonzero()[0]][starts.cumsum() - 1]
    return first


def _or(clock: int | None) -> int:
    return -1 if clock is None else clock


def _remembered(time_ms: int, clock_ms: int) -> bool:
    """Whether a time lies in the 24 h that a partition with this clock remembers."""
    return time_ms // SECOND_MS // MINUTE >= minutes_kept(clock_ms // SECOND_MS)
