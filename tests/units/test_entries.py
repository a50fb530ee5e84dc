"""Entries: written once, small ones together, given up when all in them has aged; what is alive adds up."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.codec import rows as codec
from streams.units.entries import SMALL_ENTRIES, SMALL_LINES, Entries

KIND, MOST = b"d", 3_000


class Lines(NamedTuple):
    second: np.ndarray


class Kept:
    """Entries with their compacted changelog."""

    def __init__(self):
        self.rows = {}
        self.start()

    def start(self):
        self.entries = Entries(KIND, lambda lines: lines.second.tobytes(), MOST)
        for key, value in self.rows.items():
            self.entries.restore(key, Lines(np.frombuffer(value, np.int64)))

    def write(self, found):
        for key, value in found:
            assert value is not None or key in self.rows, "a tombstone of nothing"
            self.rows.pop(key, None)
            if value is not None:
                self.rows[key] = value
        return len(found)

    def add(self, *seconds):
        return self.write(self.entries.add(Lines(np.array(seconds, np.int64))))

    def expire(self, until):
        return self.write(self.entries.expired(until))

    def alive(self):
        return Counter(np.frombuffer(b"".join(self.rows.values()), np.int64).tolist())


def test_nothing_is_no_entry():
    kept = Kept()

    assert (0, {}) == (kept.add(), kept.rows)


def test_an_entry_goes_with_the_newest_in_it():
    kept = Kept()
    kept.add(5, 9)
    kept.add(*range(SMALL_LINES))

    assert 0 == kept.expire(8)
    assert 1 == kept.expire(9)
    assert 1 == kept.expire(SMALL_LINES)
    assert {} == kept.rows


def test_what_does_not_fit_into_one_row_is_several():
    kept = Kept()
    kept.add(*range(2 * MOST + 1))

    assert [MOST, MOST, 1] == [len(value) // 8 for value in kept.rows.values()]


@pytest.mark.parametrize(("each", "flushes"), [(1, SMALL_ENTRIES + 1), (SMALL_LINES // 4, 4)])
def test_small_ones_are_written_anew_as_one(each, flushes):
    kept = Kept()
    for flush in range(flushes - 1):
        kept.add(*[flush] * each)
    assert flushes - 1 == len(kept.rows)

    kept.add(*[flushes] * each)
    assert (1, each * flushes) == (len(kept.rows), kept.alive().total())
    assert 0 == kept.expire(flushes - 1)
    assert 1 == kept.expire(flushes)


def test_numbers_go_on_behind_what_was_restored():
    kept = Kept()
    kept.add(1)
    kept.start()
    kept.add(2)

    assert [codec.entry_key(KIND, 0), codec.entry_key(KIND, 1)] == list(kept.rows)
    assert 2 == kept.expire(2)


def test_what_is_replaced_goes_with_the_next_flush_and_once():
    kept = Kept()
    kept.rows[b"old"] = b""
    kept.entries.replace([b"old"])
    kept.add(7)

    assert (Counter([7]), 1) == (kept.alive(), kept.add(8))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.integers(0, 20), max_size=5), st.sampled_from([1, 40, 400])),
        st.tuples(st.just("expire"), st.integers(0, 20)),
        st.tuples(st.just("start")),
    ),
    max_size=150,
)


@settings(max_examples=100)
@given(STEPS)
def test_what_is_alive_is_all_that_came_and_has_not_aged(steps):
    kept, came, until = Kept(), Counter(), -1
    for name, *given_ in steps:
        if name == "add":
            seconds = [second for second in given_[0] if second > until] * given_[1]
            kept.add(*seconds)
            came.update(seconds)
        elif name == "expire":
            until = max(until, given_[0])
            kept.expire(until)
        else:
            kept.start()
        alive = kept.alive()
        assert {second: count for second, count in came.items() if second > until} == {
            second: count for second, count in alive.items() if second > until
        }
    assert not kept.alive() or max(kept.alive()) > until or until == -1
