"""What a recorded file holds, as wire records in the order of the file.

Five formats: CSV with a header of field names, JSONL, Avro object containers,
bare captures of Binance's ``!forceOrder@arr``, and bursts that a collector has
summed from it. A name that ends in ``.gz`` is unpacked on the way. Whether a
record is *possible* is the codec's question; a line that is no record at all
is refused here, with its number.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import fastavro

from streams import binance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FORMATS: Final = ("csv", "jsonl", "avro", "binance-forceorder-csv", "binance-bursts-csv")

#: What whoever reads the result has to know of a format.
CAVEATS: Final = {"binance-bursts-csv": binance.BURSTS_CAVEAT}

#: The field that only records of this topic have.
TELLING_FIELDS: Final = {
    "liquidation_id": "liquidations",
    "funding_rate": "funding",
    "bid_price": "quotes",
    "inflow": "exchange-flows",
    "open_interest": "open-interest",
}
TEXTS: Final = frozenset(
    {"exchange", "symbol", "asset", "position_side", "price_kind", "liquidation_id", "source", "topic"}
)
TIMES: Final = frozenset({"event_time", "ingest_time", "next_funding_time", "period_start", "period_end"})
NUMBERS: Final = frozenset(
    {
        *("price", "quantity", "notional_usd", "bid_price", "bid_quantity", "ask_price", "ask_quantity", "mark_price"),
        *("funding_rate", "funding_interval_hours", "predicted_rate", "open_interest", "open_interest_usd"),
        *("inflow", "outflow"),
    }
)
_FIELDS: Final = TEXTS | TIMES | NUMBERS

Record: TypeAlias = dict[str, Any]


class Sourced(NamedTuple):
    """One record of a file: its line (or its place, in Avro), counted from one, its topic, its fields."""

    number: int
    topic: str
    record: Record


class Unreadable(NamedTuple):
    """A line that is no record, and why."""

    number: int
    detail: str


Item: TypeAlias = Sourced | Unreadable


def read(
    path: Path,
    form: str | None = None,
    *,
    refuse: Callable[[Unreadable], None],
    progress: Callable[[int], None] = lambda _: None,
    chunk: int = 5_000,
) -> Iterator[list[Sourced]]:
    """Yield the records of a file in chunks.

    Parameters
    ----------
    path
        The file.
    form
        One of ``FORMATS``; by the name of the file where it is not given.
    refuse
        Is told of each line that is no record.
    progress
        Is told after each chunk how many bytes of the file (as it lies on the disk) have been read.
    chunk
        Most records in one list.

    """
    parse = _PARSERS[form or guess_format(path)]
    with path.open("rb") as raw:
        unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw)
        batch: list[Sourced] = []
        for item in _to_the_end(parse(unpacked)):
            if isinstance(item, Unreadable):
                refuse(item)
                continue
            batch.append(item)
            if len(batch) == chunk:
                yield batch
                progress(_place(raw))
                batch = []
        if batch:
            yield batch
        progress(_place(raw))


def _place(raw: IO[bytes]) -> int:
    return raw.tell() if raw.seekable() else 0  # a pipe has no size either


def name_of(path: Path) -> str:
    """Return a file's name as text that can be written: names need not be UTF-8."""
    return os.fsencode(path.name).decode(errors="replace")


