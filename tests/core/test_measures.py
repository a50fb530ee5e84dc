"""Once a second or at each record: what the decisions see of a scope."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.edges import Edge
from streams.core.measures import measures
from streams.core.stretch import Stretch
from streams.core.windows import FIVE_MINUTES, HOUR, LENGTHS

S = 29_497_680 * 60


def stretch(*found):
    """Records of (row, second, long micro-USD)."""
    row, second, usd = (np.array(column, np.int64) for column in zip(*found, strict=True))
    sums = np.zeros((len(usd), 4), np.int64)
    sums[:, 0], sums[:, 2] = usd, 1
    return Stretch.of_seconds(row, second, sums, usd)


def measured(records, *, by_second):
    at = np.arange(len(records.row))
    nothing = Edge(S, np.zeros(2, np.int64), at[:0], np.zeros((0, 2), np.int64))
    return measures(records, at, at + 1, [nothing, nothing], by_second=by_second)


RECORDS = stretch((0, S, 7), (2, S, 5), (0, S + 299, 1), (0, S + 300, 2))


def test_a_second_is_measured_once_behind_its_last_record():
    found = measured(RECORDS, by_second=True)

    assert ([1, 2, 3], [2, 3, 4]) == (found.at.tolist(), found.done.tolist())
    assert [12, 13, 3] == found.usd_5m[:, 0].tolist()


def test_behind_a_measure_stand_all_records_of_its_second():
    found = measured(RECORDS, by_second=True)

    assert [[0, 1], [2], [0, 1, 3]] == [found.records(np.array(index)).tolist() for index in ([0], [1], [0, 2])]


def test_where_each_record_is_measured_there_is_one_behind_each():
    found = measured(RECORDS, by_second=False)

    assert [7, 12, 13, 3] == found.usd_5m[:, 0].tolist()
    assert [1, 3] == found.records(np.array([1, 3])).tolist()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(S, S + 3 * HOUR), st.integers(0, 10**15)), min_size=1))
def test_every_measure_is_the_sum_of_its_window(found):
    at_seconds = measured(stretch(*found), by_second=True)

    newest = sorted({second for _, second, _ in found})
    for length, usd in ((LENGTHS[FIVE_MINUTES], at_seconds.usd_5m), (HOUR, at_seconds.usd_1h)):
        expected = [sum(usd for _, second, usd in found if now - length < second <= now) for now in newest]
        assert expected == usd[:, 0].tolist()
