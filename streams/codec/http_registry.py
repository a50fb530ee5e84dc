"""A Confluent-compatible schema registry over HTTP: waited for as long as it takes, remembered for ever."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from streams.codec.schema import DEFINITIONS

#: How long an id that the registry does not know stays unknown before it is asked for again.
UNKNOWN_SECONDS = 60.0
PAUSE_SECONDS_MIN = 0.2
PAUSE_SECONDS_MAX = 10.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
#: Schemas that one may refer to, directly or through others.
REFERENCES_MAX = 100
_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_NOT_FOUND = 404


class Trouble(NamedTuple):
    """Why a registry has to be waited for: what was asked, what came back, how often, and the pause to come."""

    request: str
    problem: str
    attempt: int
    pause_seconds: float


class RegistryRefused(RuntimeError):
    """The registry answered, and the answer is no: wrong credentials, an incompatible schema."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the schema registry answered {status}: {detail}")
        self.status = status


class _Answer(NamedTuple):
    status: int
    body: Any


class _Unusable(Exception):
    """An answer to wait after."""


class HttpRegistry:
    """Schemas of a registry by id.

    Parameters
    ----------
    url
        Its address; a user and a password in it are used and never shown.
    auth
        User and password, where they are not in the address.
    ssl
        For registries with a certificate of their own.
    on_trouble
        Called before each pause.
    clock
        Seconds, rising: decides when an unknown id is asked for again.
    sleep
        Waits so many seconds.
    timeout_seconds
        For one request.

    """

    def __init__(
        self,
        url: str,
        *,
        auth: tuple[str, str] | None = None,
        ssl: SSLContext | None = None,
        on_trouble: Callable[[Trouble], None] = lambda trouble: None,  # noqa: ARG005
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout_seconds: float = 10.0,
    ) -> None:
        address = URL(url)
        if auth is None and address.user is not None:
            auth = (address.user, address.password or "")
        self._url = address.with_user(None).with_query(None).with_fragment(None)
        self._headers = {"Accept": _CONTENT_TYPE, "Content-Type": _CONTENT_TYPE} | _login(auth)
        self._ssl = ssl
        self._on_trouble = on_trouble
        self._clock = clock
        self._sleep = sleep
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._schemas: dict[int, Any] = {}
        self._unknown_since: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"HttpRegistry({str(self._url)!r})"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def needs(self, schema_id: int) -> bool:
        """Say whether an id is new, or was unknown a minute ago."""
        if schema_id in self._schemas:
            return False
        since = self._unknown_since.get(schema_id)
        return since is None or self._clock() - since >= UNKNOWN_SECONDS

    def schema(self, schema_id: int) -> Any | None:
        """Return the parsed JSON of a schema; None for an id that is not known."""
        return self._schemas.get(schema_id)

    async def resolve(self, ids: set[int]) -> None:
        """Ask for the ids that are needed; returns when the registry has said yes or no to each."""
        for schema_id in sorted(ids):
            if self.needs(schema_id):
                read: dict[str, Any] = {}
                if not await self._read(f"schemas/ids/{schema_id}", read, set()):
                    self._forget_old_unknowns()
                    self._unknown_since[schema_id] = self._clock()
                else:
                    self._unknown_since.pop(schema_id, None)
                    *definitions, schema = read.values()
                    self._schemas[schema_id] = {"type": schema, DEFINITIONS: definitions} if definitions else schema

    async def _read(self, path: str, read: dict[str, Any], asked: set[str]) -> bool:
        """Read a schema behind those that it refers to; return whether all of them are known, and not too many."""
        if path in asked:
            return True
        asked.add(path)
        found = await self._insist("GET", path, _schema_of) if len(asked) <= REFERENCES_MAX + 1 else None
        if found is None:
            return False
        schema, references = found
        for subject, version in references:
            if not await self._read(f"subjects/{subject}/versions/{version}", read, asked):
                return False
        read[path] = schema
        return True

    def _forget_old_unknowns(self) -> None:
        # Random ids in broken records must not fill the memory.
        self._unknown_since = {
            schema_id: since
            for schema_id, since in self._unknown_since.items()
            if self._clock() - since < UNKNOWN_SECONDS
        }

    async def latest(self, subject: str) -> tuple[int, Any] | None:
        """Return id and schema of a subject's latest version; None where the subject does not exist."""
        found: tuple[int, Any] | None = await self._insist("GET", f"subjects/{subject}/versions/latest", _version_of)
        return found

    async def register(self, subject: str, schema: Any) -> int:
        """Return the id of a schema under a subject, registered now where it is new."""
        found: int | None = await self._insist("POST", f"subjects/{subject}/versions", _id_of, schema)
        if found is None:
            raise RegistryRefused(_NOT_FOUND, f"subject {subject} cannot be registered there")
        self._schemas[found] = schema
        return found

    async def lookup(self, subject: str, schema: Any) -> int | None:
        """Return the id under which a subject has exactly this schema; None where it has not."""
        found: int | None = await self._insist("POST", f"subjects/{subject}", _id_of, schema)
        return found

    async def compatible(self, subject: str, schema: Any) -> bool | None:
        """Say whether a schema may follow a subject's latest version; None where there is none."""
        path = f"compatibility/subjects/{subject}/versions/latest"
        answer: bool | None = await self._insist("POST", path, _compatible_of, schema)
        return answer

    async def _insist(self, method: str, path: str, take: Callable[[Any], Any], schema: Any = None) -> Any:
        # None for "there is no such thing"; everything that is neither that nor an answer is waited after.
        pause, attempt = PAUSE_SECONDS_MIN, 1
        while True:
            try:
                return _taken(await self._request(method, path, schema), take, deciding=method == "GET")
            except _Unusable as error:
                self._on_trouble(Trouble(f"{method} {path}", str(error), attempt, pause))
            await self._sleep(pause)
            pause, attempt = min(2 * pause, PAUSE_SECONDS_MAX), attempt + 1

    async def _request(self, method: str, path: str, schema: Any) -> _Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        body = None if schema is None else json.dumps({"schema": json.dumps(schema), "schemaType": "AVRO"})
        try:
            async with self._session.request(
                method,
                self._url.joinpath(*path.split("/")),
                data=body,
                headers=self._headers,
                allow_redirects=False,  # a login is not for whoever it points to
                ssl=self._ssl or True,
            ) as response:
                return _Answer(response.status, await _json_of(response.content))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The type only: messages of the libraries may repeat the address or a header.
            msg = f"not reachable ({type(error).__name__})"
            raise _Unusable(msg) from None


