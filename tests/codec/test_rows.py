"""What a state row says is what was written, at the limits of every field too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import rows
from streams.core.breadth import AssetCells
from streams.core.cells import Cells, Lines
from streams.core.events import Instrument
from tests.codec import older

MINUTE = 29_497_680
BTC, ODD = Instrument("binance", "BTCUSDT", "BTC"), Instrument("okx", "1000|ПЕПЕ-USDT", "ПЕПЕ")
MOST = 2**63 - 1

instruments = st.sampled_from([BTC, ODD])
counts = st.integers(0, 2**32 - 1)
money = st.sampled_from([0, 1, MOST]) | st.integers(0, MOST)
sums = st.tuples(money, money, counts, counts)
slots, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
grown = st.lists(st.tuples(slots, u32, sums, money), max_size=4)
singles = st.builds(lambda usd, short: ((0, usd, 0, 1) if short else (usd, 0, 1, 0), usd), money, st.booleans())
several = st.tuples(sums.filter(lambda each: each[2] + each[3] != 1), money)
placed = st.builds(lambda *where, rest: (*where, *rest), u32, u32, u32, rest=singles | several)


def test_a_row_of_a_later_version_is_refused_by_name():
    later = bytes([rows.VERSION + 1]) + b"{}"

    with pytest.raises(rows.NewerRow, match="a state row has format 3; this version reads up to 2: run the newer"):
        rows.parse_json(later)


def test_a_row_of_this_version_or_an_earlier_one_is_read():
    assert [{}, {}] == [rows.parse_json(bytes([version]) + b"{}") for version in (0, rows.VERSION)]


@given(st.integers(0, 2**32 - 1), instruments)
def test_keys_of_instruments_say_what_they_hold(number, instrument):
    assert (instrument, number) == rows.parse_hours_key(rows.hours_key(instrument, number))
    assert (instrument, number) == rows.parse_known(*rows.known_row(instrument, number))


def test_keys_of_entries_lie_in_the_order_of_their_numbers():
    assert rows.entry_key(b"d", 255) < rows.entry_key(b"d", 256) < rows.entry_key(b"g", 0)


@given(st.sampled_from(["SCOPE", "ASSET"]), st.sampled_from(["BTC", "okx|1000|X", ""]), st.integers(0, 1))
def test_the_key_of_a_cascade_may_hold_bars(scope, key, side):
    assert (scope, key, side) == rows.parse_cascade_key(rows.cascade_key(scope, key, side))


@given(st.lists(placed, max_size=6))
def test_cells_come_back_whether_of_one_liquidation_or_of_more(found):
    row, band, second, sums, largest = (np.array([line[at] for line in found], np.int64) for at in range(5))
    same = rows.parse_cells(rows.cells_row(Lines(row, band, second, sums.reshape(-1, 4), largest)))

    assert sorted(found) == sorted(
        (*where, tuple(sums), largest)
        for *where, sums, largest in zip(*(column.tolist() for column in same), strict=True)
    )
    assert {np.dtype(np.int64)} == {column.dtype for column in same}


def test_cells_of_the_first_format_are_read():
    value = older.cells_row([(7, 3, 9, (0, 5, 0, 1), 5), (8, 3, 10, (6, 0, 1, 0), 6), (8, 4, 10, (6, 1, 2, 1), 4)])

    assert [[7, 8, 8], [3, 3, 4], [9, 10, 10], [5, 6, 4]] == [
        column.tolist() for name, column in rows.parse_cells(value)._asdict().items() if name != "sums"
    ]
    assert [[0, 5, 0, 1], [6, 0, 1, 0], [6, 1, 2, 1]] == rows.parse_cells(value).sums.tolist()


@given(instruments, st.integers(0, MOST), st.integers(0, MOST))
def test_an_instrument_says_when_it_changed_and_how_new_it_is(instrument, as_of, newest_ms):
    assert (instrument, as_of, newest_ms) == rows.parse_instrument_row(
        *rows.instrument_row(instrument, as_of, newest_ms)
    )


def test_hours_come_back_as_numbers():
    hours = {491_628: 0, 491_629: MOST}

    assert (491_600, hours) == rows.parse_hours(rows.hours_row(491_600, hours))


def test_identities_come_back_with_their_number():
    identity, time_ms = np.array([0, 2**64 - 1], np.uint64), np.array([0, MOST])
    for now in (time_ms, time_ms[::-1]):
        number, same, times = rows.parse_identities(*rows.identities_row(3, identity, now))
        assert (3, {0: now[0], 2**64 - 1: now[1]}) == (number, dict(zip(same.tolist(), times.tolist(), strict=True)))
        assert times.tolist() == sorted(times.tolist())


def test_identities_of_the_first_format_are_read():
    key, value = rows.identities_row(3, np.array([9], np.uint64), np.array([1_700_000_000_000]))

    assert (3, [9], [1_700_000_000_000]) == tuple(
        each if isinstance(each, int) else each.tolist() for each in rows.parse_identities(key, b"\x01" + value[1:])
    )
    octets = np.frombuffer(b"".join(each.to_bytes(8, "little") for each in (5, 100, 6, 90)), np.uint8)
    _, identity, times = rows.parse_identities(key, b"\x01" + octets.reshape(2, 16).T.tobytes())
    assert ([5, 6], [100, 90]) == (identity.tolist(), times.tolist())


@given(st.lists(st.sampled_from(["okx", "ПЕПЕ", ""])), grown)
def test_growth_comes_back(exchanges, found):
    slot, second, sums, largest = (np.array([line[at] for line in found], np.int64) for at in range(4))
    cells = Cells(slot, second, sums.reshape(-1, 4), largest)
    names, same = rows.parse_growth(rows.growth_row(exchanges, cells))

    assert exchanges == names
    assert [column.tolist() for column in cells] == [column.tolist() for column in same]
    assert {np.dtype(np.int64)} == {column.dtype for column in same}


@given(st.lists(st.tuples(st.integers(0, 9), u32, st.integers(0, MOST)), max_size=6))
def test_assets_come_back_under_their_names_and_no_others(found):
    slot, second, usd = (np.array([line[at] for line in found], np.int64) for at in range(3))
    assets = ["BTC", "ETH", "ПЕПЕ", "1", "NOBODY"]
    names, same = rows.parse_assets(rows.assets_row(assets, AssetCells(slot, second, usd)))

    told = [(names[at >> 1], at % 2, *rest) for at, *rest in zip(*(column.tolist() for column in same), strict=True)]
    assert [(assets[at >> 1], at % 2, *rest) for at, *rest in found] == told
    assert sorted({assets[at >> 1] for at, *_ in found}) == sorted(names)
    assert {np.dtype(np.int64)} == {column.dtype for column in same}


def test_assets_of_a_row_take_fourteen_bytes_each():
    slot = np.arange(2_000) % 10
    row = rows.assets_row(list("ABCDE"), AssetCells(slot, slot + 1_769_860_800, slot * 10**12))

    assert 1 + 4 + len('["A","B","C","D","E"]') + 14 * 2_000 == len(row)


def test_an_entry_says_its_number():
    assert 7 == rows.entry_number(rows.entry_key(b"b", 7))


def test_a_program_before_this_one_keeps_off_what_this_one_wrote():
    key, value = rows.commit_row({"next": {}})

    assert (rows.COMMIT, rows.VERSION, {"next": {}}) == (key, value[0], rows.parse_json(value))


def test_a_watermark_may_have_no_clock():
    assert [[None, 4], [0, 4]] == [rows.parse_json(rows.watermark_row(clock, 4)) for clock in (None, 0)]


def test_what_the_second_format_wrote_is_read_as_that_by_later_ones(monkeypatch):
    row = rows.identities_row(3, np.array([9, 8], np.uint64), np.array([5, 7]))
    cells = rows.cells_row(Lines(*np.array([[1], [2], [3]]), np.array([[0, 4, 0, 1]]), np.array([4])))
    monkeypatch.setattr(rows, "VERSION", 3)

    assert [5, 7] == rows.parse_identities(*row)[2].tolist()
    assert [[0, 4, 0, 1]] == rows.parse_cells(cells).sums.tolist()
