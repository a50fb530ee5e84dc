"""Late, too old, twice, too many: at the edge and a millisecond beyond it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.errors import Reason
from streams.core.screen import Screen, ScreenRule, Seen, _first_of_each
from tests.core.liquidations import DAY, HOUR, MINUTE, T, columns, liquidation


def accepted(*liquidations, **rule):
    return Screen(ScreenRule(**rule)).accept(columns(*liquidations))


def one_by_one(*liquidations, **rule):
    screen = Screen(ScreenRule(**rule))
    return [screen.accept(columns(each)) for each in liquidations]


@pytest.mark.parametrize(("behind_ms", "late"), [(2_000, False), (2_001, True)])
def test_late_is_more_than_the_lateness_behind_the_clock_of_its_asset(behind_ms, late):
    found = accepted(liquidation(T), liquidation(T - behind_ms), lateness_ms=2_000)

    assert [False, late] == found.late.tolist()


def test_the_clock_of_another_asset_makes_nothing_late():
    found = accepted(liquidation(T), liquidation(T - HOUR, asset="ETH"))

    assert [False, False] == found.late.tolist()


@pytest.mark.parametrize(("behind_ms", "on_time"), [(5_000, True), (5_001, False)])
def test_on_time_is_not_more_than_the_markets_lateness_behind_the_clock_of_the_partition(behind_ms, on_time):
    found = accepted(liquidation(T), liquidation(T - behind_ms, asset="ETH"), market_lateness_ms=5_000)

    assert [True, on_time] == found.on_time.tolist()


@pytest.mark.parametrize(("behind_ms", "count"), [(DAY, 2), (DAY + 1, 1)])
def test_too_old_is_more_than_24_hours_behind_the_clock_of_its_asset(behind_ms, count):
    found = accepted(liquidation(T), liquidation(T - behind_ms))

    assert count == len(found.index)
    assert [Reason.TOO_OLD] * (2 - count) == [reason for _, reason, _ in found.refused]


@pytest.mark.parametrize(("behind_ms", "count"), [(DAY, 2), (DAY + MINUTE, 1)])
def test_too_old_is_also_what_its_partition_has_forgotten(behind_ms, count):
    found = accepted(liquidation(T), liquidation(T - behind_ms, asset="ETH"))

    assert count == len(found.index)
    for _, reason, detail in found.refused:
        assert (Reason.TOO_OLD, True) == (reason, "24.0 h behind the newest of its partition" in detail)
    assert 2 - count == len(found.refused)


def test_what_is_refused_moves_no_clock():
    screen = Screen(ScreenRule())
    screen.accept(columns(liquidation(T), liquidation(T - DAY - 1)))

    assert (T, {"BTC": T}) == (screen.clock_ms, screen.asset_clock_ms)


@pytest.mark.parametrize(("behind_ms", "duplicates"), [(HOUR - 1, [1]), (HOUR, [])])
def test_a_duplicate_is_less_than_the_horizon_behind_the_clock_of_its_asset(behind_ms, duplicates):
    first = liquidation(T, name="same")
    screen = Screen(ScreenRule(duplicate_horizon_ms=HOUR))
    screen.accept(columns(first, liquidation(T + behind_ms)))

    assert [0] * len(duplicates) == screen.accept(columns(first)).duplicates


@pytest.mark.parametrize(("behind_ms", "duplicates"), [(2 * HOUR - 1, [0]), (2 * HOUR, [])])
def test_the_clock_of_the_partition_ends_a_horizon_an_hour_later(behind_ms, duplicates):
    first = liquidation(T, name="same")
    screen = Screen(ScreenRule(duplicate_horizon_ms=HOUR))
    screen.accept(columns(first, liquidation(T + behind_ms, asset="ETH")))

    assert duplicates == screen.accept(columns(first)).duplicates


def test_a_duplicate_within_a_batch_counts_once():
    found = accepted(liquidation(name="same"), liquidation(name="same"), liquidation(name="other"))

    assert ([0, 2], [1]) == (found.index.tolist(), found.duplicates)


def test_one_id_on_two_exchanges_is_two_liquidations():
    found = accepted(liquidation(name="same"), liquidation(name="same", exchange="okx"))

    assert 2 == len(found.index)


def test_an_instrument_beyond_the_limit_is_refused_and_known_ones_go_on():
    first, second = one_by_one(liquidation(), liquidation(asset="ETH"), instruments_max=1)
    again = accepted(liquidation(T), liquidation(asset="ETH"), liquidation(T + 1), instruments_max=1)

    assert (1, Reason.TOO_MANY_INSTRUMENTS) == (len(first.index), second.refused[0][1])
    assert "STREAMS_INSTRUMENTS_MAX is 1" in second.refused[0][2]
    assert [0, 2] == again.index.tolist()


def test_a_symbol_is_the_asset_that_it_was_first():
    first, other, own = liquidation(), liquidation(T + 1, asset="PEPE"), liquidation(T + 2)
    other = replace(other, instrument=first.instrument._replace(asset="PEPE"))
    apart, together = one_by_one(first, other, own), accepted(first, other, own)

    assert [(1, Reason.OTHER_ASSET)] == [each[:2] for each in together.refused]
    assert [1, 0, 1] == [len(each.index) for each in apart]
    assert "binance BTCUSDT is asset BTC since its first record, and this one says PEPE" in together.refused[0][2]
    assert [0, 2] == together.index.tolist()


def test_one_exchange_more_than_there_may_be_is_refused_and_those_that_are_known_go_on():
    screen = Screen(ScreenRule(exchanges_max=2))
    first = screen.accept(columns(*(liquidation(exchange=name) for name in ("a", "b"))))
    second = screen.accept(columns(*(liquidation(T + 1, exchange=name, asset="ETH") for name in ("a", "c", "b"))))

    assert ([0, 1], [0, 2]) == (first.index.tolist(), second.index.tolist())
    assert [(1, Reason.TOO_MANY_INSTRUMENTS)] == [each[:2] for each in second.refused]
    assert second.refused[0][2].endswith("would be of exchange 3 of this partition; there may be 2")


def test_a_clock_that_the_partition_no_longer_remembers_counts_as_none():
    screen = Screen(ScreenRule())
    screen.accept(columns(liquidation(T), liquidation(T + 2 * DAY, asset="ETH")))

    assert screen.clock_of("BTC") is None


@pytest.mark.parametrize(("ahead_ms", "remembered"), [(DAY + MINUTE - 1_001, True), (DAY + MINUTE - 1_000, False)])
def test_a_clock_is_remembered_while_its_minute_is_in_the_24_hours(ahead_ms, remembered):
    screen = Screen(ScreenRule())
    screen.accept(columns(liquidation(T), liquidation(T + ahead_ms, asset="ETH")))

    assert remembered == (screen.clock_of("BTC") is not None)


def test_identities_are_forgotten_with_the_whole_entry_they_came_in(monkeypatch):
    screen = Screen(ScreenRule(duplicate_horizon_ms=HOUR))
    found = columns(liquidation(T), liquidation(T + MINUTE))
    screen.accept(found)
    number = screen.seen.journal.number(T + MINUTE)
    monkeypatch.setattr(screen.seen, "_least", 1)

    assert [] == screen.seen.forget(T + MINUTE - 1)
    assert [number] == screen.seen.forget(T + MINUTE)


IDENTITIES = np.array([2**64 - 1, 7, 7], np.uint64)


def test_an_entry_is_taken_up_with_the_newest_time_of_each_identity():
    seen = Seen()
    seen.restore(4, IDENTITIES, np.array([T, T + 2, T + 1]))
    assert [T, T + 2] == seen.times.find(IDENTITIES[:2]).tolist()

    seen.restore(2, IDENTITIES[:2], np.array([T + 5, T]))
    assert [T + 5, T + 2] == seen.times.find(IDENTITIES[:2]).tolist()
    assert (5, [4, 2]) == (seen.journal.number(T + 9), seen.forget(T + 5))


def test_few_identities_are_kept_beyond_their_time_and_many_are_not(monkeypatch):
    seen = Seen()
    seen.restore(0, IDENTITIES, np.array([T, T + 1, T + 2]))
    assert [0] == seen.forget(T + 2)
    assert 2 == len(seen.times)

    monkeypatch.setattr(seen, "_least", 1)
    assert [] == seen.forget(T)
    assert [-1, T + 2] == seen.times.find(IDENTITIES[:2]).tolist()
    seen.forget(T + 2)
    assert 1 == len(seen.times), "there are few again"


def test_what_is_taken_up_is_a_duplicate():
    first = columns(liquidation(T, name="same"))
    screen = Screen(ScreenRule())
    screen.seen.restore(0, first.identity, first.event_time_ms)

    assert [0] == screen.accept(first).duplicates


# Both: keys of one bucket that differ in bits above it, and many that are equal.
KEYS = st.builds(lambda low, high: low | high << 60, st.integers(0, 7), st.integers(0, 3)) | st.integers(0, 2**64 - 1)


@given(st.lists(KEYS, max_size=40))
def test_the_first_of_each_key_is_found_whether_or_not_keys_share_a_bucket(keys):
    expected = [keys.index(key) for key in keys]

    assert expected == _first_of_each(np.array(keys, np.uint64)).tolist()


def test_the_first_of_one_key_that_comes_often_is_the_first():
    keys = np.repeat(np.array([5, 5 + (1 << 40), 6], np.uint64), 1_000)

    assert [0] * 1_000 + [1_000] * 1_000 + [2_000] * 1_000 == _first_of_each(keys).tolist()


AT = st.integers(0, 4 * HOUR)
RECORDS = st.lists(st.tuples(AT, st.sampled_from(["BTC", "ETH"]), st.integers(0, 5)), min_size=1, max_size=12)


@given(RECORDS, st.integers(0, 12))
def test_where_a_batch_is_cut_decides_nothing(found, cut):
    records = [liquidation(T + at, asset=asset, name=str(name)) for at, asset, name in found]
    once, twice, singly = (Screen(ScreenRule(duplicate_horizon_ms=HOUR)) for _ in range(3))
    whole = once.accept(columns(*records))
    parts = [twice.accept(columns(*part)) for part in (records[:cut], records[cut:]) if part]
    each = [singly.accept(columns(record)) for record in records]

    for some in (parts, each):
        assert whole.asset_clock_ms.tolist() == [clock for part in some for clock in part.asset_clock_ms.tolist()]
        assert whole.clock_ms.tolist() == [clock for part in some for clock in part.clock_ms.tolist()]
        assert len(whole.duplicates) == sum(len(part.duplicates) for part in some)
    assert once.asset_clock_ms == twice.asset_clock_ms == singly.asset_clock_ms
