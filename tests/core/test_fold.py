"""A partition's liquidations, from columns to notices: the edges of what is said and of what is held."""

import pytest

from streams.core.cascade import CascadeRule
from streams.core.errors import Reason
from streams.core.events import Scope
from streams.core.fold import Fold, FoldRule
from streams.core.screen import ScreenRule
from streams.core.windows import ONE_HOUR
from tests.core.liquidations import DAY, HOUR, MINUTE, SECOND, T, columns, liquidation

QUIET = 10 * MINUTE
RULE = CascadeRule(10_000_000_000, hour_min=1, quiet_ms=QUIET)  # 10,000 USD
NEVER = CascadeRule(10**18)


def fold(*liquidations, rule=RULE, lateness_ms=2_000):
    rules = {Scope.INSTRUMENT: NEVER, Scope.ASSET: rule}
    made = Fold(FoldRule(ScreenRule(lateness_ms=lateness_ms), rules))
    return made, [notice.record for notice in made.fold(columns(*liquidations)).notices]


def phases(records):
    return [record["phase"] for record in records]


@pytest.mark.parametrize(("usd", "said"), [(9_999.999999, []), (10_000.0, ["ONSET"])])
def test_an_onset_comes_with_the_record_that_reaches_the_floor(usd, said):
    _, records = fold(liquidation(T), liquidation(T + 1, usd - 1_000.0))

    assert said == phases(records)
    assert [T + 1] * len(said) == [record["event_time"] for record in records]


@pytest.mark.parametrize(("short_usd", "said"), [(7_000.0, ["ONSET"]), (7_000.000001, []), (7_000.002, [])])
def test_an_onset_needs_the_share_to_the_micro_dollar(short_usd, said):
    _, records = fold(liquidation(T, short_usd, side="SHORT"), liquidation(T, 13_000.0))

    assert said == phases(records)


@pytest.mark.parametrize(("later_ms", "said"), [(299_000, ["ONSET"]), (300_000, [])])
def test_five_minutes_hold_300_seconds_the_newest_included(later_ms, said):
    _, records = fold(liquidation(T, 5_000.0), liquidation(T + later_ms, 5_000.0))

    assert said == phases(records)


@pytest.mark.parametrize(("usd", "said"), [(7_000.0, ["ONSET", "PEAK"]), (7_000.000001, ["ONSET"])])
def test_a_peak_is_a_fall_by_30_percent_to_the_micro_dollar(usd, said):
    _, records = fold(liquidation(T, 10_000.0), liquidation(T + 300_000, usd))

    assert said == phases(records)


@pytest.mark.parametrize(("usd", "said"), [(29_999.999999, 1), (30_000.0, 2)])
def test_it_escalates_at_three_times_the_threshold(usd, said):
    _, records = fold(liquidation(T, 10_000.0), liquidation(T, usd - 10_000.0))

    assert ["ONSET", "ESCALATED"][:said] == phases(records)


@pytest.mark.parametrize(("ahead_ms", "said"), [(-1, ["ONSET"]), (0, ["ONSET", "PEAK", "SUBSIDED"])])
def test_it_subsides_when_the_watermark_reaches_its_end(ahead_ms, said):
    due = T + QUIET + 2_000
    _, records = fold(liquidation(T, 10_000.0), liquidation(due + ahead_ms, asset="ETH"))

    assert said == phases(records)


@pytest.mark.parametrize("own", [True, False])
def test_what_brings_the_closing_is_not_in_it(own):
    after = liquidation(T + QUIET + 2_000, 3_000.0, asset="BTC" if own else "ETH")
    _, records = fold(liquidation(T, 10_000.0), after)

    assert [10_000.0] * 3 == [record["notional_usd"] for record in records]
    assert [T + QUIET] * 2 == [record["event_time"] for record in records[1:]]
    assert [10_000.0] * 3 == [record["windows"][0]["long_usd"] for record in records]


@pytest.mark.parametrize(("after_ms", "said"), [(-1, 0), (0, 3)])
def test_a_record_from_before_the_end_of_a_cascade_opens_no_other(after_ms, said):
    end = T + QUIET
    closed = [liquidation(T, 10_000.0), liquidation(end + 2_000, asset="ETH")]
    _, records = fold(*closed, liquidation(end + after_ms, 10_000.0), liquidation(end + 2 * QUIET, asset="ETH"))

    assert 3 + said == len(records)


def test_an_asset_that_lags_by_more_than_the_quiet_time_is_closed_by_the_next_record():
    #  ETH at T + 1 h; BTC crosses at T: its end has long passed, and the next record of anybody brings it
    leads = liquidation(T + HOUR - MINUTE, asset="ETH")
    made, records = fold(leads, liquidation(T, 10_000.0), liquidation(T, 500.0, name="next"))

    assert ["ONSET", "PEAK", "SUBSIDED"] == phases(records)
    assert 1 == records[-1]["count"]
    assert made.follower.open_assets() == set()


