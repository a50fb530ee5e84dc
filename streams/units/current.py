"""What the units of this process would say now: for pages and metrics, which ask between two flushes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import islice
from typing import Any, NamedTuple

from streams.core.cascade import CascadeState, Phase
from streams.core.crowding_asset import Asset, Member, Part
from streams.core.crowding_series import Change
from streams.core.describe import NO_CONTEXT
from streams.core.events import Instrument, Scope
from streams.core.figures import cascade_record, windows_row
from streams.core.follow import Notice
from streams.core.market import ALL
from streams.core.panes import Panes
from streams.units.exchanges import Exchanges
from streams.units.shard import Shard
from streams.units.unit import Unit

Record = dict[str, Any]
_AT_ONCE = 200
_HOUR_MS = 3_600_000


class Subject(NamedTuple):
    """What a total is over: its scope and key, the instrument where it is one, and its rows in the panes."""

    scope: Scope
    key: str
    instrument: Instrument | None
    rows: list[int]


class Wanted(NamedTuple):
    """Which subjects somebody asks for; None asks for any."""

    scope: str | None = None
    key: str | None = None
    exchange: str | None = None
    asset: str | None = None

    def matches(self, subject: Subject) -> bool:
        """Return whether a subject is one of those."""
        scope, key, instrument, _ = subject
        exchange = instrument.exchange if instrument else key if scope is Scope.EXCHANGE else None
        asset = instrument.asset if instrument else key if scope is Scope.ASSET else None
        asked = (self.scope, scope.value), (self.key, key), (self.exchange, exchange), (self.asset, asset)
        return all(wish is None or wish == has for wish, has in asked)


def panes_of(unit: Unit) -> Panes:
    """Return the panes that a unit publishes."""
    assert isinstance(unit, Shard | Exchanges), unit
    return unit.fold.panes if isinstance(unit, Shard) else unit.market.told


def clock_of(unit: Unit) -> int | None:
    """Return a unit's event time in milliseconds; None before its first record."""
    assert isinstance(unit, Shard | Exchanges), unit
    if isinstance(unit, Shard):
        return unit.fold.clock_ms
    return unit.market.clock_ms if unit.market.clock_ms >= 0 else None


def present_of(unit: Unit) -> list[str]:
    """Return the exchanges that a unit has seen."""
    assert isinstance(unit, Shard | Exchanges), unit
    return sorted(unit.exchanges if isinstance(unit, Shard) else unit.present())


def stale_of(units: Iterable[Unit]) -> frozenset[str]:
    """Return the exchanges whose feeds have gone silent, as far as a unit of this process knows."""
    return frozenset(name for unit in units for name in getattr(unit, "stale", ()))


def subjects(unit: Unit) -> Iterator[Subject]:
    """Yield all that a unit has totals of."""
    panes = panes_of(unit)
    if isinstance(unit, Shard):
        for number, asset in enumerate(panes.assets):
            yield Subject(Scope.ASSET, asset, None, panes.rows_of_asset[number])
        for row, instrument in enumerate(panes.instruments):
            yield Subject(Scope.INSTRUMENT, f"{instrument.exchange}|{instrument.symbol}", instrument, [row])
    elif panes.instruments:
        yield Subject(Scope.MARKET, ALL, None, list(range(len(panes.instruments))))
        for row, instrument in enumerate(panes.instruments):
            yield Subject(Scope.EXCHANGE, instrument.exchange, None, [row])


def windows(unit: Unit, wanted: Wanted, stale: frozenset[str]) -> Iterator[Record]:
    """Yield a unit's rows of ``liquidation-windows`` as they are now, the newest change first; STALE is joined."""
    panes = panes_of(unit)
    if panes.newest is None:
        return
    found = [subject for subject in subjects(unit) if wanted.matches(subject)]
    found.sort(key=lambda subject: -int(panes.as_of[subject.rows].max()))
    ordered = iter(found)
    while some := list(islice(ordered, _AT_ONCE)):
        totals = panes.totals([subject.rows for subject in some])
        for at, (scope, key, instrument, rows) in enumerate(some):
            if totals.sums[:, at].any():
                as_of = int(panes.as_of[rows].max())
                record = windows_row(scope, key, instrument, as_of, totals, at)
                yield record | _coverage(unit, scope, key, instrument, as_of * 1000, stale)


