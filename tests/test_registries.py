"""Which registry the worker asks, and what it does where ids are missing."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess

import pytest
from structlog.testing import capture_logs

from streams import registries
from streams.codec.http_registry import HttpRegistry
from streams.codec.registry import FileRegistry
from streams.resources import schema_text
from streams.settings import Settings
from tests.test_registry_cli import OUTPUTS, registry  # noqa: F401 - a fixture
from tests.test_registry_cli import settings as settings_of


def registered(stand_in, *, lacking=()):
    for topic in registries.declared(""):
        if topic.subject and topic.role == "output" and topic.name not in lacking:
            stand_in.subjects[topic.subject] = json.dumps(json.loads(schema_text(topic.schema)))


def test_without_a_url_schemas_come_from_the_files():
    found, writers = registries.for_worker(Settings())

    assert isinstance(found, FileRegistry)
    assert OUTPUTS <= writers.keys()
    assert writers == found.writers()


def test_with_a_url_it_writes_under_the_ids_of_the_registry(registry):  # noqa: F811
    registered(registry)

    found, writers = registries.for_worker(settings_of(registry))

    assert isinstance(found, HttpRegistry)
    assert dict.fromkeys(OUTPUTS, 1) == {topic: schema_id for topic, (schema_id, _) in writers.items()}
    assert json.loads(schema_text("cascade.avsc")) == writers["cascades"][1]


def test_a_schema_that_the_registry_lacks_is_named_with_the_command_that_adds_it(registry):  # noqa: F811
    registered(registry, lacking={"cascades"})

    with pytest.raises(ValueError, match=r"lacks cascades-value as in cascade.avsc: run `streams schemas register`$"):
        registries.for_worker(settings_of(registry))


def test_a_login_that_the_registry_refuses_ends_the_start(registry):  # noqa: F811
    registered(registry)
    registry.login = "Basic other"

    with pytest.raises(ValueError, match="answered 401") as refused:
        registries.for_worker(settings_of(registry, registry_username="ann", registry_password="secret"))

    assert "secret" not in str(refused.value)


def test_a_registry_that_is_away_is_waited_for_with_a_line_in_the_log(registry, monkeypatch):  # noqa: F811
    registered(registry)
    registry.failing = 503

    async def sleep(seconds):
        registry.failing = None

    monkeypatch.setattr(
        HttpRegistry.__init__, "__kwdefaults__", {**HttpRegistry.__init__.__kwdefaults__, "sleep": sleep}
    )
    with capture_logs() as logs:
        registries.for_worker(settings_of(registry))

    assert [("registry_unreachable", "it answered 503", 1)] == [
        (each["event"], each["reason"], each["attempt"]) for each in logs
    ]


def test_json_needs_no_ids(registry):  # noqa: F811
    assert {} == registries.for_worker(settings_of(registry, value_format="json"))[1]


def test_a_registry_of_a_worker_can_be_used_in_another_loop(registry):  # noqa: F811
    registered(registry)
    found, _ = registries.for_worker(settings_of(registry))

    async def ask():
        try:
            return await found.lookup("cascades-value", json.loads(schema_text("cascade.avsc")))
        finally:
            await found.close()

    assert 1 == asyncio.run(ask())


@pytest.fixture
def authorities(tmp_path, monkeypatch):
    """Three authorities; OpenSSL believes that the system knows the first."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl on the PATH, which makes certificates")
    for name in ("system", "brokers", "registry"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
        files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / f"{name}.pem"]
        subprocess.run([*command, *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    return tmp_path


@pytest.mark.parametrize(("files", "believed"), [
    ({}, {"system"}),
    ({"ssl_cafile": "brokers"}, {"system", "brokers"}),
    ({"registry_cafile": "registry"}, {"registry"}),
    ({"ssl_cafile": "brokers", "registry_cafile": "registry"}, {"registry"}),
])  # fmt: skip
def test_who_vouches_for_the_brokers_does_not_replace_who_vouches_for_the_registry(files, believed, authorities):
    given = {name: authorities / f"{file}.pem" for name, file in files.items()}

    context = registries.trust(Settings(registry_url="https://registry", **given))

    names = {value for each in context.get_ca_certs() for ((key, value),) in each["subject"] if key == "commonName"}
    assert believed == names


def test_a_plain_registry_needs_nobody_to_vouch_for_it():
    assert None is registries.trust(Settings(registry_url="http://registry"))
    assert None is registries.trust(Settings())
