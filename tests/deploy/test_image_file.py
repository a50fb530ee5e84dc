"""What the Dockerfile says is so: what it copies is there, what it installs is locked, what it sets is a setting."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from streams.settings import PREFIX, variables

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
PIN = re.compile(r"^([a-z0-9-]+==[^ ;]+)", re.MULTILINE)


def test_the_image_has_the_versions_that_are_tested_and_no_others():
    everything = set(PIN.findall((ROOT / "requirements.lock").read_text()))
    installed = set(PIN.findall((ROOT / "deploy" / "docker" / "requirements.lock").read_text()))

    assert any(pin.startswith("faust-streaming==") for pin in installed)
    assert installed < everything, "make lock writes both"
    assert not any(pin.startswith(("pytest==", "mypy==", "ruff==")) for pin in installed)


def test_what_is_copied_is_there_and_is_let_in():
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    copied = [source for line in lines for source in line.split()[:-1]]
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) for pattern in let_in), source


def test_it_runs_the_worker_without_rights_and_the_settings_are_settings():
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", DOCKERFILE))

    assert named
    assert named <= set(variables())
    assert "\nUSER 10001:10001\n" in DOCKERFILE
    assert '\nENTRYPOINT ["/usr/bin/tini", "--", "streams"]\nCMD ["worker"]\n' in DOCKERFILE
    assert "/healthz" in DOCKERFILE


def test_the_base_is_named_once_with_its_version():
    assert re.search(r"^ARG BASE=docker\.io/library/python:3\.\d+\.\d+-slim-bookworm$", DOCKERFILE, re.MULTILINE)
    assert ["${BASE} AS build", "${BASE}"] == re.findall(r"^FROM (.+)$", DOCKERFILE, re.MULTILINE)
