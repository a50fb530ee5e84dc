import json
import math

import pytest

from streams.codec.records import RecordDecoder
from streams.core.errors import Reason
from streams.core.events import ExchangeFlow, Funding, Instrument, OpenInterest, Quote
from tests.codec.builders import T, avro, batch, exchange_flow, funding, open_interest, quote, registry

BTC = Instrument("binance", "BTCUSDT", "BTC")
TINY, HUGE = math.nextafter(1e-18, 0.0), math.nextafter(1e18, math.inf)
MAKE = {"funding": funding, "open-interest": open_interest, "quotes": quote, "exchange-flows": exchange_flow}


def decode(topic, record, key=b"BTC", **around):
    value = avro(record, topic)
    return RecordDecoder(topic, registry()).decode(batch([value], keys=[key], topic=topic, **around))


def reason(topic, **fields):
    events, refused = decode(topic, MAKE[topic](**fields))
    assert 1 == len(events) + len(refused)
    return refused[0].reason if refused else None


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("funding", Funding(BTC, 0.0001, 8.0, T + 3_600_000, 0.0002, 80_000.0, 5e9, T, T + 50)),
        ("open-interest", OpenInterest(BTC, 90_000.0, 7.2e9, T, T + 50)),
        ("quotes", Quote(BTC, 79_999.0, 2.0, 80_001.0, 3.0, 80_000.0, T, T + 50)),
        ("exchange-flows", ExchangeFlow("BTC", "binance", 900.0, 300.0, T - 3_600_000, T, "nodes", T, T + 50)),
    ],
)
def test_a_record_becomes_an_event(topic, expected):
    assert ([(0, expected)], []) == decode(topic, MAKE[topic]())
    value = json.dumps(MAKE[topic]()).encode()
    decoder = RecordDecoder(topic, registry(), value_format="json")
    assert ([(0, expected)], []) == decoder.decode(batch([value]))


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        ("funding", ["next_funding_time", "predicted_rate", "mark_price", "open_interest_usd"]),
        ("open-interest", ["open_interest_usd"]),
        ("quotes", ["mark_price"]),
    ],
)
def test_optional_fields_may_be_null_or_not_there(topic, fields):
    record = MAKE[topic](**dict.fromkeys(fields))
    ((_, event),), _ = decode(topic, record)
    lacking = {name: value for name, value in record.items() if name not in fields}
    decoder = RecordDecoder(topic, registry(), value_format="json")

    assert [(0, event)] == decoder.decode(batch([json.dumps(lacking).encode()]))[0]


@pytest.mark.parametrize(
    ("topic", "field", "possible", "impossible"),
    [
        ("funding", "funding_rate", [0.0, -0.03, 5e-324], [math.nan, math.inf, -math.inf, HUGE, -HUGE]),
        ("funding", "predicted_rate", [0.0, -1e18, 1e18], [math.nan, math.inf, HUGE, -HUGE]),
        (
            "funding",
            "funding_interval_hours",
            [1e-3, 1.0, 8.0, 24.0],
            [0.0, 9e-4, -8.0, math.nextafter(24.0, 25.0), math.nan],
        ),
        ("funding", "mark_price", [1e-18, 1e18], [0.0, -1.0, math.nan, math.inf, TINY, HUGE]),
        ("funding", "open_interest_usd", [0.0, 1e-18], [-1e-9, math.nan, math.inf, TINY, HUGE]),
        ("open-interest", "open_interest", [0.0, 1e-18, 1e18], [-1e-9, math.nan, math.inf, TINY, HUGE]),
        ("open-interest", "open_interest_usd", [0.0, 1e-18, 1e18], [-1e-9, math.nan, math.inf, TINY, HUGE]),
        ("quotes", "bid_price", [80_001.0, 1e-18], [80_001.5, 0.0, -1.0, math.nan, math.inf, TINY]),
        ("quotes", "ask_price", [79_999.0, 1e18], [79_998.5, 0.0, -1.0, math.nan, math.inf, HUGE]),
        ("quotes", "bid_quantity", [0.0, 1e-18, 1e18], [-1.0, math.nan, math.inf, TINY, HUGE]),
        ("quotes", "ask_quantity", [0.0, 1e-18, 1e18], [-1.0, math.nan, math.inf, TINY, HUGE]),
        ("quotes", "mark_price", [1e-18, 1e18], [0.0, -1.0, math.nan, TINY, HUGE]),
        ("exchange-flows", "inflow", [0.0, 1e-18, 1e18], [-1.0, math.nan, math.inf, TINY, HUGE]),
        ("exchange-flows", "outflow", [0.0, 1e-18, 1e18], [-1.0, math.nan, math.inf, TINY, HUGE]),
    ],
)
def test_numbers_are_checked_at_their_edges(topic, field, possible, impossible):
    assert [None] * len(possible) == [reason(topic, **{field: value}) for value in possible]
    expected = [Reason.IMPOSSIBLE_NUMBER] * len(impossible)
    assert expected == [reason(topic, **{field: value}) for value in impossible]


