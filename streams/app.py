"""The composition root: settings in, a running job out. The only module that knows all others."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT
from prometheus_client import CollectorRegistry, ProcessCollector

from streams import access, registries, topics
from streams.agents.sources import register
from streams.codec.encode import Encoder
from streams.codec.registry import Registry
from streams.engine import job as engine
from streams.engine.owned import Options, Stage
from streams.metrics import Metrics
from streams.rules import OPTIONAL, cascade_rules, codecs, describer, shard_rule
from streams.settings import Settings
from streams.units.exchanges import Exchanges
from streams.units.shard import FUNDING, LIQUIDATIONS, Shard
from streams.units.to_market import SNAPSHOTS
from streams.web.health import Health
from streams.web.pages import Pages
from streams.web.pulse import Pulse

log = structlog.get_logger()


def tls(settings: Settings) -> ssl.SSLContext | None:
    """Return what vouches for the brokers and for us; None where the connection is plain."""
    if not settings.security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return context


def credentials(settings: Settings) -> CredentialsT | None:
    """Return Faust's form of the login, so that its consumer and our producers are one user."""
    if settings.security_protocol.startswith("SASL_"):
        assert settings.sasl_password is not None, "refused by Settings"
        return SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=tls(settings),
        )
    return SSLCredentials(tls(settings)) if settings.security_protocol == "SSL" else None


def connection(settings: Settings) -> dict[str, Any]:
    """Return aiokafka's connection options."""
    password = settings.sasl_password
    return engine.connection(
        {
            "bootstrap_servers": settings.broker,
            "security_protocol": settings.security_protocol,
            "ssl_context": tls(settings),
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    )


async def partitions(settings: Settings) -> dict[str, int]:
    """Return the partition count of each topic that exists; waits, saying so, while no broker answers."""
    while True:
        client = AIOKafkaAdminClient(**connection(settings))
        try:
            await client.start()
            described = await client.describe_topics()
            return {topic["topic"]: len(topic["partitions"]) for topic in described}
        except KafkaError as error:
            log.warning("broker_unreachable", broker=settings.broker, reason=str(error))
            await asyncio.sleep(2)
        finally:
            await client.close()


def stages(settings: Settings, found: dict[str, int], registry: Registry, encoder: Encoder) -> list[Stage]:
    """Return the two kinds of units and what they read.

    Raises
    ------
    ValueError
        In one sentence, if a topic that is needed is missing or does not fit.

    """
    state, market = (f"{settings.app_id}-{table}-changelog" for table in ("state", "market"))
    # Outputs, too: a flush that finds none would wait for it, and some brokers make one with settings of their own.
    missing = [topic.name for topic in topics.declared(settings.app_id) if topic.required and topic.name not in found]
    if missing:
        msg = f"{settings.broker} has no topic {', '.join(missing)}: run `streams topics apply`"
        raise ValueError(msg)
    count = found[LIQUIDATIONS]
    uneven = [f"{topic} has {found[topic]}" for topic in (FUNDING, state) if found[topic] != count]
    if uneven:
        msg = f"{LIQUIDATIONS} has {count} partitions, but {' and '.join(uneven)}: they must be equal"
        raise ValueError(msg)
    sources = [LIQUIDATIONS, FUNDING]
    for topic in OPTIONAL:
        if found.get(topic) == count:
            sources.append(topic)
        else:
            log.info("topic_missing", topic=topic, partitions=found.get(topic), wanted=count)
    rule, how = shard_rule(settings), codecs(settings, registry, encoder)
    told = describer(rule)
    rules, lateness_ms, app_id = cascade_rules(settings), settings.market_lateness_ms, settings.app_id
    return [
        Stage(state, tuple(sources), lambda partition: Shard(partition, count, rule, how, told), count),
        Stage(market, (SNAPSHOTS,), lambda _: Exchanges(rules, lateness_ms, encoder, told, app_id), 1, alone=True),
    ]


def build(settings: Settings) -> engine.Job:
    """Return the job, its topics looked up."""
    if settings.security_protocol != "PLAINTEXT":
        access.wait(settings, connection(settings))  # who does not log in has no rights to lack
    registry, writers = registries.for_worker(settings)
    encoder = Encoder(writers, settings.value_format)
    found = asyncio.run(partitions(settings))
    how = connection(settings)
    options = Options(
        settings.app_id,
        how,
        settings.transaction_timeout_ms,
        settings.flush_interval_ms,
        settings.idle_timeout_ms,
        settings.check_crcs,
    )
    job = engine.JobOptions(
        settings.broker, credentials(settings), settings.session_timeout_ms, settings.fetch_bytes, settings.check_crcs,
        settings.web_host, settings.web_port, settings.data_dir, settings.log_level,
    )  # fmt: skip
    kinds = stages(settings, found, registry, encoder)
    built = engine.build(kinds, job, options, registry)
    for stage in kinds:
        register(built, stage)
    serve(settings, built, kinds[0].sources)
    return built


def serve(settings: Settings, job: engine.Job, inputs: Sequence[str]) -> None:
    """Put metrics, health and the API on Faust's web server."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    lateness_ms = {LIQUIDATIONS: settings.lateness_ms, SNAPSHOTS: settings.market_lateness_ms}
    metrics = Metrics(job.owners, registry, settings.symbols_allowed, lateness_ms, inputs)
    pulse = Pulse(metrics.loop_delay.observe)
    pages = Pages(Health(job.owners, pulse, lambda: job.crashed, settings.stuck_ms / 1000), registry)
    served: web.Application = job.web.web_app  # type: ignore[attr-defined]  # the driver is aiohttp's
    served.add_routes(pages.routes())
    served.cleanup_ctx.append(pages.beat)


def run(settings: Settings) -> None:
    """Run the worker until it is told to stop."""
    try:
        job = build(settings)
    except ValueError as error:
        log.error("worker_stopped", reason=str(error))  # noqa: TRY400 - a sentence for the operator, not a traceback
        sys.exit(2)
    sys.exit(engine.run(job, settings.log_level))
