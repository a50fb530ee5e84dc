"""When the reconstruction is played, and what is moved in its records."""

from __future__ import annotations

from streams.play import HOUR_MS, moved, shift_ms
from streams.reconstruction import END_MINUTE, at

END = at(END_MINUTE) / 1000


def test_the_story_is_moved_by_whole_hours_to_end_before_it_has_been_played():
    assert HOUR_MS == shift_ms(END + 7_199, seconds=0)
    assert 2 * HOUR_MS == shift_ms(END + 7_199, seconds=1)


def test_every_time_of_a_record_is_moved_and_one_that_is_missing_stays_so():
    record = {"asset": "BTC", "event_time": 5, "period_start": 1, "next_funding_time": None}

    assert {"asset": "BTC", "event_time": 7, "period_start": 3, "next_funding_time": None} == moved(record, by_ms=2)