def _login(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(":".join(auth).encode()).decode()}


async def _json_of(content: aiohttp.StreamReader) -> Any:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            msg = f"the answer has more than {ANSWER_BYTES_MAX} bytes"
            raise _Unusable(msg)
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError):
        return None  # harmless beside a status that says it all


def _taken(answer: _Answer, take: Callable[[Any], Any], *, deciding: bool) -> Any:
    if answer.status == _NOT_FOUND and says_unknown(answer.body):
        return None
    if answer.status == 200:
        try:
            return take(answer.body)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            msg = f"an answer that makes no sense ({type(error).__name__})"
            raise _Unusable(msg) from None
    # While reading schemas even "no entry" is waited after: an operator can mend it, a dead letter stays one.
    if 400 <= answer.status < 500 and answer.status not in (408, 429) and not deciding:
        raise RegistryRefused(answer.status, _message_of(answer.body))
    msg = f"it answered {answer.status}"
    raise _Unusable(msg)


def says_unknown(body: Any) -> bool:
    """Say whether a 404 is a registry's own: a proxy or a wrong path answers so too, and knows nothing of ids."""
    return isinstance(body, dict) and str(body.get("error_code")).startswith(str(_NOT_FOUND))


def _message_of(body: Any) -> str:
    message = body.get("message") if isinstance(body, dict) else None
    return message[:300] if isinstance(message, str) else "without a reason"


def _schema_of(body: Any) -> Any:
    # Protobuf and JSON schemas have ids, too; to an Avro reader they are unknown.
    if body.get("schemaType", "AVRO") != "AVRO":
        return None
    references = [(str(each["subject"]), int(each["version"])) for each in body.get("references") or []]
    return json.loads(body["schema"]), references


def _version_of(body: Any) -> tuple[int, Any]:
    return int(body["id"]), json.loads(body["schema"])


def _id_of(body: Any) -> int:
    return int(body["id"])


def _compatible_of(body: Any) -> bool:
    return bool(body["is_compatible"])
