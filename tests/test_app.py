"""Settings in, parts of the job out."""

from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace

import pytest
from aiohttp import web
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streams import app, rules, topics
from streams.core.events import Scope
from streams.settings import Settings
from tests.web.worker import Owners

LOGIN = {"sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "ann", "sasl_password": "correct horse"}


def test_on_a_plain_connection_nobody_logs_in():
    assert None is app.credentials(Settings())
    assert None is app.tls(Settings())


@pytest.mark.parametrize(
    "values", [{"security_protocol": "SASL_PLAINTEXT", **LOGIN}, {"security_protocol": "SASL_SSL", **LOGIN}]
)
def test_fausts_consumer_logs_in_as_our_producers_do(values):
    settings = Settings(**values)

    credentials = app.credentials(settings)

    theirs, ours = dict(credentials_to_aiokafka_auth(credentials)), app.connection(settings)
    assert isinstance(credentials, SASLCredentials)
    assert (
        (theirs.pop("ssl_context") is None)
        == (settings.security_protocol == "SASL_PLAINTEXT")
        == ("ssl_context" not in ours)
    )
    assert theirs == {name: value for name, value in ours.items() if name not in {"bootstrap_servers", "ssl_context"}}


def test_with_a_certificate_alone_the_connection_is_checked():
    credentials = app.credentials(Settings(security_protocol="SSL"))

    assert isinstance(credentials, SSLCredentials)
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED
    assert credentials.context.check_hostname


def test_each_scope_has_its_own_thresholds():
    settings = Settings(cascade_asset={"multiple": 3}, crowding={"keep_points": 4}, context={"flow_age_ms_max": 5})

    found, shard = rules.cascade_rules(settings), rules.shard_rule(settings)

    assert {Scope.INSTRUMENT: 30, Scope.ASSET: 3, Scope.EXCHANGE: 30, Scope.MARKET: 30} == {
        scope: rule.multiple for scope, rule in found.items()
    }
    assert found == shard.fold.cascades
    assert (4.0, 5, 20_000) == (
        shard.crowding.keep_points,
        shard.context.flow_age_ms_max,
        shard.context.instruments_max,
    )


@pytest.mark.parametrize("lacking", ["cascades", "dead-letters", "feed-status", "streams-state-changelog"])
def test_a_worker_does_not_start_without_a_topic_that_it_writes(lacking):
    settings = Settings(app_id="streams")
    found = {topic.name: topic.partitions for topic in topics.declared("streams") if topic.name != lacking}

    with pytest.raises(ValueError, match=f"has no topic {lacking}: run `streams topics apply`"):
        app.stages(settings, found, None, None)


def test_the_counters_of_what_it_reads_are_served_before_a_record_is_read():
    job = SimpleNamespace(owners=Owners(ready=False), crashed=False, web=SimpleNamespace(web_app=web.Application()))

    app.serve(Settings(), job, ("liquidations", "quotes"))

    (page,) = [each.handler for each in job.web.web_app.router.routes() if each.resource.canonical == "/metrics"][:1]
    text = asyncio.run(page(SimpleNamespace(headers={}))).body.decode()
    assert 'streams_records_consumed_total{topic="quotes"} 0.0' in text
    assert 'streams_records_dead_lettered_total{reason="wrong_key",topic="quotes"} 0.0' in text
