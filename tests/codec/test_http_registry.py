"""The client against a small registry on a loopback port."""

import asyncio
import json
from base64 import b64encode
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from streams.codec.http_registry import ANSWER_BYTES_MAX, REFERENCES_MAX, HttpRegistry, RegistryRefused, Trouble
from streams.codec.schema import parse

SCHEMA = {"type": "record", "name": "R", "fields": []}
FOUND = {"schema": json.dumps(SCHEMA)}
UNKNOWN = 404, {"error_code": 40403}


class Stand:
    """Answers in turn with what it was given; the last answer stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def handle(self, request):
        self.asked.append((request.method, request.path, request.headers.get("Authorization"), await request.text()))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == "cut":
            request.transport.abort()
            return web.Response()
        return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())


class Pauses:
    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


@asynccontextmanager
async def served(stand, path="", user="", **settings):
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", stand.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    registry = HttpRegistry(f"http://{user}127.0.0.1:{port}{path}", **{"sleep": Pauses()} | settings)
    try:
        yield registry
    finally:
        await registry.close()
        await registry.close()
        await runner.cleanup()


def resolved(stand, ids, **settings):
    async def run():
        async with served(stand, **settings) as registry:
            await registry.resolve(ids)
            return {schema_id: registry.schema(schema_id) for schema_id in ids}

    return asyncio.run(run())


def test_a_schema_is_asked_for_once_and_remembered():
    async def run():
        stand = Stand((200, FOUND))
        async with served(stand) as registry:
            needed = registry.needs(7)
            await registry.resolve({7})
            await registry.resolve({7})
            return needed, registry.needs(7), registry.schema(7), stand.asked

    needed, still, schema, asked = asyncio.run(run())

    assert (True, False, SCHEMA) == (needed, still, schema)
    assert [("GET", "/schemas/ids/7", None, "")] == asked


def test_an_unknown_id_is_asked_for_again_after_a_minute():
    now = [0.0]

    async def run():
        stand = Stand(UNKNOWN, UNKNOWN, (200, FOUND))
        async with served(stand, clock=lambda: now[0]) as registry:
            seen = []
            for seconds in (0.0, 59.999, 60.0, 119.999, 120.0):
                now[0] = seconds
                await registry.resolve({7})
                seen.append((len(stand.asked), registry.schema(7)))
            return seen

    assert [(1, None), (1, None), (2, None), (2, None), (3, SCHEMA)] == asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((500, {}), "it answered 500"),
        ((503, b"<html>"), "it answered 503"),
        ((429, {}), "it answered 429"),
        ((401, {"message": "no"}), "it answered 401"),
        ((302, {}), "it answered 302"),
        ((404, b"default backend - 404"), "it answered 404"),
        ((404, {"message": "no such route"}), "it answered 404"),
        ((200, b"<html>"), "an answer that makes no sense (AttributeError)"),
        ((200, {"schema": "{"}), "an answer that makes no sense (JSONDecodeError)"),
        ((200, {"other": 1}), "an answer that makes no sense (KeyError)"),
        ((200, {"schema": "[" * 100_000}), "an answer that makes no sense (RecursionError)"),
        ((200, [1]), "an answer that makes no sense (AttributeError)"),
        ((200, b" " * (ANSWER_BYTES_MAX + 1)), f"the answer has more than {ANSWER_BYTES_MAX} bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_answer_is_waited_after(answer, problem):
    troubles = []
    found = resolved(Stand(answer, (200, FOUND)), {7}, on_trouble=troubles.append)

    assert {7: SCHEMA} == found
    assert [Trouble("GET schemas/ids/7", problem, 1, 0.2)] == troubles


SIDE = {"type": "enum", "name": "s.Side", "symbols": ["LONG"]}
PART = {"type": "record", "name": "s.Part", "fields": [{"name": "side", "type": "s.Side"}]}
WHOLE = {"type": "record", "name": "W", "fields": [{"name": "a", "type": "s.Part"}, {"name": "b", "type": "s.Side"}]}


def referring(schema, *subjects):
    references = [{"name": "as it likes", "subject": subject, "version": 3} for subject in subjects]
    return {"schema": json.dumps(schema), "references": references}


def test_what_a_schema_refers_to_is_read_with_it():
    stand = Stand((200, referring(WHOLE, "part", "side")), (200, referring(PART, "side")), (200, referring(SIDE)))

    found = parse(resolved(stand, {7})[7])

    assert ["/schemas/ids/7", "/subjects/part/versions/3", "/subjects/side/versions/3"] == [
        each[1] for each in stand.asked
    ]
    assert ("record", "W", ["a", "b"]) == (found.kind, found.name, found.names)
    assert found.parts[0].parts[0] is found.parts[1]


@pytest.mark.parametrize("last", [UNKNOWN, (200, {"schema": "{}", "schemaType": "PROTOBUF"})])
def test_a_schema_of_which_a_part_is_unknown_is_unknown(last):
    assert {7: None} == resolved(Stand((200, referring(WHOLE, "part")), last), {7})


def test_a_registry_that_refers_on_and_on_has_no_such_schema():
    class Endless(Stand):
        async def handle(self, request):
            self.asked.append(request.path)
            return web.json_response(referring(WHOLE, f"s{len(self.asked)}", "s1"))

    stand = Endless()

    assert {7: None} == resolved(stand, {7})
    assert REFERENCES_MAX + 1 == len(stand.asked)


def test_a_connection_that_breaks_is_waited_after():
    troubles = []

    assert {7: SCHEMA} == resolved(Stand(*[("cut", b"")] * 6, (200, FOUND)), {7}, on_trouble=troubles.append)
    assert {"not reachable (ServerDisconnectedError)"} == {trouble.problem for trouble in troubles}


def test_pauses_double_up_to_ten_seconds():
    pauses = Pauses()
    resolved(Stand(*[(500, {})] * 9, (200, FOUND)), {7}, sleep=pauses)

    assert [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0] == pauses.seconds


def test_a_registry_that_is_not_there_is_waited_for():
    async def run():
        stopped = asyncio.Event()

        def trouble(found):
            troubles.append(found)
            if len(troubles) == 3:
                stopped.set()

        registry = HttpRegistry("http://127.0.0.1:1", on_trouble=trouble, sleep=lambda _: asyncio.sleep(0))
        waiting = asyncio.create_task(registry.resolve({1}))
        await stopped.wait()
        waiting.cancel()
        await registry.close()

    troubles = []
    asyncio.run(run())

    assert {"not reachable (ClientConnectorError)"} == {trouble.problem for trouble in troubles}
    assert [1, 2, 3] == [trouble.attempt for trouble in troubles[:3]]


def test_a_protobuf_schema_is_unknown_to_an_avro_reader():
    assert {7: None} == resolved(Stand((200, {"schema": "x", "schemaType": "PROTOBUF"})), {7})


def test_the_address_may_have_a_path():
    stand = Stand((200, FOUND))
    resolved(stand, {7}, path="/apis/ccompat/v7")

    assert "/apis/ccompat/v7/schemas/ids/7" == stand.asked[0][1]


@pytest.mark.parametrize("settings", [{"user": "us%40er:sec%3Aret@"}, {"auth": ("us@er", "sec:ret")}])
def test_a_password_is_sent_and_never_shown(settings):
    async def run():
        troubles = []
        stand = Stand(*[("cut", b"")] * 6, (401, {}), (200, FOUND), (401, {"message": "bad login"}))
        if "auth" in settings:
            settings["auth"] = ("us@er", "secret")
        async with served(stand, on_trouble=troubles.append, **settings) as registry:
            await registry.resolve({7})
            with pytest.raises(RegistryRefused) as refused:
                await registry.register("a-value", SCHEMA)
            return stand.asked, repr(registry), repr(troubles), str(refused.value)

    asked, *shown = asyncio.run(run())
    password = "secret" if "auth" in settings else "sec:ret"

    assert {basic(f"us@er:{password}")} == {each[2] for each in asked}
    assert not [text for text in shown if "sec" in text.replace("seconds", "")]


def basic(login):
    return "Basic " + b64encode(login.encode()).decode()


def test_a_user_may_come_without_a_password():
    stand = Stand((200, FOUND))
    resolved(stand, {7}, user="user@")

    assert basic("user:") == stand.asked[0][2]


def asked(stand, question):
    async def run():
        async with served(stand) as registry:
            return await question(registry), registry

    return asyncio.run(run())


def test_the_latest_version_of_a_subject_has_an_id_and_a_schema():
    stand = Stand((200, {"id": 5, "version": 2, **FOUND}))

    assert (5, SCHEMA) == asked(stand, lambda registry: registry.latest("cascades-value"))[0]
    assert "/subjects/cascades-value/versions/latest" == stand.asked[0][1]
    assert asked(Stand(UNKNOWN), lambda registry: registry.latest("x"))[0] is None


def test_a_registered_schema_is_known_by_its_id():
    stand = Stand((200, {"id": 9}))
    found, registry = asked(stand, lambda registry: registry.register("cascades-value", SCHEMA))

    assert (9, SCHEMA, False) == (found, registry.schema(9), registry.needs(9))
    method, path, _, body = stand.asked[0]
    assert ("POST", "/subjects/cascades-value/versions") == (method, path)
    assert {"schema": json.dumps(SCHEMA), "schemaType": "AVRO"} == json.loads(body)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ((409, {"error_code": 409, "message": "incompatible"}), "the schema registry answered 409: incompatible"),
        ((422, b"<html>"), "the schema registry answered 422: without a reason"),
        (UNKNOWN, "the schema registry answered 404: subject a-value cannot be registered there"),
    ],
)
def test_a_refused_schema_is_said_to_be_refused(answer, detail):
    with pytest.raises(RegistryRefused) as refused:
        asked(Stand(answer), lambda registry: registry.register("a-value", SCHEMA))

    assert (answer[0], detail) == (refused.value.status, str(refused.value))


def test_a_subject_is_asked_for_the_id_of_exactly_this_schema():
    stand = Stand((200, {"id": 4, "version": 1}))

    assert 4 == asked(stand, lambda registry: registry.lookup("a-value", SCHEMA))[0]
    assert ("POST", "/subjects/a-value") == stand.asked[0][:2]
    assert asked(Stand(UNKNOWN), lambda registry: registry.lookup("a-value", SCHEMA))[0] is None


def test_a_busy_registry_is_waited_for_by_those_who_register_too():
    assert 9 == asked(Stand((429, {}), (408, {}), (200, {"id": 9})), lambda r: r.register("a-value", SCHEMA))[0]


@pytest.mark.parametrize(("answer", "expected"), [(True, True), (False, False)])
def test_a_registry_says_whether_a_schema_is_compatible(answer, expected):
    stand = Stand((200, {"is_compatible": answer}))

    assert expected is asked(stand, lambda registry: registry.compatible("a-value", SCHEMA))[0]
    assert "/compatibility/subjects/a-value/versions/latest" == stand.asked[0][1]
    assert asked(Stand(UNKNOWN), lambda registry: registry.compatible("a-value", SCHEMA))[0] is None


def test_broken_records_cannot_fill_the_memory_with_unknown_ids():
    now = [0.0]

    async def run():
        async with served(Stand(UNKNOWN), clock=lambda: now[0]) as registry:
            await registry.resolve(set(range(50)))
            before = len(registry._unknown_since)
            now[0] = 60.0
            await registry.resolve({99})
            return before, len(registry._unknown_since)

    assert (50, 1) == asyncio.run(run())
