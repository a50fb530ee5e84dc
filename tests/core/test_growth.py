"""What stage 1 tells stage 2 adds up, and waits for the clock that takes it out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.cells import Store, joined
from streams.core.growth import Growth
from tests.core.test_cells import cells, ints

MINUTE = 29_497_680
S = MINUTE * 60


def lines(found):
    """(slot, second, long micro-USD, long count, largest) of cells."""
    columns = (found.slot, found.second, found.sums[:, 0], found.sums[:, 2], found.largest)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_what_an_exchange_has_grown_in_a_second_is_one_cell_and_what_was_on_time_another():
    growth, exchange = Growth(), ints([0, 1])
    for usd, on_time in ((7, [True, True]), (5, [True, False])):
        growth.add(exchange, ints([S, S]), ints([[usd, 0, 1, 0]] * 2), ints([usd] * 2), np.array(on_time))

    assert [(1, S, 12, 2, 7), (2, S, 5, 1, 5), (3, S, 7, 1, 7)] == lines(growth.take())


def test_growth_begins_anew_when_it_has_been_taken():
    growth = Growth()
    growth.add(ints([0]), ints([S]), ints([[7, 0, 1, 0]]), ints([7]), np.array([True]))
    assert [(1, S, 7, 1, 7)] == lines(growth.take())
    assert [] == lines(growth.take())


def test_cells_wait_until_a_clock_has_passed_their_second():
    waiting = Store()
    waiting.add(cells((0, S, 7), (0, S + 1, 5)))
    waiting.add(cells((0, S + 1, 4), (0, S + 2, 3)))

    assert [] == lines(waiting.take_before(S))
    assert [(0, S, 7, 1, 7)] == lines(waiting.take_before(S + 1))
    assert [(0, S + 1, 9, 2, 5), (0, S + 2, 3, 1, 3)] == lines(waiting.take_before(S + 3))
    assert [] == lines(waiting.take_before(S + 3))


CELLS = st.tuples(st.integers(0, 2), st.integers(S, S + 9), st.integers(0, 10**15))
PARTS = st.lists(st.lists(CELLS, max_size=4).map(lambda part: sorted(part, key=lambda each: each[1])), max_size=6)


@given(PARTS, st.lists(st.integers(S - 1, S + 11), max_size=4))
def test_nothing_that_waits_is_lost_or_taken_twice(parts, ends):
    waiting = Store()
    for part in parts:
        waiting.add(cells(*part))
    taken = [waiting.take_before(end) for end in [*ends, S + 10]]

    whole = lines(joined([cells(*part) for part in parts]))
    assert sorted(whole) == sorted(line for found in taken for line in lines(found))
    assert [] == waiting.between(0, S + 10)


def test_no_cells_are_none_however_many_parts_they_come_in():
    assert [[], []] == [lines(joined([])), lines(joined([cells(), cells()]))]
