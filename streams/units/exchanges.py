"""Stage 2: exchanges and the market, from what the shards report on ``pane-snapshots``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from streams.codec import rows as codec
from streams.codec.batch import RecordBatch
from streams.codec.encode import Encoder
from streams.core.cascade import CascadeRule, CascadeState, Phase
from streams.core.cells import Cells, joined
from streams.core.coverage import Coverage
from streams.core.describe import NO_CONTEXT, Describer, aftermath_record, context_record
from streams.core.events import Instrument, PositionSide, Scope
from streams.core.feeds import Feed, FeedRule, Feeds, Finding, detail, silent_at
from streams.core.follow import Notice
from streams.core.growth import newest_of_minutes
from streams.core.market import ALL, Market
from streams.core.windows import HOUR, MINUTE
from streams.units import keep, older
from streams.units.contexts import MOMENT_AGE_MS_MAX, Contexts, after, interest_change
from streams.units.entries import Rows
from streams.units.shard import CASCADES, FEED_STATUS, WINDOWS
from streams.units.to_market import LATER
from streams.units.unit import Flush, Message, Tally
from streams.units.windows import Changed, WindowRows, about

Record = dict[str, Any]
#: Minutes behind the market's clock that its rows surely have by the second.
_BY_SECOND_MINUTES = 50


class Exchanges:
    """The state of the whole market: a ``Unit`` of one partition."""

    partition = 0

    def __init__(
        self,
        rules: dict[Scope, CascadeRule],
        lateness_ms: int,
        encoder: Encoder,
        describer: Describer,
        app_id: str = "",
        feeds: FeedRule | None = None,
    ) -> None:
        self.app_id, self._later = app_id.encode(), (app_id + LATER).encode()
        self.market = Market(rules, lateness_ms)
        self.feeds = Feeds(feeds)
        self.stale: frozenset[str] = frozenset()
        self.encoder = encoder
        self.describer = describer
        self._window_rows = WindowRows(encoder, describer)
        self.next: dict[str, int] = {}
        self.tally = Tally()
        self.contexts = Contexts()
        self._rows: dict[bytes, bytes | None] = {}
        self._grown = keep.grown_entries(self.market)
        self._assets = keep.asset_entries(self.market.breadth)
        self._messages: list[Message] = []
        self._touched = False
        self.urgent = False

    @property
    def work(self) -> bool:
        return self._touched

    @property
    def clockless(self) -> bool:
        return False

    def unresolved(self, batch: RecordBatch) -> set[int]:
        del batch
        return set()

    def handle(self, batch: RecordBatch) -> None:
        """Take in growth, contexts and watermarks in log order."""
        for name, value in zip(batch.keys, batch.values, strict=True):
            assert name is not None, (batch.topic, batch.partition)
            assert value is not None, (batch.topic, batch.partition)
            app_id, _, key = name.partition(b"\x1f")
            if app_id == self._later and key[:1] == keep.ASSETS:
                self.market.grow_assets(*codec.parse_assets(value))
            if app_id != self.app_id:
                continue
            if key[:1] == b"g":
                self._grow(*codec.parse_growth(value))
                continue
            if key[:1] == b"a":
                self._alive(key[1:].decode(), codec.parse_json(value))
                continue
            if key[:1] == b"x":
                self.contexts.hear(key[1:].decode(), codec.parse_json(value))
                continue
            self._rows[key] = value
            clock, partitions = codec.parse_json(value)
            notices, before = self.market.watermark(int(key[1:]), clock, partitions), self.stale
            self._announce(notices, partial(silent_at, before, self._judge_feeds()))
            self.contexts.passed(self.market.clock_ms - self.market.lateness_ms)
        self.tally.consumed[batch.topic] += len(batch)
        self.tally.aggregated[batch.topic] += len(batch)
        self.next[batch.topic] = int(batch.offsets[-1]) + 1
        self._touched = True

    def _grow(self, exchanges: list[str], cells: Cells) -> None:
        self.market.grow(exchanges, cells)
        for exchange, seconds in newest_of_minutes(cells):
            self.feeds.told(exchanges[exchange], *(seconds * 1000).tolist())

    def _alive(self, exchange: str, minutes: list[int]) -> None:
        """Hear of a venue's other streams; one without a public feed has none that could go silent."""
        if self.describer.venues.coverage(exchange, minutes[-1] * 60_000) is not Coverage.ABSENT:
            self.feeds.alive(exchange, minutes)

    def _judge_feeds(self) -> list[Finding]:
        findings = self.feeds.judge(self.market.clock_ms - self.market.lateness_ms)
        for finding in findings:
            self._messages.append(Message(FEED_STATUS, finding.exchange.encode(), self._status(finding)))
            self.tally.emitted[FEED_STATUS] += 1
            self.urgent = True
        self.stale = self.feeds.silent
        return findings

    def _status(self, finding: Finding) -> bytes:
        stale = frozenset({finding.exchange} if finding.silent else ())
        record = {
            "exchange": finding.exchange,
            "status": "SILENT" if finding.silent else "OK",
            "coverage": self.describer.venues.coverage(finding.exchange, finding.time_ms, stale).value,
            "event_time": finding.time_ms,
            "last_liquidation": finding.last_ms,
            "detail": detail(finding),
        }
        return self.encoder.encode(FEED_STATUS, record)

    def idle(self, idle_ms: int) -> None:
        """Nothing: the market's time comes from the shards' watermarks."""

    def check(self) -> None:
        """Nothing: we wrote the topic ourselves."""

    def _announce(self, notices: list[Notice], stale_at: Callable[[int], frozenset[str]]) -> None:
        for notice in notices:
            record = notice.record
            at_ms, side = record["event_time"], record["position_side"]
            if notice.state.before is None:
                busiest = self.contexts.busiest(notice.state.position_side, record["started"])
                notice.state.before = busiest[side] if busiest else {}
            before, aftermath = notice.state.before, None
            now, context = self.context_of(notice.state, notice.phase, at_ms)
            heard_ms = now["known"]["at_ms"] if now else -1
            if notice.phase is Phase.SUBSIDED and max(record["started"], at_ms - MOMENT_AGE_MS_MAX) < heard_ms:
                aftermath = aftermath_record(before, now, after(before, now, at_ms, self.describer.context))
            whole = self.present() if notice.scope is Scope.MARKET else None
            finished = self.describer.complete(notice, whole, context, aftermath, stale_at(at_ms))
            name = f"{record['scope']}|{record['key']}".encode()
            self._messages.append(Message(CASCADES, name, self.encoder.encode(CASCADES, finished)))
            self.tally.emitted[CASCADES] += 1
            self.tally.cascades[record["scope"], record["position_side"], record["phase"]] += 1
            self.urgent = True

    def context_of(self, state: CascadeState, phase: Phase, at_ms: int) -> tuple[Record, Record]:
        """Return what was heard of a cascade's asset up to a moment, and the ``Context`` of a message that says so."""
        before = state.before
        if not before:
            return {}, dict(NO_CONTEXT)
        moment = self.contexts.of(before["asset"], at_ms)
        now = moment[PositionSide(state.position_side).name] if moment else before
        context = context_record(before, now, at_ms, self.describer.context)
        if phase is not Phase.ONSET:
            context["open_interest_change"] = interest_change(before, now, at_ms, self.describer.context)
        return now, context

    def present(self) -> list[str]:
        """Return the exchanges of which something has been told: others were heard of ahead of the market's clock."""
        told = self.market.told
        return [instrument.exchange for row, instrument in enumerate(told.instruments) if told.as_of[row]]

    # ---------------------------------------------------------------- flush

    def cut(self) -> Flush:
        self.market.flush_late()
        flush = Flush(messages=self._messages, offsets=dict(self.next))
        self._messages, self._touched, self.urgent = [], False, False
        market = self.market
        for row in market.told.changed.nonzero()[0].tolist():
            instrument = market.told.instruments[row]
            flush.rows.append(codec.instrument_row(instrument, int(market.told.as_of[row]), 0))
        flush.messages += self._windows()
        flush.rows += list(self._rows.items())
        self._rows = {}
        # The newest of each has a row that the versions before know; what they do not is beside it.
        for asset, moments in self.contexts.take_changed():
            flush.rows.append((f"x{asset}".encode(), codec.json_row(moments[-1])))
            flush.rows.append((f"y{asset}".encode(), codec.json_row(moments[:-1])))
        flush.rows += self._grown.add(market.take())
        flush.rows += self._grown.expired(market.settle())
        flush.rows += self._assets.add(market.breadth.take())
        flush.rows += self._assets.expired(market.closed - HOUR)
        flush.rows += keep.hour_rows(market.baseline, market.decided.instruments)
        flush.rows += keep.cascade_rows(market.follower.machines, market.follower.changed, {})
        flush.rows += keep.forgotten_cascades(market.follower.machines, market.clock_ms)
        flush.rows += self._feed_rows()
        commit = {"next": self.next, "clock": market.clock_ms, "closed": market.closed}
        flush.rows.append(codec.commit_row(commit))
        return flush

    def _feed_rows(self) -> Rows:
        since = (self.market.told.newest or 0) // MINUTE - _BY_SECOND_MINUTES
        changed, self.feeds.changed = sorted(self.feeds.changed), set()
        feeds = ((name, self.feeds.known.get(name)) for name in changed)
        return [codec.feed_row(name, feed.to_json(since) if feed else None) for name, feed in feeds]

    def _windows(self) -> list[Message]:
        panes = self.market.told
        rows = panes.take_changed()
        if not rows:
            return []
        names = [(row, panes.instruments[row].exchange) for row in rows]
        changed = [Changed(about(Scope.EXCHANGE, None, name), [row], (name,)) for row, name in names]
        everybody, present = list(range(len(panes.instruments))), tuple(sorted(self.present()))
        changed.append(Changed(about(Scope.MARKET, None, ALL), everybody, present))
        self.tally.emitted[WINDOWS] += len(changed)
        return self._window_rows.messages(panes, changed)

    # ---------------------------------------------------------------- back

    def restore(self, rows: Mapping[bytes, bytes]) -> None:
        if codec.COMMIT not in rows:
            return
        commit = codec.parse_json(rows[codec.COMMIT])
        self.next = commit["next"]
        market = self.market
        for key, value in rows.items():
            if key[:1] == b"x":
                before = codec.parse_json(rows[b"y" + key[1:]]) if b"y" + key[1:] in rows else []
                self.contexts.restore(key[1:].decode(), [*before, codec.parse_json(value)])
        for key, value in sorted(rows.items()):
            if key[:1] == b"w":
                clock, partitions = codec.parse_json(value)
                market.hear(int(key[1:]), clock, partitions)
            elif key[:1] == b"e":
                self.feeds.known[key[1:].decode()] = Feed.from_json(codec.parse_json(value))
            elif key[:1] == b"c":
                scope, name, side = codec.parse_cascade_key(key)
                row = 0 if scope == Scope.MARKET else market.row(name)
                market.follower.restore((Scope(scope), name, side), keep.machine_of(codec.parse_json(value)), 0, row)
        self.stale = self.feeds.silent
        self._restore_grown(rows, commit["clock"], commit["closed"])
        keep.restore_assets(market.breadth, self._assets, rows, market.closed)
        for key, value in rows.items():
            if key[:1] == b"r":
                instrument, as_of, _ = codec.parse_instrument_row(key, value)
                market.told.as_of[market.row(instrument.exchange)] = as_of
        hours = [(key, value) for key, value in rows.items() if key[:1] == b"h"]
        for key, _ in hours:
            market.row(Instrument(*codec.parse_hours_key(key)[0]).exchange)
        if commit["closed"] >= 0:
            keep.restore_hours(market.baseline, market.decided, hours, commit["closed"] * 1000)

    def _restore_grown(self, rows: Mapping[bytes, bytes], clock_ms: int, closed: int) -> None:
        market = self.market
        old = {key: codec.parse_growth(value) for key, value in rows.items() if key[:1] == older.MARKET_MINUTES}
        minutes = joined([keep.rows_of_market(market, names, cells) for names, cells in old.values()])
        self._grown.replace(list(old))
        cells = joined([keep.restore_grown(market, self._grown, rows), older.grown(minutes)])
        market.resume(clock_ms, closed, cells, new=bool(old))
        for row, seconds in newest_of_minutes(cells):
            self.feeds.resume(market.told.instruments[row].exchange, *(seconds * 1000).tolist())
        self.feeds.changed.clear()
