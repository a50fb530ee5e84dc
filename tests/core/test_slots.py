"""A (row, band) keeps its slot, and the slots of a row are found together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.slots import Slots

PLACES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 2**22 - 1])), max_size=8)


def ints(values):
    return np.array(list(values), np.int64)


def find(slots, places):
    return slots.find(ints(row for row, _ in places), ints(band for _, band in places)).tolist()


def of(slots, rows):
    """(position in rows, row, band) of the slots of some rows."""
    found, at = slots.of(ints(rows))
    return list(zip(at.tolist(), slots.row[found].tolist(), slots.band[found].tolist(), strict=True))


@given(st.lists(PLACES, max_size=5), st.lists(st.integers(0, 6), max_size=8))
def test_the_slots_of_rows_are_all_that_were_opened_for_them(batches, rows):
    slots, number = Slots(), {}
    for places in batches:
        for place, slot in zip(places, find(slots, places), strict=True):
            assert slot == number.setdefault(place, slot)
            assert place == (slots.row[slot], slots.band[slot])
        expected = [(at, *place) for at, row in enumerate(rows) for place in number if place[0] == row]
        assert sorted(expected) == sorted(of(slots, rows))
        assert [at for at, *_ in of(slots, rows)] == sorted(at for at, *_ in expected)
    assert sorted(number.values()) == list(range(slots.count))


def test_rows_without_slots_have_none_among_those_that_have():
    slots = Slots()
    assert [] == of(slots, [0, 3])

    find(slots, [(1, 7), (4, 8), (1, 9)])
    assert [] == of(slots, [])
    assert [] == of(slots, [0, 2, 5])
    assert [(1, 1, 7), (1, 1, 9), (3, 4, 8), (4, 1, 7), (4, 1, 9)] == of(slots, [0, 1, 3, 4, 1])


def test_a_slot_opened_since_one_asked_is_found():
    slots = Slots()
    find(slots, [(1, 7)])
    assert [(0, 1, 7)] == of(slots, [1])

    find(slots, [(1, 8)])
    assert [(0, 1, 7), (0, 1, 8)] == of(slots, [1])


def test_columns_grow_by_more_than_double_and_keep_what_they_hold():
    slots = Slots()
    (first,) = find(slots, [(3, 5)])
    slots.sums[:, :, first] = 9
    places = [(number % 7, 10 + number) for number in range(1_500)]
    assert list(range(1, 1_501)) == sorted(find(slots, places))

    assert (3, 5) == (slots.row[first], slots.band[first])
    assert (9 * 6 * 4, 9) == (slots.sums.sum(), slots.sums[5, 3, first])
    assert slots.sums.shape[2] >= slots.count == 1_501
