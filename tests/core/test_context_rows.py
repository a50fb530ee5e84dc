"""What the context saves, loads and forgets, and which order of records it does not see."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.context import ContextRule, ContextTracker
from streams.core.errors import InvalidEvent
from streams.core.events import PositionSide
from tests.core.context_builders import DAY, HOUR, MINUTE, SECOND, SHORT, T, fed, flow, interest, minutes, quote

# Short enough that a handful of records fills it, expires it and comes back.
TINY = ContextRule(
    returns_count_min=1,
    spreads_count_min=1,
    since_count_min=1,
    window_ms=HOUR,
    lag_ms_max=HOUR,
    history_ms=2 * DAY,
    history_ms_min=DAY,
    flow_age_ms_max=DAY,
    instruments_max=100,
)

exchanges = st.sampled_from(["binance", "okx"])
assets = st.sampled_from(["BTC", "ETH"])
# Mostly neighbours, sometimes hours or days apart: what is kept must leave too.
offsets = st.one_of(st.integers(0, 3 * MINUTE), st.integers(0, 5 * HOUR), st.integers(0, 6 * DAY))
quotes = st.builds(
    lambda offset, price, marked, exchange, asset: quote(
        T + offset, price, mark=price if marked else None, exchange=exchange, asset=asset
    ),
    offsets,
    st.floats(1.0, 1e9),
    st.booleans(),
    exchanges,
    assets,
)
interests = st.builds(lambda offset, *rest: interest(T + offset, *rest), offsets, st.floats(0, 1e9), exchanges, assets)
flows = st.builds(
    lambda offset, coins, exchange, asset: flow(T + offset, coins, exchange, asset=asset),
    offsets,
    st.floats(0, 1e9),
    exchanges,
    assets,
)


def write(table, tracker):
    for key, value in tracker.dirty_rows():
        if value is None:
            # What came and went within one flush leaves a tombstone for a row that never was: harmless.
            table.pop(key, None)
        else:
            table[key] = value


def restored(table, rule):
    tracker = ContextTracker(rule)
    for key, value in table.items():
        tracker.load(key, value)
    return tracker


def take(tracker, record):
    {"Quote": tracker.quote, "OpenInterest": tracker.open_interest, "ExchangeFlow": tracker.flow}[
        type(record).__name__
    ](record)


def said(tracker, *, until_ms=7 * DAY):
    """All that can be asked at many moments."""
    found = []
    for at_ms in (*range(T, T + 5 * MINUTE, MINUTE), *range(T, T + 6 * HOUR, HOUR), *range(T, T + until_ms, 8 * HOUR)):
        for asset in ("BTC", "ETH"):
            before = tracker.before(asset, at_ms)
            found.append((before, tracker.after(before, asset, PositionSide.LONG, at_ms - 3 * MINUTE, at_ms + MINUTE)))
    return found


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(quotes, quotes, interests, flows), max_size=30))
def test_saving_and_loading_after_every_record_changes_nothing(records):
    kept, again, kept_table, table = ContextTracker(TINY), ContextTracker(TINY), {}, {}
    for record in records:
        take(kept, record)
        take(again, record)
        write(kept_table, kept)
        write(table, again)
        again = restored(table, TINY)

    assert kept_table == table
    assert said(kept) == said(again)


@settings(deadline=None, max_examples=50)
@given(st.lists(quotes, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_quotes_within_a_minute_does_not_matter(records, chance: random.Random):
    ordered = sorted(records, key=lambda q: q.event_time_ms)
    shuffled = sorted(records, key=lambda q: (q.event_time_ms // MINUTE, chance.random()))

    expected, found = {}, {}
    write(expected, fed(*ordered, rule=TINY))
    write(found, fed(*shuffled, rule=TINY))

    assert expected == found


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(quotes, interests, flows), max_size=20))
def test_a_repeated_record_changes_nothing(records):
    expected, found = {}, {}
    write(expected, fed(*records, rule=TINY))
    write(found, fed(*[record for record in records for _ in range(2)], rule=TINY))

    assert expected == found


@given(st.permutations([flow(T + m * MINUTE, 10.0 + m, exchange) for m in (1, 30, 60) for exchange in ("okx", "gate")]))
def test_the_order_of_flows_within_an_hour_does_not_matter(records):
    assert fed(*records).before("BTC", T + HOUR).inflow.value == 140.0


def test_each_kind_of_row_is_restored():
    table = {}
    days = [flow(T + d * DAY, 10.0 + d) for d in range(-8, 1)]
    tracker = fed(*minutes(3), interest(T, 1.0), interest(T + HOUR, 2.0), *days)
    write(table, tracker)
    again = restored(table, SHORT)

    expected = tracker.before("BTC", T + 5 * MINUTE)
    assert None not in (expected.volatility, expected.spread_multiple, expected.inflow.percentile)
    assert expected.open_interest == {"binance|BTCUSDT": 1.0}
    assert expected == again.before("BTC", T + 5 * MINUTE)


def test_a_row_is_written_once_however_many_quotes_a_flush_holds():
    tracker = fed(*[quote(T + s * SECOND) for s in range(59)])

    assert [b"x|q|BTC"] == [key for key, _ in tracker.dirty_rows()]
    assert tracker.dirty_rows() == []


def test_all_keys_begin_with_the_letter_of_the_context():
    tracker = fed(*minutes(3), interest(T, 1.0), interest(T + HOUR, 1.0), flow(T, 1.0))
    kinds = [key[:4] for key, _ in tracker.dirty_rows()]

    assert [b"x|q|", b"x|r|", b"x|s|", b"x|o|", b"x|i|", b"x|f|", b"x|g|"] == kinds


def test_a_row_of_another_kind_is_refused_by_its_key():
    with pytest.raises(ValueError, match=r"b'f\|BTC' of the state is of no kind"):
        ContextTracker(SHORT).load(b"f|BTC", b"\x01{}")


def expired(first, later):
    """Keys with a tombstone once ``later`` has come behind ``first``."""
    tracker = fed(first)
    tracker.dirty_rows()
    take(tracker, later)
    return [key for key, value in tracker.dirty_rows() if value is None]


def test_an_instrument_silent_for_26_hours_is_kept_and_for_longer_is_not():
    first = quote(T)

    assert expired(first, quote(T + 26 * HOUR + MINUTE - 1, asset="ETH")) == []
    assert expired(first, quote(T + 26 * HOUR + MINUTE, asset="ETH")) == [b"x|q|BTC"]


def test_open_interest_silent_for_26_hours_is_kept_and_for_longer_is_not():
    first = interest(T, 1.0)

    assert expired(first, interest(T + 26 * HOUR, 1.0, asset="ETH")) == []
    assert expired(first, interest(T + 26 * HOUR + 1, 1.0, asset="ETH")) == [b"x|o|BTC"]


def test_an_exchange_without_flows_for_90_days_and_two_hours_is_kept_and_for_longer_is_not():
    first = flow(T, 1.0)

    assert expired(first, flow(T + 90 * DAY + 2 * HOUR, 1.0, asset="ETH")) == []
    assert b"x|f|BTC" in expired(first, flow(T + 90 * DAY + 2 * HOUR + 1, 1.0, asset="ETH"))


def test_one_of_two_instruments_leaves_alone():
    later = T + 30 * HOUR
    tracker = fed(
        *[quote(T), quote(T, exchange="okx"), quote(later), quote(later + HOUR, exchange="bybit")],
        *[interest(T, 1.0), interest(T, 1.0, "okx"), interest(later, 2.0)],
        *[flow(T, 1.0), flow(T, 1.0, "okx"), flow(T + 100 * DAY, 2.0)],
        rule=ContextRule(instruments_max=2),
    )

    assert tracker.before("BTC", later).open_interest == {"binance|BTCUSDT": 2.0}
    assert tracker.before("BTC", T + 100 * DAY).inflow.value == 2.0


def test_flows_of_the_version_before_have_one_period_of_each_exchange():
    tracker = ContextTracker(SHORT)
    tracker.load(b"x|f|BTC", b'\x01{"okx":[%d,%d,%d,60.0]}' % (T, T, T - DAY))
    take(tracker, flow(T, 10.0))

    assert tracker.before("BTC", T).inflow.value == 70.0


@pytest.mark.parametrize(
    ("first", "clock", "another"),
    [
        (quote(T), quote(T + 30 * HOUR, asset="ETH"), quote(T + 30 * HOUR, asset="SOL")),
        (interest(T, 1.0), interest(T + 30 * HOUR, 1.0, asset="ETH"), interest(T + 30 * HOUR, 1.0, asset="SOL")),
        (flow(T, 1.0), flow(T + 100 * DAY, 1.0, asset="ETH"), flow(T + 100 * DAY, 1.0, asset="SOL")),
    ],
)
def test_what_has_expired_makes_room_for_another(first, clock, another):
    tracker = fed(first, clock, another, rule=ContextRule(instruments_max=2))

    assert any(b"SOL" in key for key, _ in tracker.dirty_rows())


@pytest.mark.parametrize(
    ("known", "refused"),
    [
        (quote(T), quote(T, asset="ETH")),
        (interest(T, 1.0), interest(T, 1.0, "okx")),
        (flow(T, 1.0), flow(T, 1.0, "okx")),
    ],
)
def test_the_limit_holds_after_a_restart(known, refused):
    table, rule = {}, ContextRule(instruments_max=1)
    write(table, fed(known, rule=rule))

    with pytest.raises(InvalidEvent, match="STREAMS_INSTRUMENTS_MAX is 1"):
        take(restored(table, rule), refused)


@pytest.mark.parametrize(
    ("clock", "old"),
    [
        (quote(T + 26 * HOUR), quote(T, asset="ETH")),
        (interest(T + 26 * HOUR, 1.0), interest(T, 1.0, asset="ETH")),
        (flow(T + 90 * DAY + 2 * HOUR, 1.0), flow(T, 1.0, asset="ETH")),
    ],
)
def test_a_restart_forgets_no_clock(clock, old):
    table = {}
    write(table, fed(clock))
    again = restored(table, SHORT)

    take(again, old)

    assert again.dirty_rows() == []


@pytest.mark.parametrize(
    "pair",
    [
        [quote(T, 100.0), quote(T, 101.0)],
        [quote(T), quote(T, exchange="okx")],
        [interest(T, 1.0), interest(T, 2.0)],
        [interest(T, 1.0), interest(T, 1.0, "okx")],
        [flow(T, 1.0), flow(T, 2.0)],
        [flow(T, 1.0), flow(T, 1.0, "okx")],
    ],
)
def test_two_records_of_one_time_give_the_same_rows_in_either_order(pair):
    assert fed(*pair).dirty_rows() == fed(*reversed(pair)).dirty_rows()


def test_an_instrument_that_comes_after_a_flush_is_in_the_next_row():
    table, tracker = {}, fed(quote(T))
    write(table, tracker)
    tracker.quote(quote(T + 1, exchange="okx", spread=0.3))
    write(table, tracker)

    assert b"okx" in table[b"x|q|BTC"]


def test_an_instrument_that_has_left_is_not_in_the_next_row():
    table, tracker = {}, fed(quote(T), quote(T + HOUR, exchange="okx"))
    write(table, tracker)
    tracker.quote(quote(T + 27 * HOUR, exchange="okx"))
    write(table, tracker)

    assert b"binance" not in table[b"x|q|BTC"]


@pytest.mark.parametrize(
    ("clock", "old"),
    [
        (quote(T + 26 * HOUR, asset="ETH"), quote(T)),
        (interest(T + 26 * HOUR, 1.0, asset="ETH"), interest(T, 1.0)),
        (flow(T + 90 * DAY + 2 * HOUR, 1.0, asset="ETH"), flow(T, 1.0)),
    ],
)
def test_a_record_as_old_as_what_is_forgotten_is_passed_over(clock, old):
    assert not any(b"BTC" in key for key, _ in fed(clock, old).dirty_rows())


@pytest.mark.parametrize(
    ("clock", "old"),
    [
        (quote(T + 26 * HOUR, asset="ETH"), quote(T + MINUTE)),
        (interest(T + 26 * HOUR, 1.0, asset="ETH"), interest(T + 1, 1.0)),
        (flow(T + 90 * DAY + 2 * HOUR, 1.0, asset="ETH"), flow(T + 1, 1.0)),
    ],
)
def test_a_record_not_quite_as_old_is_taken(clock, old):
    assert any(b"BTC" in key for key, _ in fed(clock, old).dirty_rows())


def test_a_year_of_silence_is_one_step():
    tracker = fed(*minutes(3), quote(T + 365 * DAY))
    rows = dict(tracker.dirty_rows())

    assert [None, None] == [value for key, value in rows.items() if key[:4] in {b"x|r|", b"x|s|"}]
    assert rows[b"x|q|BTC"] is not None