def test_an_asset_over_an_hour_behind_the_partition_has_no_five_minutes():
    made, records = fold(liquidation(T + 61 * MINUTE, asset="ETH"), liquidation(T, 10_000.0))

    assert [] == records
    assert 10_000_000_000 == made.panes.totals([[1]]).sums[5, 0, 0]


def test_what_is_not_remembered_by_the_second_stands_at_the_first_of_its_minute():
    made, _ = fold(liquidation(T + 61 * MINUTE), liquidation(T + 10 * SECOND), liquidation(T + 61 * SECOND + 1))

    start, newest = T // SECOND, T // SECOND + 61 * 60
    assert [start, start + 61, newest] == made.panes.cells_of([0], start, newest + 1).second.tolist()


def test_what_the_partition_no_longer_remembers_is_refused_and_in_no_pane():
    made, _ = fold(liquidation(T + DAY + MINUTE, asset="ETH"))
    assert made.panes.newest == (T + DAY + MINUTE) // SECOND  # so that it does not wait for what comes next
    found = made.fold(columns(liquidation(T)))

    assert (0, [Reason.TOO_OLD]) == (found.aggregated, [reason for _, reason, _ in found.refused])
    assert (None, []) == (made.screen.clock_of("BTC"), made.panes.between(T // SECOND, T // SECOND + 60))


def test_what_a_flush_finds_is_by_the_second_or_the_minute_and_not_found_again():
    first = liquidation(T + 61 * MINUTE)
    made, _ = fold(first, liquidation(T + 10 * SECOND), liquidation(T + 61 * MINUTE, name="other"))
    added, gone = made.settle()

    assert ([T // SECOND, T // SECOND + 61 * 60], [1, 2]) == (added.second.tolist(), added.sums[:, 2].tolist())
    assert set() == gone
    assert 0 == len(made.settle()[0].row)


def test_a_flush_says_whose_day_is_over():
    made, _ = fold(liquidation(T + 10 * SECOND), liquidation(T + 20 * SECOND))
    made.settle()
    made.tick(T + HOUR + MINUTE)
    added, gone = made.settle()
    assert (0, set()) == (len(added.row), gone)

    made.tick(T + DAY + MINUTE)
    assert {0} == made.settle()[1]


def test_a_tick_closes_and_one_that_is_not_ahead_does_nothing():
    made, _ = fold(liquidation(T, 10_000.0))

    assert [] == made.tick(T)
    assert [] == made.tick(T + QUIET + 1_999)
    assert ["PEAK", "SUBSIDED"] == [notice.phase for notice in made.tick(T + QUIET + 2_000)]
    assert [] == made.tick(T + QUIET)


@pytest.mark.parametrize(("due_s", "hour_usd"), [(3_658, 10_000.0), (3_659, 0.0)])
def test_what_a_closing_holds_does_not_hang_on_how_far_the_clock_jumps(due_s, hour_usd):
    # With second 3,659 the minute of the onset leaves the hour.
    rule, windows = CascadeRule(10_000_000_000, hour_min=1, quiet_ms=due_s * SECOND - 2_000), []
    for step_s in (1, 5, 60, 90_000):
        made, _ = fold(liquidation(T, 10_000.0), rule=rule)
        ticks = range(step_s, due_s + step_s, step_s)
        found = [notice.record for tick in ticks for notice in made.tick(T + tick * SECOND)]
        windows += [each["windows"] for each in found if each["phase"] == "SUBSIDED"]

    assert [windows[0]] * 4 == windows
    assert hour_usd == windows[0][ONE_HOUR]["long_usd"]


def test_a_cascade_cannot_raise_its_own_bar():
    rule = CascadeRule(10_000_000_000, multiple=12, hour_min=1, quiet_ms=QUIET)
    hours = [liquidation(T + number * HOUR, 9_000.0) for number in range(25)]
    _, records = fold(*hours, liquidation(T + 25 * HOUR, 9_000.0), liquidation(T + 25 * HOUR, 1_000.0), rule=rule)

    assert ["ONSET"] == phases(records)
    assert (750.0, 10_000.0) == (records[0]["normal_usd"], records[0]["threshold_usd"])


def test_the_threshold_is_a_multiple_of_the_normal_five_minutes():
    rule = CascadeRule(1_000_000, multiple=24, hour_min=1, quiet_ms=QUIET)
    hours = [liquidation(T + number * HOUR, 9_000.0) for number in range(25)]
    _, records = fold(*hours, liquidation(T + 25 * HOUR, 17_999.0), liquidation(T + 25 * HOUR, 1.0), rule=rule)

    late = [record for record in records if record["started"] >= T + 25 * HOUR]
    assert (18_000.0, 2) == (late[0]["threshold_usd"], late[0]["count"])
