"""Of which exchanges a row of the market speaks."""

from streams.codec import rows as codec
from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.core.minutes import Snapshot
from streams.units.exchanges import Exchanges
from streams.units.shard import SNAPSHOTS
from tests.simulation.generate import T0
from tests.simulation.records import Record, batch_of, encoder, reader
from tests.simulation.world import DESCRIBER

MINUTE = T0 // 60_000


def snapshot(exchange, minute):
    seconds = {0: [1_000_000, 0, 1, 0, 1_000_000]}
    found = Snapshot(0, exchange, minute, seconds, seconds, {})
    return codec.snapshot_key(*found[:3]), codec.snapshot_row(found)


def market_row(*messages):
    unit = Exchanges({scope: CascadeRule(10**18) for scope in Scope}, 5_000, encoder(), DESCRIBER)
    unit.handle(batch_of(SNAPSHOTS, 0, [Record(offset, *message, 0) for offset, message in enumerate(messages)]))
    values = {message.key: message.value for message in unit.cut().messages}
    return reader().read(values[b"MARKET|ALL"])


def test_an_exchange_that_is_ahead_of_the_markets_clock_is_not_yet_part_of_it():
    clock = (b"w0", codec.watermark_row(T0 + 60_000, 1))
    row = market_row(snapshot("bybit", MINUTE), snapshot("okx", MINUTE + 5), clock)

    coverage = {each["exchange"]: each["coverage"] for each in row["coverage"]}
    assert {"bybit": "FULL", "okx": "ABSENT"} == {name: coverage[name] for name in ("bybit", "okx")}
