"""Stage 1: one partition of the source topics, from bytes to totals, cascades and crowded positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.codec import rows as codec
from streams.codec.batch import RecordBatch, Refused
from streams.codec.encode import Encoder, dead_letter
from streams.codec.liquidations import LiquidationDecoder
from streams.codec.records import RecordDecoder
from streams.core.cascade import CascadeState, Phase
from streams.core.cells import distinct
from streams.core.context import Before, ContextRule, ContextTracker
from streams.core.crowding import Crowding
from streams.core.crowding_rule import CrowdingRule
from streams.core.describe import Describer, Record, aftermath_record, before_onset, context_record
from streams.core.errors import InvalidEvent, Reason
from streams.core.events import ExchangeFlow, Instrument, PositionSide, Scope
from streams.core.feeds import Sisters
from streams.core.fold import Fold, FoldRule
from streams.core.follow import Notice
from streams.core.headline import crowded_headline
from streams.units import keep
from streams.units.moments import Moments
from streams.units.to_market import report
from streams.units.unit import Flush, Message, Tally, WrongTopic
from streams.units.windows import Changed, WindowRows, about

LIQUIDATIONS, FUNDING = "liquidations", "funding"
WINDOWS, CASCADES, DEAD_LETTERS = "liquidation-windows", "cascades", "dead-letters"
FEED_STATUS = "feed-status"
#: The row of the newest minutes of sister streams, which the first versions did not have.
_SISTERS = b"n"
_UNREADABLE = {Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA}


@dataclass(frozen=True, slots=True)
class ShardRule:
    """Everything that decides what a shard says."""

    fold: FoldRule
    crowding: CrowdingRule
    context: ContextRule
    unreadable_run_max: int = 1_000
    app_id: str = ""


@dataclass(frozen=True, slots=True)
class Codecs:
    """How bytes are read and written."""

    liquidations: LiquidationDecoder
    records: Mapping[str, RecordDecoder]
    encoder: Encoder


class Shard:
    """The state of one source partition: a ``Unit``."""

    def __init__(self, partition: int, partitions: int, rule: ShardRule, codecs: Codecs, describer: Describer) -> None:
        self.partition = partition
        self.partitions = partitions
        self.rule = rule
        self.codecs = codecs
        self.describer = describer
        self.next: dict[str, int] = {}
        self.tally = Tally()
        self.fold = Fold(rule.fold)
        self.crowding = Crowding(rule.crowding, crowded_headline, rule.context.instruments_max)
        self.context = ContextTracker(rule.context)
        self.exchanges: set[str] = set()
        self.sisters = Sisters()
        self.topics: dict[str, str] = {}
        self._cells = keep.cell_entries()
        self._window_rows = WindowRows(codecs.encoder, describer)
        self._messages: list[Message] = []
        self._touched = False
        self._unreadable_runs: Counter[str] = Counter()
        self._ticks: list[list[int | None]] = []
        self.moments = Moments()
        self.nothing_to_read = False
        self._kinds: dict[str, Callable[[Any], None]] = {
            FUNDING: self._funding,
            "open-interest": self.context.open_interest,
            "quotes": self.context.quote,
            "exchange-flows": self.context.flow,
        }
        self.urgent = False

    @property
    def work(self) -> bool:
        return self._touched

    # ---------------------------------------------------------------- in

    @property
    def clockless(self) -> bool:
        return self.fold.clock_ms is None

    def unresolved(self, batch: RecordBatch) -> set[int]:
        return self._decoder(batch.topic).unresolved(batch)

    def _decoder(self, topic: str) -> LiquidationDecoder | RecordDecoder:
        return self.codecs.liquidations if topic == LIQUIDATIONS else self.codecs.records[topic]

    def handle(self, batch: RecordBatch) -> None:
        """Fold a batch of one topic; what cannot be used becomes dead letters."""
        refused = self._liquidations(batch) if batch.topic == LIQUIDATIONS else self._records(batch)
        self.tally.consumed[batch.topic] += len(batch)
        self._refuse(batch, refused)
        self.next[batch.topic] = int(batch.offsets[-1]) + 1
        self._touched = True

    def _liquidations(self, batch: RecordBatch) -> list[Refused]:
        columns, refused = self.codecs.liquidations.decode(batch)
        if not len(columns):
            return refused
        known = set(self.fold.exchanges)
        folded = self.fold.fold(columns)
        self.tally.aggregated[LIQUIDATIONS] += folded.aggregated
        self.tally.duplicates[LIQUIDATIONS] += folded.duplicates
        self.tally.late[LIQUIDATIONS] += folded.late
        self.tally.behind_ms |= folded.behind_ms
        self._see_exchanges(known)
        self._announce(folded.notices)
        self.moments.sweep(self)
        where = batch.offsets.searchsorted(columns.offset)
        return refused + [Refused(int(where[at]), reason, detail) for at, reason, detail in folded.refused]

    def _see_exchanges(self, known: set[str]) -> None:
        """Publish every asset anew when an exchange is seen for the first time: it changes their coverage."""
        new = set(self.fold.exchanges) - known - self.exchanges
        if new:
            self.exchanges |= new
            self.fold.panes.changed[self.fold.panes.filled_rows()] = True

    def _records(self, batch: RecordBatch) -> list[Refused]:
        events, refused = self.codecs.records[batch.topic].decode(batch)
        take = self._kinds[batch.topic]
        for index, event in events:
            try:
                take(event)
            except InvalidEvent as error:
                refused.append(Refused(index, error.reason, error.detail))
                continue
            if not isinstance(event, ExchangeFlow):  # flows are of wallets, not of the venue's streams
                self.sisters.hear(batch.topic, event.instrument.exchange, event.event_time_ms)
        self.tally.aggregated[batch.topic] += len(batch) - len(refused)
        return refused

    def _funding(self, funding: Any) -> None:
        for record in self.crowding.step(funding):
            topic = "crowded-longs" if record["position_side"] == PositionSide.LONG.name else "crowded-shorts"
            self._emit(topic, f"{record['scope']}|{record['key']}".encode(), record)
            self.urgent = True

    def _refuse(self, batch: RecordBatch, refused: list[Refused]) -> None:
        reader = self._decoder(batch.topic).reader
        for each in sorted(refused):
            record = dead_letter(batch, each, reader.schema_id(batch.values[each.index]))
            self._emit(DEAD_LETTERS, f"{batch.topic}|{batch.partition}|{record['offset']}".encode(), record)
            self.tally.refused[batch.topic, each.reason.value] += 1
        unreadable = {each.index for each in refused if each.reason in _UNREADABLE}
        for index in range(len(batch) - 1, -1, -1):
            if index not in unreadable:
                self._unreadable_runs[batch.topic] = len(batch) - 1 - index
                return
        self._unreadable_runs[batch.topic] += len(batch)

    def check(self) -> None:
        for topic, run in self._unreadable_runs.items():
            if run >= self.rule.unreadable_run_max:
                msg = (
                    f"the last {run} records of {topic} {self.partition} could not be read: is this the right topic, "
                    f"STREAMS_VALUE_FORMAT and registry? Each is on {DEAD_LETTERS} with its bytes; what was good is "
                    "committed"
                )
                raise WrongTopic(msg)

    def idle(self, idle_ms: int) -> None:
        """Let ``idle_ms`` pass behind the last record; nothing to read is left."""
        clock = self.fold.clock_ms
        if clock is not None:
            self._announce(self.fold.tick(clock + idle_ms))
            self.moments.sweep(self)
        self._ticks.append([self.next.get(LIQUIDATIONS), self.fold.clock_ms])
        self.nothing_to_read = True
        self._touched = True

    # ---------------------------------------------------------------- out

    def _emit(self, topic: str, key: bytes, record: dict[str, Any]) -> None:
        self._messages.append(Message(topic, key, self.codecs.encoder.encode(topic, record)))
        self.tally.emitted[topic] += 1

    def _announce(self, notices: list[Notice]) -> None:
        for notice in notices:
            record = notice.record
            at_ms = record["event_time"]
            now, context = self.context_of(notice.state, notice.asset, notice.phase, at_ms)
            before = notice.state.before
            assert before is not None, notice.asset
            aftermath = None
            if notice.phase is Phase.SUBSIDED:
                known = Before.from_json(before["known"])
                side, since_ms = PositionSide(notice.state.position_side), notice.state.started_ms
                after = self.context.after(known, notice.asset, side, since_ms, at_ms)
                aftermath = aftermath_record(before, now, {name: getattr(after, name) for name in after.__slots__})
            whole = self.exchanges if notice.scope is Scope.ASSET else None
            finished = self.describer.complete(notice, whole, context, aftermath)
            self._emit(CASCADES, f"{record['scope']}|{record['key']}".encode(), finished)
            self.tally.cascades[record["scope"], record["position_side"], record["phase"]] += 1
            self.urgent = True
        self.moments.announced(self, notices)

    def context_of(self, state: CascadeState, asset: str, phase: Phase, at_ms: int) -> tuple[Record, Record]:
        """Return what is known of a cascade's asset at a moment, and the ``Context`` of a message that says so."""
        now = before_onset(asset, PositionSide(state.position_side), at_ms, self.context, self.crowding)
        if state.before is None:
            state.before = now
        context = context_record(state.before, now, at_ms, self.rule.context)
        if phase is not Phase.ONSET:
            change = self.context.open_interest_change(Before.from_json(state.before["known"]), asset, at_ms)
            context["open_interest_change"] = dict(change._asdict()) if change else None
        return now, context

    # ---------------------------------------------------------------- flush

    def cut(self) -> Flush:
        """Return what has changed since the last cut; rows stand in the order in which they must be understood."""
        flush, spoken = Flush(messages=self._messages, offsets=dict(self.next)), bool(self.sisters.untold)
        self._messages = []
        self._touched = self.urgent = False
        flush.messages += report(self)
        flush.rows += keep.pane_rows(self.fold, self._cells)
        flush.messages += self._windows()
        flush.rows += keep.identity_rows(self.fold)
        flush.rows += keep.hour_rows(self.fold.baseline, self.fold.panes.instruments)
        follower = self.fold.follower
        flush.rows += keep.cascade_rows(follower.machines, follower.changed, self._names(follower.changed))
        flush.rows += keep.forgotten_cascades(follower.machines, self.fold.clock_ms)
        flush.rows += self.crowding.dirty_rows() + self.context.dirty_rows()
        if spoken:
            flush.rows.append((_SISTERS, codec.json_row(self.sisters.newest)))
        flush.rows.append(self._commit_row())
        return flush

    def _names(self, changed: set[tuple[Scope, str, int]]) -> dict[tuple[Scope, str], Instrument]:
        panes = self.fold.panes
        names: dict[tuple[Scope, str], Instrument] = {}
        for scope, key, _ in changed:
            if scope is Scope.ASSET:
                number = panes.asset_number(key)
                assert number is not None, key
                names[scope, key] = panes.instruments[panes.rows_of_asset[number][0]]
        wanted = {key for scope, key, _ in changed if scope is Scope.INSTRUMENT}
        if wanted:
            for instrument in panes.instruments:
                if f"{instrument.exchange}|{instrument.symbol}" in wanted:
                    names[Scope.INSTRUMENT, f"{instrument.exchange}|{instrument.symbol}"] = instrument
        return names

    def _commit_row(self) -> tuple[bytes, bytes]:
        content = {
            "next": self.next,
            "clock": self.fold.clock_ms,
            "partitions": self.partitions,
            "exchanges": sorted(self.exchanges),
            "topics": self.topics,
            "ticks": self._ticks,
        }
        self._ticks = []
        return codec.commit_row(content)

    def _windows(self) -> list[Message]:
        panes = self.fold.panes
        rows = panes.take_changed()
        if not rows:
            return []
        changed = [
            Changed(about(Scope.INSTRUMENT, each, f"{each.exchange}|{each.symbol}"), [row], (each.exchange,))
            for row, each in ((row, panes.instruments[row]) for row in rows)
        ]
        present = tuple(sorted(self.exchanges))
        changed += [
            Changed(about(Scope.ASSET, None, panes.assets[asset]), panes.rows_of_asset[asset], present)
            for asset in distinct(panes.asset_of_row[rows])
        ]
        self.tally.emitted[WINDOWS] += len(changed)
        return self._window_rows.messages(panes, changed)

    # ---------------------------------------------------------------- back

    def restore(self, rows: Mapping[bytes, bytes]) -> None:
        if codec.COMMIT not in rows:
            return
        commit = codec.parse_json(rows[codec.COMMIT])
        if commit["partitions"] != self.partitions:
            msg = (
                f"{LIQUIDATIONS} had {commit['partitions']} partitions when the state was written and has "
                f"{self.partitions} now: assets have moved between partitions; start with a new STREAMS_APP_ID"
            )
            raise ValueError(msg)
        self.next = commit["next"]
        self.topics = commit["topics"]
        self.exchanges = set(commit["exchanges"])
        if _SISTERS in rows:
            self.sisters.newest = codec.parse_json(rows[_SISTERS])
        for key, value in rows.items():
            if key[:2] == b"f|":
                self.crowding.load(key, value)
            elif key[:2] == b"x|":
                self.context.load(key, value)
        keep.restore(self.fold, self._cells, rows, commit["clock"])
        self.moments.restore(self)