@pytest.mark.parametrize(
    ("field", "possible", "impossible"),
    [("funding_rate", [1.0, -1.0], [1.001, -1.001, 1e18]), ("open_interest_usd", [1e15], [1.001e15, 1e18])],
)
def test_funding_is_refused_above_what_its_numbers_can_hold(field, possible, impossible):
    assert [None] * len(possible) == [reason("funding", **{field: value}) for value in possible]
    assert [Reason.ABOVE_CEILING] * len(impossible) == [reason("funding", **{field: value}) for value in impossible]


@pytest.mark.parametrize("mark", ["|", "\0", "\x1f", "\x7f", "\x9f", "\u2028", "\u202e", "\u2066"])
@pytest.mark.parametrize("topic", sorted(MAKE))
def test_a_name_has_nothing_that_ends_a_key_or_turns_a_line(topic, mark):
    assert Reason.UNUSABLE_NAME == reason(topic, exchange=f"a{mark}b")


@pytest.mark.parametrize("topic", sorted(MAKE))
def test_what_all_records_share_is_checked_in_all(topic):
    assert Reason.MISSING_FIELD == reason(topic, exchange="")
    assert Reason.UNUSABLE_NAME == reason(topic, exchange="x" * 101)
    assert Reason.IMPOSSIBLE_TIME == reason(topic, event_time=T * 1000)
    assert reason(topic, event_time=T + 5050) is None
    assert Reason.EVENT_TIME_IN_FUTURE == reason(topic, event_time=T + 5051)
    assert Reason.WRONG_KEY == decode(topic, MAKE[topic](), key=b"ETH")[1][0].reason
    assert Reason.EVENT_TIME_IN_FUTURE == decode(topic, MAKE[topic](), appended=T - 5001)[1][0].reason
    assert [] == decode(topic, MAKE[topic](), appended=T - 5000)[1]


def test_funding_may_be_of_any_age():
    assert reason("funding", event_time=T - 10 * 365 * 86_400_000) is None


def test_a_next_funding_time_is_a_time():
    assert Reason.IMPOSSIBLE_TIME == reason("funding", next_funding_time=0)


@pytest.mark.parametrize(("start", "expected"), [(T - 1, None), (T, Reason.IMPOSSIBLE_TIME)])
def test_a_period_ends_after_it_starts(start, expected):
    assert expected == reason("exchange-flows", period_start=start)


@pytest.mark.parametrize(("end", "expected"), [(T + 5_000, None), (T + 5_001, Reason.EVENT_TIME_IN_FUTURE)])
def test_a_period_has_ended_when_its_figure_is_known(end, expected):
    assert expected == reason("exchange-flows", period_end=end)


def test_a_flow_needs_a_source():
    (refused,) = decode("exchange-flows", exchange_flow(source=""))[1]

    assert "asset BTC on binance: source must be a text that is not empty, was ''" == refused.detail


