"""Both stages over records that come by event time, without Kafka between them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from streams import rules
from streams.codec.batch import RecordBatch
from streams.codec.encode import Encoder
from streams.codec.registry import FileRegistry
from streams.codec.values import ValueReader
from streams.replay.load import Fed
from streams.replay.summary import Summary
from streams.report.recorder import Recorder
from streams.settings import Settings
from streams.units.exchanges import Exchanges
from streams.units.shard import LIQUIDATIONS, WINDOWS, Codecs, Shard
from streams.units.to_market import SNAPSHOTS
from streams.units.unit import Message

#: Topics of one partition are kept in step this closely; within it they go topic by topic, in larger batches.
SLACK_MS: Final = 1_000


@dataclass(slots=True)
class Lane:
    """One partition: its shard, and what has not been handed to it yet."""

    shard: Shard
    waiting: dict[str, list[Fed]] = field(default_factory=dict)
    since_ms: int = 0

    def full_for(self, fed: Fed) -> bool:
        """Whether what waits has to go before this record."""
        mine = self.waiting.get(fed.topic)
        if mine and mine[0].form != fed.form:
            return True
        alone = not self.waiting or (mine is not None and len(self.waiting) == 1)
        return not alone and fed.at_ms - self.since_ms >= SLACK_MS

    def add(self, fed: Fed) -> None:
        if not self.waiting:
            self.since_ms = fed.at_ms
        self.waiting.setdefault(fed.topic, []).append(fed)

    def hand_over(self, codecs: dict[str, Codecs]) -> Iterator[list[Fed]]:
        """Let the shard fold what waits, context first; yield what it has folded."""
        waiting, self.waiting = self.waiting, {}
        for topic in sorted(waiting, key=lambda name: (name == LIQUIDATIONS, name)):
            feds = waiting[topic]
            self.shard.codecs = codecs[feds[0].form]
            self.shard.handle(_batch(topic, self.shard.partition, self.shard.next.get(topic, 0), feds))
            yield feds


def _batch(topic: str, partition: int, offset: int, feds: list[Fed]) -> RecordBatch:
    return RecordBatch(
        topic,
        partition,
        np.arange(offset, offset + len(feds), dtype=np.int64),
        [fed.key for fed in feds],
        [fed.value for fed in feds],
        np.array([fed.at_ms for fed in feds], np.int64),
        log_append_time=True,
    )


class Replay:
    """Both stages over records that come by event time.

    Parameters
    ----------
    settings
        The worker's.
    registry
        Our own files: what is written, is read again here.
    partitions
        How many source partitions there are.
    expected
        Those that will have liquidations: the market waits for their clocks, and for no other.
    emit
        Takes the lines of JSON.
    recorder
        Hears of every flush, where there is one.

    """

    def __init__(
        self,
        settings: Settings,
        registry: FileRegistry,
        partitions: int,
        expected: set[int],
        emit: Callable[[str], None],
        recorder: Recorder | None = None,
    ) -> None:
        encoder, rule = Encoder(registry.writers()), rules.shard_rule(settings)
        told = rules.describer(rule)
        as_form = {form: settings.model_copy(update={"value_format": form}) for form in ("avro", "json")}
        self._codecs = {form: rules.codecs(each, registry, encoder) for form, each in as_form.items()}
        avro = self._codecs["avro"]
        self.lanes = [Lane(Shard(number, partitions, rule, avro, told)) for number in range(partitions)]
        how, lateness_ms = rules.cascade_rules(settings), settings.market_lateness_ms
        self.exchanges = Exchanges(how, lateness_ms, encoder, told, settings.app_id)
        self.fed_count = 0
        self.rows: dict[bytes, bytes] = {}
        self.events: Counter[tuple[str, str]] = Counter()
        self._emit = emit
        self._recorder = recorder
        self._reader = ValueReader(registry)
        self._handed: dict[tuple[str, int], list[Fed]] = {}
        self._expected = expected

    def feed(self, fed: Fed) -> None:
        """Take the next record."""
        lane = self.lanes[fed.partition]
        if lane.full_for(fed):
            self._hand_over(lane)
        lane.add(fed)
        self.fed_count += 1

    def flush(self) -> None:
        """Let the market hear of everything so far, and write what there is to say."""
        found: list[Message] = []
        for lane in self.lanes:
            self._hand_over(lane)
        self._give_time()
        # First those that the market does not wait for: where a clock begins, it must hear it before the later ones.
        for lane in sorted(self.lanes, key=lambda each: not each.shard.nothing_to_read):
            if self._recorder:
                self._recorder.added(lane.shard.fold)
            if lane.shard.work:
                found += lane.shard.cut().messages
        snapshots = [message for message in found if message.topic == SNAPSHOTS]
        if snapshots:
            self.exchanges.handle(self._snapshot_batch(snapshots))
            found += self.exchanges.cut().messages
        self._write(found)
        if self._recorder:
            self._recorder.flushed(self.exchanges.market)
        self._handed.clear()

    def _give_time(self) -> None:
        """Let the market wait no longer for lanes without liquidations, and for those that had only refused ones."""
        begun = any(not lane.shard.clockless for lane in self.lanes)
        for lane in self.lanes:
            refused = begun and lane.shard.clockless and LIQUIDATIONS in lane.shard.next
            if not lane.shard.nothing_to_read and (refused or lane.shard.partition not in self._expected):
                lane.shard.idle(0)

    def end(self) -> None:
        """Say the last: what waits, and the rows as they stand."""
        self.flush()
        for key, value in sorted(self.rows.items()):
            self._line(WINDOWS, key.decode(), self._reader.read(value))
        self.events[WINDOWS, ""] = len(self.rows)

    def summary(self, unreadable: int) -> Summary:
        """Return what became of everything."""
        tallies = [lane.shard.tally for lane in self.lanes]
        clock_ms = self.exchanges.market.clock_ms
        newest_ms = max(lane.shard.fold.clock_ms or 0 for lane in self.lanes)
        return Summary(
            unreadable,
            consumed=sum((tally.consumed for tally in tallies), Counter()),
            aggregated=sum((tally.aggregated for tally in tallies), Counter()),
            duplicates=sum((tally.duplicates for tally in tallies), Counter()),
            refused=sum((tally.refused for tally in tallies), Counter()),
            long_micro_usd=int(self.exchanges.market.grown[0]),
            short_micro_usd=int(self.exchanges.market.grown[1]),
            events=self.events,
            market_behind_ms=newest_ms - clock_ms if clock_ms >= 0 else None,
        )

    def _hand_over(self, lane: Lane) -> None:
        for feds in lane.hand_over(self._codecs):
            self._handed.setdefault((feds[0].topic, lane.shard.partition), []).extend(feds)

    def _snapshot_batch(self, messages: list[Message]) -> RecordBatch:
        offset = self.exchanges.next.get(SNAPSHOTS, 0)
        keys, values = [message.key for message in messages], [message.value for message in messages]
        offsets = np.arange(offset, offset + len(messages), dtype=np.int64)
        return RecordBatch(SNAPSHOTS, 0, offsets, list(keys), values, np.zeros_like(offsets))

    def _write(self, messages: list[Message]) -> None:
        events = []
        for topic, key, value, _ in messages:
            if topic == WINDOWS and value is None:
                self.rows.pop(key, None)
            elif topic == WINDOWS and value is not None:
                self.rows[key] = value
            elif topic != SNAPSHOTS:
                events.append((topic, key.decode(errors="replace"), self._reader.read(value)))
        for topic, name, record in sorted(events, key=_moment):
            self.events[topic, record.get("phase") or record.get("status") or ""] += 1
            self._line(topic, name, record)
            if self._recorder:
                self._recorder.event(topic, record)

    def _line(self, topic: str, key: str, record: dict[str, Any]) -> None:
        line = {"topic": topic, "key": key, "record": record}
        if topic == "dead-letters":
            source = (record["topic"], record["partition"])
            first = self.lanes[record["partition"]].shard.next[record["topic"]] - len(self._handed[source])
            fed = self._handed[source][record["offset"] - first]
            line |= {"file": fed.file, "line": fed.line}
        self._emit(json.dumps(line, default=_latin, separators=(",", ":"), ensure_ascii=False))


def _moment(event: tuple[str, str, dict[str, Any]]) -> int:
    record = event[2]
    return int(record.get("event_time") or record.get("timestamp") or 0)


def _latin(value: Any) -> str:
    # Avro's own way to put bytes into JSON: one character for each byte.
    return bytes(value).decode("latin-1")
