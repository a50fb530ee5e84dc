"""A producer that is wrong by a factor lifts no total to where it is not a number any more."""

import numpy as np

from streams.core.cascade import CascadeRule
from streams.core.ceiling import Ceiling
from streams.core.errors import Reason
from streams.core.events import MICRO, NOTIONAL_USD_MAX, Scope
from streams.core.fold import Fold, FoldRule
from streams.core.screen import ScreenRule
from tests.core.liquidations import DAY, HOUR, T, columns, liquidation

CEILING = ScreenRule().remembered_max
RULE = CascadeRule(10_000_000_000, hour_min=1)
COUNT = 60  # of which fifty are the ceiling


def fold():
    return Fold(FoldRule(ScreenRule(), {Scope.INSTRUMENT: RULE, Scope.ASSET: RULE}))


def largest(count=COUNT, at=T):
    return [liquidation(at + number, NOTIONAL_USD_MAX, side=("LONG", "SHORT")[number % 2]) for number in range(count)]


def day(made):
    return made.panes.held_of(np.array([0]), 5).sum()


def test_a_day_ends_at_the_ceiling_and_the_next_one_begins():
    made = fold()
    folded = made.fold(columns(*largest()))

    assert (50, CEILING) == (folded.aggregated, day(made))
    assert [(at, Reason.ABOVE_CEILING) for at in range(50, COUNT)] == [each[:2] for each in folded.refused]
    assert folded.refused[0][2].startswith("with it, 24 h of its partition would be above 500,000,000,000 USD")
    assert 1 == made.fold(columns(liquidation(T + DAY + HOUR, 5.0))).aggregated
    assert 5 * MICRO == day(made)


def test_it_is_the_same_one_by_one():
    made = fold()
    each = [made.fold(columns(one)) for one in largest()]

    assert [1] * 50 + [0] * 10 == [folded.aggregated for folded in each]
    assert CEILING == day(made)


def test_small_ones_go_on_below_it():
    made = fold()
    folded = made.fold(columns(*largest(49), *largest(11, T + 50), *(liquidation(T + 99, 1.0) for _ in range(3))))

    assert (50, 13) == (folded.aggregated, len(folded.refused))
    assert 1 == fold().fold(columns(liquidation(T, 1.0))).aggregated


def test_nobody_adds_up_what_cannot_be():
    asked = []
    ceiling = Ceiling(100, lambda clock_ms: asked.append(clock_ms) or 40)

    assert not ceiling.admits(np.full(2_000, 10**16), 1, 1)
    assert not asked
    assert ceiling.admits(np.array([60]), 1, 1)
    assert [1] == asked
    assert not ceiling.admits(np.array([61]), 2, 3)
    assert [1, 2, 3] == asked
