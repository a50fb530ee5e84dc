"""Records as a producer would send them; every builder shows only what matters."""

import json
from io import BytesIO
from pathlib import Path

import fastavro
import numpy as np

from streams.codec import wire
from streams.codec.batch import ROOM, RecordBatch, Slices
from streams.codec.registry import FileRegistry

SCHEMAS = Path(__file__).parents[2] / "schemas"
T = 1_769_860_800_000  # 2026-01-31 12:00 UTC
FILES = {
    "liquidations": (1, "liquidation"),
    "funding": (2, "funding"),
    "open-interest": (3, "open-interest"),
    "quotes": (4, "quote"),
    "exchange-flows": (5, "exchange-flow"),
    "dead-letters": (12, "dead-letter"),
}


def schema(topic="liquidations"):
    return json.loads((SCHEMAS / f"{FILES[topic][1]}.avsc").read_text())


def registry(**more):
    schemas = {schema_id: schema(topic) for topic, (schema_id, _) in FILES.items()}
    schemas |= {int(name.removeprefix("id")): extra for name, extra in more.items()}
    return FileRegistry(schemas, {f"{topic}-value": schema_id for topic, (schema_id, _) in FILES.items()})


def times(**fields):
    return {"event_time": T, "ingest_time": T + 50, **fields}


def names(**fields):
    return {"exchange": "binance", "symbol": "BTCUSDT", "asset": "BTC", **fields}


def liquidation(**fields):
    price, quantity = fields.get("price", 80_000.0), fields.get("quantity", 0.5)
    record = {
        "position_side": "LONG",
        "price": price,
        "price_kind": "AVERAGE_FILL",
        "quantity": quantity,
        "notional_usd": price * quantity,
        "liquidation_id": "8829",
    }
    return names() | times() | record | fields


def funding(**fields):
    record = {"funding_rate": 0.0001, "funding_interval_hours": 8.0, "next_funding_time": T + 3_600_000}
    optional = {"predicted_rate": 0.0002, "mark_price": 80_000.0, "open_interest_usd": 5e9}
    return names() | times() | record | optional | fields


def open_interest(**fields):
    return names() | times() | {"open_interest": 90_000.0, "open_interest_usd": 7.2e9} | fields


def quote(**fields):
    record = {"bid_price": 79_999.0, "bid_quantity": 2.0, "ask_price": 80_001.0, "ask_quantity": 3.0}
    return names() | times() | record | {"mark_price": 80_000.0} | fields


def exchange_flow(**fields):
    record = {"asset": "BTC", "exchange": "binance", "inflow": 900.0, "outflow": 300.0, "source": "nodes"}
    return record | times(period_start=T - 3_600_000, period_end=T) | fields


def avro(record, topic="liquidations", *, writer=None, schema_id=None):
    out = BytesIO()
    out.write(wire.header(schema_id or FILES[topic][0]))
    fastavro.schemaless_writer(out, plain(writer or schema(topic)), record)
    return out.getvalue()


def plain(schema):
    # Tests write impossible times, too: fastavro would convert them.
    if isinstance(schema, dict):
        return {name: plain(value) for name, value in schema.items() if name != "logicalType"}
    return [plain(part) for part in schema] if isinstance(schema, list) else schema


def batch(values, *, keys=b"BTC", topic="liquidations", appended=T + 100, log_append_time=True):
    count = len(values)
    keys = keys if isinstance(keys, list) else [keys] * count
    offsets = np.arange(count, dtype=np.int64) * 2 + 1000
    stamps = np.full(count, appended, np.int64)
    return RecordBatch(topic, 3, offsets, keys, values, stamps, log_append_time)


def sliced(given):
    """Return a batch as one that was read without an object for each record: its keys and values lie in its bytes."""
    blob, at = b"", []
    for key, value in zip(given.keys, given.values, strict=True):
        for part in (key, value):
            blob += b"\xff\x81\x01"  # what stands between them is no part of any
            at.append((len(blob), len(blob) + (-1 if part is None else len(part))))
            blob += part or b""
    starts, ends = np.array(at, np.int64).reshape(-1, 2).T
    blob += b"\xff" * ROOM
    keys, values = (Slices(blob, starts[which::2], ends[which::2]) for which in (0, 1))
    around = (given.timestamps, given.log_append_time)
    return RecordBatch(given.topic, given.partition, given.offsets, keys, values, *around)
