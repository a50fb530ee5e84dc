"""The size of the state is that of what compaction leaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.size import StateSize

ROWS = st.lists(st.tuples(st.sampled_from([b"a", b"bb", b"ccc"]), st.none() | st.binary(max_size=5)))


@given(st.lists(ROWS))
def test_it_is_that_of_the_last_row_of_each_key(flushes):
    size, kept = StateSize(), {}
    for rows in flushes:
        size.apply(rows)
        for key, value in rows:
            kept.pop(key, None)
            if value is not None:
                kept[key] = value

    assert (len(kept), sum(len(key) + len(value) for key, value in kept.items())) == (size.rows, size.bytes)