def _coverage(
    unit: Unit, scope: Scope, key: str, instrument: Instrument | None, at_ms: int, stale: frozenset[str]
) -> Record:
    assert isinstance(unit, Shard | Exchanges), unit
    whole = scope in {Scope.ASSET, Scope.MARKET}
    one = instrument.exchange if instrument else key
    return unit.describer.coverage(present_of(unit) if whole else [one], at_ms, whole=whole, stale=stale)


def coverage_of(unit: Unit, stale: frozenset[str]) -> list[Record]:
    """Return what is known of each exchange's feed at the unit's clock."""
    clock_ms = clock_of(unit)
    if clock_ms is None:
        return []
    assert isinstance(unit, Shard | Exchanges), unit
    found: list[Record] = unit.describer.coverage(present_of(unit), clock_ms, whole=True, stale=stale)["coverage"]
    return found


def open_cascades(unit: Unit) -> dict[tuple[Scope, str, int], CascadeState]:
    """Return the state of a unit's open cascades by scope, key and side."""
    assert isinstance(unit, Shard | Exchanges), unit
    follower = unit.fold.follower if isinstance(unit, Shard) else unit.market.follower
    return {name: machine.state for name, machine in sorted(follower.machines.items()) if machine.state is not None}


def cascades(unit: Unit, stale: frozenset[str]) -> Iterator[Record]:
    """Yield a unit's open cascades as messages that were sent now: the totals since onset are those of this moment."""
    found = open_cascades(unit)
    named = {(subject.scope, subject.key): subject for subject in subjects(unit)} if found else {}
    for (scope, key, _), state in found.items():
        assert isinstance(unit, Shard | Exchanges), unit
        yield _cascade(unit, named[scope, key], deepcopy(state), stale)


def _cascade(unit: Shard | Exchanges, subject: Subject, state: CascadeState, stale: frozenset[str]) -> Record:
    panes, clock_ms = panes_of(unit), clock_of(unit)
    assert clock_ms is not None, subject
    phase = Phase.PEAK if state.peaked_ms is not None else Phase.ESCALATED if state.severity else Phase.ONSET
    rules = unit.fold.rule.cascades if isinstance(unit, Shard) else unit.market.rules
    state.sequence -= 1  # the one that was sent last; making the record counts it again
    record = cascade_record(
        subject.scope,
        subject.key,
        subject.instrument,
        rules[subject.scope],
        state,
        phase,
        clock_ms,
        panes.totals([subject.rows]),
    )
    notice = Notice((0,), record, state, subject.scope, "", phase)
    whole = present_of(unit) if subject.scope in {Scope.ASSET, Scope.MARKET} else None
    return unit.describer.complete(notice, whole, _context(unit, state, phase, clock_ms), None, stale)


def _context(unit: Shard | Exchanges, state: CascadeState, phase: Phase, at_ms: int) -> Record:
    if not state.before:
        return dict(NO_CONTEXT)
    if isinstance(unit, Shard):
        return unit.context_of(state, state.before["asset"], phase, at_ms)[1]
    return unit.context_of(state, phase, at_ms)[1]


def crowded(unit: Unit) -> Iterator[Record]:
    """Yield a unit's running crowded positions as messages with the figures of the last closed hour.

    Where no rate of an asset is in force nothing is known to be running.
    """
    if not isinstance(unit, Shard):
        return
    clock_ms = unit.fold.clock_ms or 0
    for _, asset in sorted(unit.crowding._assets.items()):  # noqa: SLF001 - Crowding should offer this itself
        if not asset.knows_a_rate_after(clock_ms):
            continue
        members = [member for member in asset.members.values() if member.series.hours]
        parts = [Part(member, member.series.value, member.rate.weight) for member in members]
        owners: list[tuple[Asset | Member, list[Part]]] = [(asset, parts)]
        owners += [(part.member, [part]) for part in parts]
        for owner, of in owners:
            if owner.series.running is not None:
                yield _crowded(unit, owner, of, asset.clock_ms // _HOUR_MS * _HOUR_MS)


def _crowded(unit: Shard, owner: Asset | Member, parts: Sequence[Part], end_ms: int) -> Record:
    series, rule = owner.series, unit.crowding.rule
    assert series.running is not None, owner.identity
    phase = "GRADE_CHANGED" if series.running.sequence else "STARTED"
    percentile = series.percentile(rule, series.value)
    change = Change(phase, series.running, series.value, percentile, series.streak_hours)  # type: ignore[arg-type]
    return unit.crowding._record(owner, change, list(parts), end_ms)  # noqa: SLF001 - as above
