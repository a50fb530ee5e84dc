"""Which registry a process asks for schemas, and under which ids it writes."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import structlog

from streams.codec.http_registry import HttpRegistry, RegistryRefused, Trouble
from streams.codec.registry import FileRegistry
from streams.resources import schema_text
from streams.settings import Settings
from streams.topics import declared

log = structlog.get_logger()
#: Schema id and schema by topic: what an ``Encoder`` needs.
Writers = dict[str, tuple[int, Any]]


def file_registry() -> FileRegistry:
    """Return the schemas of ``topics.yaml`` under their fixed ids."""
    with_schema = [(topic.schema_id, topic.schema, topic.subject) for topic in declared("")]
    known = [(number, name, subject) for number, name, subject in with_schema if number and name and subject]
    return FileRegistry(
        {number: json.loads(schema_text(name)) for number, name, _ in known},
        {subject: number for number, _, subject in known},
    )


def http_registry(settings: Settings) -> HttpRegistry:
    """Return the registry of ``STREAMS_REGISTRY_URL``; each wait for it is logged."""
    assert settings.registry_url is not None, "file_registry() is for those who have none"
    password = settings.registry_password
    auth = None
    if settings.registry_username is not None and password is not None:
        auth = settings.registry_username, password.get_secret_value()
    return HttpRegistry(settings.registry_url, auth=auth, ssl=trust(settings), on_trouble=_tell)


def trust(settings: Settings) -> ssl.SSLContext | None:
    """Return what vouches for the registry; None where the connection is plain.

    A file for the registry replaces the system's certificates. One for the brokers only adds to them: the two are often
    of different authorities.
    """
    if settings.registry_url is None or not settings.registry_url.lower().startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=settings.registry_cafile)
    if settings.registry_cafile is None and settings.ssl_cafile is not None:
        context.load_verify_locations(settings.ssl_cafile)
    return context


def for_worker(settings: Settings) -> tuple[FileRegistry | HttpRegistry, Writers]:
    """Return the registry to read with and what to write with; waits for a registry that is away.

    Raises
    ------
    ValueError
        In one sentence, where the registry lacks a schema of ours or refuses our login.

    """
    if settings.registry_url is None:
        files = file_registry()
        return files, files.writers()
    registry = http_registry(settings)
    return registry, asyncio.run(_writers(settings, registry, "output"))


def for_player(settings: Settings) -> Writers:
    """Return what to write inputs with; waits for a registry that is away, and raises as ``for_worker`` does."""
    if settings.registry_url is None:
        return file_registry().writers()
    return asyncio.run(_writers(settings, http_registry(settings), "input"))


async def _writers(settings: Settings, registry: HttpRegistry, role: str) -> Writers:
    if settings.value_format == "json":
        return {}
    found: Writers = {}
    try:
        for topic in declared(settings.app_id):
            if topic.role == role and topic.subject and topic.schema:
                schema = json.loads(schema_text(topic.schema))
                schema_id = await registry.lookup(topic.subject, schema)
                if schema_id is None:
                    where = f"{settings.registry_url} lacks {topic.subject} as in {topic.schema}"
                    msg = f"{where}: run `streams schemas register`"
                    raise ValueError(msg)
                found[topic.name] = schema_id, schema
    except RegistryRefused as refused:
        raise ValueError(str(refused)) from None
    finally:
        # The worker has a loop of its own, and a connection belongs to one loop.
        await registry.close()
    return found


def _tell(trouble: Trouble) -> None:
    log.warning(
        "registry_unreachable",
        request=trouble.request,
        reason=trouble.problem,
        attempt=trouble.attempt,
        pause_seconds=trouble.pause_seconds,
    )
