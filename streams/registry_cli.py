"""What a schema registry has of ours, and how to give it the rest.

The worker waits for a registry that is away; here a person waits, so each question is asked once.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import quote

from streams.codec.http_registry import says_unknown
from streams.registries import trust
from streams.resources import schema_text
from streams.settings import Settings, variable
from streams.topics import Finding, Topic, declared

SECONDS = 5


class RegistryProblem(Exception):
    """A registry that cannot be used, in one sentence for an operator."""


class Answer(NamedTuple):
    """What a registry said; ``date`` is its own clock, where it sent one."""

    status: int
    body: Any
    date: str | None


def listing() -> list[str]:
    """Return one line a topic: its name, subject, id in the file registry and schema file."""
    rows = [("topic", "subject", "id", "schema")]
    rows += [(topic.name, topic.subject or "", str(topic.schema_id), topic.schema or "") for topic in _with_schema()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def check(settings: Settings) -> list[Finding]:
    """Say which subjects the registry lacks, and where it would refuse our schema."""
    return _each(settings, _checked)


def register(settings: Settings) -> list[Finding]:
    """Register what is missing and say what became of each subject; a producer's own input schema stays."""
    return _each(settings, _registered)


def ask(settings: Settings, method: str, path: str, body: Any = None) -> Answer:
    """Ask the registry once; what it cannot answer is a ``RegistryProblem``, which never holds the password."""
    request = urllib.request.Request(  # noqa: S310 - Settings admits http and https only
        f"{settings.registry_url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers=_headers(settings),
        method=method,
    )
    try:
        with _opened(settings, request) as response:
            return Answer(response.status, json.load(response), response.headers["Date"])
    except OSError as error:
        reason = getattr(error, "reason", error)
        msg = f"the registry at {settings.registry_url} does not answer: {reason}"
        raise RegistryProblem(msg) from None
    except HTTPException:
        raise _not_a_registry(settings, "HTTP") from None
    except (ValueError, RecursionError):
        if response.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            return Answer(response.status, None, response.headers["Date"])
        raise _not_a_registry(settings, "JSON") from None


def known(settings: Settings, method: str, path: str, body: Any = None) -> Answer | None:
    """Ask for something that the registry may have; None where it says that it has no such thing."""
    answer = ask(settings, method, path, body)
    if answer.status == HTTPStatus.OK:
        return answer
    if answer.status == HTTPStatus.NOT_FOUND and says_unknown(answer.body):
        return None
    msg = f"the registry at {settings.registry_url} answered HTTP {answer.status} to {method} {path}"
    raise RegistryProblem(msg)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        # A login is not for whoever it points to.
        return None


def _opened(settings: Settings, request: urllib.request.Request) -> Any:
    # A response, or an HTTPError, which is read like one.
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=trust(settings)))
    try:
        return opener.open(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            msg = f"the registry at {settings.registry_url} refused the login of {settings.registry_username!r}"
        elif error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            msg = f"the registry at {settings.registry_url} failed with HTTP {error.code}"
        else:
            return error
        error.close()
        raise RegistryProblem(msg) from None


def _not_a_registry(settings: Settings, lacks: str) -> RegistryProblem:
    return RegistryProblem(f"what answers at {settings.registry_url} is no schema registry: it did not send {lacks}")


def _each(settings: Settings, act: Any) -> list[Finding]:
    if settings.registry_url is None:
        sentence = f"{variable('registry_url')} is unset: schema ids come from schemas/topics.yaml"
        return [Finding(problem=False, sentence=sentence)]
    try:
        return list(_acted(settings, act))
    except RegistryProblem as problem:
        return [Finding(problem=True, sentence=str(problem))]


def _acted(settings: Settings, act: Any) -> Iterator[Finding]:
    for topic in _with_schema():
        finding = act(settings, topic)
        if finding is not None:
            yield finding


def _checked(settings: Settings, topic: Topic) -> Finding | None:
    subject = _path(topic)
    schema = {"schema": schema_text(str(topic.schema))}
    if known(settings, "POST", f"/subjects/{subject}", schema):
        return None
    if not known(settings, "GET", f"/subjects/{subject}/versions/latest"):
        sentence = f"{topic.subject} is not in the registry; `streams schemas register` adds it"
        return Finding(topic.role == "output", sentence)
    fits = known(settings, "POST", f"/compatibility/subjects/{subject}/versions/latest", schema)
    if fits and fits.body["is_compatible"]:
        # No worker starts without exactly its own version: it writes under the id of that one.
        sentence = f"{topic.subject} has another version than {topic.schema}; `streams schemas register` adds ours"
        return Finding(topic.role == "output", sentence)
    sentence = f"{topic.subject} has a version that is incompatible with {topic.schema}"
    return Finding(topic.role == "output", sentence)


def _registered(settings: Settings, topic: Topic) -> Finding | None:
    subject = _path(topic)
    theirs = known(settings, "GET", f"/subjects/{subject}/versions/latest")
    if topic.role == "input" and theirs:
        sentence = f"{topic.subject} stays as its producer registered it"
        return Finding(problem=False, sentence=sentence)
    answer = ask(settings, "POST", f"/subjects/{subject}/versions", {"schema": schema_text(str(topic.schema))})
    if answer.status != HTTPStatus.OK:
        sentence = f"{topic.subject}: the registry refused {topic.schema} with HTTP {answer.status}"
        return Finding(problem=True, sentence=sentence)
    return Finding(problem=False, sentence=f"{topic.subject} has id {answer.body['id']}")


def _with_schema() -> list[Topic]:
    return [topic for topic in declared("") if topic.schema is not None]


def _path(topic: Topic) -> str:
    return quote(str(topic.subject), safe="")


def _headers(settings: Settings) -> dict[str, str]:
    headers = {"Accept": "application/vnd.schemaregistry.v1+json", "Content-Type": "application/json"}
    if settings.registry_password is not None:
        login = f"{settings.registry_username}:{settings.registry_password.get_secret_value()}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return headers
