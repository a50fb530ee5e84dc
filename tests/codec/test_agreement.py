"""Both ways of reading liquidations say the same, whatever comes."""

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from streams.codec.liquidations import LiquidationDecoder
from streams.core.events import micro_usd
from tests.codec.builders import T, avro, batch, liquidation, plain, registry, schema
from tests.codec.schemas import PATIENT, by_avro_python3

NUMBERS = st.one_of(
    st.floats(width=64),
    st.floats(1e-9, 1e11),
    st.sampled_from([0.0, -0.0, 1e10, 5e-7, 1.5e-6, 2.5e-6, math.inf, math.nan, 1.0]),
)
TIMES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(T - 20_000, T + 20_000),
    st.sampled_from([1_262_304_000_000, 1_262_303_999_999, 4_102_444_799_999, 4_102_444_800_000]),
)
TEXTS = st.one_of(st.sampled_from(["BTC", "okx", "A", "é", ""]), st.text(max_size=150))
KEYS = st.one_of(st.none(), st.sampled_from([b"BTC", b"A", "é".encode(), b""]))


@st.composite
def records(draw):
    # Sound ones with up to three fields replaced by anything.
    quantity = draw(st.floats(1e-6, 1e6))
    price = draw(st.floats(1e-6, 1e5))
    record = liquidation(price=price, quantity=quantity, asset=draw(st.sampled_from(["BTC", "A", "é"])))
    record["notional_usd"] = price * quantity * draw(st.sampled_from([1.0, 0.99, 1.01, 1.02, 1 / 0.99]))
    anything = {
        **dict.fromkeys(("price", "quantity", "notional_usd"), NUMBERS),
        **dict.fromkeys(("event_time", "ingest_time"), TIMES),
        **dict.fromkeys(("exchange", "symbol", "asset", "liquidation_id"), TEXTS),
        "position_side": st.sampled_from(["UNKNOWN", "LONG", "SHORT"]),
        "price_kind": st.sampled_from(["UNKNOWN", "AVERAGE_FILL", "BANKRUPTCY", "ORDER"]),
    }
    for field in draw(st.lists(st.sampled_from(sorted(anything)), max_size=3)):
        record[field] = draw(anything[field])
    return record, draw(st.one_of(st.just(record["asset"].encode()), KEYS))


def rows(columns):
    return [
        (columns.instruments[code], *rest)
        for code, *rest in zip(
            columns.instrument.tolist(),
            columns.offset.tolist(),
            columns.side.tolist(),
            columns.price.tolist(),
            columns.notional.tolist(),
            columns.event_time_ms.tolist(),
            columns.identity.tolist(),
            strict=True,
        )
    ]


def apart_and_together(values, keys):
    # A batch is read one by one where it is small: cut it into single records, or repeat it until it is not.
    decoder = LiquidationDecoder(registry(id60=REVERSED))
    whole = batch(values, keys=keys)
    apart, refused = [], []
    for i in range(len(values)):
        one = whole.slice(i)
        one.values, one.keys, one.offsets, one.timestamps = (
            one.values[:1],
            one.keys[:1],
            one.offsets[:1],
            one.timestamps[:1],
        )
        columns, lost = decoder.decode(one)
        apart += rows(columns)
        refused += [each._replace(index=i) for each in lost]
    times = 40 // len(values) + 1
    columns, lost = decoder.decode(batch(values * times, keys=keys * times))
    assert [each._replace(index=each.index + i * len(values)) for i in range(times) for each in refused] == lost
    offset = 2 * len(values)
    assert rows(columns) == [(row[0], row[1] + i * offset, *row[2:]) for i in range(times) for row in apart]


REVERSED = plain(schema())
REVERSED["fields"] = list(reversed(REVERSED["fields"]))


@PATIENT
@given(st.lists(records(), min_size=1, max_size=12), st.booleans())
def test_records_are_judged_the_same_one_by_one_and_by_columns(cases, turned):
    writer = {"writer": REVERSED, "schema_id": 60} if turned else {}

    apart_and_together([avro(record, **writer) for record, _ in cases], [key for _, key in cases])


@PATIENT
@given(st.lists(st.tuples(records(), st.data()), min_size=1, max_size=6), st.booleans())
def test_broken_bytes_are_judged_the_same_one_by_one_and_by_columns(cases, turned):
    writer = {"writer": REVERSED, "schema_id": 60} if turned else {}
    values = [flipped(data, avro(record, **writer)) for (record, _), data in cases]

    apart_and_together(values, [key for (_, key), _ in cases])


def flipped(data, value):
    value = bytearray(value)
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.one_of(st.just(len(value)), st.integers(0, len(value))))
    return bytes(value[:cut]) + data.draw(st.sampled_from([b"", b"", b"\0", b"\xff" * 9]))


@PATIENT
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=12), st.booleans())
def test_any_bytes_at_all_are_refused_in_peace(bodies, headed):
    values = [b"\0\0\0\0\1" + body if headed else body for body in bodies]

    apart_and_together(values, [b"BTC"] * len(values))


@PATIENT
@given(st.floats(1e-5, 1e10))
@example(0.0000025)
@example(9_007_199_254.740993)
@example(1e10)
def test_money_is_rounded_as_the_core_rounds_it(usd):
    columns, refused = LiquidationDecoder(registry()).decode(batch([avro(liquidation(price=usd, quantity=1.0))] * 20))

    assert [] == refused
    assert [micro_usd(usd)] * 20 == columns.notional.tolist()


@PATIENT
@given(st.lists(records(), min_size=1, max_size=3))
def test_the_reference_writer_is_read_like_fastavro(cases):
    records_ = [record for record, _ in cases]
    theirs = [b"\0\0\0\0\1" + by_avro_python3(plain(schema()), record) for record in records_]

    assert theirs == [avro(record) for record in records_]


def test_a_batch_with_every_fault_keeps_its_good_rows():
    good = avro(liquidation())
    values = [good, b"", None, good[:-1], good + b"\0", b"\0\0\0\0\x09" + good[5:], b"{}", good] * 20
    columns, refused = LiquidationDecoder(registry()).decode(batch(values))

    assert 40 == len(columns)
    assert len(values) == len(columns) + len(refused)
    assert (np.diff(columns.offset) > 0).all()
