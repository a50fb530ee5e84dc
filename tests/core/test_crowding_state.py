"""What crowding remembers: its history, its rows, and that a restart changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.crowding import Crowding
from streams.core.crowding_rows import Key, decode_rate
from streams.core.crowding_rule import CrowdingRule
from streams.core.crowding_series import BLOCK_DAYS, History, Series
from streams.core.errors import InvalidEvent, Reason
from streams.core.events import Instrument
from streams.core.reading import Reading
from tests.core.crowding_records import DAY, HOUR, QUICK, START, billionths, funding, hourly, of, run

BASE, CROWDED = 0.1095, 0.5475


def restarted(crowding, rows):
    rows.update(crowding.dirty_rows())
    again = Crowding(crowding.rule)
    for key, value in rows.items():
        if value is not None:
            again.load(key, value)
    return again


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-2 * HOUR, 60 * HOUR),
            st.sampled_from([-1.2, -0.4, 0.0, 0.1095, 0.3, 0.6, 1.5]),
            st.sampled_from(["binance", "bybit"]),
            st.sampled_from([None, 0.0, 1e9]),
            st.sampled_from([1.0, 8.0]),
        ),
        max_size=25,
    )
)
def test_a_restart_after_every_record_changes_nothing(said):
    rule = CrowdingRule(horizon_hours=2, streak_hours=(2, 3, 4), history_days_min=2, history_days_max=5)
    records, now = [], START
    for step, rate, exchange, weight, hours in said:
        now += step
        records.append(funding(now, rate, exchange, weight=weight, hours=hours))
    straight, broken, rows, found = Crowding(rule), Crowding(rule), {}, []
    for record in records:
        found += broken.step(record)
        broken = restarted(broken, rows)

    assert found == run(records, crowding=straight)
    assert {key: value for key, value in rows.items() if value} == {k: v for k, v in straight.dirty_rows() if v}
    assert broken._assets == straight._assets


def test_a_rate_within_the_hour_rewrites_one_small_row():
    crowding = Crowding(QUICK)
    run([*hourly([CROWDED] * 30), *hourly([CROWDED] * 30, exchange="bybit")], crowding=crowding)
    crowding.dirty_rows()
    crowding.step(funding(START + 30 * HOUR + 1000, CROWDED, weight=123_456_789_012.5))
    [(key, value)] = crowding.dirty_rows()

    assert key == b'f|r|["binance","BTCUSDT","BTC"]'
    assert len(value) < 150
    assert crowding.dirty_rows() == []


def test_a_row_of_another_version_is_refused():
    with pytest.raises(ValueError, match="must begin with version"):
        decode_rate(b"\x03[]")


@pytest.mark.parametrize(("version", "weight", "read"), [(1, "0", None), (1, "7", 7), (2, "0", 0), (2, "null", None)])
def test_in_rows_of_the_version_before_no_open_interest_was_none_known(version, weight, read):
    assert read == decode_rate(bytes((version,)) + f"[1,2,3,{weight},5,6,7]".encode()).weight


def test_every_key_begins_alike_and_reads_back():
    crowding = Crowding(QUICK)
    run(hourly([CROWDED] * 60), crowding=crowding)
    keys = [key for key, _ in crowding.dirty_rows()]

    assert [key[:4] for key in keys] == [b"f|d|", b"f|d|", b"f|r|", b"f|s|", b"f|s|"]
    assert [Key.decode(key).encode() for key in keys] == keys


def days_of(hours_of_a_day, days, start=START):
    """An hourly feed that speaks for the first hours of each day and is then silent until the next."""
    return [
        funding(start + day * DAY + hour * HOUR, CROWDED)
        for day in range(days)
        for hour in range(hours_of_a_day - 1)  # a rate holds for two hours
    ] + [funding(start + days * DAY + hour * HOUR, CROWDED) for hour in range(3)]


@pytest.mark.parametrize(("hours", "days"), [(12, 4), (11, 0)])
def test_a_day_of_twelve_hours_is_part_of_the_history_and_one_of_eleven_is_not(hours, days):
    crowding = Crowding(QUICK)
    run(days_of(hours, 4), crowding=crowding)

    assert len(crowding._assets["BTC"].series.history.ranked) == days


def test_there_is_a_percentile_from_the_90th_day_on():
    def reading(days):
        crowding = Crowding(CrowdingRule())
        records = [funding(START + number * 8 * HOUR, BASE, hours=8.0) for number in range(3 * days + 2)]
        run(records, crowding=crowding)
        return crowding.reading("BTC", records[-1].event_time_ms + 5)

    assert reading(89) == Reading(BASE, None, 5)
    assert reading(90) == Reading(BASE, 50.0, 5)


def test_with_history_a_high_rate_that_is_usual_is_not_crowded():
    # a month at 60 % a year is crowded until that is what this asset always has
    found = of(run([funding(START + n * 8 * HOUR, 0.6, hours=8.0) for n in range(12)]), "ASSET")

    assert [(record["phase"], record["percentile"]) for record in found] == [("STARTED", None), ("ENDED", 50.0)]


def test_with_history_a_lower_rate_that_is_unusual_is_crowded_on_either_side():
    def last(rate):
        calm = [funding(START + n * 8 * HOUR, BASE, hours=8.0) for n in range(15)]
        after = [funding(START + (15 + n) * 8 * HOUR, rate, hours=8.0) for n in range(2)]
        return [(r["position_side"], r["grade"], r["percentile"]) for r in of(run(calm + after), "ASSET")]

    assert last(0.3285 - 1e-9) == [("LONG", "ELEVATED", 100.0)]
    assert last(0.3285) == [("LONG", "CROWDED", 100.0)]
    assert last(-0.219) == [("SHORT", "CROWDED", 0.0)]


def test_history_beyond_its_length_is_forgotten_with_its_rows():
    crowding, rows = Crowding(QUICK), {}
    for number in range(3 * 110):
        crowding.step(funding(START + number * 8 * HOUR, BASE, hours=8.0))
        rows.update(crowding.dirty_rows())
    history = crowding._assets["BTC"].series.history

    assert len(history.ranked) == QUICK.history_days_max
    assert sum(value is not None for block in history.blocks.values() for value in block) == QUICK.history_days_max
    kept = {Key.decode(key).block for key, value in rows.items() if key.startswith(b"f|d|") and value is not None}
    assert kept == set(history.blocks)
    assert None in rows.values()


def test_an_instrument_whose_history_is_all_over_is_forgotten_with_its_rows():
    crowding, rows = Crowding(QUICK), {}
    silent_since = START + 2 * DAY
    last_day = silent_since + QUICK.history_days_max * DAY
    run([*hourly([BASE] * 48, exchange="ftx"), funding(START + 3 * DAY, BASE)], crowding=crowding)
    rows.update(crowding.dirty_rows())
    ftx = {key for key in rows if b"ftx" in key}

    run([funding(last_day, BASE)], crowding=crowding)
    assert len(ftx) == 3
    assert crowding.instruments == 2

    run([funding(last_day + DAY, BASE)], crowding=crowding)
    assert crowding.instruments == 1
    assert {key for key, value in crowding.dirty_rows() if value is None} == ftx


def test_the_last_hour_of_a_day_belongs_to_that_day():
    series = Series()
    for hour in range(25):
        series.close_hour(QUICK, 240 if hour == 23 else 0, START + (hour + 1) * HOUR)

    assert list(series.history.ranked) == [10]


def test_with_history_the_lowest_grade_is_kept_down_to_three_quarters_of_its_floor():
    def ends(rate):
        calm = [funding(START + n * 8 * HOUR, BASE, hours=8.0) for n in range(15)]
        after = [funding(START + (15 + n) * 8 * HOUR, r, hours=8.0) for n, r in enumerate([0.219, rate, rate])]
        return [record["phase"] for record in of(run(calm + after), "ASSET")]

    kept = BASE + 0.75 * (0.219 - BASE)
    assert ends(kept) == ["STARTED"]
    assert ends(kept - 1e-9) == ["STARTED", "ENDED"]


def test_there_is_no_reading_of_what_nobody_said():
    assert Crowding(QUICK).reading("BTC", START) is None


def test_in_the_first_hour_the_reading_is_the_mean_of_the_rates_in_force():
    crowding = Crowding(QUICK)
    run([funding(START, 0.2), funding(START + 1000, 0.4, "bybit")], crowding=crowding)

    assert crowding.reading("BTC", START + 5000) == Reading(0.3, None, 4000)


def test_the_age_of_a_reading_is_never_negative():
    crowding = Crowding(QUICK)
    run([funding(START + 5000, 0.2)], crowding=crowding)

    assert crowding.reading("BTC", START).age_ms == 0


def test_there_is_no_reading_where_all_rates_are_stale():
    crowding = Crowding(QUICK)
    crowding.load(*row_of(funding(START + 1000, 0.2)))
    crowding._assets["BTC"].clock_ms = START + 2 * HOUR + 1000

    assert crowding.reading("BTC", START + 2 * HOUR) is None, "its rate then was in force, and is known no more"
    assert crowding.reading("BTC", START + 2 * HOUR + 1000) is None


def test_there_is_no_reading_before_an_asset_has_a_clock():
    crowding = Crowding(QUICK)
    crowding.load(b'f|d|[616,"BTC"]', b"\x01" + str([7] * BLOCK_DAYS).encode())

    assert crowding.reading("BTC", START) is None


def row_of(record):
    crowding = Crowding(QUICK)
    crowding.step(record)
    return crowding.dirty_rows()[0]


@given(st.dictionaries(st.integers(0, 200), st.integers(-3, 3), min_size=1), st.integers(1, 80), st.integers(-4, 4))
def test_history_agrees_with_a_list_of_days(said, length, value):
    history, naive = History(), {}
    for day, rate in sorted(said.items()):
        history.add(day, billionths(rate), oldest=day - length)
        naive = {old: r for old, r in {**naive, day: rate}.items() if old >= day - length}
    below, at_or_below = sum(r < value for r in naive.values()), sum(r <= value for r in naive.values())

    assert history.percentile(billionths(value)) == 100 * (below + at_or_below) / 2 / len(naive)
    loaded = History()
    for number, block in history.blocks.items():
        loaded.load(number, block)
    assert loaded.ranked == history.ranked


def test_an_instrument_or_an_exchange_too_many_is_refused_and_known_ones_go_on():
    crowding = Crowding(QUICK, instruments_max=2, exchanges_max=1)
    run([funding(START, BASE), funding(START, BASE, asset="ETH")], crowding=crowding)
    with pytest.raises(InvalidEvent, match="instrument 3 of this partition; STREAMS_INSTRUMENTS_MAX is 2"):
        crowding.step(funding(START, BASE, asset="SOL"))
    with pytest.raises(InvalidEvent, match="of exchange 2 of this partition; there may be 1"):
        Crowding.step(_with(crowding, instruments_max=9), funding(START, BASE, "bybit"))
    crowding.step(funding(START + HOUR, CROWDED))

    assert 2 == crowding.instruments
    assert not any(b"SOL" in key for key, _ in crowding.dirty_rows())


def test_a_symbol_of_one_asset_is_refused_as_of_another_while_it_is_remembered():
    crowding, rows = Crowding(QUICK), {}
    pepe = replace(funding(START, BASE), instrument=Instrument("binance", "PEPEUSDT", "PEPE"))
    other = replace(pepe, instrument=Instrument("binance", "PEPEUSDT", "1000PEPE"))
    crowding.step(pepe)
    crowding = restarted(crowding, rows)
    with pytest.raises(InvalidEvent, match="binance PEPEUSDT is asset PEPE since its first record") as caught:
        crowding.step(other)

    assert Reason.OTHER_ASSET == caught.value.reason
    assert not any(b"1000PEPE" in key for key, _ in crowding.dirty_rows())
    later = START + (QUICK.history_days_max + 1) * DAY
    run([funding(later, BASE), replace(other, event_time_ms=later)], crowding=crowding)
    assert 2 == crowding.instruments


def _with(crowding, instruments_max):
    again = Crowding(crowding.rule, instruments_max=instruments_max, exchanges_max=1)
    for key, value in crowding.dirty_rows():
        again.load(key, value)
    return again


def test_an_asset_that_nobody_speaks_of_any_more_is_forgotten_with_its_rows():
    crowding, rows = Crowding(QUICK), {}
    run(hourly([BASE] * 30, asset="OLD"), crowding=crowding)
    rows.update(crowding.dirty_rows())
    run([funding(START + (QUICK.history_days_max + 3) * DAY, BASE)], crowding=crowding)
    rows.update(crowding.dirty_rows())

    assert 1 == crowding.instruments
    assert [] == [key for key, value in rows.items() if b"OLD" in key and value is not None]
    assert any(b"OLD" in key for key in rows)
