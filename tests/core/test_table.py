"""A table is a dict, whatever its keys hash to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.table import _GOLDEN, Table

#: Keys whose products with the golden ratio are neighbours lie in one place until the table has many.
_INVERSE = pow(int(_GOLDEN), -1, 2**64)
KEYS = st.integers(0, 2**64 - 1) | st.integers(0, 60).map(lambda number: number * _INVERSE % 2**64)
PUT = st.dictionaries(KEYS, st.integers(0, 2**62), max_size=12)
DROP = st.integers(-1, 2**62)


def keys(found):
    return np.array(list(found), np.uint64)


def put(table, found):
    table.put(keys(found), np.array(list(found.values()), np.int64))


def held(table, wanted):
    return table.find(keys(wanted)).tolist()


@given(st.lists(PUT | DROP, max_size=12))
def test_a_table_is_a_dict_that_drops_low_numbers(steps):
    table, expected, met = Table(), {}, [0, 2**64 - 1]
    for step in steps:
        if isinstance(step, int):
            table.drop(step)
            expected = {key: number for key, number in expected.items() if number > step}
        else:
            put(table, step)
            expected |= step
            met += step
        assert [expected.get(key, -1) for key in met] == held(table, met)
        assert len(expected) == len(table)


def test_a_table_that_grows_forgets_nothing():
    table, found = Table(), {number * 3: number for number in range(5_000)}
    for start in range(0, 5_000, 700):
        put(table, {number * 3: number for number in range(start, min(start + 700, 5_000))})

    assert list(found.values()) == held(table, found)
    assert (5_000, [-1, -1]) == (len(table), held(table, [1, 15_000]))


@pytest.mark.parametrize("count", [3, 600])
def test_keys_that_all_hash_to_one_place_are_told_apart(count):
    found = {number * _INVERSE % 2**64: number for number in range(count)}
    table = Table()
    put(table, found)

    assert list(range(count)) == held(table, found)
    assert [-1] == held(table, [count * _INVERSE % 2**64])


def test_keys_at_the_end_of_a_table_go_on_at_its_start():
    last = 2**64 - 2**54
    found = {(last + number) * _INVERSE % 2**64: number for number in range(5)}
    table = Table()
    put(table, found)
    put(table, {_INVERSE: 9})

    assert [0, 1, 2, 3, 4] == held(table, found)
    assert [9] == held(table, [_INVERSE])


def test_what_is_put_again_has_its_new_number_and_is_counted_once():
    table = Table()
    for number in (5, 3, 3):
        put(table, {7: number, number: 1})
        assert [number, 1] == held(table, [7, number])

    assert 3 == len(table)


def test_nothing_is_put_found_and_dropped_without_harm():
    table = Table()
    put(table, {})
    table.drop(0)

    assert ([], 0) == (held(table, []), len(table))


def test_a_number_that_is_as_high_as_the_drop_goes_and_one_above_stays():
    table = Table()
    put(table, {1: 10, 2: 11})
    table.drop(10)

    assert ([-1, 11], 1) == (held(table, [1, 2]), len(table))


@given(st.lists(PUT, max_size=12))
def test_what_was_looked_for_is_added_where_its_place_is(steps):
    table, expected = Table(), {}
    for step in steps:
        numbers, place = table.look(keys(step))
        new = numbers < 0
        table.add(keys(step)[new], np.array(list(step.values()), np.int64)[new], place[new])
        expected = step | expected
        assert [expected.get(key, -1) for key in expected] == held(table, expected)
        assert len(table) == len(expected)
