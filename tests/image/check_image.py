"""The Dockerfile, built without an engine, and the worker run from the image as it would be in production.

Opt-in: ``make test-image``. The base is a stand-in of the same name, made by debootstrap, because a registry may be out
of reach; so the size of the base is not that of Debian's slim image, and what is ours is said apart.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from confluent_kafka import Producer

from streams.codec.encode import Encoder
from streams.registries import file_registry
from tests.broker.kafka import Kafka, free_ports
from tests.broker.kafka import missing as no_kafka

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
STAND_IN = Path.home() / ".cache" / "liquidation-streams" / "image" / "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
IMAGE = "localhost/liquidation-streams:latest"
NOBODY = 10_001
READY_SECONDS_MAX = 120.0
PRIVILEGES = ("Uid:\t1", "CapEff", "NoNewP")
LIQUIDATION = {
    "exchange": "bybit", "symbol": "BTCUSDT", "asset": "BTC", "position_side": "LONG", "price": 80_000.0,
    "price_kind": "BANKRUPTCY", "quantity": 0.01, "notional_usd": 800.0, "event_time": int(time.time() * 1000),
    "ingest_time": int(time.time() * 1000), "liquidation_id": "one",
}  # fmt: skip


def lacking():
    if no_kafka() is not None:
        return no_kafka()
    tools = [tool for tool in ("buildah", "debootstrap", "setpriv", "unshare") if shutil.which(tool) is None]
    if tools:
        return f"needs {', '.join(tools)}: apt-get install buildah debootstrap util-linux"
    return "needs root, for debootstrap and for changing the user" if os.geteuid() else None


def base_name():
    return next(line.partition("=")[2] for line in DOCKERFILE.read_text().splitlines() if line.startswith("ARG BASE="))


class Buildah:
    """buildah with its storage in a folder of ours."""

    def __init__(self, folder):
        self._where = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments):
        environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
        command = ["buildah", *self._where, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, (done.stdout + done.stderr)[-3000:]
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah(tmp_path_factory):
    if lacking() is not None:
        pytest.skip(lacking())
    folder = tmp_path_factory.mktemp("buildah")
    yield Buildah(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def image(buildah):
    """The name of the image, built from the Dockerfile as it is."""
    if not STAND_IN.is_dir():
        STAND_IN.parent.mkdir(parents=True, exist_ok=True)
        scratch = STAND_IN.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", scratch], check=True)
        scratch.rename(STAND_IN)
    container = buildah("from", "scratch")
    buildah("add", "-q", container, STAND_IN, "/")
    buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
    buildah("commit", "-q", "--rm", container, base_name())
    # Where the way out goes through somebody who signs anew, pip inside has to know that, too.
    certificates = ("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro")
    began = time.monotonic()
    buildah("bud", "-q", "--pull-never", "--format", "docker", *certificates, "-f", DOCKERFILE, "-t", IMAGE, ROOT)
    print(f"\n  built in {time.monotonic() - began:.0f} s")
    return IMAGE


@pytest.fixture(scope="module")
def root(buildah, image):
    """Where the file system of the image lies."""
    container = buildah("from", "--pull-never", image)
    yield Path(buildah("mount", container))
    buildah("rm", container)


@pytest.fixture(scope="module")
def config(buildah, image):
    found = json.loads(buildah("inspect", "--type", "image", image))
    return found["Docker"]["config"]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory, buildah):
    broker = Kafka(tmp_path_factory.mktemp("kafka")).start()
    broker.create_topics()
    yield broker
    broker.stop()


#: A mount name space of its own in which the image is read-only but for /tmp, and number 1 for its first process.
SANDBOX = """
mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT" && mount -t tmpfs tmpfs "$ROOT/tmp" &&
chmod 1777 "$ROOT/tmp" && mount -t proc proc "$ROOT/proc" && mount --bind /dev "$ROOT/dev" &&
exec setpriv --no-new-privs /usr/sbin/chroot --userspec="$USERSPEC" "$ROOT" "$@"
"""


def started(root, config, command, log=subprocess.PIPE, **settings):
    """Run a command of the image as its user."""
    environment = dict(each.split("=", 1) for each in config["Env"])
    environment |= {f"STREAMS_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {"ROOT": str(root), "USERSPEC": config["User"]}
    isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/bash", "-c", SANDBOX, "sandbox"]
    return subprocess.Popen(
        [*isolated, *command], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )


def said(root, config, command, **settings):
    process = started(root, config, command, **settings)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output.decode()


def first_process(unshare):
    """The one that has number 1 in there."""
    return int(Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text())


def page(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def wait_until(condition, seconds, process, log):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)


def test_the_image_is_small_beside_its_base(root):
    ours, base = (
        sum(int(subprocess.run(["du", "-sbx", path], capture_output=True, check=True).stdout.split()[0]) for path in of)
        for of in ([root / "opt" / "streams"], [STAND_IN])
    )
    print(f"\n  /opt/streams {ours / 1e6:.0f} MB on a base of {base / 1e6:.0f} MB (the stand-in's)")

    assert ours < 200e6
    assert not (root / "opt" / "streams" / "bin" / "pip").exists()
    assert not list(root.glob("opt/streams/lib/python3*/site-packages/pytest*"))


def test_nothing_can_be_written_but_in_tmp(root, config):
    code, output = said(root, config, ["python3", "-c", "open('/opt/streams/x', 'w')"])
    assert (1, True) == (code, "Read-only file system" in output or "Permission denied" in output), output

    assert (0, "") == said(root, config, ["python3", "-c", "open('/tmp/x', 'w')"])


def test_a_wrong_setting_ends_it_with_a_sentence(root, config):
    code, output = said(root, config, [*config["Entrypoint"], *config["Cmd"]], brokr="kafka:9092")

    assert (2, "streams: STREAMS_BROKR is not a setting; did you mean STREAMS_BROKER?\n") == (code, output)


def test_the_doctor_of_the_image_finds_nothing_wrong(root, config, kafka):
    code, output = said(root, config, [*config["Entrypoint"], "doctor"], broker=kafka.bootstrap)

    assert (0, True, False) == (code, "note: only one broker has " in output, "problem: " in output), output


def test_the_worker_runs_unprivileged_reads_and_ends_when_it_is_told_to(root, config, kafka, tmp_path):
    (port,) = free_ports(1)
    log, settings = tmp_path / "worker.log", {"broker": kafka.bootstrap, "web_port": port}
    with log.open("wb") as output:
        worker = started(root, config, [*config["Entrypoint"], *config["Cmd"]], output, **settings)
    try:
        wait_until(lambda: "ok" in page(port, "/readyz"), READY_SECONDS_MAX, worker, log)
        tini = first_process(worker)
        status = Path(f"/proc/{tini}/status").read_text()
        value = Encoder(file_registry().writers()).encode("liquidations", LIQUIDATION)
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        producer.produce("liquidations", value, b"BTC")
        producer.flush(10)
        consumed = 'streams_records_aggregated_total{topic="liquidations"} 1.0'
        wait_until(lambda: consumed in page(port, "/metrics"), 30, worker, log)
        health = said(root, config, config["Healthcheck"]["Test"][1:], **settings)
        os.kill(tini, signal.SIGTERM)
        code = worker.wait(30)
    finally:
        worker.kill()

    print(f"\n  ready; {consumed}", *(line for line in status.splitlines() if line.startswith(PRIVILEGES)), sep="\n  ")
    assert re.search(rf"^Uid:(\s+{NOBODY}){{4}}$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert (0, "") == health
    assert 0 == code, log.read_text()[-3000:]
