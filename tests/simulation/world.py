"""The real units without Kafka: flushes that happen or do not, crashes, restarts, and a topic between the stages."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from streams.codec import rows as codec
from streams.codec.liquidations import LiquidationDecoder
from streams.codec.records import RecordDecoder
from streams.core.cascade import CascadeRule
from streams.core.context_rule import ContextRule
from streams.core.coverage import Venues
from streams.core.crowding_rule import CrowdingRule
from streams.core.describe import Describer
from streams.core.episodes import Episodes
from streams.core.events import Scope
from streams.core.feeds import FeedRule
from streams.core.fold import FoldRule
from streams.core.screen import ScreenRule
from streams.resources import yaml_data
from streams.units.exchanges import Exchanges
from streams.units.shard import CASCADES, DEAD_LETTERS, FEED_STATUS, FUNDING, WINDOWS, Codecs, Shard, ShardRule
from streams.units.to_market import SNAPSHOTS
from streams.units.unit import Flush, Message
from tests.simulation.generate import Logs
from tests.simulation.records import LIQUIDATIONS, Record, batch_of, encoder, reader, registry

KINDS = ("funding", "open-interest", "quotes", "exchange-flows")
VENUES = Venues(yaml_data("venues.yaml"))
DESCRIBER = Describer(VENUES, Episodes(yaml_data("episodes.yaml")))
#: Minutes instead of hours and days, so that feeds of random logs fall silent and come back.
FEEDS = FeedRule(least=2, factor=2, days=3, days_least=2, day_least=10, unknown=4, patience=7, exchanges_max=3)


@dataclass(frozen=True)
class Schedule:
    """How a run is cut: how many records are handed over at once, and how often what happens."""

    batches: tuple[int, ...] = (1, 2, 7, 40, 300, 5_000)
    feed: float = 6.0
    cut: float = 3.0
    crash: float = 1.0
    idle: float = 0.3
    always_restart: bool = False


CALM = Schedule(crash=0.0, idle=0.0)


@dataclass
class Rules:
    screen: ScreenRule
    cascades: dict[Scope, CascadeRule]


@dataclass
class Stage:
    """One unit with what Kafka keeps for it: its log or logs, and its compacted changelog."""

    unit: Any
    make: Any
    logs: dict[str, list[Record]]
    rows: dict[bytes, bytes] = field(default_factory=dict)

    def left(self, topic: str) -> list[Record]:
        begin = self.unit.next.get(topic, 0)
        return [record for record in self.logs[topic] if record.offset >= begin]

    def feed(self, topic: str, count: int) -> None:
        records = self.left(topic)[:count]
        if records:
            self.unit.handle(batch_of(topic, self.unit.partition, records))

    def commit(self) -> Flush:
        flush = self.unit.cut()
        for key, value in flush.rows:
            self.rows.pop(key, None)
            if value is not None:
                self.rows[key] = value
        return flush

    def crash(self, chance: random.Random) -> None:
        """Go on from the changelog, which is read in any order."""
        self.unit = self.make()
        items = list(self.rows.items())
        chance.shuffle(items)
        self.unit.restore(dict(items))


class World:
    """A run of all units over some logs."""

    def __init__(self, seed: str, logs: Logs, rules: Rules, schedule: Schedule) -> None:
        self.chance = random.Random(f"world-{seed}")
        self.schedule = schedule
        self.rules = rules
        self.shards = [self._shard(number, logs, rules) for number in range(len(logs.liquidations))]
        make = self._exchanges(rules)
        self.exchanges = Stage(make(), make, {SNAPSHOTS: []})
        self.sent: list[list[Message]] = [[] for _ in self.shards]  # snapshots on their way, in order by producer
        self.ticks: list[list[tuple[int, int]]] = [[] for _ in self.shards]
        self.messages: list[Message] = []

    @staticmethod
    def shard(number: int, partitions: int, rules: Rules) -> Shard:
        fold = FoldRule(rules.screen, rules.cascades)
        rule = ShardRule(fold, CrowdingRule(), ContextRule(), unreadable_run_max=10**9)
        records = {kind: RecordDecoder(kind, registry()) for kind in KINDS}
        codecs = Codecs(LiquidationDecoder(registry()), records, encoder())
        return Shard(number, partitions, rule, codecs, DESCRIBER)

    def _shard(self, number: int, logs: Logs, rules: Rules) -> Stage:
        def make() -> Shard:
            return self.shard(number, len(logs.liquidations), rules)

        return Stage(make(), make, {LIQUIDATIONS: logs.liquidations[number], FUNDING: logs.funding[number]})

    @staticmethod
    def _exchanges(rules: Rules) -> Any:
        return lambda: Exchanges(rules.cascades, rules.screen.market_lateness_ms, encoder(), DESCRIBER, feeds=FEEDS)

    # ---------------------------------------------------------------- what may happen

    def run(self) -> None:
        actions = [self._feed, self._cut, self._crash, self._idle]
        weights = [self.schedule.feed, self.schedule.cut, self.schedule.crash, self.schedule.idle]
        while any(shard.left(LIQUIDATIONS) for shard in self.shards):
            self.chance.choices(actions, weights)[0](self.chance.choice(self.shards))
            self._deliver(self.chance.randint(0, 50))
            self._market(self.chance.choice([0, 1, 10, 1_000]))
        self._end()

    def _feed(self, shard: Stage) -> None:
        shard.feed(self.chance.choice([LIQUIDATIONS] * 9 + [FUNDING]), self.chance.choice(self.schedule.batches))
        if self.schedule.always_restart:
            self._cut(shard)

    def _cut(self, shard: Stage) -> None:
        flush = shard.commit()
        for message in flush.messages:
            (self.sent[shard.unit.partition] if message.topic == SNAPSHOTS else self.messages).append(message)
        ticks = [codec.parse_json(value)["ticks"] for key, value in flush.rows if key == codec.COMMIT and value]
        self.ticks[shard.unit.partition] += [
            (offset or 0, time) for each in ticks for offset, time in each if time is not None
        ]
        if self.schedule.always_restart:
            shard.crash(self.chance)

    def _crash(self, shard: Stage) -> None:
        self.chance.choice([shard, shard, self.exchanges]).crash(self.chance)

    def _idle(self, shard: Stage) -> None:
        """Nothing comes for a while, although more will; only a partition that has a clock can know that."""
        if shard.unit.fold.clock_ms is not None:
            shard.unit.idle(self.chance.choice([1_000, 10_000, 600_000, 3_700_000]))

    # ---------------------------------------------------------------- between the stages

    def _deliver(self, count: int) -> None:
        log = self.exchanges.logs[SNAPSHOTS]
        for _ in range(min(count, sum(map(len, self.sent)))):
            message = self.chance.choice([queue for queue in self.sent if queue]).pop(0)
            log.append(Record(len(log), message.key, message.value, 0))

    def _market(self, count: int) -> None:
        self.exchanges.feed(SNAPSHOTS, count)
        if count and self.chance.random() < 0.4:
            self.messages += self.exchanges.commit().messages
            if self.schedule.always_restart:
                self.exchanges.crash(self.chance)

    def _end(self) -> None:
        for shard in self.shards:
            shard.feed(FUNDING, 10**6)
            if shard.unit.fold.clock_ms is None:
                shard.unit.idle(1_000)
            self._cut(shard)
        self._deliver(10**9)
        self.exchanges.feed(SNAPSHOTS, 10**9)
        self.messages += self.exchanges.commit().messages

    # ---------------------------------------------------------------- what was said

    def rows(self) -> dict[str, Any]:
        """Return ``liquidation-windows`` as compaction leaves it."""
        found: dict[str, Any] = {}
        for message in self.messages:
            if message.topic == WINDOWS:
                found.pop(message.key.decode(), None)
                if message.value is not None:
                    found[message.key.decode()] = reader().read(message.value)
        return found

    def cascades(self) -> list[Any]:
        return [reader().read(message.value) for message in self.messages if message.topic == CASCADES]

    def feeds(self) -> list[Any]:
        return [reader().read(message.value) for message in self.messages if message.topic == FEED_STATUS]

    def dead(self) -> list[tuple[str, str, int, int]]:
        letters = [reader().read(message.value) for message in self.messages if message.topic == DEAD_LETTERS]
        return [(each["reason"], each["topic"], each["partition"], each["offset"]) for each in letters]
