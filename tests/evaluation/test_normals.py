"""Own normals of an hour: what they are made of, and that none of it lies ahead."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.data import Hourly
from tests.evaluation.normals import LEAST, PLAIN, SEASONAL, last, normals, same_hour, same_kind_of_day

SATURDAY = (1 + 1) * 24  # 1970-01-03 00:00


def history(count, first=0):
    """Hours whose dollars are their own number, so that a sample says of which hours it is."""
    hour, nan = np.arange(first, first + count), np.full(count, np.nan)
    return Hourly(hour, np.stack([hour, np.zeros(count)], axis=1).astype(float), nan, nan)


def of(sample, now, first=0):
    found = history(now - first, first)
    return sample(found.hour, found.usd, now).astype(int).tolist()


def test_the_last_hours_are_those_before_this_one():
    assert [7, 8, 9] == of(last(3), 10)


def test_the_same_hour_has_neighbours_beyond_midnight():
    assert [0, 24] == of(same_hour(720), 48)
    assert [0, 1, 23, 24, 25, 47] == of(same_hour(720, 1), 48)
    assert [25, 47] == of(same_hour(23, 1), 48)


@pytest.mark.parametrize(
    ("now", "first", "last_hour"), [(SATURDAY, None, None), (SATURDAY + 47, 48, 94), (168, 0, 167)]
)
def test_weekends_are_for_weekends(now, first, last_hour):
    found = of(same_kind_of_day(720), now)

    assert (first, last_hour) == ((found[0], found[-1]) if found else (None, None))
    assert all((48 <= hour < 96) == (48 <= now < 96) for hour in found)


def test_an_hour_with_too_little_before_it_has_none():
    assert [0.0] * LEAST + [3.0] == normals(history(LEAST + 1), 50, last(168)).tolist()


@pytest.mark.parametrize("name", PLAIN | SEASONAL)
def test_no_normal_depends_on_what_comes_after_it(name):
    chance = np.random.default_rng(7)
    found = replace(history(900), by_side=chance.pareto(1.0, (900, 2)))
    short = Hourly(*(column[:800] for column in (found.hour, found.by_side, found.price_range, found.move)))

    percentile, sample = (PLAIN | SEASONAL)[name]
    assert normals(found, percentile, sample)[:800].tolist() == normals(short, percentile, sample).tolist()
