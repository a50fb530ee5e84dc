"""What stage 1 tells of sister streams does not hang on where it was restarted."""

from __future__ import annotations

import numpy as np

from streams.codec import rows as codec
from streams.units.to_market import SNAPSHOTS
from tests.codec.builders import T, avro, batch, liquidation, quote
from tests.fuzz import session

MINUTE_MS = 60_000


def feed(shard, topic, offset, record):
    found = batch([avro(record, topic)], topic=topic)
    found.partition, found.offsets = 0, np.array([offset])
    shard.handle(found)


def flushed(shard, rows):
    """Return the minutes that a flush tells, by venue, and keep its rows."""
    flush = shard.cut()
    rows.update(flush.rows)
    keys = [
        (message.key.partition(b"\x1f")[2], message.value) for message in flush.messages if message.topic == SNAPSHOTS
    ]
    return {key[1:]: codec.parse_json(value) for key, value in keys if key[:1] == b"a"}


def lived(*, restarted, forgetting=()):
    """Let a quote of three minutes ago come behind one of now, of another symbol."""
    shard, rows = session.shard(), {}
    feed(shard, "liquidations", 0, liquidation())
    feed(shard, "quotes", 0, quote(symbol="ETHUSDT", event_time=T - 1_000))
    told = [flushed(shard, rows)]
    if restarted:
        shard = session.shard()
        shard.restore({key: value for key, value in rows.items() if value is not None and key not in forgetting})
    feed(shard, "quotes", 1, quote(event_time=T - 3 * MINUTE_MS))
    return [*told, flushed(shard, rows)]


def test_a_restart_does_not_tell_a_minute_that_was_passed():
    now = (T - 1_000) // MINUTE_MS

    assert [{b"binance": [now]}, {}] == lived(restarted=False) == lived(restarted=True)


def test_state_of_a_version_that_did_not_keep_them_is_taken_up():
    _, again = lived(restarted=True, forgetting={b"n"})

    assert {b"binance": [(T - 3 * MINUTE_MS) // MINUTE_MS]} == again
