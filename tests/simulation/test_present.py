"""Of which exchanges a row of the market speaks."""

import numpy as np

from streams.codec import rows as codec
from streams.core.cascade import CascadeRule
from streams.core.cells import Cells
from streams.core.events import Scope
from streams.units.exchanges import Exchanges
from streams.units.to_market import SNAPSHOTS
from tests.simulation.generate import T0
from tests.simulation.records import Record, batch_of, encoder, reader
from tests.simulation.world import DESCRIBER

MINUTE = T0 // 60_000


def growth(exchange, minute):
    sums, one = np.array([[1_000_000, 0, 1, 0]]), np.array([1])
    return b"\x1fg0", codec.growth_row([exchange], Cells(one, one * minute * 60, sums, sums[:, 0]))


def market_row(*messages):
    unit = Exchanges({scope: CascadeRule(10**18) for scope in Scope}, 5_000, encoder(), DESCRIBER)
    unit.handle(batch_of(SNAPSHOTS, 0, [Record(offset, *message, 0) for offset, message in enumerate(messages)]))
    values = {message.key: message.value for message in unit.cut().messages}
    return reader().read(values[b"MARKET|ALL"])


def test_an_exchange_that_is_ahead_of_the_markets_clock_is_not_yet_part_of_it():
    clock = (b"\x1fw0", codec.watermark_row(T0 + 60_000, 1))
    row = market_row(growth("bybit", MINUTE), growth("okx", MINUTE + 5), clock)

    coverage = {each["exchange"]: each["coverage"] for each in row["coverage"]}
    assert {"bybit": "FULL", "okx": "ABSENT"} == {name: coverage[name] for name in ("bybit", "okx")}


def test_what_another_application_says_on_the_same_topic_is_not_ours():
    clock = (b"\x1fw0", codec.watermark_row(T0 + 60_000, 1))
    _, theirs = growth("okx", MINUTE)
    row = market_row(growth("bybit", MINUTE), (b"other\x1fg0", theirs), (b"other\x1fw0", clock[1]), clock)

    assert 1.0 == row["windows"][-1]["long_usd"]
