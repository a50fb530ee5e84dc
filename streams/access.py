"""What the login of the job must be allowed at the brokers, and what it lacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from kafka.errors import CoordinatorNotAvailableError, GroupAuthorizationFailedError

from streams import cluster
from streams.settings import variable
from streams.topics import NOT_ALLOWED, UNKNOWN_TOPIC, Finding, declared

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

    from streams.settings import Settings

log = structlog.get_logger()
PAUSE_SECONDS = 2.0
_OPERATIONS = {"input": ("READ",), "output": ("WRITE",), "internal": ("READ", "WRITE")}


class Right(NamedTuple):
    """One line of an access list; a transactional id is given by its prefix, all else by its name."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"


def needed(app_id: str) -> list[Right]:
    """Return all that a worker needs: the least that works. Optional topics are among it."""
    topics = [Right(each, "topic", topic.name) for topic in declared(app_id) for each in _OPERATIONS[topic.role]]
    return [*topics, Right("READ", "group", app_id), Right("WRITE", "transactional ids that begin with", f"{app_id}-")]


def lacking(client: KafkaAdminClient, app_id: str) -> list[Right]:
    """Return what the login of a client lacks.

    A topic that is not there lacks nothing, nor does an optional one that is hidden from us. Transactional ids cannot
    be asked for: whoever lacks one learns it from the first transaction.
    """
    topics = declared(app_id)
    described = {entry["name"]: entry for entry in client.describe_topics([topic.name for topic in topics])}
    found = []
    for topic in topics:
        code = described[topic.name]["error_code"]
        if code == UNKNOWN_TOPIC or (code == NOT_ALLOWED and not topic.required):
            continue
        allowed = [] if code == NOT_ALLOWED else described[topic.name]["authorized_operations"]
        found += [Right(each, "topic", topic.name) for each in _OPERATIONS[topic.role] if each not in allowed]
    try:
        client.describe_groups([app_id])
    except GroupAuthorizationFailedError:
        found.append(Right("READ", "group", app_id))
    except CoordinatorNotAvailableError:
        pass  # it is only now made, and rights are looked at first
    return found


def findings(client: KafkaAdminClient, settings: Settings) -> list[Finding]:
    """Return what is lacking as sentences for `streams doctor`."""
    who = _who(settings)
    return [Finding(problem=True, sentence=f"{who} needs {each}") for each in lacking(client, settings.app_id)]


def wait(settings: Settings, connection: Mapping[str, Any]) -> None:
    """Return when a broker has let us in; wait, saying so, while none answers.

    Parameters
    ----------
    settings
        Of the job.
    connection
        aiokafka's options for the same login.

    Raises
    ------
    ValueError
        In one sentence, if the broker refuses our login, or the login may not do what the job must.

    """
    while True:
        try:
            with cluster.admin(settings) as client:
                missing = lacking(client, settings.app_id)
        except cluster.ClusterProblem as problem:
            if asyncio.run(_refused(settings.broker.partition(",")[0], connection)):
                who = f"{settings.sasl_username!r} with {settings.sasl_mechanism}"
                msg = f"{settings.broker} refused the login of {who}"
                raise ValueError(msg) from None
            log.warning("broker_unreachable", broker=settings.broker, reason=str(problem))
            time.sleep(PAUSE_SECONDS)
            continue
        if missing:
            msg = f"{_who(settings)} at {settings.broker} needs {', '.join(map(str, missing))}"
            raise ValueError(msg)
        return


async def _refused(address: str, connection: Mapping[str, Any]) -> bool:
    # On TLS kafka-python sees the connection end and not the refusal; aiokafka waits for the broker's word.
    host, _, port = address.strip().rpartition(":")
    options = {name: value for name, value in connection.items() if name != "bootstrap_servers"}
    try:
        (await create_conn(host, int(port), **options)).close()
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError):
        return True
    except (KafkaError, OSError):
        return False
    return False


def _who(settings: Settings) -> str:
    if settings.sasl_username:
        return f"user {settings.sasl_username!r}"
    return f"the user of {variable('ssl_certfile')}" if settings.ssl_certfile else "whoever does not log in"
