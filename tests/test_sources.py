"""What recorded files hold, line by line."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from streams.resources import schema_text
from streams.sources import NUMBERS, TEXTS, TIMES, Sourced, Unreadable, guess_format, milliseconds, read, topic_of

CAPTURES = Path(__file__).parents[1].parent / "shared" / "data" / "binance-forceorder-small"
LINE = "1000PEPE,SELL,LIMIT,IOC,43942,0.0107751,0.0109313,FILLED,8,43942,1718901133106,480.34"

LIQUIDATION: dict[str, Any] = {
    "exchange": "binance",
    "symbol": "BTCUSDT",
    "asset": "BTC",
    "position_side": "LONG",
    "price": 60000.0,
    "price_kind": "AVERAGE_FILL",
    "quantity": 0.5,
    "notional_usd": 30000.0,
    "event_time": 1_718_901_133_106,
    "ingest_time": 1_718_901_133_206,
    "liquidation_id": "a",
}


def read_all(path: Path, form: str | None = None) -> tuple[list[Sourced], list[Unreadable]]:
    refused: list[Unreadable] = []
    chunks = list(read(path, form, refuse=refused.append))
    return [item for chunk in chunks for item in chunk], refused


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


# --- captures of Binance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts", "totals"),
    [
        ("paulius_20250126_20250206", (3_510, 1_837, 0), {"LONG": 2_835_649, "SHORT": 710_714}),
        ("riftfern_20251227_28", (2_045, 2_045, 0), {"LONG": 544_020, "SHORT": 1_507_010}),
        ("bands_20240817", (456, 456, 0), {"LONG": 172_863, "SHORT": 269_448}),
        ("bands_20240818", (385, 385, 0), {"LONG": 89_260, "SHORT": 383_704}),
        ("alejandro_20240620", (101, 101, 1), {"LONG": 7_710, "SHORT": 149_231}),
        ("neoparth_20250623_a", (700, 700, 0), {"LONG": 876_848, "SHORT": 448_743}),
        ("neoparth_20250623_b", (446, 446, 0), {"LONG": 216_770, "SHORT": 1_752_803}),
    ],
)
def test_a_real_capture_gives_its_known_totals_to_the_dollar(
    name: str, counts: tuple[int, int, int], totals: dict[str, int]
) -> None:
    path = CAPTURES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"needs the captures beside the repository: {path.name}")

    found, unreadable = read_all(path, "binance-forceorder-csv")

    sums: dict[str, float] = defaultdict(float)
    by_id = {(item.record["symbol"], item.record["liquidation_id"]): item.record for item in found}
    for record in by_id.values():
        sums[record["position_side"]] += record["notional_usd"]
        assert record["notional_usd"] == pytest.approx(record["price"] * record["quantity"], rel=1e-9)
    assert counts == (len(found), len(by_id), len(unreadable))
    assert totals == {side: round(usd) for side, usd in sums.items()}


def test_an_order_that_sells_closes_a_long_at_its_average_price_in_single_coins(tmp_path: Path) -> None:
    found, _ = read_all(write(tmp_path / "a.csv", LINE), "binance-forceorder-csv")

    record = found[0].record
    assert found[0][:2] == (1, "liquidations")
    assert ("binance", "1000PEPE", "PEPE", "LONG") == (
        record["exchange"],
        record["symbol"],
        record["asset"],
        record["position_side"],
    )
    assert (0.0109313 / 1000, "AVERAGE_FILL", 43_942_000.0) == (
        record["price"],
        record["price_kind"],
        record["quantity"],
    )
    assert 43_942 * 0.0109313 == record["notional_usd"]
    assert 1_718_901_133_106 == record["event_time"] == record["ingest_time"]


def test_without_an_average_price_the_price_is_that_of_the_order(tmp_path: Path) -> None:
    found, _ = read_all(
        write(tmp_path / "a.csv", LINE.replace("0.0109313", "None").replace("SELL", "BUY")), "binance-forceorder-csv"
    )

    record = found[0].record
    assert ("SHORT", "ORDER", 43_942 * 0.0107751) == (
        record["position_side"],
        record["price_kind"],
        record["notional_usd"],
    )


def test_the_same_order_has_the_same_id_whatever_the_collector_reckoned_behind_it(tmp_path: Path) -> None:
    found, _ = read_all(
        write(
            tmp_path / "a.csv",
            LINE,
            LINE + ",3",
            LINE.replace("480.34", "0.00048034"),
            LINE.replace("1718901133106", "1718901133107"),
        ),
        "binance-forceorder-csv",
    )

    first, ranked, reckoned, later = (item.record["liquidation_id"] for item in found)
    assert first == ranked == reckoned != later


def test_a_greeting_before_the_first_symbol_is_taken_off_and_only_there(tmp_path: Path) -> None:
    greeted = LINE.replace("1000PEPE", "Hello Arbitrage Trading BotADA")
    found, _ = read_all(write(tmp_path / "a.csv", greeted, LINE), "binance-forceorder-csv")

    assert ["ADA", "1000PEPE"] == [item.record["symbol"] for item in found]


@pytest.mark.parametrize(
    "bad",
    [
        "<generator object>,175.54",
        LINE.replace("SELL", "HOLD"),
        LINE.replace("1000PEPE", "BTCUSD_PERP"),
        LINE.replace("1000PEPE", "BTCUSD_260327"),
        LINE + ",1,2",
        LINE.replace("43942,17189", "x,17189"),
    ],
)
def test_a_line_that_is_no_order_is_refused_with_its_number(tmp_path: Path, bad: str) -> None:
    found, refused = read_all(write(tmp_path / "a.csv", LINE, "", bad, LINE), "binance-forceorder-csv")

    assert ([1, 4], [3]) == ([item.number for item in found], [line.number for line in refused])


BURSTS = CAPTURES.parent / "binance-liq-bursts-202301" / "liqs.csv.gz"
BURST = "1000SHIBUSDT,36000.5,BUY,21,0.01,2023-01-14 05:30:00.250999+05:30"


def test_a_burst_is_one_liquidation_without_a_price_that_means_anything(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "s,liq_amount,S,q,funding_rate,time", BURST)
    found, refused = read_all(path, "binance-bursts-csv")

    ((number, _, record),) = found
    assert ([], 2, "SHIB", "SHORT") == (refused, number, record["asset"], record["position_side"])
    assert (1.0, 36_000.5, 36_000.5) == (record["price"], record["quantity"], record["notional_usd"])
    assert milliseconds(datetime(2023, 1, 14, 0, 0, 0, 250_999, tzinfo=UTC)) == record["event_time"]


@pytest.mark.parametrize(
    "bad", ["BTCUSDT,1,BUY", BURST.replace("BUY", "HOLD"), BURST[:-6], BURST.replace("36000.5", "x")]
)
def test_a_line_that_is_no_burst_is_refused_with_its_number(tmp_path: Path, bad: str) -> None:
    found, refused = read_all(write(tmp_path / "a.csv", "header", BURST, bad, BURST), "binance-bursts-csv")

    assert ([2, 4], [3]) == ([item.number for item in found], [line.number for line in refused])


def test_the_bursts_of_january_2023_have_their_known_totals() -> None:
    if not BURSTS.exists():
        pytest.skip(f"needs the captures beside the repository: {BURSTS.parent.name}")

    found, refused = read_all(BURSTS, "binance-bursts-csv")

    midnight = milliseconds(datetime(2023, 1, 14, tzinfo=UTC))
    hour = [i.record["notional_usd"] for i in found if 0 <= i.record["event_time"] - midnight < 3_600_000]
    assert ([], 12_076, 757, 63_342_357) == (refused, len(found), len(hour), round(sum(hour)))
    assert 12_076 == len({(item.record["symbol"], item.record["liquidation_id"]) for item in found})


# --- CSV with a header, JSONL, Avro --------------------------------------------------------------------------------


def csv_lines(*records: dict[str, Any]) -> list[str]:
    return [",".join(records[0]), *(",".join("" if v is None else str(v) for v in r.values()) for r in records)]


def test_a_csv_with_a_header_gives_typed_fields_and_none_for_what_is_empty(tmp_path: Path) -> None:
    record = {**LIQUIDATION, "event_time": "2024-06-20T16:32:13.106Z", "quantity": None}
    found, refused = read_all(write(tmp_path / "a.csv", *csv_lines(record)))

    assert ([Sourced(2, "liquidations", {**LIQUIDATION, "quantity": None})], []) == (found, refused)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("binance,1", "must have the 3 fields of the header, had 2"),
        ("binance,x,1", "funding_rate must be a number, was 'x'"),
        ("binance,1,2024-06-20T16:32:13", "ISO 8601 with its zone"),
        ("binance,1,soon", "ISO 8601 with its zone"),
    ],
)
def test_a_csv_line_that_does_not_fit_is_refused_with_its_number(tmp_path: Path, line: str, detail: str) -> None:
    path = write(tmp_path / "a.csv", "exchange,funding_rate,event_time", "binance,0.0001,5", line, "okx,0.0001,6")
    found, refused = read_all(path)

    assert ([2, 4], [3]) == ([item.number for item in found], [item.number for item in refused])
    assert detail in refused[0].detail


def test_a_csv_header_may_be_in_capitals_and_have_columns_of_its_own(tmp_path: Path) -> None:
    header, line = csv_lines(LIQUIDATION)
    found, refused = read_all(write(tmp_path / "a.csv", f"Order_Type, {header.upper()}", f"LIMIT,{line}"))

    assert ([Sourced(2, "liquidations", LIQUIDATION)], []) == (found, refused)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_header_that_no_line_can_fit_is_refused_once(tmp_path: Path, separator: str) -> None:
    lines = [line.replace(",", separator) for line in csv_lines(LIQUIDATION, LIQUIDATION)]
    found, refused = read_all(write(tmp_path / "a.csv", *lines))

    assert ([], [1]) == (found, [item.number for item in refused])
    assert "the header must be names separated by commas" in refused[0].detail


def test_jsonl_may_name_the_topic_and_keeps_unknown_fields(tmp_path: Path) -> None:
    lines = [
        json.dumps({**LIQUIDATION, "note": 1}),
        json.dumps({"topic": "funding", "event_time": 5.0, "next_funding_time": None}),
        "[1]",
        "{",
        json.dumps({"exchange": "okx"}),
    ]
    found, refused = read_all(write(tmp_path / "a.jsonl", *lines))

    assert [
        Sourced(1, "liquidations", {**LIQUIDATION, "note": 1}),
        Sourced(2, "funding", {"event_time": 5, "next_funding_time": None}),
    ] == found
    assert [3, 4, 5] == [item.number for item in refused]


@pytest.mark.parametrize("bad", ["[" * 100_000, "\x00[", '{"a":' * 50_000])
def test_json_that_is_deeper_than_it_can_be_read_costs_only_its_line(tmp_path: Path, bad: str) -> None:
    found, refused = read_all(
        write(tmp_path / "a.jsonl", "\ufeff" + json.dumps(LIQUIDATION), bad, json.dumps(LIQUIDATION))
    )

    assert ([1, 3], [2]) == ([item.number for item in found], [item.number for item in refused])


@pytest.mark.parametrize("bad", ["bin\rance,0.0001,5", f"{'x' * 140_000},0.0001,5"])
def test_csv_that_its_reader_gives_up_costs_only_its_line(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"exchange,funding_rate,event_time\n{bad}\nokx,0.0001,6\n".encode())
    found, refused = read_all(path)
    nothing, header = read_all(write(tmp_path / "b.csv", f"{'x' * 140_000},b", "1,2"))

    assert ([3], [2]) == ([item.number for item in found], [item.number for item in refused])
    assert ([], [1]) == (nothing, [item.number for item in header])


def test_bytes_that_are_no_text_cost_only_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe\n" + json.dumps(LIQUIDATION).encode() + b"\n")
    found, refused = read_all(path)

    assert ([2], [1]) == ([item.number for item in found], [item.number for item in refused])


def avro_file(path: Path, records: list[dict[str, Any]], codec: str = "null", kind: str = "timestamp-millis") -> Path:
    time = {"type": "long", "logicalType": kind}
    kinds = {"price": "double", "quantity": "double", "notional_usd": "double", "event_time": time, "ingest_time": time}
    fields = [{"name": name, "type": kinds.get(name, "string")} for name in records[0]]
    schema = fastavro.parse_schema({"type": "record", "name": "Any", "fields": fields})
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, codec=codec, sync_interval=1)
    return path


@pytest.mark.parametrize("kind", ["timestamp-millis", "local-timestamp-millis"])
def test_an_avro_container_gives_times_as_milliseconds(tmp_path: Path, kind: str) -> None:
    found, refused = read_all(avro_file(tmp_path / "a.avro", [LIQUIDATION, LIQUIDATION], "deflate", kind))

    assert ([Sourced(1, "liquidations", LIQUIDATION), Sourced(2, "liquidations", LIQUIDATION)], []) == (found, refused)


def test_an_avro_container_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    path = avro_file(tmp_path / "a.avro", [LIQUIDATION] * 3)
    path.write_bytes(path.read_bytes()[:-30])
    found, refused = read_all(path)

    assert ([1, 2], [3]) == ([item.number for item in found], [item.number for item in refused])


def test_a_time_that_no_calendar_has_costs_the_rest_of_its_container(tmp_path: Path) -> None:
    micros = {**LIQUIDATION, "event_time": LIQUIDATION["event_time"] * 1_000}
    found, refused = read_all(avro_file(tmp_path / "a.avro", [LIQUIDATION, micros, LIQUIDATION]))

    assert [1] == [item.number for item in found]
    assert (2, True) == (refused[0].number, "the rest of the container cannot be read" in refused[0].detail)


def test_an_avro_record_of_no_known_topic_is_refused(tmp_path: Path) -> None:
    _, refused = read_all(avro_file(tmp_path / "a.avro", [{"exchange": "okx"}]))

    assert [1] == [item.number for item in refused]


@pytest.mark.parametrize("content", [b"", b"no container"])
def test_a_file_that_is_no_avro_container_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.avro"
    path.write_bytes(content)

    assert [1] == [item.number for item in read_all(path)[1]]


def test_every_field_of_an_input_is_a_text_a_time_or_a_number() -> None:
    files = [f"{name}.avsc" for name in ("liquidation", "funding", "open-interest", "quote", "exchange-flow")]
    fields = {field["name"] for file in files for field in json.loads(schema_text(file))["fields"]}

    assert fields == (TEXTS | TIMES | NUMBERS) - {"topic"}
    assert len(TEXTS) + len(TIMES) + len(NUMBERS) == len(TEXTS | TIMES | NUMBERS)


# --- chunks, packing, names ----------------------------------------------------------------------------------------


def test_chunks_are_no_longer_than_asked_for_and_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *[json.dumps(LIQUIDATION)] * 5)
    seen: list[int] = []
    chunks = list(read(path, refuse=pytest.fail, progress=seen.append, chunk=2))

    assert [2, 2, 1] == [len(chunk) for chunk in chunks]
    assert path.stat().st_size == seen[-1]


def test_a_packed_file_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(json.dumps({**LIQUIDATION, "price": n}).encode() + b"\n" for n in range(2_000)))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    found, refused = read_all(path)

    assert 0 < len(found) < 2_000
    assert "the file ends in the middle" in refused[-1].detail


@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", "csv"), ("a.b.csv.gz", "csv"), ("a.ndjson", "jsonl"), ("a.avro", "avro")]
)
def test_the_format_is_read_off_the_name(name: str, form: str) -> None:
    assert form == guess_format(Path(name))


def test_a_name_that_promises_no_format_is_refused_with_the_formats() -> None:
    with pytest.raises(ValueError, match=r"--format must be given for a\.txt: one of csv, jsonl"):
        guess_format(Path("a.txt"))


@pytest.mark.parametrize(
    ("field", "topic"),
    [
        ("liquidation_id", "liquidations"),
        ("funding_rate", "funding"),
        ("bid_price", "quotes"),
        ("inflow", "exchange-flows"),
        ("open_interest", "open-interest"),
    ],
)
def test_a_topic_is_told_by_the_field_that_only_it_has(field: str, topic: str) -> None:
    assert topic == topic_of({field: 1, "open_interest_usd": 2})


def test_a_moment_is_exact_to_the_millisecond() -> None:
    assert 1_718_901_133_106 == milliseconds(datetime(2024, 6, 20, 16, 32, 13, 106_999, tzinfo=UTC))
