"""A connection to the brokers for `topics`, `doctor` and the tests, with failures that say what is wrong."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError

from streams.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.settings import Settings


#: How long a broker may take to answer at all.
BOOTSTRAP_MS = 10_000


class ClusterProblem(Exception):
    """A cluster that cannot be used, in one sentence for an operator."""


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Yield an admin client; a broker that is away or refuses us is a ``ClusterProblem``."""
    with _overheard() as causes:
        try:
            client = _Admin(**client_options(settings), bootstrap_timeout_ms=BOOTSTRAP_MS)
        except KafkaTimeoutError as error:
            raise ClusterProblem(_why_not(settings, causes)) from error
        try:
            yield client
        except KafkaError as error:
            msg = f"{settings.broker} refused: {type(error).__name__}"
            raise ClusterProblem(msg) from error
        finally:
            client.close()


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the connection part of the settings under kafka-python's names."""
    password = settings.sasl_password
    options = {
        "bootstrap_servers": [address.strip() for address in settings.broker.split(",")],
        "client_id": f"{settings.app_id}-admin",
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_cafile": settings.ssl_cafile and str(settings.ssl_cafile),
        "ssl_certfile": settings.ssl_certfile and str(settings.ssl_certfile),
        "ssl_keyfile": settings.ssl_keyfile and str(settings.ssl_keyfile),
    }
    return {name: value for name, value in options.items() if value is not None}


class _Admin(KafkaAdminClient):  # type: ignore[misc]
    # Where the bootstrap fails, kafka-python leaves its thread running and its sockets open.
    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except KafkaError:
            self._closed = False
            self.close()
            raise


class _Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.causes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.causes.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    # kafka-python tries again until its time is up and then says only "Unable to bootstrap": why, it only logs.
    library, ears = logging.getLogger("kafka"), _Ears()
    propagate, library.propagate = library.propagate, False
    library.addHandler(ears)
    try:
        yield ears.causes
    finally:
        library.removeHandler(ears)
        library.propagate = propagate


def _why_not(settings: Settings, causes: list[str]) -> str:
    overheard = "\n".join(causes)
    protocol = f"{variable('security_protocol')}={settings.security_protocol}"
    if "SaslAuthenticationFailedError" in overheard:
        return f"{settings.broker} refused the login of {settings.sasl_username!r} with {settings.sasl_mechanism}"
    if "UnsupportedSaslMechanismError" in overheard:
        return f"{settings.broker} does not know {variable('sasl_mechanism')}={settings.sasl_mechanism}"
    if "DNS Resolution failure" in overheard:
        return f"{settings.broker}: the name is unknown"
    if "Handshake failed" in overheard:
        return f"{settings.broker} answers, but not with TLS that we accept; is {protocol} right?"
    if "socket disconnected" in overheard and settings.sasl_username:
        # Some brokers close the connection before their refusal is read.
        login = f"the login of {settings.sasl_username!r} with {settings.sasl_mechanism}"
        return f"{settings.broker} hangs up on us: {login} is refused, or {protocol} is wrong"
    if "socket disconnected" in overheard:
        return f"{settings.broker} hangs up on us; is {protocol} right?"
    return f"no broker at {settings.broker} answered within {BOOTSTRAP_MS / 1000:g} s"
