"""What the metrics say is what the units did."""

from __future__ import annotations

from collections import Counter
from itertools import product
from types import SimpleNamespace

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, generate_latest

from streams.core.crowding import Crowding
from streams.core.errors import Reason
from streams.core.events import Instrument, OpenInterest, PositionSide
from streams.engine import lag
from streams.engine.lag import Lag
from streams.engine.owned import Owned, Stage
from streams.engine.owners import Owners
from streams.metrics import COUNTERS, GAUGES, NAMESPACE, Metrics, stage_of
from tests.core.crowding_records import HOUR, QUICK, hourly
from tests.simulation import generate
from tests.simulation.generate import T0, Logs
from tests.simulation.test_units import rules
from tests.simulation.world import Schedule, World
from tests.web.worker import MINUTE, log, owners_of
from tests.web.worker import rules as web_rules
from tests.web.worker import world as small_world

CALM = Schedule(crash=0.0, idle=0.0)


def metrics_of(owners, **options):
    registry = CollectorRegistry()
    return Metrics(owners, registry, **{"lags": lambda _: owners.waiting} | options), registry


def samples(registry):
    return {
        (sample.name.removeprefix(f"{NAMESPACE}_"), *sorted(sample.labels.items())): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def value(registry, name, **labels):
    return registry.get_sample_value(f"{NAMESPACE}_{name}", labels)


def by_topic(registry, name):
    found = {}
    for (each, *labels), count in samples(registry).items():
        if each == f"records_{name}_total":
            topic = dict(labels)["topic"]
            found[topic] = found.get(topic, 0) + count
    return found


@pytest.fixture(scope="module", params=[1, 2])
def random_world(request):
    rule = rules(request.param)
    made = World(str(request.param), generate.logs(request.param, rule.screen.duplicate_horizon_ms, 600), rule, CALM)
    made.run()
    return made


def test_everything_consumed_is_aggregated_or_a_duplicate_or_a_dead_letter(random_world):
    _, registry = metrics_of(owners_of(random_world))
    parts = [by_topic(registry, name) for name in ("aggregated", "duplicate", "dead_lettered")]

    consumed = by_topic(registry, "consumed")

    assert {"liquidations", "funding", "pane-snapshots"} == set(consumed)
    assert consumed == {topic: sum(part.get(topic, 0) for part in parts) for topic in consumed}
    assert all(part["liquidations"] > 0 for part in parts)
    assert 0 < by_topic(registry, "late")["liquidations"] <= parts[0]["liquidations"]


def test_each_dead_letter_is_counted_under_its_reason(random_world):
    _, registry = metrics_of(owners_of(random_world))
    written = [reason for reason, *_ in random_world.dead()]

    for reason in set(written):
        counted = value(registry, "records_dead_lettered_total", topic="liquidations", reason=reason)
        assert written.count(reason) == counted


def test_each_reason_of_each_input_is_there_before_its_first_dead_letter():
    made = small_world(log({"usd": 10.0}))
    made.shards[0].unit.tally.refused["liquidations", "too_old"] = 800

    _, registry = metrics_of(owners_of(made), inputs=("liquidations", "quotes"))

    for topic, reason in product(("liquidations", "quotes"), Reason):
        counted = value(registry, "records_dead_lettered_total", topic=topic, reason=reason)
        assert counted == (800.0 if (topic, reason) == ("liquidations", "too_old") else 0.0)
    for name in ("consumed", "aggregated", "late", "duplicate"):
        assert 0.0 == value(registry, f"records_{name}_total", topic="quotes")
    assert 1.0 == value(registry, "records_consumed_total", topic="liquidations")


def test_each_message_of_a_cascade_is_counted(random_world):
    _, registry = metrics_of(owners_of(random_world))
    sent = [(each["scope"], each["position_side"], each["phase"]) for each in random_world.cascades()]

    assert len(sent) == value(registry, "events_emitted_total", topic="cascades")
    for scope, side, phase in set(sent):
        counted = value(registry, "cascades_emitted_total", scope=scope, position_side=side, phase=phase)
        assert sent.count((scope, side, phase)) == counted


def test_totals_of_exchanges_and_of_the_market_are_those_of_the_rows(random_world):
    _, registry = metrics_of(owners_of(random_world))
    rows = [row for row in random_world.rows().values() if row["scope"] in {"EXCHANGE", "MARKET"}]

    assert rows
    for row in rows:
        market = row["scope"] == "MARKET"
        labels = {} if market else {"exchange": row["key"]}
        for window in row["windows"]:
            for side in PositionSide:
                name = "market_window_usd" if market else "exchange_window_usd"
                shown = value(registry, name, window=window["window"], position_side=side.name, **labels)
                assert window[f"{side.name.lower()}_usd"] == shown


def test_only_listed_symbols_have_totals_of_their_own():
    made = small_world(log({"usd": 10.0}, {"usd": 20.0, "asset": "ETH"}, {"usd": 30.0, "exchange": "okx"}))

    _, registry = metrics_of(owners_of(made), symbols=frozenset({"BTCUSDT"}))

    shown = [dict(labels) for name, *labels in samples(registry) if name == "symbol_window_usd"]
    assert {("bybit", "BTCUSDT"), ("okx", "BTCUSDT")} == {(each["exchange"], each["symbol"]) for each in shown}
    assert 40.0 == value(registry, "asset_window_usd", asset="BTC", window="1h", position_side="LONG")
    assert None is value(registry, "asset_window_usd", asset="ETH", window="1h", position_side="LONG")
    hour = {"window": "1h", "position_side": "LONG", "symbol": "BTCUSDT"}
    assert (10.0, 30.0) == tuple(
        value(registry, "symbol_window_usd", exchange=name, **hour) for name in ("bybit", "okx")
    )


def test_a_symbol_or_an_asset_that_two_partitions_have_is_one_series_and_the_sum_of_both():
    partitions = [log({"usd": usd, "asset": "BTC"}) for usd in (10.0, 20.0)]
    made = World("web", Logs(partitions, [[], []], 2), web_rules(), CALM)
    made.run()
    for shard in made.shards:
        shard.unit.context.open_interest(OpenInterest(Instrument("bybit", "BTCUSDT", "BTC"), 7.0, None, T0, T0))
        shard.unit.crowding = Crowding(QUICK)
        for record in hourly([2.0] * 4, start=T0 // HOUR * HOUR - 4 * HOUR):
            shard.unit.crowding.step(record)

    _, registry = metrics_of(owners_of(made), symbols=frozenset({"BTCUSDT"}))

    series = [line.rpartition(" ")[0] for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]
    assert [] == [name for name, count in Counter(series).items() if count > 1]
    window, symbol = {"window": "1h", "position_side": "LONG"}, {"exchange": "bybit", "symbol": "BTCUSDT"}
    assert 30.0 == value(registry, "symbol_window_usd", **symbol, **window)
    assert 30.0 == value(registry, "asset_window_usd", asset="BTC", **window)
    assert 14.0 == value(registry, "symbol_open_interest_coins", **symbol)
    assert 2.0 == value(registry, "asset_funding_annualised", asset="BTC")


def test_coverage_is_one_for_what_the_feed_can_show():
    _, registry = metrics_of(owners_of(small_world(log({"usd": 10.0}, {"usd": 5.0, "exchange": "okx"}))))

    assert 1.0 == value(registry, "exchange_coverage", exchange="bybit", coverage="FULL")
    assert 1.0 == value(registry, "exchange_coverage", exchange="okx", coverage="SAMPLED")
    assert 1.0 == value(registry, "exchange_coverage", exchange="hyperliquid", coverage="ABSENT")


def test_a_feed_that_has_gone_silent_is_stale():
    made = small_world(log({"usd": 10.0}))
    made.exchanges.unit.stale = frozenset({"bybit"})

    _, registry = metrics_of(owners_of(made))

    assert 1.0 == value(registry, "exchange_coverage", exchange="bybit", coverage="STALE")


def test_whether_a_feed_is_silent_is_a_gauge_of_its_own():
    made = small_world(log({"usd": 10.0}, {"usd": 5.0, "exchange": "okx"}))
    made.exchanges.unit.feeds.known["okx"].silent = 2  # found by the habit

    _, registry = metrics_of(owners_of(made))

    assert (0.0, 1.0) == tuple(value(registry, "feed_stale", exchange=name) for name in ("bybit", "okx"))


def test_how_far_an_exchange_is_behind_is_that_of_its_last_liquidation():
    made = small_world(log({"usd": 10.0, "at": 9_000}, {"usd": 5.0, "exchange": "okx", "at": 2_000}))

    _, registry = metrics_of(owners_of(made))

    assert (0.0, 7.0) == tuple(value(registry, "exchange_behind_seconds", exchange=name) for name in ("bybit", "okx"))


def test_an_open_cascade_is_shown_and_one_that_has_subsided_is_not():
    made = small_world(log({"usd": 2e6}, {"usd": 1.0, "asset": "ETH", "at": 20 * MINUTE}))
    later = small_world(log({"usd": 2e6}, {"usd": 1.0, "asset": "ETH", "at": 40 * MINUTE}))

    shown = {
        (scope, side): value(metrics_of(owners_of(made))[1], "cascades_open", scope=scope, position_side=side)
        for scope in ("ASSET", "MARKET")
        for side in ("LONG", "SHORT")
    }

    assert {("ASSET", "LONG"): 1.0, ("ASSET", "SHORT"): 0.0, ("MARKET", "LONG"): 1.0, ("MARKET", "SHORT"): 0.0} == shown
    assert 0.0 == value(metrics_of(owners_of(later))[1], "cascades_open", scope="ASSET", position_side="LONG")


def test_the_lag_in_seconds_is_the_age_of_the_newest_event_while_records_wait_and_else_zero():
    owners = owners_of(small_world(log({"usd": 10.0})))
    _, registry = metrics_of(owners, lateness_ms={"liquidations": 2_000}, now=lambda: T0 / 1000 + 60)
    where = {"topic": "liquidations", "partition": "0"}

    assert (0.0, 62.0) == tuple(
        value(registry, name, **where) for name in ("consumer_lag_seconds", "watermark_delay_seconds")
    )

    owners.waiting = {("liquidations", 0): Lag(3)}

    assert 60.0 == value(registry, "consumer_lag_seconds", **where)
    assert 3.0 == value(registry, "consumer_lag_records", **where)
    assert T0 / 1000 == value(registry, "event_time_seconds", **where)


def test_while_no_fetch_is_answered_nobody_says_that_nothing_waits():
    owners = owners_of(small_world(log({"usd": 10.0})))
    _, registry = metrics_of(owners, now=lambda: T0 / 1000 + 60)
    where = {"topic": "liquidations", "partition": "0"}

    def shown(lag):
        owners.waiting = {("liquidations", 0): lag}
        return tuple(value(registry, f"consumer_lag_{unit}", **where) for unit in ("records", "seconds"))

    assert (None, 25.0) == shown(Lag(None, 25.0))
    assert (2.0, 60.0) == shown(Lag(2, 25.0))
    assert (2.0, 75.0) == shown(Lag(2, 75.0))


def test_nothing_is_asked_of_a_consumer_that_is_not_ready():
    owners = owners_of(small_world(log({"usd": 10.0})))
    owners.ready = False

    _, registry = metrics_of(owners, lags=lag.lags)

    assert 0.0 == value(registry, "ready")


def test_units_without_any_record_are_shown_without_totals():
    _, registry = metrics_of(owners_of(small_world([])), symbols=frozenset({"BTCUSDT"}))

    shown = {name for name, *_ in samples(registry)}
    assert 1.0 == value(registry, "units_owned", stage="state")
    assert set() == shown & {"market_window_usd", "exchange_coverage", "event_time_seconds", "symbol_window_usd"}


def test_rows_and_bytes_of_state_are_those_of_the_changelog():
    made = small_world(log({"usd": 10.0}, {"usd": 20.0, "asset": "ETH"}))
    rows = made.shards[0].rows

    _, registry = metrics_of(owners_of(made))

    size = sum(len(key) + len(row) for key, row in rows.items())
    where = {"stage": "state", "partition": "0"}
    assert (len(rows), size) == tuple(value(registry, name, **where) for name in ("state_rows", "state_bytes"))
    assert 2.0 == value(registry, "instruments", partition="0")


def test_batches_and_flushes_are_observed_through_the_hooks_of_the_owners():
    owners = owners_of(small_world(log({"usd": 10.0})))
    _, registry = metrics_of(owners)

    owners.folded("liquidations", 40, 0.125)
    owners.flushed(next(iter(owners.owned.values())))

    assert 40.0 == value(registry, "batch_records_sum", topic="liquidations")
    assert 0.125 == value(registry, "batch_seconds_sum", topic="liquidations")
    assert (7.0, 0.25) == tuple(value(registry, f"flush_{name}_sum", stage="state") for name in ("rows", "seconds"))


def test_the_age_of_the_last_flush_is_shown_once_there_was_one():
    owners = owners_of(small_world(log({"usd": 10.0})))
    _, registry = metrics_of(owners)
    where = {"stage": "state", "partition": "0"}
    assert None is value(registry, "last_flush_age_seconds", **where)

    owners.owned["app-state-changelog", 0].flush_ended = 1e-9

    assert value(registry, "last_flush_age_seconds", **where) > 0


def test_a_transaction_in_flight_has_an_age_and_one_that_is_not_has_none():
    owners = owners_of(small_world(log({"usd": 10.0})))
    _, registry = metrics_of(owners)
    where = {"stage": "state", "partition": "0"}
    assert 0.0 == value(registry, "transaction_open_seconds", **where)

    owners.owned["app-state-changelog", 0].flush_began = 0.0

    assert value(registry, "transaction_open_seconds", **where) > 0

    owners.leaving, owners.owned = owners.owned, {}

    assert value(registry, "transaction_open_seconds", **where) > 0


def test_how_far_an_exchange_is_behind_is_the_most_of_all_partitions():
    owners = owners_of(small_world(log({"usd": 10.0})))
    for tally, behind_ms in zip(owners.tallies.values(), (1_500, 500), strict=True):
        tally.behind_ms["okx"] = behind_ms

    _, registry = metrics_of(owners)

    assert 1.5 == value(registry, "exchange_behind_seconds", exchange="okx")
    owners.owned.clear()  # nobody here knows it any more

    assert value(registry, "exchange_behind_seconds", exchange="okx") is None


def test_a_unit_that_comes_back_counts_on():
    made = small_world(log({"usd": 10.0}))
    stage = Stage("app-state-changelog", ("liquidations",), lambda _: made.shards[0].make(), 1)
    owners = Owners(None, [stage], SimpleNamespace(connection={}), None)
    registry = metrics_of(owners, lags=lag.lags)[1]
    tp = TP(stage.changelog, 0)

    for _ in range(2):
        owners._restore(tp, Owned(stage, stage.make(0), None), dict(made.shards[0].rows))
        owners.owned[stage.changelog, 0].unit.tally.consumed["liquidations"] += 5

    assert 10.0 == value(registry, "records_consumed_total", topic="liquidations")
    assert len(made.shards[0].rows) == value(registry, "state_rows", stage="state", partition="0")

    owners.owned.clear()

    assert 10.0 == value(registry, "records_consumed_total", topic="liquidations")


def test_every_metric_is_described_and_can_be_written(random_world):
    metrics, registry = metrics_of(owners_of(random_world))

    described = {family.name for family in metrics.describe()}

    assert {f"{NAMESPACE}_{name}" for name in [*COUNTERS, *GAUGES]} == described
    assert {family.name for family in metrics.collect()} == described
    assert b"streams_ready 1.0" in generate_latest(registry)


def test_the_stage_is_the_table_in_the_name_of_the_changelog():
    assert "state" == stage_of(SimpleNamespace(stage=SimpleNamespace(changelog="my-own-app-state-changelog")))
