"""What a recorder has heard is what the job has counted."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from streams.core.market import ALL
from streams.replay.load import partition_of
from streams.report.charts import market
from streams.report.minutes import MINUTE_MS, sliding
from tests.report.replays import HOUR_MS, hear
from tests.test_replay import T0, liquidation, stormy

T_HOUR = T0 // HOUR_MS * HOUR_MS


def days(count=40, seed=3):
    """A liquidation every quarter of an hour or so on two exchanges, and a storm at the end."""
    chance = random.Random(seed)
    quiet = [
        liquidation(
            T_HOUR + chance.randrange(count * HOUR_MS), number, exchange=chance.choice(["binance", "okx"]), usd=5_000.0
        )
        for number in range(count * 4)
    ]
    storm = [liquidation(T_HOUR + count * HOUR_MS + 1_000 * n, 9_000 + n, usd=30_000.0) for n in range(60)]
    return quiet + storm


@pytest.mark.parametrize("flush_count", [3, 10_000])
def test_minutes_hold_what_was_counted_however_the_run_is_cut(flush_count):
    heard = hear(stormy(1), flush_count=flush_count)
    minutes, summary = heard.recorder.minutes, heard.summary

    whole = minutes.of(None, minutes.first, minutes.last + 1).sum(axis=0)

    assert 0 < summary.duplicates["liquidations"]
    assert [summary.long_micro_usd, summary.short_micro_usd, summary.aggregated["liquidations"]] == whole.tolist()
    each = [minutes.of(name, minutes.first, minutes.last + 1) for name in minutes.exchanges()]
    assert whole.tolist() == np.sum(each, axis=(0, 1)).tolist()


def test_an_asset_called_all_is_not_the_market():
    heard = hear([liquidation(T0, 1, "ALL", usd=200_000.0), liquidation(T0 + HOUR_MS, 2, "ALL", usd=1.0)])

    assert heard.stories("ASSET")
    assert heard.stories("MARKET") == market(heard.recorder)


def test_a_minute_is_asked_for_across_days():
    heard = hear([liquidation(T_HOUR + day * 24 * HOUR_MS, day, usd=7.0) for day in range(3)], flush_count=1)
    first = heard.recorder.minutes.first

    totals = heard.recorder.minutes.of("binance", first - 10, first + 2 * 1_440 + 5)

    assert [10, 10 + 1_440, 10 + 2 * 1_440] == np.flatnonzero(totals[:, 0]).tolist()


def test_five_minutes_at_the_end_of_a_minute_are_those_of_the_job():
    at_ms = T_HOUR + 10 * MINUTE_MS + 59_000  # the last second of its minute: the window ends with it
    records = [liquidation(at_ms - 40_000 * n, n, usd=20_000.0 + n) for n in range(20)]
    heard = hear(records, flush_count=1)
    minutes = heard.recorder.minutes

    five = sliding(minutes.of(None, minutes.first, minutes.last + 1)[:, 0], 5)

    onset = 7 * 1_000_000  # of the 8 records of 280 s
    assert sum(20_000_000_000 + n * 1_000_000 for n in range(8)) == five[-1], onset


def test_own_normals_are_those_that_the_cascades_name():
    heard = hear(days(), flush_count=5)
    (story,) = heard.stories("MARKET")
    normal_usd = story.first["normal_usd"]

    in_effect = [normal for since_ms, normal in heard.recorder.normals[ALL] if since_ms <= story.first["started"]][-1]

    assert normal_usd
    assert in_effect // 12 / 1e6 == normal_usd


def test_own_normals_do_not_wait_for_a_partition_whose_liquidations_are_refused():
    assert partition_of(b"BTC", 2) != partition_of(b"ETH", 2)

    beside, alone = (
        hear([liquidation(T_HOUR, 1, asset, price=-1.0), *days()], flush_count=5).recorder.normals
        for asset in ("BTC", "ETH")
    )

    assert 1 < len(beside[ALL])
    assert beside == alone


def test_an_asset_keeps_the_minutes_around_its_cascade_also_where_one_flush_holds_all_of_it():
    records = stormy(2)
    cut, whole = hear(records, flush_count=3), hear(records, flush_count=10_000)

    for story in whole.stories("ASSET"):
        wanted = Counter()
        seen = set()
        for record in records:
            name = (record["exchange"], record["symbol"], record["liquidation_id"])
            if record["asset"] == story.first["key"] and name not in seen:
                seen.add(name)
                wanted[record["event_time"] // MINUTE_MS] += round(record["notional_usd"] * 1e6)
        inside = {minute: usd for minute, usd in wanted.items() if minute in story.span()}
        kept = {minute: sum(sides) for minute, sides in story.minutes.items() if minute in story.span()}
        assert kept == pytest.approx(inside, abs=len(records))
        again = cut.recorder.cascades[story.first["cascade_id"]]
        assert kept == {minute: sum(sides) for minute, sides in again.minutes.items() if minute in story.span()}
    assert whole.stories("ASSET")
