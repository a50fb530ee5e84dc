"""The compose file agrees with the code: settings, commands, ports, health checks, mounts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from streams import cli
from streams.settings import PREFIX, Settings, variables
from streams.web.pages import Pages

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "compose" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "liquidation-streams"}
WITH_SETTINGS = [name for name, service in OURS.items() if "environment" in service]
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
ALERTMANAGER = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
SOURCES = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text())
PROVIDERS = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "dashboards.yaml").read_text())


def text(service):
    return yaml.safe_dump(SERVICES[service])


@pytest.mark.parametrize("name", WITH_SETTINGS)
def test_every_setting_is_one_and_the_worker_would_take_it(name, monkeypatch):
    given = {key: value for key, value in OURS[name]["environment"].items() if key.startswith(PREFIX)}
    for key, value in given.items():
        monkeypatch.setenv(key, value)

    assert given
    assert set(given) <= set(variables())
    assert "kafka:19092" == Settings().broker


@pytest.mark.parametrize("name", WITH_SETTINGS)
def test_every_command_is_one_with_options_that_it_has(name):
    command = OURS[name]["command"]
    words = [word for word in command if not word.startswith("-") and not word.isdigit()]
    said = CliRunner().invoke(cli.main, [*words, "--help"])

    assert 0 == said.exit_code, said.output
    assert all(word in said.output for word in command if word.startswith("--"))


def test_who_waits_for_health_waits_for_somebody_with_a_health_check():
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}
            assert ("healthcheck" in SERVICES[other]) == (how["condition"] == "service_healthy")


def test_the_worker_is_asked_on_its_port_for_a_page_that_it_has():
    paths = [route.path for route in Pages(SimpleNamespace(), CollectorRegistry()).routes()]
    port = Settings.model_fields["web_port"].default
    (asked,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", text("worker"))
    (job,) = PROMETHEUS["scrape_configs"]

    assert (str(port), "/readyz") == asked
    assert "/readyz" in paths
    assert f":{port}" == SERVICES["worker"]["ports"][0][-5:]
    assert [{"names": ["worker"], "type": "A", "port": port, "refresh_interval": "10s"}] == job["dns_sd_configs"]
    assert "liquidation-streams" in job["job_name"]


def test_who_goes_on_without_the_port_of_a_worker_is_not_asked_for_its_health():
    assert {"player", "webhook"} == {name for name in OURS if OURS[name].get("healthcheck") == {"disable": True}}


def test_every_address_is_that_of_a_service():
    (alertmanager,) = PROMETHEUS["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    webhook = urlsplit(ALERTMANAGER["receivers"][0]["webhook_configs"][0]["url"])
    source = urlsplit(SOURCES["datasources"][0]["url"])

    assert "alertmanager:9093" == alertmanager
    assert ":9093:9093" in SERVICES["alertmanager"]["ports"][0]
    assert ("webhook", SERVICES["webhook"]["entrypoint"][-1]) == (webhook.hostname, str(webhook.port))
    assert ("prometheus", 9090) == (source.hostname, source.port)
    assert SOURCES["datasources"][0]["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    assert "INSIDE://kafka:19092" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert "http://0.0.0.0:8081" == SERVICES["registry"]["environment"]["SCHEMA_REGISTRY_LISTENERS"]


def test_an_alert_of_one_release_hides_none_of_another():
    rules = ALERTMANAGER["inhibit_rules"]

    assert len(rules) > 3
    for rule in rules:
        assert "job" in rule.get("equal", []) or 'job=""' in rule["source_matchers"]


def test_what_is_mounted_is_there_and_is_where_it_is_looked_for():
    mounts = {}
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source, target, mode = mount.split(":")
            assert (FILE.parent / source).exists()
            assert "ro" == mode
            mounts[target] = source

    assert set(PROMETHEUS["rule_files"]) <= set(mounts)
    assert {PROVIDERS["providers"][0]["options"]["path"]} <= set(mounts)
    assert SERVICES["webhook"]["entrypoint"][3] in mounts
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (FILE.parent / mounts[str(home.parent)] / home.name).exists()


def test_ours_run_without_rights_and_nothing_is_published_to_the_world():
    for service in OURS.values():
        assert ("10001:10001", True, ["/tmp"], ["ALL"]) == tuple(
            service[key] for key in ("user", "read_only", "tmpfs", "cap_drop")
        )
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", []))


def test_every_image_that_is_not_ours_has_a_version():
    for service in SERVICES.values():
        if service not in OURS.values():
            assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"])


def test_compose_accepts_the_file():
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("needs docker-compose on the PATH: apt-get install docker-compose")

    done = subprocess.run([compose, "-f", FILE, "config"], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert set(SERVICES) == set(yaml.safe_load(done.stdout)["services"])
