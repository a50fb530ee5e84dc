"""Every metric of the worker: what it counts, and what it reads from its units when somebody asks.

Conservation: ``consumed = aggregated + duplicate + dead-lettered`` for each topic; late ones are among the aggregated.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams import market_metrics
from streams.core.errors import Reason
from streams.core.events import PositionSide, Scope, to_usd
from streams.core.windows import WINDOWS
from streams.engine import lag
from streams.engine.owned import Owned
from streams.engine.owners import Owners
from streams.units import current
from streams.units.exchanges import Exchanges
from streams.units.shard import LIQUIDATIONS, Shard
from streams.units.to_market import SNAPSHOTS
from streams.units.unit import Tally, Unit

NAMESPACE = "streams"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)

#: Counters: name -> (what is counted, labels).
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "records_consumed": ("Records read.", ("topic",)),
    "records_aggregated": ("Records that count, late ones included.", ("topic",)),
    "records_late": ("Records that count and came late.", ("topic",)),
    "records_duplicate": ("Records that had been counted before.", ("topic",)),
    "records_dead_lettered": ("Records that could not be used.", ("topic", "reason")),
    "records_expired": ("Records that retention deleted before they were read.", ("topic",)),
    "events_emitted": ("Messages written, tombstones included.", ("topic",)),
    "cascades_emitted": ("Messages of cascades.", ("scope", "position_side", "phase")),
    "recoveries": ("Times that partitions were assigned and their state was read.", ()),
}
#: Gauges, read when somebody asks: name -> (what is shown, labels).
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "ready": ("1 while partitions are assigned, recovered and read.", ()),
    "units_owned": ("Units of state that this worker owns.", ("stage",)),
    "state_rows": ("Rows of state in the changelog.", ("stage", "partition")),
    "state_bytes": ("Keys and values of those rows.", ("stage", "partition")),
    "instruments": ("Instruments that a partition remembers.", ("partition",)),
    "last_flush_age_seconds": ("Time since a unit's last transaction.", ("stage", "partition")),
    "transaction_open_seconds": ("Age of a unit's transaction in flight; 0 where none is.", ("stage", "partition")),
    "consumer_lag_records": (
        "Offsets not yet folded, as of the last fetch; absent where that found none and is over 10 s old.",
        ("topic", "partition"),
    ),
    "consumer_lag_seconds": (
        "Age of the newest event folded while records wait, no less than that of a last fetch over 10 s old; else 0.",
        ("topic", "partition"),
    ),
    "event_time_seconds": ("Newest event time folded, Unix time.", ("topic", "partition")),
    "watermark_delay_seconds": ("How far the clock of closed decisions is behind now.", ("topic", "partition")),
    "exchange_behind_seconds": ("How far an exchange's last liquidation was behind its asset's clock.", ("exchange",)),
    "exchange_window_usd": ("Liquidated in a sliding window, US dollars.", ("exchange", "window", "position_side")),
    "market_window_usd": ("The same on all exchanges together.", ("window", "position_side")),
    "symbol_window_usd": ("The same of a listed symbol.", ("exchange", "symbol", "window", "position_side")),
    "exchange_coverage": ("1 for what an exchange's feed can show.", ("exchange", "coverage")),
    "feed_stale": ("1 while an exchange lives and its liquidations do not come, beyond its habit.", ("exchange",)),
    "cascades_open": ("Cascades that have not subsided.", ("scope", "position_side")),
    **market_metrics.GAUGES,
}


class Metrics(Collector):
    """Histograms that are fed, and all else read from the owners at scrape time.

    Parameters
    ----------
    owners
        Whose units are shown; its two hooks are taken.
    registry
        Where the metrics are registered.
    symbols
        Symbols with totals of their own.
    lateness_ms
        By topic: how far a watermark is behind its clock.
    inputs
        Topics whose counters begin at 0: of one that is born with its first burst, Prometheus sees no increase.
    lags
        Returns what waits, by (topic, partition).
    now
        The wall clock, seconds.

    """

    def __init__(
        self,
        owners: Owners,
        registry: CollectorRegistry,
        symbols: frozenset[str] = frozenset(),
        lateness_ms: Mapping[str, int] | None = None,
        inputs: Sequence[str] = (),
        lags: Callable[[Owners], Mapping[Any, lag.Lag]] = lag.lags,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.owners = owners
        self.symbols = symbols
        self.lateness_ms = lateness_ms or {}
        self.unread = _unread(inputs)
        self.lags = lags
        self.now = now

        def histogram(name: str, what: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, what, labels, namespace=NAMESPACE, registry=registry, buckets=buckets)

        self.batch_records = histogram("batch_records", "Records folded at once.", ("topic",), _ROWS)
        self.batch_seconds = histogram("batch_seconds", "Time to fold them.", ("topic",), _SECONDS)
        self.flush_rows = histogram("flush_rows", "Rows of state in a transaction.", ("stage",), _ROWS)
        self.flush_seconds = histogram("flush_seconds", "Time from cut to commit.", ("stage",), _SECONDS)
        self.loop_delay = histogram("loop_delay_seconds", "How late the event loop runs a timer.", (), _SECONDS)
        registry.register(self)
        owners.flushed, owners.folded = self.flushed, self.folded

    def folded(self, topic: str, records: int, seconds: float) -> None:
        """Hear of a batch."""
        self.batch_records.labels(topic).observe(records)
        self.batch_seconds.labels(topic).observe(seconds)

    def flushed(self, owned: Owned) -> None:
        """Hear of a transaction."""
        stage = stage_of(owned)
        self.flush_rows.labels(stage).observe(owned.flush_rows)
        self.flush_seconds.labels(stage).observe(owned.flush_seconds)

    def describe(self) -> Iterable[Metric]:
        """Return every family without a value: what dashboards may name."""
        return list(_families().values())

    def collect(self) -> Iterable[Metric]:
        """Return every family with the values of this moment."""
        shown = _Shown()
        shown.counters([self.unread, *self.owners.tallies.values()])
        shown.add("ready", float(self.owners.ready))
        shown.add("recoveries", self.owners.recoveries)
        lags = self.lags(self.owners)
        for (topic, partition), each in lags.items():
            if each.records is not None:
                shown.add("consumer_lag_records", each.records, topic, str(partition))
        stages: Counter[str] = Counter()
        for owned in self.owners.owned.values():
            stages[stage_of(owned)] += 1
            shown.unit(owned)
            self._time(shown, owned.unit, lags)
        # One that is let go of has its last transaction in flight, and that one can hang, too.
        for owned in (self.owners.owned | self.owners.leaving).values():
            shown.in_flight(owned)
        for stage, count in stages.items():
            shown.add("units_owned", count, stage)
        units = [owned.unit for owned in self.owners.owned.values()]
        shown.behind(units)
        shown.totals(units, self.symbols)
        return shown.families.values()

    def _time(self, shown: _Shown, unit: Unit, lags: Mapping[Any, lag.Lag]) -> None:
        topic, partition = LIQUIDATIONS if isinstance(unit, Shard) else SNAPSHOTS, str(unit.partition)
        clock_ms = current.clock_of(unit)
        if clock_ms is None:
            return
        age, waits = self.now() - clock_ms / 1000, lags.get((topic, unit.partition), lag.Lag(0))
        late = max(age if waits.records else 0.0, waits.unanswered_seconds)
        shown.add("event_time_seconds", clock_ms / 1000, topic, partition)
        shown.add("consumer_lag_seconds", late, topic, partition)
        shown.add("watermark_delay_seconds", age + self.lateness_ms.get(topic, 0) / 1000, topic, partition)


def stage_of(owned: Owned) -> str:
    """Return the short name of a kind of unit: ``state`` or ``market``."""
    return owned.stage.changelog.removesuffix("-changelog").rpartition("-")[2]


def _unread(inputs: Sequence[str]) -> Tally:
    none = dict.fromkeys(inputs, 0)
    refused = {(topic, reason.value): 0 for topic in inputs for reason in Reason}
    consumed, aggregated, duplicates, late, expired = (Counter(none) for _ in range(5))
    return Tally(consumed, aggregated, duplicates, late, Counter(refused), expired=expired)


def _families() -> dict[str, Metric]:
    families: dict[str, Metric] = {}
    for name, (what, labels) in COUNTERS.items():
        families[name] = CounterMetricFamily(f"{NAMESPACE}_{name}", what, labels=labels)
    for name, (what, labels) in GAUGES.items():
        families[name] = GaugeMetricFamily(f"{NAMESPACE}_{name}", what, labels=labels)
    return families


class _Shown:
    """One scrape."""

    def __init__(self) -> None:
        self.families: dict[str, Any] = _families()
        self._joined: dict[tuple[str, tuple[str, ...]], float] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        self.families[name].add_metric(labels, value)

    def counters(self, tallies: Iterable[Tally]) -> None:
        total = Tally()
        for tally in tallies:
            for name in _COUNTED:
                getattr(total, name).update(getattr(tally, name))
        for name, metric in _COUNTED.items():
            for labels, count in sorted(getattr(total, name).items()):
                self.add(metric, count, *((labels,) if isinstance(labels, str) else labels))

    def behind(self, units: Iterable[Unit]) -> None:
        most: dict[str, int] = {}
        for unit in units:
            for exchange, behind_ms in unit.tally.behind_ms.items():
                most[exchange] = max(behind_ms, most.get(exchange, behind_ms))
        for exchange, behind_ms in sorted(most.items()):
            self.add("exchange_behind_seconds", behind_ms / 1000, exchange)

    def unit(self, owned: Owned) -> None:
        unit, labels = owned.unit, (stage_of(owned), str(owned.unit.partition))
        self.add("state_rows", owned.size.rows, *labels)
        self.add("state_bytes", owned.size.bytes, *labels)
        if owned.flush_ended:
            self.add("last_flush_age_seconds", time.monotonic() - owned.flush_ended, *labels)
        if isinstance(unit, Shard):
            self.add("instruments", len(unit.fold.panes.instruments), labels[1])

    def in_flight(self, owned: Owned) -> None:
        began = owned.flush_began
        age = 0.0 if began is None else time.monotonic() - began
        self.add("transaction_open_seconds", age, stage_of(owned), str(owned.unit.partition))

    def totals(self, units: list[Unit], symbols: frozenset[str]) -> None:
        stale = current.stale_of(units)
        opened: Counter[tuple[Scope, int]] = Counter()
        for unit in units:
            # A zero says that nobody is being sold out; a gap would say that nobody looks.
            whole = isinstance(unit, Exchanges)
            scopes = (Scope.EXCHANGE, Scope.MARKET) if whole else (Scope.INSTRUMENT, Scope.ASSET)
            opened.update({(scope, side): 0 for scope in scopes for side in PositionSide})
            opened.update((scope, side) for scope, _, side in current.open_cascades(unit))
            for name, value, labels in market_metrics.samples(unit, symbols):
                self._join(name, value, labels)
            if isinstance(unit, Exchanges):
                found = list(current.subjects(unit))
                exchanges = [(each.rows, (each.key,)) for each in found if each.scope is Scope.EXCHANGE]
                self._windows(unit, "exchange_window_usd", exchanges)
                self._windows(
                    unit, "market_window_usd", [(each.rows, ()) for each in found if each.scope is Scope.MARKET]
                )
                for name, feed in sorted(unit.feeds.known.items()):
                    self.add("feed_stale", float(bool(feed.silent)), name)
                for each in current.coverage_of(unit, stale):
                    self.add("exchange_coverage", 1, each["exchange"], each["coverage"])
            elif symbols:
                all_of = list(current.subjects(unit))
                found = [each for each in all_of if each.instrument and each.instrument.symbol in symbols]
                listed = [(each.rows, each.instrument[:2]) for each in found if each.instrument]
                self._windows(unit, "symbol_window_usd", listed)
                named = {each.instrument.asset for each in found if each.instrument}
                theirs = [each for each in all_of if each.scope is Scope.ASSET and each.key in named]
                self._windows(unit, "asset_window_usd", [(each.rows, (each.key,)) for each in theirs])
        for (name, labels), value in self._joined.items():
            self.add(name, value, *labels)
        for (scope, side), count in opened.items():
            self.add("cascades_open", count, scope.value, PositionSide(side).name)

    def _join(self, name: str, value: float, labels: tuple[str, ...]) -> None:
        # Two partitions may have the same asset or symbol; of a series that is there twice Prometheus refuses the page.
        there = self._joined.get((name, labels))
        if there is not None:
            value = there + value if name.endswith(("_usd", "_coins")) else max(there, value)
        self._joined[name, labels] = value

    def _windows(self, unit: Unit, name: str, scopes: Sequence[tuple[list[int], tuple[str, ...]]]) -> None:
        panes = current.panes_of(unit)
        if panes.newest is None or not scopes:
            return
        sums = panes.totals([rows for rows, _ in scopes]).sums
        for at, (_, labels) in enumerate(scopes):
            for number, window in enumerate(WINDOWS):
                for side in PositionSide:
                    self._join(name, to_usd(int(sums[number, at, side])), (*labels, window, side.name))


#: Counter of a ``Tally`` -> metric.
_COUNTED = {
    "consumed": "records_consumed",
    "aggregated": "records_aggregated",
    "late": "records_late",
    "duplicates": "records_duplicate",
    "refused": "records_dead_lettered",
    "expired": "records_expired",
    "emitted": "events_emitted",
    "cascades": "cascades_emitted",
}
