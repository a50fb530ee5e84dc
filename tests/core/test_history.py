"""Samples of the past: where they lie, how they are ranked, what is saved of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.history import Histories, Samples, percentile, rank, realised_volatility, row_body

finite = st.floats(-1e30, 1e30)


def hourly(hours):
    return Samples(np.array(hours, np.int64), np.array(hours, np.float64))


def restored(table):
    histories = Histories(b"x|s|", slots=4)
    for key, value in table.items():
        histories.load(key, value)
    return histories


def write(table, rows):
    for key, value in rows:
        if value is None:
            del table[key]
        else:
            table[key] = value


@given(st.lists(finite, min_size=1), finite)
def test_a_percentile_counts_those_below_and_half_of_the_equal_ones(values, value):
    below, equal = sum(v < value for v in values), sum(v == value for v in values)

    assert math.isclose(100 * (below + equal / 2) / len(values), percentile(np.array(values), value))


def test_volatility_is_the_root_of_the_mean_square_over_a_year_of_minutes():
    assert math.isclose(math.sqrt((0.01**2 + 0.03**2) / 2 * 525_600), realised_volatility(np.array([0.01, -0.03])))


def test_a_history_of_exactly_seven_days_gives_a_rank():
    assert rank(hourly(range(168)), 0.0, 168, days_min=7) is not None


def test_a_history_of_seven_days_less_an_hour_gives_none():
    assert rank(hourly(range(1, 169)), 0.0, 168, days_min=7) is None


def test_samples_on_exactly_seven_days_of_the_calendar_give_a_rank():
    assert rank(hourly([0, 24, 48, 72, 96, 120, 144]), 0.0, 168, days_min=7) == 100 * 0.5 / 7


def test_samples_on_six_days_of_the_calendar_give_none_however_old_the_first_is():
    assert rank(hourly([0, 24, 48, 72, 96, 120, 143]), 0.0, 1_000, days_min=7) is None


def test_no_history_gives_no_rank():
    assert rank(hourly([]), 0.0, 168, days_min=7) is None


def test_a_range_begins_with_its_first_step_and_ends_before_its_end():
    histories = Histories(b"x|s|", slots=4)
    for step in (3, 4, 7, 8):
        histories.put("BTC", step, float(step))

    assert [4, 7] == histories.samples("BTC", 4, 8).steps.tolist()
    assert [4.0, 7.0] == histories.samples("BTC", 4, 8).values.tolist()


def test_a_range_from_1970_finds_all_in_order_however_it_was_written():
    histories = Histories(b"x|s|", slots=4)
    for step in (9, 2, 5):
        histories.put("BTC", step, float(step))

    assert [2, 5, 9] == histories.samples("BTC", 0, 10).steps.tolist()


def test_the_newest_sample_of_a_range_is_its_last():
    histories = Histories(b"x|s|", slots=4)
    histories.put("BTC", 3, 0.5)
    histories.put("BTC", 6, 0.25)

    assert histories.newest("BTC", 0, 7) == (6, 0.25)
    assert histories.newest("BTC", 0, 6) == (3, 0.5)
    assert histories.newest("BTC", 0, 3) is None
    assert histories.newest("ETH", 0, 7) is None


def test_a_chunk_expires_when_its_last_step_is_before_the_first_one_kept():
    histories = Histories(b"x|s|", slots=4)
    for step in (3, 4):
        histories.put("BTC", step, 1.0)
    histories.expire(3)
    assert [3, 4] == histories.samples("BTC", 0, 9).steps.tolist()

    histories.expire(4)

    assert [4] == histories.samples("BTC", 0, 9).steps.tolist()


def test_an_expired_chunk_leaves_a_tombstone_once():
    histories = Histories(b"x|s|", slots=4)
    histories.put("BTC", 3, 1.0)
    histories.dirty_rows()

    histories.expire(8)

    assert histories.dirty_rows() == [(b"x|s|0|BTC", None)]
    assert histories.dirty_rows() == []


def test_a_row_ends_with_its_last_sample():
    histories = Histories(b"x|s|", slots=60)
    histories.put("BTC", 1, 1.0)

    assert [1 + 2 * 8] == [len(value) for _, value in histories.dirty_rows()]


def test_a_name_may_hold_what_separates_the_parts_of_a_key():
    table = {}
    histories = Histories(b"x|s|", slots=4)
    histories.put("binance|BTC|x", 5, 0.5)
    write(table, histories.dirty_rows())

    assert restored(table).newest("binance|BTC|x", 0, 9) == (5, 0.5)


@pytest.mark.parametrize("value", [b"", b"\x00{}", b"\x02{}"])
def test_a_row_of_another_version_is_refused_by_its_key(value):
    with pytest.raises(ValueError, match=r"b'x\|q\|BTC' of the state must begin with version byte 1"):
        row_body(b"x|q|BTC", value)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), finite, st.booleans())))
def test_saving_and_loading_after_every_sample_changes_nothing(puts):
    kept, again, table = Histories(b"x|s|", slots=4), Histories(b"x|s|", slots=4), {}
    for name, step, value, expires in puts:
        for histories in (kept, again):
            histories.put(name, step, value)
            if expires:
                histories.expire(step - 8)
        write(table, again.dirty_rows())
        again = restored(table)

    for name in "ab":
        expected, found = kept.samples(name, 0, 99), again.samples(name, 0, 99)
        assert expected.steps.tolist() == found.steps.tolist()
        assert expected.values.tolist() == found.values.tolist()
