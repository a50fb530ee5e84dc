"""What a state row says is what was written, at the limits of every field too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import rows
from streams.core.cells import Lines
from streams.core.events import Instrument
from streams.core.minutes import Snapshot

MINUTE = 29_497_680
BTC, ODD = Instrument("binance", "BTCUSDT", "BTC"), Instrument("okx", "1000|ПЕПЕ-USDT", "ПЕПЕ")
MOST = 2**63 - 1

instruments = st.sampled_from([BTC, ODD])
counts = st.integers(0, 2**32 - 1)
money = st.sampled_from([0, 1, MOST]) | st.integers(0, MOST)
lines = st.tuples(money, money, counts, counts, money).map(list)
seconds = st.dictionaries(st.integers(0, 59), lines, max_size=4)
assets = st.dictionaries(st.text(max_size=3), st.tuples(money, money), max_size=2)
snapshots = st.builds(
    Snapshot, st.integers(0, 9), st.sampled_from(["okx", "ПЕПЕ"]), st.just(MINUTE), seconds, st.none() | seconds, assets
)


def test_a_row_of_a_later_version_is_refused_by_name():
    later = bytes([rows.VERSION + 1]) + b"{}"

    with pytest.raises(rows.NewerRow, match="a state row has format 2; this version reads up to 1: run the newer"):
        rows.parse_json(later)


def test_a_row_of_this_version_or_an_earlier_one_is_read():
    assert [{}, {}] == [rows.parse_json(bytes([version]) + b"{}") for version in (0, rows.VERSION)]


@given(st.integers(0, 2**32 - 1), instruments)
def test_keys_of_instruments_say_what_they_hold(number, instrument):
    assert (number, instrument) == rows.parse_pane_key(rows.pane_key(number, instrument))
    assert (instrument, number) == rows.parse_hours_key(rows.hours_key(instrument, number))
    assert instrument == rows.parse_known_key(rows.known_row(instrument)[0])


def test_keys_of_panes_lie_in_the_order_of_their_minutes():
    assert rows.pane_key(255, ODD) < rows.pane_key(256, BTC)


@given(st.sampled_from(["SCOPE", "ASSET"]), st.sampled_from(["BTC", "okx|1000|X", ""]), st.integers(0, 1))
def test_the_key_of_a_cascade_may_hold_bars(scope, key, side):
    assert (scope, key, side) == rows.parse_cascade_key(rows.cascade_key(scope, key, side))


def test_cells_of_a_minute_come_back_row_by_row():
    lines = Lines(
        row=np.array([7, 2, 7]),
        band=np.array([2**22 - 1, 0, 5]),
        second=np.array([MINUTE * 60 + 59, MINUTE * 60, MINUTE * 60 + 1]),
        sums=np.array([[MOST, 1, 2**32 - 1, 1], [0, 5, 0, 1], [3, 0, 1, 0]]),
        largest=np.array([MOST, 5, 3]),
    )
    packed = rows.pane_rows(lines, whole=False)

    assert {2, 7} == set(packed)
    second, band, sums, largest = (column.tolist() for column in rows.parse_pane(packed[7]))
    assert ([59, 1], [2**22 - 1, 5], [MOST, 3]) == (second, band, largest)
    assert [[MOST, 1, 2**32 - 1, 1], [3, 0, 1, 0]] == sums
    assert [[0, 5, 0, 1]] == rows.parse_pane(packed[2])[2].tolist()


@given(instruments, st.integers(0, MOST), st.integers(0, MOST))
def test_an_instrument_says_when_it_changed_and_how_new_it_is(instrument, as_of, newest_ms):
    assert (instrument, as_of, newest_ms) == rows.parse_instrument_row(
        *rows.instrument_row(instrument, as_of, newest_ms)
    )


@given(seconds)
def test_on_time_seconds_come_back(found):
    key = rows.on_time_key("okx", MINUTE)

    assert ("okx", MINUTE) == rows.parse_on_time_key(key)
    assert found == rows.parse_on_time(rows.on_time_row(found))


def test_hours_come_back_as_numbers():
    hours = {491_628: 0, 491_629: MOST}

    assert (491_600, hours) == rows.parse_hours(rows.hours_row(491_600, hours))


def test_identities_come_back_with_their_number():
    identity, time_ms = np.array([0, 2**64 - 1], np.uint64), np.array([0, MOST])
    number, same, times = rows.parse_identities(*rows.identities_row(3, identity, time_ms))

    assert (3, [0, 2**64 - 1], [0, MOST]) == (number, same.tolist(), times.tolist())


@given(snapshots)
def test_a_snapshot_comes_back_and_unknown_is_not_the_same_as_none_on_time(snapshot):
    key = rows.snapshot_key(*snapshot[:3])

    assert snapshot == rows.parse_snapshot(key, rows.snapshot_row(snapshot))


def test_a_watermark_may_have_no_clock():
    assert [[None, 4], [0, 4]] == [rows.parse_json(rows.watermark_row(clock, 4)) for clock in (None, 0)]