def test_a_refused_record_has_its_index():
    values = [avro(funding(), "funding"), b"junk", avro(funding(funding_rate=math.nan), "funding")]
    events, refused = RecordDecoder("funding", registry()).decode(batch(values))

    assert [0] == [index for index, _ in events]
    assert [(1, Reason.UNDECODABLE), (2, Reason.IMPOSSIBLE_NUMBER)] == [each[:2] for each in refused]


def test_ids_to_be_asked_for_are_named():
    assert set() == RecordDecoder("quotes", registry()).unresolved(batch([b"\0\0\0\0\7"]))


def from_json(text, topic="funding"):
    value = text if isinstance(text, bytes) else text.encode()
    events, refused = RecordDecoder(topic, registry(), value_format="json").decode(batch([value]))
    return refused[0] if refused else events[0][1]


def test_json_may_have_whole_numbers_and_fields_that_nobody_knows():
    event = from_json(json.dumps(funding(funding_rate=0, mark_price=80_000, extra={"a": [1]})))

    assert (0.0, 80_000.0) == (event.funding_rate, event.mark_price)
    assert float is type(event.funding_rate)


def test_json_may_have_a_whole_time_as_a_float():
    event = from_json(json.dumps(funding(event_time=float(T), next_funding_time=T + 3.6e6)))

    assert (T, T + 3_600_000) == (event.event_time_ms, event.next_funding_time_ms)
    assert int is type(event.event_time_ms)


@pytest.mark.parametrize(
    ("text", "why", "detail"),
    [
        (b"\xff", Reason.UNDECODABLE, "the value must be a JSON object: UnicodeDecodeError, was b'\\xff'"),
        ("{", Reason.UNDECODABLE, "the value must be a JSON object: JSONDecodeError, was b'{'"),
        ("[1]", Reason.UNDECODABLE, "the value must be a record, was [1]"),
        ("[" * 100_000, Reason.UNDECODABLE, "the value must be a JSON object: RecursionError, was b'["),
        ("1" * 5000, Reason.UNDECODABLE, "the value must be a JSON object: ValueError, was b'11"),
        (json.dumps(funding(exchange=5)), Reason.MISSING_FIELD, "exchange must be a text that is not empty, was 5"),
        (json.dumps(funding(symbol="\ud800")), Reason.UNDECODABLE, "symbol must be UTF-8, was '\\ud800'"),
        (json.dumps(funding(funding_rate=math.nan)), Reason.IMPOSSIBLE_NUMBER, "was nan"),
        (json.dumps(funding(funding_rate="0.1")), Reason.IMPOSSIBLE_NUMBER, "must be a number, was '0.1'"),
        (json.dumps(funding(funding_rate=True)), Reason.IMPOSSIBLE_NUMBER, "must be a number, was True"),
        (json.dumps(funding(funding_rate=10**400)), Reason.IMPOSSIBLE_NUMBER, "must be a number, was 1000"),
        (json.dumps(funding(funding_rate=None)), Reason.MISSING_FIELD, "funding_rate is missing"),
        (json.dumps(funding(event_time=1.5)), Reason.IMPOSSIBLE_TIME, "2010 and 2100, was 1.5"),
        (json.dumps(funding(event_time=math.inf)), Reason.IMPOSSIBLE_TIME, "was inf"),
        (json.dumps(funding(event_time=1e300)), Reason.IMPOSSIBLE_TIME, "was 1e+300"),
        (json.dumps(funding(event_time=True)), Reason.IMPOSSIBLE_TIME, "was True"),
        (json.dumps(funding(event_time=None)), Reason.MISSING_FIELD, "event_time is missing"),
    ],
)
def test_json_is_checked_like_avro(text, why, detail):
    refused = from_json(text)

    assert why == refused.reason
    assert detail in refused.detail
    assert len(refused.detail) < 250
