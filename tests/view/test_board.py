"""What the board shows, drawn on a console without a terminal."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from streams.view.board import Board, amount, announcement, clock, long_share, newest, total
from streams.view.outputs import CASCADES, WINDOWS, Seen

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
NOON = 1_769_860_800_000


def example(schema, case):
    return json.loads((EXAMPLES / schema / f"{case}.json").read_text())


def window(name, long_usd, short_usd=0.0):
    return {"window": name, "long_usd": long_usd, "short_usd": short_usd}


def row(scope, key, hour_usd, *, at_least=True, as_of=NOON):
    windows = [window("1h", hour_usd * 0.75, hour_usd * 0.25), window("24h", hour_usd * 2)]
    return {"scope": scope, "key": key, "as_of": as_of, "windows": windows, "at_least": at_least}


def cascade(sequence, phase="ONSET", scope="MARKET", hour_usd=1e6, name="a"):
    return {
        "cascade_id": name,
        "sequence": sequence,
        "scope": scope,
        "key": "ALL" if scope == "MARKET" else "BTC",
        "phase": phase,
        "severity": "SEVERE",
        "event_time": NOON,
        "windows": [window("1h", hour_usd)],
        "highest_hour": {"long_usd": hour_usd, "short_usd": 0.0, "at": 0},
        "headline": f"headline {sequence}.",
    }


def crowded(asset, phase="STARTED", rate=0.55, scope="ASSET"):
    return {
        "crowded_id": asset,
        "sequence": 0 if phase == "STARTED" else 1,
        "scope": scope,
        "key": asset,
        "asset": asset,
        "phase": phase,
        "grade": "CROWDED",
        "position_side": "LONG",
        "funding_rate_annualised": rate,
        "event_time": NOON,
        "headline": f"Longs in {asset} are crowded.",
    }


def drawn(board, width=150):
    console = Console(width=width, file=StringIO())
    console.print(board.render())
    return console.file.getvalue()


def board_with(*seen):
    board = Board("title", "a note")
    lines = [board.apply(Seen(*one)) for one in seen]
    return board, lines


def test_rows_are_the_market_then_venues_then_coins_by_their_day():
    board, _ = board_with(
        (WINDOWS, "ASSET|XRP", row("ASSET", "XRP", 1e6)),
        (WINDOWS, "ASSET|BTC", row("ASSET", "BTC", 9e6)),
        (WINDOWS, "EXCHANGE|okx", row("EXCHANGE", "okx", 2e6)),
        (WINDOWS, "INSTRUMENT|okx|BTC-USDT-SWAP", row("INSTRUMENT", "okx|BTC-USDT-SWAP", 5e6)),
        (WINDOWS, "MARKET|ALL", row("MARKET", "ALL", 10e6)),
    )
    text = drawn(board)

    places = [text.index(name) for name in ("MARKET", "OKX", "BTC", "XRP")]
    assert sorted(places) == places
    assert "BTC-USDT-SWAP" not in text
    assert "2026-01-31 12:00:00 UTC" in text


@pytest.mark.parametrize("name", ["[/BTC]", "[red]X", "[/]", "\\[bold]"])
def test_names_and_titles_are_shown_as_they_are_brackets_and_all(name):
    board = Board("job at [fe80::1]:9092", name)
    for scope in ("ASSET", "EXCHANGE"):
        board.apply(Seen(WINDOWS, f"{scope}|{name}", row(scope, name, 1e6)))
    board.apply(Seen("crowded-longs", name, crowded(name)))
    text = drawn(board)

    assert "job at [fe80::1]:9092  2026-01-31" in text
    assert 6 == text.lower().count(name.lower()), "rows, note, crowded, announced with headline"


def test_no_more_coins_are_drawn_than_there_is_room_for():
    board = Board("title", assets=2)
    for n in range(5):
        board.apply(Seen(WINDOWS, f"ASSET|A{n}", row("ASSET", f"A{n}", 1e6 * (n + 1))))
    text = drawn(board)

    assert ["A3", "A4"] == [f"A{n}" for n in range(5) if f"A{n}" in text]


def test_a_tombstone_takes_its_row_away():
    board, _ = board_with(
        (WINDOWS, "ASSET|BTC", row("ASSET", "BTC", 9e6)),
        (WINDOWS, "ASSET|BTC", None),
        (WINDOWS, "ASSET|ETH", None),
    )

    assert {} == board.windows


def test_what_cannot_be_read_is_counted_apart_said_and_takes_no_row_away():
    board, _ = board_with((CASCADES, "a", None, True), (WINDOWS, "MARKET|ALL", None, True))
    said = "2 messages could not be read: STREAMS_VALUE_FORMAT or registry?"
    assert board.status().endswith(f"  {said}")
    assert "no liquidations yet" not in board.status()

    board.apply(Seen(WINDOWS, "MARKET|ALL", row("MARKET", "ALL", 2e6)))
    board.apply(Seen(WINDOWS, "MARKET|ALL", None, unreadable=True))

    assert board.status().endswith("24h ≥$4.00M  3" + said[1:])
    assert ("3" + said[1:] in drawn(board), "0 cascade messages" in drawn(board)) == (True, True)
    assert "could not be read" not in drawn(Board("title"))


def test_an_event_without_a_value_is_counted_and_no_more():
    board, lines = board_with((CASCADES, "a", None))

    assert ([None], 1, {}) == (lines, board.counts[CASCADES], board.cascades)


def test_a_cascade_of_the_market_is_announced_with_its_headline():
    board, lines = board_with((CASCADES, "a", cascade(0)), (CASCADES, "a", cascade(1, "SUBSIDED")))

    assert [
        "2026-01-31 12:00:00  MARKET cascade ONSET SEVERE  headline 0.",
        "2026-01-31 12:00:00  MARKET cascade SUBSIDED  headline 1.",
    ] == lines
    assert "2 cascade messages" in drawn(board)


def test_what_a_single_instrument_does_is_counted_and_not_announced():
    board, lines = board_with(
        (CASCADES, "a", cascade(0, scope="INSTRUMENT")), ("crowded-longs", "b", crowded("BTC", scope="INSTRUMENT"))
    )

    assert [None, None] == lines
    assert "nothing announced yet" in drawn(board)
    assert "1 cascade messages · 1 on crowding" in drawn(board)


def test_of_one_cascade_the_highest_sequence_is_kept_whatever_comes_last():
    kept = {}
    for sequence in (0, 2, 1):
        newest(kept, "a", cascade(sequence))

    assert 2 == kept["a"]["sequence"]


def test_the_market_is_its_largest_cascade():
    board, _ = board_with(
        (CASCADES, "a", cascade(0, hour_usd=3e6)),
        (CASCADES, "b", cascade(0, hour_usd=5e6, name="b")),
        (CASCADES, "c", cascade(0, hour_usd=9e6, name="c", scope="ASSET")),
    )

    assert "b" == board.market()["cascade_id"]


def test_without_a_cascade_there_is_no_market():
    assert Board("title").market() is None


def test_crowded_coins_stand_below_the_windows_until_they_have_ended():
    names = ["BTC", "ETH", "SOL", "XRP", "ADA", "BNB"]
    board, _ = board_with(*(("crowded-longs", name, crowded(name, rate=0.6 + n)) for n, name in enumerate(names)))
    board.apply(Seen("crowded-longs", "BNB", crowded("BNB", "ENDED")))

    assert "crowded: ADA longs 460 % a year, XRP longs" in drawn(board)
    assert "BNB longs" not in drawn(board)

    board.apply(Seen("crowded-longs", "SUI", crowded("SUI")))
    assert "and 1 more" in drawn(board)


def test_a_silent_feed_is_announced():
    text = announcement("feed-status", example("feed-status", "silent"))

    assert "SILENT" in text.plain


def test_dead_letters_are_counted_where_there_are_any():
    letter = {"reason": "wrong_key", "detail": "", "timestamp": 5}
    board, lines = board_with(("dead-letters", "BTC", letter))

    assert [None] == lines
    assert "1 dead letters" in drawn(board)
    assert "dead letters" not in drawn(Board("title"))


@pytest.mark.parametrize("case", ["market_subsided", "instrument_onset_without_context"])
def test_the_examples_of_the_schema_can_be_shown(case):
    board, _ = board_with((CASCADES, "a", example("cascade", case)))

    assert "1 cascade messages" in drawn(board)


@pytest.mark.parametrize("case", ["market", "instrument"])
def test_the_example_rows_of_the_schema_can_be_shown(case):
    record = example("liquidation-windows", case)
    board, _ = board_with((WINDOWS, f"{record['scope']}|{record['key']}", record))

    assert "title" in drawn(board)


def test_amounts_say_at_least_and_round_down_where_a_feed_hides_something():
    assert ("≥$352M", "$353M") == (
        amount(row("MARKET", "ALL", 352_999_999.0), "1h"),
        amount(row("MARKET", "ALL", 352_999_999.0, at_least=False), "1h"),
    )


def test_a_window_without_liquidations_has_no_amount_and_no_share():
    record = row("MARKET", "ALL", 0.0)

    assert ("-", "-", 0.0, 0.0) == (
        amount(record, "1h"),
        long_share(record, "1h"),
        total(record, "1h"),
        total(record, "5m"),
    )


def test_the_line_for_where_there_is_no_terminal_says_hour_and_day():
    board, _ = board_with((WINDOWS, "MARKET|ALL", row("MARKET", "ALL", 2e6)))

    assert "2026-01-31 12:00:00  market  5m -  1h ≥$2.00M  24h ≥$4.00M" == board.status()
    assert "no liquidations yet" in Board("title").status()


def test_before_the_first_event_the_clock_shows_nothing():
    assert "--:--:--" in clock(0)
