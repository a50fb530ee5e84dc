"""What is folded in small batches is added together, and what is open is looked at only where it can say something."""

import random

import pytest

from streams.core.cascade import CascadeRule
from streams.core.events import Scope
from streams.core.fold import WAITING_MAX, Fold, FoldRule
from streams.core.screen import ScreenRule
from tests.core.liquidations import DAY, HOUR, MINUTE, T, columns, liquidation

QUIET = 10 * MINUTE
RULE = CascadeRule(10_000_000_000, hour_min=1, quiet_ms=QUIET)  # 10,000 USD


def fold():
    return Fold(FoldRule(ScreenRule(), {Scope.INSTRUMENT: RULE, Scope.ASSET: RULE}))


def said(notices):
    return [(each.scope, each.phase, each.record["position_side"], each.record["event_time"]) for each in notices]


def test_an_onset_comes_of_batches_none_of_which_reaches_the_floor():
    made = fold()
    found = [made.fold(columns(liquidation(T + at, 2_500.0))).notices for at in range(4)]

    assert [0, 0, 0, 2] == list(map(len, found))


def test_windows_held_what_waits_when_an_hour_closes():
    made = fold()
    made.fold(columns(liquidation(T, 700.0)))
    made.fold(columns(liquidation(T + 2 * HOUR, 1.0)))

    assert {T // HOUR: 700_000_000} == made.baseline.totals[0]


def test_what_waits_is_there_for_whoever_asks():
    made = fold()
    for at in range(3):
        made.fold(columns(liquidation(T + at, 500.0)))

    assert 1_500_000_000 == made.panes.totals([[0]]).sums[5, 0, 0]
    assert [1_500_000_000] == made.growth.take().sums[:, 0].tolist()
    assert 0 == len(made._waiting)


def test_of_what_waits_a_part_may_be_forgotten():
    made = fold()
    made.fold(columns(liquidation(T + DAY + MINUTE, 2.0, asset="ETH")))
    made.fold(columns(liquidation(T, 1.0)))

    assert [2_000_000, 0] == made.panes.totals([[0], [1]]).sums[5, :, 0].tolist()


def test_no_more_waits_than_may():
    made = fold()
    for start in range(0, 2 * WAITING_MAX, 1_000):
        made.fold(columns(*(liquidation(T + start + at, 1e-3) for at in range(1_000))))
        assert sum(len(each.row) for each in made._waiting) < WAITING_MAX


@pytest.mark.parametrize("seed", range(12))
def test_batches_of_any_size_say_the_same(seed):
    rng = random.Random(seed)
    clock, records = T, []
    for at in range(400):
        clock += int(rng.expovariate(1 / 9_000))
        usd = rng.expovariate(1 / 900.0) * rng.choice([1, 1, 1, 8])
        asset, side = rng.choice(["BTC", "ETH", "SOL"]), rng.choice(["LONG", "LONG", "SHORT"])
        late = int(rng.expovariate(1 / 60_000)) if rng.random() < 0.1 else 0
        records.append(liquidation(clock - late, usd, side=side, asset=asset, name=str(at)))
    whole, parts, found = fold(), fold(), []
    expected = whole.fold(columns(*records)).notices
    while records:
        size = rng.choice([1, 2, 5, 40])
        found += parts.fold(columns(*records[:size])).notices
        records = records[size:]

    assert [each.record for each in expected] == [each.record for each in found]
    assert len({each.phase for each in expected}) > 2
    assert whole.panes.totals([[0], [1], [2]]).sums.tolist() == parts.panes.totals([[0], [1], [2]]).sums.tolist()


def test_the_cascades_of_both_sides_of_one_instrument_close_each_at_its_time():
    made, later = fold(), T + 301_000
    made.fold(columns(liquidation(T, 10_000.0), liquidation(later, 10_000.0, side="SHORT")))
    opened = made.follower.open_assets()
    ends = [said(made.tick(at + QUIET + 2_000)) for at in (T - 1, T, later - 1, later)]

    assert {0} == opened
    assert [0, 2, 0, 4] == list(map(len, ends))  # the first has said its peak before
    assert [{("LONG", T + QUIET)}, {("SHORT", later + QUIET)}] == [{each[2:] for each in ends[at]} for at in (1, 3)]
