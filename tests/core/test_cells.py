"""A store holds what came into it, in whichever order it came, and however much of it was late."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.cells import Cells, Store, gather, joined, runs

S = 1_769_860_800


def ints(values):
    return np.array(list(values), np.int64)


def cells(*found):
    """Cells of (slot, second, micro-USD), each of one liquidation of a long."""
    slot, second, usd = (ints(column) for column in zip(*found, strict=True)) if found else [ints([])] * 3
    sums = np.zeros((len(usd), 4), np.int64)
    sums[:, 0], sums[:, 2] = usd, 1
    return Cells(slot, second, sums, usd)


def lines(*parts):
    """(second, slot, long micro-USD, long count, largest) of cells put together."""
    found = joined(parts)
    columns = (found.second, found.slot, found.sums[:, 0], found.sums[:, 2], found.largest)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def naive(found):
    """Return the same of a list of (slot, second, micro-USD)."""
    places = {(second, slot): [] for slot, second, _ in sorted(found, key=lambda each: each[1::-1])}
    for slot, second, usd in found:
        places[second, slot].append(usd)
    return [(*place, sum(usd), len(usd), max(usd)) for place, usd in places.items()]


@pytest.fixture
def small(monkeypatch):
    """A store in which little is much."""
    monkeypatch.setattr(Store, "MOVED", 3)
    monkeypatch.setattr(Store, "ASIDE", 4)


CELL = st.tuples(st.integers(0, 3), st.integers(S, S + 20), st.integers(0, 10**15))


@given(st.lists(CELL, min_size=1))
def test_gathered_cells_are_one_of_a_second_and_slot_in_this_order(found):
    assert naive(found) == lines(gather(*cells(*found)))


def test_the_distinct_values_of_a_column_come_with_their_first_places():
    assert [[3, 4, 9], [0, 2, 3]] == [each.tolist() for each in runs(ints([3, 3, 4, 9, 9]))]
    assert [[], []] == [each.tolist() for each in runs(ints([]))]


PART = st.lists(CELL, max_size=6).map(lambda part: sorted(part, key=lambda each: each[1]))
TAKE = st.integers(S - 1, S + 22)
LIMITS = st.sampled_from([(0, 0), (3, 4), (3, 10**6), (10**6, 0)])


@given(LIMITS, st.lists(PART | TAKE, max_size=12))
def test_a_store_is_a_list(limits, steps):
    store, expected = Store(), []
    store.MOVED, store.ASIDE = limits
    for step in steps:
        if isinstance(step, int):
            assert naive([each for each in expected if each[1] < step]) == lines(store.take_before(step))
            expected = [each for each in expected if each[1] >= step]
        else:
            store.add(cells(*step))
            expected += step
        seconds = [second for _, second, _ in expected]
        assert ((min(seconds), max(seconds)) if seconds else (0, -1)) == store.span()
        for start, end in ((0, S + 30), (S + 5, S + 12), (S + 7, S + 7), (S + 30, S)):
            wanted = naive([each for each in expected if start <= each[1] < end])
            assert wanted == lines(*store.between(start, end))


@given(LIMITS, st.lists(PART, max_size=12))
def test_the_parts_of_what_lies_between_are_each_in_order(limits, parts):
    store = Store()
    store.MOVED, store.ASIDE = limits
    for part in parts:
        store.add(cells(*part))

    for found in store.between(0, S + 30):
        assert found.second.tolist() == sorted(found.second.tolist())


@pytest.mark.usefixtures("small")
def test_late_cells_are_merged_where_they_move_few_and_lie_aside_where_many():
    store = Store()
    store.add(cells(*((0, S + number, 1) for number in range(10))))
    store.add(cells((0, S + 7, 4)))
    assert 1 == len(store.between(0, S + 30))

    store.add(cells((0, S + 6, 4)))
    assert 2 == len(store.between(0, S + 30))
    assert [(S + 6, 0, 5, 2, 4), (S + 7, 0, 5, 2, 4)] == lines(*store.between(S + 6, S + 8))


@pytest.mark.usefixtures("small")
def test_what_lies_aside_is_merged_when_it_is_more_than_is_borne():
    store = Store()
    store.add(cells(*((0, S + number, 1) for number in range(10))))
    for number in range(5):
        assert number + 1 == len(store.between(0, S + 30))
        store.add(cells((1, S + number, 4)))

    assert 1 == len(store.between(0, S + 30))
    assert [S, S, S + 1, S + 1] == [line[0] for line in lines(*store.between(S, S + 2))]


@pytest.mark.usefixtures("small")
def test_a_sixteenth_of_many_cells_is_borne_aside():
    store = Store()
    store.add(cells(*((0, S + number, 1) for number in range(160))))
    for number in range(10):
        store.add(cells((1, S + number, 4)))
    assert 11 == len(store.between(0, S + 300))

    store.add(cells((1, S + 10, 4)))
    assert 1 == len(store.between(0, S + 300))


@pytest.mark.usefixtures("small")
def test_what_lies_aside_is_spanned_and_taken_too():
    store = Store()
    store.add(cells(*((0, S + 10 + number, 1) for number in range(10))))
    store.add(cells((1, S, 4), (1, S + 40, 4)))
    assert (S, S + 40) == store.span()

    assert [S, *range(S + 10, S + 20)] == [line[0] for line in lines(store.take_before(S + 30))]
    assert (S + 40, S + 40) == store.span()
    assert [S + 40] == [line[0] for line in lines(store.take_before(S + 41))]
    assert (0, -1) == store.span()


def test_a_store_grows_and_what_was_taken_from_its_front_stays_away():
    store, expected = Store(), []
    for start in range(0, 2_000, 50):
        found = [(number % 3, S + number, number) for number in range(start, start + 50)]
        store.add(cells(*found))
        expected = [each for each in expected if each[1] >= S + start - 90] + found
        store.take_before(S + start - 90)
        assert naive(expected) == lines(*store.between(0, S + 3_000))
