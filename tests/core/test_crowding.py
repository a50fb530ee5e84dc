"""When a crowded position starts, changes grade and ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.crowding import Crowding
from streams.core.crowding_rule import NANO, CrowdingRule
from streams.core.events import PositionSide
from tests.core.crowding_records import DAY, HOUR, QUICK, START, brief, funding, hourly, of, run

DEFAULT = CrowdingRule()
FIELDS = [
    *("crowded_id", "sequence", "rule_version", "scope", "key", "exchange", "symbol", "asset", "position_side"),
    *("phase", "grade", "funding_rate_annualised", "percentile", "history_days", "streak_hours", "exchanges"),
    *("started", "event_time", "ended", "headline"),
]
ELEVATED, CROWDED, EXTREME, BASE = 0.3285, 0.5475, 1.095, 0.1095


def test_it_starts_with_the_hour_that_completes_the_streak():
    assert brief(run(hourly([CROWDED, CROWDED]))) == [("STARTED", "CROWDED", 2)]
    assert brief(run(hourly([CROWDED]))) == []


def test_an_hour_between_zero_and_the_base_rate_breaks_the_streak():
    assert brief(run(hourly([CROWDED, BASE, CROWDED, 0.0, CROWDED]))) == []


def test_an_hour_on_the_other_side_begins_another_streak():
    assert brief(run(hourly([CROWDED, -CROWDED, CROWDED, -CROWDED]))) == []


@pytest.mark.parametrize(("rate", "hours"), [(0.0001, 8.0), (0.0000125, 1.0)])
def test_the_base_rate_is_never_crowded(rate, hours):
    records = [funding(START + n * int(hours) * HOUR, rate * 8760 / hours, hours=hours) for n in range(300)]

    assert run(records, DEFAULT) == []


@pytest.mark.parametrize("settlements", [1, 2])
def test_a_spike_of_one_or_two_settlements_is_not_crowded(settlements):
    rates = [BASE] * 6 + [3.0] * settlements + [BASE] * 6

    assert run([funding(START + n * 8 * HOUR, rate, hours=8.0) for n, rate in enumerate(rates)], DEFAULT) == []


def test_the_default_rule_needs_48_hours_in_a_row():
    records = [funding(START + number * 8 * HOUR, CROWDED, hours=8.0) for number in range(8)]

    assert brief(run(records[:6], DEFAULT)) == []
    assert brief(run(records[:7], DEFAULT)) == [("STARTED", "CROWDED", 48)]


def test_a_short_is_crowded_where_shorts_pay_enough():
    [started] = of(run(hourly([-0.438, -0.438])), "ASSET")

    assert (started["position_side"], started["grade"]) == ("SHORT", "CROWDED")
    assert started["funding_rate_annualised"] == -0.438


def test_a_grade_rises_at_once_and_falls_below_three_quarters_of_its_excess():
    kept, lost = BASE + 0.75 * (EXTREME - BASE), BASE + 0.75 * (EXTREME - BASE) - 1e-9
    found = run(hourly([ELEVATED, ELEVATED, EXTREME, kept, lost, ELEVATED]))

    assert brief(found) == [
        ("STARTED", "ELEVATED", 2),
        ("GRADE_CHANGED", "EXTREME", 3),
        ("GRADE_CHANGED", "CROWDED", 5),
        ("GRADE_CHANGED", "ELEVATED", 6),
    ]


def test_it_ends_below_three_quarters_of_the_lowest_excess_and_says_its_last_grade():
    kept, lost = BASE + 0.75 * (ELEVATED - BASE), BASE + 0.75 * (ELEVATED - BASE) - 1e-9
    found = run(hourly([ELEVATED, ELEVATED, kept, lost]))

    assert brief(found) == [("STARTED", "ELEVATED", 2), ("ENDED", "ELEVATED", 4)]
    assert [record["ended"] for record in of(found, "ASSET")] == [None, START + 4 * HOUR]


def test_the_messages_of_one_position_share_an_id_and_count_up():
    found = of(run(hourly([CROWDED, CROWDED, EXTREME, BASE, CROWDED, CROWDED])), "ASSET")

    assert [record["sequence"] for record in found] == [0, 1, 2, 0]
    assert len({record["crowded_id"] for record in found[:3]}) == 1
    assert found[3]["crowded_id"] != found[0]["crowded_id"]
    assert len({record["started"] for record in found[:3]}) == 1


def test_a_swing_from_long_to_short_ends_one_and_starts_the_other():
    rule = CrowdingRule(horizon_hours=1, streak_hours=(1, 1, 1))
    found = of(run(hourly([CROWDED, -CROWDED]), rule), "ASSET")

    assert [(record["phase"], record["position_side"]) for record in found] == [
        ("STARTED", "LONG"),
        ("ENDED", "LONG"),
        ("STARTED", "SHORT"),
    ]


def test_a_rate_holds_for_two_intervals_and_not_a_millisecond_longer():
    before = [funding(START + n * 8 * HOUR, CROWDED, hours=8.0) for n in range(3)]
    next_ms = START + 2 * 8 * HOUR + 16 * HOUR
    rule = CrowdingRule(horizon_hours=1, streak_hours=(2, 2, 2))

    assert brief(run([*before, funding(next_ms, CROWDED, hours=8.0)], rule))[1:] == []
    assert brief(run([*before, funding(next_ms + HOUR, CROWDED, hours=8.0)], rule))[1:] == [("ENDED", "CROWDED", 33)]


def test_what_ends_for_want_of_a_rate_ends_with_the_last_one_known():
    found = of(run([*hourly([CROWDED] * 3), funding(START + 100 * DAY, BASE)]), "ASSET")

    assert [(r["phase"], r["funding_rate_annualised"]) for r in found] == [("STARTED", CROWDED), ("ENDED", CROWDED)]
    assert found[1]["exchanges"] == []


def test_a_gap_of_ten_years_is_some_hours_and_one_step():
    crowding = Crowding(QUICK)
    run(hourly([CROWDED] * 3), crowding=crowding)
    closed = []
    crowding._close_hour, close = lambda asset, end: closed.append(end) or close(asset, end), crowding._close_hour
    crowding.step(funding(START + 3650 * DAY, BASE))

    assert len(closed) <= 3


def test_an_asset_is_weighed_by_open_interest_where_every_instrument_has_one():
    records = [
        record
        for hour in range(3)
        for record in (
            funding(START + hour * HOUR, 0.4, "bybit", weight=1e9),
            funding(START + hour * HOUR, 0.8, "binance", weight=3e9),
        )
    ]
    [started] = of(run(records), "ASSET")

    assert started["funding_rate_annualised"] == 0.7
    assert [(e["exchange"], e["weight"], e["funding_rate_annualised"]) for e in started["exchanges"]] == [
        ("binance", 0.75, 0.8),
        ("bybit", 0.25, 0.4),
    ]


@pytest.mark.parametrize(
    ("bybit", "binance", "rate", "weights"),
    [
        (None, 3e9, 0.6, [0.5, 0.5]),
        (None, 0.0, 0.6, [0.5, 0.5]),
        (0.0, 3e9, 0.8, [1.0, 0.0]),
        (0.0, 0.0, 0.6, [0.5, 0.5]),
    ],
)
def test_no_open_interest_weighs_nothing_and_one_not_known_makes_all_weigh_the_same(bybit, binance, rate, weights):
    records = [
        record
        for hour in range(3)
        for record in (
            funding(START + hour * HOUR, 0.4, "bybit", weight=bybit),
            funding(START + hour * HOUR, 0.8, "binance", weight=binance),
        )
    ]
    [started] = of(run(records), "ASSET")

    assert started["funding_rate_annualised"] == rate
    assert [entry["weight"] for entry in started["exchanges"]] == weights


def test_an_instrument_that_is_stale_leaves_its_asset():
    silent = [funding(START, -0.2, "bybit")]
    records = sorted([*silent, *hourly([CROWDED] * 4)], key=lambda record: record.event_time_ms)
    [started] = of(run(records), "ASSET")

    # Bybit's hourly rate holds for two hours; the third is binance alone, and the fourth its second in a row.
    assert started["event_time"] == START + 4 * HOUR
    assert [entry["exchange"] for entry in started["exchanges"]] == ["binance"]


def test_an_instrument_is_crowded_where_its_asset_is_not():
    records = [
        r for pair in zip(hourly([CROWDED] * 3), hourly([-CROWDED] * 3, exchange="bybit"), strict=True) for r in pair
    ]
    found = run(records)

    assert of(found, "ASSET") == []
    assert [(r["key"], r["position_side"]) for r in found] == [("binance|BTCUSDT", "LONG"), ("bybit|BTCUSDT", "SHORT")]


def test_the_record_has_the_fields_of_the_schema():
    found = run([funding(START + hour * HOUR - 1000, CROWDED, weight=2e9) for hour in range(1, 5)])
    instrument, asset = found

    assert list(asset) == FIELDS
    assert (instrument["scope"], instrument["key"]) == ("INSTRUMENT", "binance|BTCUSDT")
    assert (instrument["exchange"], instrument["symbol"], instrument["asset"]) == ("binance", "BTCUSDT", "BTC")
    assert (asset["scope"], asset["key"], asset["exchange"], asset["symbol"]) == ("ASSET", "BTC", None, None)
    assert (asset["percentile"], asset["history_days"], asset["streak_hours"]) == (None, 0.0, 2.0)
    assert asset["exchanges"] == [
        {
            "exchange": "binance",
            "symbol": "BTCUSDT",
            "funding_rate_annualised": CROWDED,
            "weight": 1.0,
            "age_ms": 1000,
        }
    ]
    assert asset["rule_version"] == QUICK.version()


def test_the_headline_is_made_of_the_whole_record():
    crowding = Crowding(QUICK, headline=lambda record: f"{record['asset']} {record['grade']}")

    assert run(hourly([CROWDED] * 2), crowding=crowding)[1]["headline"] == "BTC CROWDED"


def test_assets_have_clocks_of_their_own():
    crowding = Crowding(QUICK)
    run(hourly([CROWDED] * 2), crowding=crowding)
    run([funding(START + 7 * DAY, BASE, asset="ETH")], crowding=crowding)

    assert crowding.crowded("BTC", PositionSide.LONG, START + 2 * HOUR) == ("CROWDED", START + 2 * HOUR)
    assert crowding.crowded("BTC", PositionSide.LONG, START + 2 * HOUR - 5_001) is None


def test_what_runs_on_an_asset_that_never_speaks_again_is_ended_by_the_others():
    crowding = Crowding(QUICK)
    started = run(hourly([CROWDED] * 2), crowding=crowding)
    ended = run([funding(START + 9 * DAY, BASE, asset="ETH")], crowding=crowding)

    assert [(record["scope"], record["phase"]) for record in ended] == [("INSTRUMENT", "ENDED"), ("ASSET", "ENDED")]
    assert [record["crowded_id"] for record in ended] == [record["crowded_id"] for record in started]
    assert ended[1]["event_time"] == ended[1]["ended"] == START + 5 * HOUR  # two intervals and an hour of none
    assert run([funding(START + 10 * DAY, BASE, asset="ETH")], crowding=crowding) == []
    assert crowding.reading("BTC", START + 2 * HOUR - 1) is None, "its hours are gone, and so are its rates"


def test_where_no_rate_is_in_force_nothing_is_known():
    crowding = Crowding(QUICK)
    run(hourly([CROWDED] * 2), crowding=crowding)
    stale = START + 4 * HOUR

    assert crowding.reading("BTC", stale - 1) is not None
    assert crowding.crowded("BTC", PositionSide.LONG, stale - 1) is not None
    assert [*crowding.running(stale - 1)], [*crowding.rates_in_force(stale - 1)]
    assert crowding.reading("BTC", stale) is None
    assert crowding.crowded("BTC", PositionSide.LONG, stale) is None
    assert [*crowding.running(stale), *crowding.rates_in_force(stale)] == []


def test_of_a_moment_whose_hour_is_over_nothing_is_known():
    crowding, onset_ms = Crowding(CrowdingRule(streak_hours=(2, 2, 2))), START + 4 * HOUR + 1
    run([*hourly([CROWDED] * 4), funding(START + 5 * HOUR - 1, -9.0)], crowding=crowding)

    assert crowding.crowded("BTC", PositionSide.LONG, onset_ms) == ("CROWDED", START + 2 * HOUR)
    assert crowding.reading("BTC", onset_ms).value == CROWDED

    run([funding(START + 5 * HOUR, -9.0)], crowding=crowding)
    assert crowding.crowded("BTC", PositionSide.LONG, onset_ms) is None
    assert crowding.reading("BTC", onset_ms) is None
    assert crowding.reading("BTC", START + 5 * HOUR - 5_001) is None
    assert crowding.reading("BTC", START + 5 * HOUR - 5_000) is not None, "seconds ahead are now"


def test_what_is_running_is_known_by_side():
    crowding = Crowding(QUICK)
    run(hourly([CROWDED] * 2), crowding=crowding)

    assert crowding.crowded("BTC", PositionSide.SHORT, START + DAY) is None
    assert crowding.crowded("DOGE", PositionSide.LONG, START + DAY) is None


def test_a_record_behind_its_instrument_changes_nothing():
    records = hourly([CROWDED, CROWDED, EXTREME, BASE])
    late = [funding(START + HOUR, -9.0), funding(START + 2 * HOUR - 1, 9.0)]

    assert run([*records[:3], *late, *records[3:]]) == run(records)


def test_of_two_rates_at_one_time_the_first_stands():
    records = hourly([CROWDED, CROWDED])

    assert run([records[0], funding(START, BASE), *records[1:]]) == run(records)


@pytest.mark.parametrize("known", [[], [funding(START, BASE, "bybit")]])
def test_a_record_behind_its_asset_but_not_its_instrument_counts_from_the_open_hour_on(known):
    #  1:00       1:30        2:00        2:30        3:00
    #              x EXTREME   (comes here) x BASE      closed: half of each
    crowding = Crowding(QUICK)
    run([*known, *hourly([BASE] * 2)], crowding=crowding)
    run(
        [funding(START + 3 * HOUR // 2, EXTREME, "bybit"), funding(START + 5 * HOUR // 2, BASE, "bybit")],
        QUICK,
        crowding,
    )
    run([funding(START + 3 * HOUR, BASE)], crowding=crowding)

    assert hour_of(crowding, "bybit") == pytest.approx((BASE + EXTREME) / 2, abs=1e-9)


def test_time_without_a_rate_is_no_part_of_the_mean():
    #  0:20        2:00   2:20     2:40        3:00
    #   x EXTREME          stale    x BASE      closed: 20 minutes of each
    crowding = Crowding(QUICK)
    run([funding(START + HOUR // 3, EXTREME), funding(START + 8 * HOUR // 3, BASE)], crowding=crowding)
    run([funding(START + 3 * HOUR, BASE)], crowding=crowding)

    assert hour_of(crowding, "binance") == pytest.approx((BASE + EXTREME) / 2, abs=1e-9)


def test_what_was_summed_before_a_gap_is_no_part_of_the_hour_after_it():
    crowding = Crowding(QUICK)
    quarters = [funding(START + 600_000, EXTREME, hours=0.25), funding(START + 10 * HOUR, BASE, hours=1.0)]
    run([*quarters, funding(START + 11 * HOUR, BASE)], crowding=crowding)

    assert hour_of(crowding, "binance") == BASE


def test_a_rate_that_holds_to_the_end_of_the_hour_counts_in_it():
    rule = CrowdingRule(horizon_hours=1, streak_hours=(1, 1, 1))
    half_hourly = [funding(START, CROWDED, hours=0.5), funding(START + 2 * HOUR, BASE, hours=0.5)]

    assert brief(run(half_hourly, rule)) == [("STARTED", "CROWDED", 1), ("ENDED", "CROWDED", 2)]


def test_an_hour_without_a_rate_breaks_the_streak():
    rule = CrowdingRule(horizon_hours=1, streak_hours=(3, 3, 3))
    records = [funding(START + hour * HOUR, CROWDED) for hour in (0, 5, 6)]

    assert brief(run(records, rule)) == []


def hour_of(crowding, exchange):
    identity = (exchange, "BTCUSDT", "BTC")
    return crowding._assets["BTC"].members[identity].series.hours[-1] / NANO


RATES = st.sampled_from([-1.2, -0.4, -0.2, 0.0, 0.1095, 0.3, 0.5, 0.8, 1.5])


@settings(max_examples=40, deadline=None)
@given(st.lists(RATES, min_size=2, max_size=12), st.lists(st.integers(1, 8 * HOUR - 1), max_size=12))
def test_settlements_and_a_feed_that_repeats_them_give_the_same(rates, offsets):
    settled = [funding(START + n * 8 * HOUR, rate, hours=8.0) for n, rate in enumerate(rates)]
    repeated = [
        funding(START + n * 8 * HOUR + offset, rate, hours=8.0)
        for n, rate in enumerate(rates[:-1])
        for offset in [0, *sorted(set(offsets))]
    ]
    rule = CrowdingRule(horizon_hours=3, streak_hours=(4, 6, 8), history_days_min=1)

    assert ageless(run([*repeated, settled[-1]], rule)) == ageless(run(settled, rule))


def ageless(found):
    return [record | {"exchanges": [entry | {"age_ms": 0} for entry in record["exchanges"]]} for record in found]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4 * 24), RATES, st.sampled_from(["binance", "bybit", "okx"])), max_size=30),
    st.data(),
)
def test_repeats_change_nothing_wherever_they_come(said, data):
    records = [funding(START + hour * HOUR, rate, exchange, hours=8.0) for hour, rate, exchange in said]
    repeated = list(records)
    for number in range(len(records)):
        place = data.draw(st.integers(number + 1, len(repeated)))
        first = repeated.index(records[number])
        repeated.insert(max(place, first + 1), records[number])

    assert run(repeated) == run(records)
