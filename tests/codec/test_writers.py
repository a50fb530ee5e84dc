"""What the schema of another writer may have otherwise, and that both ways of reading say the same of it."""

import pytest

from streams.codec.liquidations import LiquidationDecoder
from streams.core.errors import Reason
from tests.codec.builders import T, avro, liquidation, plain, registry, schema
from tests.codec.test_liquidations import decode


@pytest.mark.parametrize("count", [1, 40])
def test_fields_may_be_nullable_wider_narrower_or_more(count):
    other = plain(schema())
    changes = {
        "price": "float",
        "quantity": ["null", "double"],
        "event_time": ["long", "null"],
        "asset": ["string"],
        "position_side": ["null", next(f["type"] for f in other["fields"] if f["name"] == "position_side")],
    }
    for part in other["fields"]:
        part["type"] = changes.get(part["name"], part["type"])
    other["fields"].insert(2, {"name": "note", "type": ["null", "string"]})
    writer = {**other, "name": "Theirs", "namespace": "else.where"}
    decoder = LiquidationDecoder(registry(id51=writer))
    good = avro(liquidation(price=0.5, note="x"), writer=writer, schema_id=51)
    null = avro(liquidation(price=0.5, note=None) | {"quantity": None}, writer=writer, schema_id=51)
    columns, refused = decode([good] * count + [null], decoder=decoder)

    assert [0.5] * count == columns.price.tolist()
    assert [(count, Reason.MISSING_FIELD, "symbol BTCUSDT: quantity is missing")] == refused


@pytest.mark.parametrize(
    ("field", "kind", "value", "expected"),
    [
        ("price", "long", 3, None),
        ("price", "string", "3.0", Reason.IMPOSSIBLE_NUMBER),
        ("position_side", "string", "LONG", None),
        ("position_side", "long", 1, Reason.UNKNOWN_SIDE),
        ("price_kind", "long", 1, Reason.MISSING_FIELD),
        ("event_time", "double", 1.5, Reason.IMPOSSIBLE_TIME),
        ("event_time", "double", float(T), None),
        ("liquidation_id", "null", None, Reason.MISSING_FIELD),
        ("extra", {"type": "array", "items": "long"}, [1, 2], None),
        ("extra", {"type": "map", "values": "null"}, {"a": None}, None),
    ],
)
def test_what_columns_cannot_hold_is_read_one_by_one(field, kind, value, expected):
    writer = plain(schema())
    writer["fields"] = [part for part in writer["fields"] if part["name"] != field] + [{"name": field, "type": kind}]
    record = liquidation(price=3.0, quantity=1.0) | {field: value}
    decoder = LiquidationDecoder(registry(id52=writer))
    columns, refused = decode([avro(record, writer=writer, schema_id=52)] * 20, decoder=decoder)

    assert (0 if expected else 20, [expected] * 20 if expected else []) == (len(columns), [r.reason for r in refused])


@pytest.mark.parametrize("kind", ["bytes", ["null", "bytes"]], ids=str)
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("exchange", b"okx", None),
        ("symbol", "é".encode(), None),
        ("asset", b"BTC", None),
        ("liquidation_id", b"17", None),
        ("liquidation_id", "№ 17".encode(), None),
        ("exchange", b"", Reason.MISSING_FIELD),
        ("exchange", b"OKX", Reason.UNUSABLE_NAME),
        ("symbol", b"\xff", Reason.UNDECODABLE),
        ("liquidation_id", b"\xff", Reason.UNDECODABLE),
    ],
)
def test_a_text_may_be_written_as_bytes(field, value, expected, kind):
    writer = plain(schema())
    writer["fields"] = [{**part, "type": kind if part["name"] == field else part["type"]} for part in writer["fields"]]
    given = avro(liquidation() | {field: value}, writer=writer, schema_id=54)
    alone, refused = decode([given], decoder=LiquidationDecoder(registry(id54=writer)))
    among, all_refused = decode([given] * 20, decoder=LiquidationDecoder(registry(id54=writer)))
    as_text, _ = decode([avro(liquidation() | {field: value.decode(errors="replace")})])

    assert [expected] * 20 == ([each.reason for each in all_refused] or [None] * 20)
    assert [(0, *each[1:]) for each in all_refused] == 20 * refused
    if expected is None:
        assert [as_text.identity[0]] * 21 == [*alone.identity, *among.identity]
        assert as_text.instruments == alone.instruments == among.instruments


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize(("unit", "per"), [("millis", 1), ("micros", 1_000), ("nanos", 1_000_000)])
def test_a_finer_time_is_cut_to_milliseconds(unit, per, optional, count):
    finer = {"type": "long", "logicalType": f"timestamp-{unit}"}
    writer = schema()
    for part in writer["fields"]:
        if part["name"] in {"event_time", "ingest_time"}:
            part["type"] = ["null", finer] if optional else finer
    times = [T * per - 1, T * per, T * per + per - 1]
    values = [avro(liquidation(event_time=t, ingest_time=t), writer=writer, schema_id=55) for t in times * count]
    columns, refused = decode(values, decoder=LiquidationDecoder(registry(id55=writer)))

    assert [] == refused
    assert [T - 1, T, T] * count == columns.event_time_ms.tolist()


@pytest.mark.parametrize("field", ["exchange", "price", "price_kind", "position_side", "ingest_time"])
def test_a_field_that_the_writer_does_not_have_is_missing(field):
    writer = plain(schema())
    writer["fields"] = [part for part in writer["fields"] if part["name"] != field]
    decoder = LiquidationDecoder(registry(id53=writer))
    _, refused = decode([avro(liquidation(), writer=writer, schema_id=53)] * 20, decoder=decoder)

    expected = Reason.UNKNOWN_SIDE if field == "position_side" else Reason.MISSING_FIELD
    assert [expected] * 20 == [each.reason for each in refused]
    assert field in refused[0].detail