def guess_format(path: Path) -> str:
    """Name the format that the file's name promises."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.removeprefix(".")
    form = {"ndjson": "jsonl", "json": "jsonl"}.get(suffix, suffix)
    if form not in ("csv", "jsonl", "avro"):
        msg = f"--format must be given for {path.name}: one of {', '.join(FORMATS)}"
        raise ValueError(msg)
    return form


def topic_of(record: Mapping[str, Any]) -> str:
    """Name the topic of a record: as it says itself, or by the field that only that topic has."""
    if named := record.get("topic"):
        return str(named)
    for field, topic in TELLING_FIELDS.items():
        if field in record:
            return topic
    msg = f"a record must have one of the fields {', '.join(TELLING_FIELDS)}, or name its topic"
    raise ValueError(msg)


def _to_the_end(items: Iterator[Item]) -> Iterator[Item]:
    number = 0
    try:
        for item in items:
            number = item.number
            yield item
    except (EOFError, OSError, zlib.error) as error:
        # A capture that was cut off is the rule after a crash: what came before is good.
        yield Unreadable(number + 1, f"the file ends in the middle: {error}")


def _lines(file: IO[bytes], parse: Callable[[int, str], Sourced], first: int = 1) -> Iterator[Item]:
    for number, line in enumerate(file, start=first):
        if not line.strip():
            continue
        try:
            yield parse(number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n"))
        except (ValueError, csv.Error, RecursionError) as error:
            yield Unreadable(number, str(error))


# --- JSONL and CSV -------------------------------------------------------------------------------------------------


def _jsonl(file: IO[bytes]) -> Iterator[Item]:
    return _lines(file, _json_line)


def _json_line(number: int, line: str) -> Sourced:
    record = json.loads(line)
    if not isinstance(record, dict):
        msg = f"a line must be a JSON object, was {line[:40]!r}"
        raise ValueError(msg)  # noqa: TRY004 (the file's fault, not a wrong type in our call)
    topic = topic_of(record)
    record.pop("topic", None)
    return Sourced(number, topic, {name: _time(value) if name in TIMES else value for name, value in record.items()})


def _csv(file: IO[bytes]) -> Iterator[Item]:
    line = file.readline().decode("utf-8-sig", "replace")
    try:
        header = [name.strip().lower() for name in next(csv.reader([line]), [])]
    except csv.Error as error:
        yield Unreadable(1, str(error))
        return
    if line and not {"topic", *TELLING_FIELDS} & set(header):
        telling = ", ".join(TELLING_FIELDS)
        detail = f"the header must be names separated by commas with topic or one of {telling}, was {line[:40]!r}"
        yield Unreadable(1, detail)
        return
    yield from _lines(file, lambda number, line: _csv_line(number, line, header), first=2)


def _csv_line(number: int, line: str, header: list[str]) -> Sourced:
    cells = next(csv.reader([line]))
    if len(cells) != len(header):
        msg = f"a line must have the {len(header)} fields of the header, had {len(cells)}"
        raise ValueError(msg)
    record = {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True) if name in _FIELDS}
    topic = topic_of(record)
    record.pop("topic", None)
    return Sourced(number, topic, record)


def _cell(name: str, cell: str) -> Any:
    if cell == "":
        return None
    if name in TEXTS:
        return cell
    if name in TIMES:
        return _time(cell)
    try:
        return float(cell)
    except ValueError:
        msg = f"{name} must be a number, was {cell!r}"
        raise ValueError(msg) from None


def _time(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value)
    if re.fullmatch(r"-?\d+(\.0+)?", text):
        return int(text.partition(".")[0])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        msg = f"a time must be milliseconds since 1970 or ISO 8601 with its zone, was {text!r}"
        raise ValueError(msg)
    return milliseconds(moment)


def milliseconds(moment: datetime) -> int:
    """Return a moment as integer milliseconds since 1970; exact, where ``timestamp()`` is a float."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


# --- Avro ----------------------------------------------------------------------------------------------------------


def _avro(file: IO[bytes]) -> Iterator[Item]:
    number = 0
    try:
        for number, record in enumerate(fastavro.reader(file), start=1):
            yield _avro_record(number, cast("Record", record))
    except Exception as error:  # noqa: BLE001 (each compression and logical type has errors of its own)
        # Inside a container nothing says where the next record begins.
        yield Unreadable(number + 1, f"the rest of the container cannot be read: {type(error).__name__}: {error}")


def _avro_record(number: int, record: Record) -> Item:
    plain = {name: _instant(value) if isinstance(value, datetime) else value for name, value in record.items()}
    try:
        return Sourced(number, topic_of(plain), plain)
    except ValueError as error:
        return Unreadable(number, str(error))


def _instant(moment: datetime) -> int:
    # A "local" timestamp names no zone; the worker reads its number as it is.
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


# --- What collectors have kept of Binance ----------------------------------------------------------------------


def _force_orders(file: IO[bytes]) -> Iterator[Item]:
    return _lines(file, lambda number, line: Sourced(number, "liquidations", binance.force_order(number, line)))


def _bursts(file: IO[bytes]) -> Iterator[Item]:
    file.readline()  # the header
    yield from _lines(file, _burst, first=2)


def _burst(number: int, line: str) -> Sourced:
    record = binance.burst(line)
    return Sourced(number, "liquidations", {**record, "event_time": _time(record["event_time"])})


_PARSERS: Final[dict[str, Callable[[IO[bytes]], Iterator[Item]]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "avro": _avro,
    "binance-forceorder-csv": _force_orders,
    "binance-bursts-csv": _bursts,
}
