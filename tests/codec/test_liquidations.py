"""What is accepted, what is refused, and that both ways of reading say the same."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from streams.codec import liquidations
from streams.codec.liquidations import COLUMNS_COUNT_MIN, LiquidationDecoder, liquidation_columns
from streams.core.errors import Reason
from streams.core.events import Instrument, Liquidation, PositionSide, PriceKind
from tests.codec.builders import T, avro, batch, liquidation, registry, schema, sliced

BOUND = 5000
YEAR_2010 = 1_262_304_000_000
YEAR_2100 = 4_102_444_800_000


def decode(values, *, decoder=None, **around):
    return (decoder or LiquidationDecoder(registry(), BOUND)).decode(batch(values, **around))


def both(value, **around):
    # Alone it is read one by one; among others, by columns.
    key = around.pop("key", b"BTC")
    alone, alone_refused = decode([value], keys=[key], **around)
    others = COLUMNS_COUNT_MIN
    good = avro(liquidation(event_time=T - 100_000))
    crowd = [*[good] * others, value, *[good] * others]
    keys = [*[b"BTC"] * others, key, *[b"BTC"] * others]
    among, among_refused = decode(crowd, keys=keys, **around)
    again, again_refused = LiquidationDecoder(registry(), BOUND).decode(sliced(batch(crowd, keys=keys, **around)))
    assert among_refused == again_refused
    assert all(np.array_equal(one, other) for one, other in zip(astuple(among), astuple(again), strict=True))
    assert [refused._replace(index=others) for refused in alone_refused] == among_refused
    assert 2 * others + len(alone) == len(among)
    if len(alone):
        at = others
        assert alone.instruments[alone.instrument[0]] == among.instruments[among.instrument[at]]
        for name in ("side", "price", "notional", "event_time_ms", "identity"):
            assert getattr(alone, name)[0] == getattr(among, name)[at]
    return alone_refused


def reason(record, **around):
    refused = both(avro(record), **around)
    return refused[0].reason if refused else None


def test_a_liquidation_becomes_a_row():
    columns, refused = decode([avro(liquidation(position_side="SHORT", price=2.5, quantity=4.0))])

    assert [] == refused
    assert [Instrument("binance", "BTCUSDT", "BTC")] == columns.instruments
    row = (columns.offset[0], columns.side[0], columns.price[0], columns.notional[0], columns.event_time_ms[0])
    assert (1000, 1, 2.5, 10_000_000, T) == row


IMPOSSIBLE = [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, math.nextafter(1e-18, 0.0), 1.1e18, 1.7e308]


@pytest.mark.parametrize("field", ["price", "quantity", "notional_usd"])
@pytest.mark.parametrize("value", IMPOSSIBLE, ids=str)
def test_a_number_that_no_price_and_no_coins_are_is_impossible(field, value):
    assert Reason.IMPOSSIBLE_NUMBER == reason(liquidation(notional_usd=40_000.0) | {field: value})


@pytest.mark.parametrize(("price", "quantity"), [(1e-18, 1e18), (1e18, 1e-18)])
def test_the_least_price_of_the_most_coins_is_possible_and_the_other_way_round(price, quantity):
    assert reason(liquidation(price=price, quantity=quantity)) is None


def test_the_sentence_names_symbol_field_rule_and_value():
    (refused,) = both(avro(liquidation(price=math.nan, notional_usd=1.0)))

    assert "symbol BTCUSDT: price must be a number from 1e-18 to 1e+18, was nan" == refused.detail


@pytest.mark.parametrize(
    ("usd", "expected"), [(10_000_000_000.0, None), (np.nextafter(10_000_000_000.0, math.inf), Reason.ABOVE_CEILING)]
)
def test_ten_billion_is_a_notional_and_the_next_number_is_not(usd, expected):
    assert expected == reason(liquidation(price=100.0, quantity=100_000_000.0, notional_usd=float(usd)))


@pytest.mark.parametrize(
    ("usd", "expected"),
    [(0.000001, None), (0.00000051, None), (0.0000005, Reason.IMPOSSIBLE_NUMBER), (5e-324, Reason.IMPOSSIBLE_NUMBER)],
)
def test_a_notional_must_round_to_a_millionth_of_a_dollar_at_least(usd, expected):
    assert expected == reason(liquidation(price=usd, quantity=1.0))


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(101.0, None), (99.0, None), (101.001, Reason.NOTIONAL_MISMATCH), (98.999, Reason.NOTIONAL_MISMATCH)],
)
def test_a_notional_may_be_one_per_cent_off_and_not_more(quantity, expected):
    assert expected == reason(liquidation(price=1.0, quantity=quantity, notional_usd=100.0))


def test_a_product_far_beyond_a_notional_is_a_mismatch():
    assert Reason.NOTIONAL_MISMATCH == reason(liquidation(price=1e18, quantity=1e18, notional_usd=5.0))


@pytest.mark.parametrize(("field", "partner"), [("event_time", "ingest_time"), ("ingest_time", "event_time")])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (YEAR_2010, None),
        (YEAR_2010 - 1, Reason.IMPOSSIBLE_TIME),
        (YEAR_2100 - 1, None),
        (YEAR_2100, Reason.IMPOSSIBLE_TIME),
        (0, Reason.IMPOSSIBLE_TIME),
        (-(2**63), Reason.IMPOSSIBLE_TIME),
        (2**63 - 1, Reason.IMPOSSIBLE_TIME),
        (T * 1000, Reason.IMPOSSIBLE_TIME),
    ],
)
def test_times_are_between_2010_and_2100(field, partner, value, expected):
    near = min(max(value, YEAR_2010), YEAR_2100 - 1)

    assert expected == reason(liquidation() | {field: value, partner: near}, log_append_time=False)


@pytest.mark.parametrize(("ahead", "expected"), [(BOUND, None), (BOUND + 1, Reason.EVENT_TIME_IN_FUTURE)])
def test_an_event_may_be_ahead_of_its_ingest_time_by_the_bound(ahead, expected):
    assert expected == reason(liquidation(event_time=T + ahead, ingest_time=T), appended=T + 100_000)


@pytest.mark.parametrize(("ahead", "expected"), [(BOUND, None), (BOUND + 1, Reason.EVENT_TIME_IN_FUTURE)])
def test_an_event_may_be_ahead_of_the_brokers_time_by_the_bound(ahead, expected):
    record = liquidation(event_time=T, ingest_time=T)

    assert expected == reason(record, appended=T - ahead)
    if expected is None:
        assert reason(record, appended=T - ahead - 1, log_append_time=False) is None


@pytest.mark.parametrize("key", [None, b"", b"btc", b"BTC ", b"BTC\0", b"BT", b"BTCUSDT"])
def test_the_key_must_be_the_asset(key):
    (refused,) = both(avro(liquidation()), key=key)

    assert Reason.WRONG_KEY == refused.reason
    assert f"symbol BTCUSDT: the key must be the asset b'BTC', was {key!r}" == refused.detail


def test_an_asset_beyond_ascii_is_its_utf_8_bytes():
    assert reason(liquidation(asset="币安人生"), key="币安人生".encode()) is None


def test_an_unknown_side_is_refused():
    assert Reason.UNKNOWN_SIDE == reason(liquidation(position_side="UNKNOWN"))


def test_an_unknown_price_kind_is_a_missing_field():
    assert Reason.MISSING_FIELD == reason(liquidation(price_kind="UNKNOWN"))


@pytest.mark.parametrize("field", ["exchange", "symbol", "asset", "liquidation_id"])
def test_an_empty_text_is_a_missing_field(field):
    assert Reason.MISSING_FIELD == reason(liquidation() | {field: ""}, key=b"BTC")


@pytest.mark.parametrize("field", ["exchange", "symbol", "asset"])
@pytest.mark.parametrize(
    ("length", "expected"), [(100, None), (101, Reason.UNUSABLE_NAME), (5000, Reason.UNUSABLE_NAME)]
)
def test_a_name_has_at_most_a_hundred_bytes(field, length, expected):
    record = liquidation() | {field: "x" * length}

    assert expected == reason(record, key=record["asset"].encode())


def test_a_venue_has_one_name_in_lower_case():
    (refused,) = both(avro(liquidation(exchange="Bybit")))

    assert (Reason.UNUSABLE_NAME, "exchange must be in lower case, was 'Bybit'") == (refused.reason, refused.detail)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 63, 64, 127, 128, 129, 1000])
def test_an_id_may_have_any_length(length):
    assert reason(liquidation(liquidation_id="i" * length)) is None


def test_an_id_may_have_any_characters():
    assert reason(liquidation(liquidation_id="№ 17")) is None


def replaced(old, new):
    return avro(liquidation(exchange="exchange", symbol="SYMBOL", liquidation_id="THE-ID")).replace(old, new)


@pytest.mark.parametrize("name", [b"exchange", b"SYMBOL", b"THE-ID"])
def test_text_that_is_not_utf_8_is_undecodable(name):
    (refused,) = both(replaced(name, name[:-1] + b"\xff"))

    assert Reason.UNDECODABLE == refused.reason
    assert "must be UTF-8" in refused.detail


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "the value must be a record, was null (a tombstone)"),
        (b"", "the value must begin with 0x00 and a schema id, was b''"),
        (b"\0\0\0\1", "the value must begin with 0x00 and a schema id, was b'\\x00\\x00\\x00\\x01'"),
        (b'{"a": 1}', "was b'{\"a\": 1}'; set STREAMS_VALUE_FORMAT=json if it is JSON"),
        (b"\0\0\0\0\1", "the value must be one record of schema 1: it ends early"),
        (avro(liquidation()) + b"\0", "the value must be one record of schema 1: 1 bytes are left over"),
    ],
)
def test_bytes_that_are_no_record_are_undecodable(value, detail):
    (refused,) = both(value)

    assert Reason.UNDECODABLE == refused.reason
    assert refused.detail.endswith(detail)


def test_a_schema_that_is_not_in_the_registry_is_unknown():
    (refused,) = both(avro(liquidation(), schema_id=99))

    assert Reason.UNKNOWN_SCHEMA == refused.reason
    assert "schema 99 must be in the registry, and is not" == refused.detail


def test_a_schema_that_is_none_is_unknown_each_time():
    decoder = LiquidationDecoder(registry(id99="Nonsense"))
    for _ in range(2):
        _, refused = decode([avro(liquidation(), schema_id=99)] * 20, decoder=decoder)

        assert [Reason.UNKNOWN_SCHEMA] * 20 == [each.reason for each in refused]
        assert "schema 99 cannot be used: type Nonsense is not defined" == refused[0].detail


def test_a_value_that_is_no_record_is_undecodable():
    _, refused = decode([b"\0\0\0\0\x63\x02a"], decoder=LiquidationDecoder(registry(id99="string")))

    assert "the value must be a record, was 'a'" == refused[0].detail


def test_the_rest_of_a_batch_is_unharmed_and_in_log_order():
    bad = avro(liquidation(price=-1.0, notional_usd=1.0))
    values = [avro(liquidation(liquidation_id=str(i))) if i % 3 else bad for i in range(30)]
    columns, refused = decode(values)

    assert list(range(0, 30, 3)) == [each.index for each in refused]
    assert [1000 + 2 * i for i in range(30) if i % 3] == columns.offset.tolist()


def test_writers_of_several_schemas_share_a_batch():
    older = schema()
    older["fields"] = list(reversed(older["fields"]))
    decoder = LiquidationDecoder(registry(id50=older))
    values = [
        avro(liquidation(liquidation_id=str(i)), writer=older, schema_id=50)
        if i % 2
        else avro(liquidation(liquidation_id=str(i)))
        for i in range(80)
    ]
    columns, refused = decode([*values, b"junk"], decoder=decoder)
    alone = [decode([value])[0].identity[0] for value in values[::2]]

    assert [80] == [each.index for each in refused]
    assert [1000 + 2 * i for i in range(80)] == columns.offset.tolist()
    assert alone == columns.identity[::2].tolist()
    assert 1 == len(columns.instruments)


def test_a_batch_larger_than_a_chunk_is_read_whole(monkeypatch):
    monkeypatch.setattr(liquidations, "CHUNK_COUNT", 700)
    symbols = [f"S{i}" for i in range(5000)]
    values = [avro(liquidation(symbol=symbol)) for symbol in symbols] * 2
    columns, refused = decode(values)

    assert [] == refused
    assert symbols * 2 == [columns.instruments[code].symbol for code in columns.instrument.tolist()]
    assert 5000 == len(np.unique(columns.identity))


def test_only_the_instruments_of_the_batch_are_listed():
    decoder = LiquidationDecoder(registry())
    decode([avro(liquidation(symbol=f"S{i}")) for i in range(3000)], decoder=decoder)
    for count in (1, 20, 400):
        columns, _ = decode([avro(liquidation(symbol=f"S{i % 300 + 7}")) for i in range(count)], decoder=decoder)

        assert min(count, 300) == len(columns.instruments)
        assert "S7" == columns.instruments[columns.instrument[0]].symbol


def test_liquidations_decoded_elsewhere_become_the_same_columns():
    event = Liquidation(
        Instrument("okx", "ETH-USDT-SWAP", "ETH"), PositionSide.SHORT, 2.0, PriceKind.ORDER, 3.0, 6_000_000, T, T, "é1"
    )
    record = liquidation(
        **event.instrument._asdict(), position_side="SHORT", price=2.0, quantity=3.0, liquidation_id="é1", ingest_time=T
    )
    ours = liquidation_columns(np.array([1000, 1002]), [event, event])
    theirs, _ = decode([avro(record)] * 2, keys=b"ETH")

    assert repr(theirs) == repr(ours)
    assert 0 == len(liquidation_columns(np.zeros(0, np.int64), []))


def test_an_empty_batch_is_empty():
    columns, refused = decode([])

    assert (0, [], []) == (len(columns), columns.instruments, refused)


def test_ids_that_the_registry_has_still_to_be_asked_for_are_named():
    class Waiting:
        def needs(self, schema_id):
            return schema_id != 1

    decoder = LiquidationDecoder(Waiting())

    assert {7} == decoder.unresolved(batch([b"\0\0\0\0\7", b"\0\0\0\0\1", b"x", None]))
    assert set() == LiquidationDecoder(Waiting(), value_format="json").unresolved(batch([b"\0\0\0\0\7"]))
