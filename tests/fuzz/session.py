"""The agents' entry: units fed by bytes, flushed, restored from their own rows, and fed on."""

from __future__ import annotations

from functools import cache
from typing import Any

from streams.codec.encode import VALUE_BYTES_MAX
from streams.codec.liquidations import LiquidationDecoder
from streams.codec.records import RecordDecoder
from streams.core.context_rule import ContextRule
from streams.core.crowding_rule import CrowdingRule
from streams.core.events import MICRO, Scope
from streams.core.feeds import FeedRule
from streams.core.fold import FoldRule
from streams.core.screen import ScreenRule
from streams.settings import Settings
from streams.units.exchanges import Exchanges
from streams.units.shard import DEAD_LETTERS, Codecs, Shard, ShardRule
from streams.units.to_market import SNAPSHOTS
from streams.units.unit import Flush
from tests.fuzz.inputs import KINDS, Frame, batch, frames, registry
from tests.fuzz.targets import LETTER_BYTES_MAX
from tests.simulation.records import encoder, reader
from tests.simulation.world import DESCRIBER

#: Ten of the sales that seeds are made of.
INSTRUMENTS_MAX, REMEMBERED_MAX = 5, 600_000_000 * MICRO
#: What takes days of records is reached by twelve.
CONTEXT = ContextRule(
    returns_count_min=2, spreads_count_min=2, since_count_min=2, history_ms_min=86_400_000, quote_age_ms_max=7_200_000,
    instruments_max=INSTRUMENTS_MAX,
)  # fmt: skip
CROWDING = CrowdingRule(history_days_min=2, history_day_hours_min=1, history_days_max=6)
FEEDS = FeedRule(least=1, unknown=2, days=3, days_least=2, day_least=1, patience=3, exchanges_max=3)
#: Records between two flushes.
SIZES = (1, 2, 4, 12)


@cache
def rules() -> tuple[dict[Scope, Any], ShardRule]:
    settings = Settings.model_construct()
    by_scope = {scope: getattr(settings, f"cascade_{scope.lower()}").rule() for scope in Scope}
    screen = ScreenRule(instruments_max=INSTRUMENTS_MAX, remembered_max=REMEMBERED_MAX)
    return by_scope, ShardRule(FoldRule(screen, by_scope), CROWDING, CONTEXT, unreadable_run_max=10**9)


@cache
def codecs() -> Codecs:
    records = {kind: RecordDecoder(kind, registry()) for kind in KINDS[1:]}  # type: ignore[arg-type]
    return Codecs(LiquidationDecoder(registry()), records, encoder())


def shard() -> Shard:
    return Shard(0, 1, rules()[1], codecs(), DESCRIBER)


def exchanges() -> Exchanges:
    by_scope, rule = rules()
    return Exchanges(by_scope, rule.fold.screen.market_lateness_ms, encoder(), DESCRIBER, feeds=FEEDS)


class Session:
    """Both stages with what Kafka would keep of them."""

    def __init__(self) -> None:
        self.shard, self.exchanges = shard(), exchanges()
        self.rows: dict[bytes, bytes] = {}
        self.market_rows: dict[bytes, bytes] = {}
        self.refused = 0
        self.next = dict.fromkeys(KINDS, 0)
        self.snapshots = 0

    def feed(self, topic: str, given: list[Frame]) -> None:
        first = self.next[topic]
        self.shard.handle(
            batch(topic, [f.value for f in given], [f.key for f in given], [f.stamp for f in given], first)
        )
        self.next[topic] = first + len(given)
        tally = self.shard.tally
        refused = sum(count for (name, _), count in tally.refused.items() if name == topic)
        assert tally.consumed[topic] == tally.aggregated[topic] + tally.duplicates[topic] + refused

    def flush(self, values: dict[tuple[str, int], bytes | None]) -> None:
        flush = self.shard.cut()
        self.written(flush, self.rows)
        for message in flush.messages:
            if message.topic == DEAD_LETTERS:
                record = reader().read(message.value)
                value = values[record["topic"], record["offset"]]
                assert record["value"] == (value if value is None else value[:VALUE_BYTES_MAX])
                self.refused += 1
        reports = [message for message in flush.messages if message.topic == SNAPSHOTS]
        if reports:
            keys, texts = [each.key for each in reports], [each.value for each in reports]
            self.exchanges.handle(batch(SNAPSHOTS, texts, keys, [0] * len(keys), self.snapshots))
            self.snapshots += len(keys)
        self.written(self.exchanges.cut(), self.market_rows)

    @staticmethod
    def written(flush: Flush, rows: dict[bytes, bytes]) -> None:
        for key, value in flush.rows:
            rows.pop(key, None)
            if value is not None:
                rows[key] = value
        sizes = [len(key) + len(value or b"") for key, value in flush.rows]
        sizes += [len(message.key) + len(message.value or b"") for message in flush.messages]
        assert max(sizes) < LETTER_BYTES_MAX, max(sizes)

    def restart(self) -> None:
        """Go on from the rows alone."""
        old, market = self.shard, self.exchanges
        self.shard, self.exchanges = shard(), exchanges()
        self.shard.restore(self.rows)
        self.exchanges.restore(self.market_rows)
        self.shard.tally, self.exchanges.tally = old.tally, market.tally
        assert self.shard.fold.clock_ms == old.fold.clock_ms
        assert self.shard.fold.screen.instruments == old.fold.screen.instruments
        assert len(self.shard.fold.screen.instruments) <= INSTRUMENTS_MAX


def units(data: bytes) -> None:
    """Records of all topics, in batches, with flushes and a restart in between, harm nothing but themselves."""
    if not data:
        return
    session, values = Session(), dict[tuple[str, int], bytes | None]()
    how, given = data[0], frames(data[1:])
    size = SIZES[how & 3]
    groups = range(0, len(given), size)
    for at in groups:
        for topic in KINDS:
            mine = [frame for frame in given[at : at + size] if frame.topic == topic]
            if mine:
                values |= {(topic, session.next[topic] + i): frame.value for i, frame in enumerate(mine)}
                session.feed(topic, mine)
        if how & 4:
            session.shard.idle(1_000 << (how >> 4))
        session.flush(values)
        if how & 8 and at == groups[len(groups) // 2]:
            session.restart()
    assert session.refused == sum(session.shard.tally.refused.values())
