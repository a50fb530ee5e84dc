"""An entry is given up when its newest moment is, under the number it was written with."""

from hypothesis import given
from hypothesis import strategies as st

from streams.core.journal import Journal


def test_an_entry_expires_with_its_newest_moment_and_once():
    journal = Journal()
    journal.number(100)

    assert [] == journal.expired(99)
    assert [0] == journal.expired(100)
    assert [] == journal.expired(100)


def test_numbers_go_on_behind_those_taken_up_in_any_order():
    journal = Journal()
    for number, newest in ((7, 30), (3, 50)):
        journal.restore(number, newest)

    assert 8 == journal.number(40)
    assert [7, 8, 3] == journal.expired(50)


def test_a_number_is_not_given_again_while_the_journal_lives():
    journal = Journal()
    journal.number(1)
    journal.expired(1)

    assert 1 == journal.number(1)


@given(st.lists(st.integers(0, 20), max_size=20), st.lists(st.integers(-1, 21), max_size=5))
def test_every_entry_expires_exactly_once(moments, clocks):
    journal = Journal()
    entries = {journal.number(newest): newest for newest in moments}
    for clock in [*clocks, 21]:
        due = {number for number, newest in entries.items() if newest <= clock}
        gone = journal.expired(clock)
        assert due == set(gone)
        assert sorted(gone) == sorted(set(gone))
        entries = {number: newest for number, newest in entries.items() if number not in due}
    assert {} == entries
