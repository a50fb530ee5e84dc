"""The pages answer with what the units would say now."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from streams.core.events import Funding, Instrument, Scope
from streams.metrics import Metrics
from streams.web.health import Health
from streams.web.pages import LIMIT, LIMIT_MAX, Pages
from streams.web.pulse import Pulse
from tests.simulation import generate
from tests.simulation.test_units import rules
from tests.simulation.world import Schedule, World
from tests.web.worker import MINUTE, Owners, log, owners_of, world

HOUR = 3_600_000
#: Three days before the liquidations: rates of every eighth hour reach up to them.
T1 = generate.T0 - 3 * 24 * HOUR


def asked(owners, *paths, method="GET", headers=None):
    """Return (status, headers, text) of each path."""

    async def ask():
        registry = CollectorRegistry()
        metrics = Metrics(owners, registry, lags=lambda _: {})
        pages = Pages(Health(owners, Pulse(metrics.loop_delay.observe), lambda: False, 60.0), registry)
        app = web.Application()
        app.add_routes(pages.routes())
        app.cleanup_ctx.append(pages.beat)
        async with TestClient(TestServer(app)) as client:
            answers = [await client.request(method, path, headers=headers) for path in paths]
            return [(answer.status, answer.headers, await answer.text()) for answer in answers]

    return asyncio.run(ask())


def answer(owners, path):
    ((status, _, text),) = asked(owners, path)
    return status, json.loads(text)


def rows(owners, path):
    status, content = answer(owners, path)
    assert 200 == status, content
    return content[path.partition("?")[0].removeprefix("/api/")]


def keys(found):
    return [(each["scope"], each["key"]) for each in found]


@pytest.fixture
def small():
    return owners_of(
        world(
            log(
                {"usd": 10.0},
                {"usd": 20.0, "asset": "ETH", "at": MINUTE},
                {"usd": 30.0, "exchange": "okx", "at": 2 * MINUTE + 1_000},
            )
        )
    )


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("seed", [3, 4])
def test_windows_are_the_rows_of_the_topic(seed):
    rule = rules(seed)
    logs = generate.logs(seed, rule.screen.duplicate_horizon_ms, 400)
    made = World(str(seed), logs, rule, Schedule(crash=0.0, idle=0.0))
    made.run()
    made.exchanges.unit.stale = frozenset()  # which the topic does not say

    found = rows(owners_of(made), f"/api/windows?limit={LIMIT_MAX}")

    assert made.rows() == {f"{row['scope']}|{row['key']}": row for row in found}


def test_the_market_comes_first_and_then_the_newest_change(small):
    found = rows(small, "/api/windows")

    assert [("MARKET", "ALL"), ("EXCHANGE", "okx"), ("EXCHANGE", "bybit")] == keys(found)[:3]
    assert [("ASSET", "BTC"), ("INSTRUMENT", "okx|BTCUSDT")] == keys(found)[3:5]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("scope=MARKET", {"MARKET|ALL"}),
        ("scope=INSTRUMENT&asset=BTC", {"INSTRUMENT|bybit|BTCUSDT", "INSTRUMENT|okx|BTCUSDT"}),
        ("asset=ETH", {"ASSET|ETH", "INSTRUMENT|bybit|ETHUSDT"}),
        ("exchange=okx", {"EXCHANGE|okx", "INSTRUMENT|okx|BTCUSDT"}),
        ("key=okx|BTCUSDT", {"INSTRUMENT|okx|BTCUSDT"}),
        ("key=nobody", set()),
    ],
)
def test_windows_can_be_chosen(small, query, found):
    assert found == {f"{row['scope']}|{row['key']}" for row in rows(small, f"/api/windows?{query}")}


def test_an_answer_has_as_many_rows_as_are_asked_for_and_says_that_there_are_more(small):
    (status, some), (_, whole) = (answer(small, f"/api/windows?scope=INSTRUMENT&limit={limit}") for limit in (2, 3))

    assert (200, 2, True, 3, False) == (
        status,
        len(some["windows"]),
        some["truncated"],
        len(whole["windows"]),
        whole["truncated"],
    )


def test_an_answer_without_a_limit_has_one():
    made = world(log(*({"usd": 10.0, "asset": f"A{number}"} for number in range(LIMIT))))

    _, content = answer(owners_of(made), "/api/windows")

    assert (LIMIT, True) == (len(content["windows"]), content["truncated"])


def test_an_answer_says_which_partitions_it_is_about(small):
    _, all_of_it = answer(small, "/api/windows")
    del small.owned["app-state-changelog", 0]
    _, market_only = answer(small, "/api/windows")

    assert ([0], 1, True) == tuple(all_of_it[name] for name in ("partitions", "partitions_of_topic", "market"))
    assert ([], None, True) == tuple(market_only[name] for name in ("partitions", "partitions_of_topic", "market"))


def test_a_silent_feed_is_stale_in_every_row_that_it_is_part_of(small):
    small.owned["app-market-changelog", 0].unit.stale = frozenset({"okx"})

    stale = [
        (row["scope"], row["key"])
        for row in rows(small, "/api/windows")
        if {"exchange": "okx", "coverage": "STALE"} in row["coverage"]
    ]

    assert {
        ("MARKET", "ALL"),
        ("EXCHANGE", "okx"),
        ("ASSET", "BTC"),
        ("ASSET", "ETH"),
        ("INSTRUMENT", "okx|BTCUSDT"),
    } == set(stale)


def test_a_worker_that_has_seen_nothing_has_no_windows():
    assert [] == rows(owners_of(world([])), "/api/windows")


def test_a_worker_that_was_assigned_nothing_says_so():
    _, content = answer(Owners(), "/api/windows")

    assert ([], False, []) == (content["partitions"], content["market"], content["windows"])


# ---------------------------------------------------------------- events


def test_an_open_cascade_is_its_last_message_with_the_totals_of_now():
    made = world(
        log({"usd": 2e6}, {"usd": 5e5, "at": MINUTE, "price": 90.0}, {"usd": 1.0, "asset": "ETH", "at": 10 * MINUTE})
    )
    sent = {each["scope"]: each for each in made.cascades() if each["key"] in {"BTC", "ALL"}}

    found = {each["scope"]: each for each in rows(owners_of(made), "/api/cascades") if each["key"] in {"BTC", "ALL"}}

    assert {"ASSET", "MARKET"} == set(found)
    for scope, each in found.items():
        assert [sent[scope][name] for name in ("cascade_id", "started", "threshold_usd")] == [
            each[name] for name in ("cascade_id", "started", "threshold_usd")
        ]
        assert max(message["sequence"] for message in made.cascades() if message["scope"] == scope) == each["sequence"]
    assert (2.5e6, 2, 100.0, 90.0) == tuple(
        found["ASSET"][name] for name in ("notional_usd", "count", "first_price", "last_price")
    )
    assert sent["ASSET"].keys() == found["ASSET"].keys()
    assert "BTC" == found["MARKET"]["context"]["asset"]


def test_a_silent_feed_is_stale_in_open_cascades_too():
    owners = owners_of(world(log({"usd": 2e6}, {"usd": 1.0, "at": MINUTE})))

    def coverage():
        return {each["coverage"] for found in rows(owners, "/api/cascades") for each in found["exchanges"]}

    assert "STALE" not in coverage()
    unit = owners.owned["app-market-changelog", 0].unit
    unit.stale = frozenset(unit.present())

    assert {"STALE"} == coverage()


def test_an_exchange_that_is_ahead_of_the_markets_clock_is_no_part_of_it_here_either(small):
    unit = small.owned["app-market-changelog", 0].unit
    unit.market.row("kraken")
    (market,) = rows(small, "/api/windows?scope=MARKET")

    assert "kraken" not in unit.present()
    assert {"exchange": "kraken", "coverage": "ABSENT"} in market["coverage"]


def test_asking_for_cascades_changes_none():
    made = world(log({"usd": 2e6}, {"usd": 1.0, "asset": "ETH", "at": 20 * MINUTE}))
    owners = owners_of(made)

    units = [owned.unit for owned in owners.owned.values()]
    followers = [unit.market.follower if hasattr(unit, "market") else unit.fold.follower for unit in units]
    before = deepcopy([follower.machines for follower in followers])

    assert rows(owners, "/api/cascades")
    assert before == [follower.machines for follower in followers]


@pytest.mark.parametrize(("usd", "phase"), [(1e6, "ONSET"), (4e6, "ESCALATED")])
def test_the_phase_is_the_newest_there_was(usd, phase):
    made = world(log({"usd": usd}))

    (found,) = rows(owners_of(made), "/api/cascades?scope=ASSET")

    assert phase == found["phase"]


def test_a_cascade_that_has_peaked_says_so():
    made = world(log({"usd": 1e6}, {"usd": 1.0, "at": 6 * MINUTE}))

    (found,) = rows(owners_of(made), "/api/cascades?scope=ASSET")

    assert ("PEAK", made.cascades()[0]["started"]) == (found["phase"], found["peaked"])


def test_a_cascade_of_a_market_whose_context_is_not_known_has_none():
    owners = owners_of(world(log({"usd": 2e6}, {"usd": 1.0, "at": MINUTE})))
    machines = owners.owned["app-market-changelog", 0].unit.market.follower.machines
    next(each for (scope, *_), each in machines.items() if scope is Scope.MARKET).state.before = {}

    (found,) = rows(owners, "/api/cascades?scope=MARKET")

    assert {None} == set(found["context"].values())


def test_cascades_can_be_chosen():
    owners = owners_of(world(log({"usd": 2e6}, {"usd": 3e6, "asset": "ETH"})))

    assert [("ASSET", "ETH"), ("INSTRUMENT", "bybit|ETHUSDT")] == sorted(keys(rows(owners, "/api/cascades?asset=ETH")))


def test_crowded_positions_that_run_are_their_last_message():
    made = world(log({"usd": 10.0}))
    shard, sent = made.shards[0].unit, []
    for number in range(9):
        time = T1 + number * 8 * HOUR
        for exchange, weight in (("binance", 3e9), ("okx", 1e9)):
            instrument = Instrument(exchange, "BTCUSDT", "BTC")
            sent += shard.crowding.step(Funding(instrument, 0.001, 8.0, None, None, None, weight, time, time))

    found = rows(owners_of(made), "/api/crowded")

    assert [("ASSET", "BTC"), ("INSTRUMENT", "binance|BTCUSDT"), ("INSTRUMENT", "okx|BTCUSDT")] == sorted(keys(found))
    last = {each["crowded_id"]: each for each in sent}
    later = {"event_time", "history_days", "streak_hours", "headline", "exchanges"}
    for each in found:
        same = {name: value for name, value in each.items() if name not in later}
        assert {name: value for name, value in last[each["crowded_id"]].items() if name not in later} == same
    assert [("binance", 0.75), ("okx", 0.25)] == [
        (part["exchange"], part["weight"]) for each in found if each["scope"] == "ASSET" for part in each["exchanges"]
    ]
    assert [("INSTRUMENT", "okx|BTCUSDT")] == keys(rows(owners_of(made), "/api/crowded?exchange=okx"))


def test_what_was_crowded_when_its_funding_fell_silent_is_not_known_to_run():
    made = world(log({"usd": 10.0}))
    for number in range(9):
        time = T1 + (number - 4) * 8 * HOUR
        instrument = Instrument("binance", "BTCUSDT", "BTC")
        made.shards[0].unit.crowding.step(Funding(instrument, 0.001, 8.0, None, None, None, None, time, time))

    assert [] == rows(owners_of(made), "/api/crowded")


def test_a_crowded_position_whose_grade_has_changed_says_so():
    made = world(log({"usd": 10.0}))
    for number in range(-3, 9):
        rate = 0.0004 if number < 5 else 0.001
        time = T1 + number * 8 * HOUR
        instrument = Instrument("binance", "BTCUSDT", "BTC")
        made.shards[0].unit.crowding.step(Funding(instrument, rate, 8.0, None, None, None, None, time, time))

    (found,) = rows(owners_of(made), "/api/crowded?scope=ASSET")

    assert "GRADE_CHANGED" == found["phase"]


def test_where_nobody_is_crowded_nothing_runs():
    made = world(log({"usd": 10.0}))
    for number in range(9):
        time = T1 + number * 8 * HOUR
        instrument = Instrument("binance", "BTCUSDT", "BTC")
        made.shards[0].unit.crowding.step(Funding(instrument, 0.0001, 8.0, None, None, None, None, time, time))

    assert [] == rows(owners_of(made), "/api/crowded")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("scope=market", "scope must be one of INSTRUMENT, ASSET, EXCHANGE, MARKET, was market"),
        ("symbol=BTCUSDT", "symbol is not one of scope, key, exchange, asset, limit"),
        ("limit=0", f"limit must be 1 to {LIMIT_MAX}, was 0"),
        (f"limit={LIMIT_MAX + 1}", f"limit must be 1 to {LIMIT_MAX}, was {LIMIT_MAX + 1}"),
        ("limit=many", f"limit must be 1 to {LIMIT_MAX}, was many"),
        ("limit=", f"limit must be 1 to {LIMIT_MAX}, was "),
        (f"scope={'x' * 999}", f"scope must be one of INSTRUMENT, ASSET, EXCHANGE, MARKET, was {'x' * 50}"),
    ],
)
@pytest.mark.parametrize("page", ["windows", "cascades", "crowded"])
def test_a_query_that_cannot_be_meant_is_refused_in_a_sentence(small, page, query, sentence):
    assert (400, {"error": sentence}) == answer(small, f"/api/{page}?{query}")


@pytest.mark.parametrize("page", ["windows", "cascades", "crowded"])
def test_nothing_is_said_before_all_is_recovered(small, page):
    small.ready = False

    assert (503, {"error": "partitions are being assigned or recovered"}) == answer(small, f"/api/{page}")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(small, method):
    pages = ["/metrics", "/healthz", "/readyz", "/api", *answer(small, "/api/")[1]]

    assert {405} == {status for status, _, _ in asked(small, *pages, method=method)}


# ---------------------------------------------------------------- the rest


def test_the_index_names_pages_that_are_there(small):
    _, index = answer(small, "/api/")
    _, same = answer(small, "/api")

    assert index == same
    assert {200} == {status for status, _, _ in asked(small, *index)}


def test_metrics_come_in_the_form_that_is_asked_for(small):
    ((_, plain, text),) = asked(small, "/metrics")
    ((_, modern, same),) = asked(small, "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain["Content-Type"].startswith("text/plain; version=")
    assert modern["Content-Type"].startswith("application/openmetrics-text")
    assert 'streams_records_consumed_total{topic="liquidations"} 3.0' in text
    assert same.endswith("# EOF\n")


def test_health_is_200_and_ill_is_503_with_reasons(small):
    assert (200, {"status": "ok"}) == answer(small, "/healthz")

    small.failure = RuntimeError()

    assert (503, {"status": "ill", "problems": ["the worker has stopped: RuntimeError"]}) == answer(small, "/healthz")


def test_ready_is_200_and_not_ready_is_503_while_the_worker_lives(small):
    assert (200, {"status": "ok"}) == answer(small, "/readyz")

    small.ready = False

    waiting = ["partitions are being assigned or recovered"]
    assert (503, {"status": "not ready", "problems": waiting}) == answer(small, "/readyz")
    assert 200 == answer(small, "/healthz")[0]


def test_an_answer_is_not_kept_by_caches(small):
    ((_, headers, _),) = asked(small, "/api/windows")

    assert ("no-store", "nosniff") == (headers["Cache-Control"], headers["X-Content-Type-Options"])
