"""What the chart makes: each switch on and off, and what holds of every pod."""

from __future__ import annotations

import json

import pytest
import yaml

from streams import __version__
from streams.settings import Settings, variables
from tests.chart.chart import (
    BROKERS,
    CHART,
    EVERYTHING,
    KUBERNETES,
    REGISTRY,
    ROOT,
    SASL,
    TLS,
    VALUES,
    all_of,
    environment,
    every_pod,
    helm,
    one,
    pods,
    rendered,
    worker,
)
from tests.chart.test_schema import RESERVED

ALWAYS = ["Deployment", "Job", "Pod", "Pod", "Service"]
SWITCHES = {
    "podDisruptionBudget=true": ["PodDisruptionBudget"],
    "networkPolicy.enabled=true": ["NetworkPolicy"] * 3,
    "monitoring.scrape=service": ["ServiceMonitor"],
    "monitoring.scrape=pod": ["PodMonitor"],
    "monitoring.alerts=true": ["PrometheusRule"],
    "autoscaling.enabled=true": ["ScaledObject"],
}
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))


def kinds(*values):
    return sorted(manifest["kind"] for manifest in rendered("podDisruptionBudget=false", *values))


def test_without_a_switch_there_are_the_workers_their_address_and_the_hooks():
    assert ALWAYS == kinds()


@pytest.mark.parametrize(("value", "made"), SWITCHES.items(), ids=SWITCHES)
def test_a_switch_makes_what_it_says_and_nothing_else(value, made):
    assert sorted(ALWAYS + made) == kinds(value)


def test_the_topics_job_can_be_left_out():
    assert [kind for kind in ALWAYS if kind != "Job"] == kinds("topics.job=none")


def test_each_dashboard_is_a_config_map_that_grafana_finds():
    found = all_of("ConfigMap", "monitoring.dashboards=true", "monitoring.labels.team=risk")

    assert DASHBOARDS
    assert [] == all_of("ConfigMap")
    assert [path.name for path in DASHBOARDS] == sorted(name for each in found for name in each["data"])
    for each in found:
        ((name, text),) = each["data"].items()
        assert json.loads(text) == json.loads((CHART / "files" / "dashboards" / name).read_text())
        assert {"grafana_dashboard": "1", "team": "risk"}.items() <= each["metadata"]["labels"].items()


def test_the_alerts_are_those_of_the_file():
    rule = one("PrometheusRule", "monitoring.alerts=true", "monitoring.labels.release=prometheus")

    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    assert "prometheus" == rule["metadata"]["labels"]["release"]


@pytest.mark.parametrize(("scrape", "kind", "at"), [
    ("service", "ServiceMonitor", "endpoints"), ("pod", "PodMonitor", "podMetricsEndpoints"),
])  # fmt: skip
def test_a_monitor_finds_the_port_that_has_metrics(scrape, kind, at):
    monitor = one(kind, f"monitoring.scrape={scrape}")
    selected = one("Service")["metadata"]["labels"] if scrape == "service" else pods()["worker"]["metadata"]["labels"]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= selected.items()
    (endpoint,) = monitor["spec"][at]
    assert ("http", "/metrics") == (endpoint["port"], endpoint["path"])


def test_the_version_is_that_of_the_worker():
    assert __version__ == yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert f"liquidation-streams:{__version__}" == worker()["image"]
    assert (
        "registry.internal/streams:1.2"
        == (worker("image.repository=registry.internal/streams", "image.tag=1.2")["image"])
    )


# ---------------------------------------------------------------- every pod


@pytest.mark.parametrize("number", range(4))
def test_no_pod_may_do_more_than_it_needs(number):
    spec = every_pod(*EVERYTHING)[number]["spec"]

    assert 4 == len(every_pod(*EVERYTHING))
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert (True, 10001) == (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"])
    assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
    assert [{"name": "registry-pull"}] == spec["imagePullSecrets"]
    for container in spec["containers"]:
        assert {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        } == container["securityContext"]  # fmt: skip
        assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}


@pytest.mark.parametrize("values", [(), SASL, TLS, REGISTRY, EVERYTHING],
                         ids=["plain", "sasl", "tls", "registry", "all"])  # fmt: skip
def test_every_variable_is_a_setting_and_the_hooks_have_those_of_the_worker(values):
    ours = environment(*values)

    assert set() == set(ours) - set(variables())
    assert set() == set(ours) - RESERVED - {"STREAMS_LATENESS_MS"}
    for pod in every_pod(*values):
        for container in pod["spec"]["containers"]:
            assert worker(*values)["env"] == container["env"]
            assert worker(*values)["image"] == container["image"]


def test_every_reserved_setting_is_set_by_some_value():
    passwords = {"STREAMS_SASL_PASSWORD", "STREAMS_REGISTRY_PASSWORD"}  # read from files

    assert RESERVED == set(environment(*EVERYTHING)) - {"STREAMS_LATENESS_MS"} | passwords | {"STREAMS_DATA_DIR"}


def test_no_password_is_in_the_environment():
    given = environment(*SASL, *REGISTRY)

    assert {"secretKeyRef": {"name": "kafka-user", "key": "username"}} == given["STREAMS_SASL_USERNAME"]
    assert "/etc/streams/kafka-login/password" == given["STREAMS_SASL_PASSWORD_FILE"]
    assert "/etc/streams/registry-login/password" == given["STREAMS_REGISTRY_PASSWORD_FILE"]
    assert [] == [name for name in given if name.endswith("_PASSWORD")]


def test_every_file_that_a_setting_names_lies_in_a_secret_that_is_mounted():
    values = (*SASL, "kafka.caSecret=kafka-ca", "kafka.clientSecret=kafka-certificate", *REGISTRY)
    mounts = {each["mountPath"]: each["name"] for each in worker(*values)["volumeMounts"]}
    volumes = pods(*values)["worker"]["spec"]["volumes"]
    secrets = {each["name"]: each.get("secret", {}).get("secretName") for each in volumes}
    files = [value for value in environment(*values).values() if str(value).startswith("/")]

    assert 6 == len(files)
    assert {"kafka-user", "kafka-ca", "kafka-certificate", "registry-user", "registry-ca"} == {
        secrets[mounts[file.rpartition("/")[0]]] for file in files
    }


def test_settings_come_as_they_were_written(tmp_path, monkeypatch):
    values = tmp_path / "values.yaml"
    values.write_text(
        "settings: {STREAMS_CASCADE_MARKET_FLOOR_USD: 25000000, STREAMS_CASCADE_MARKET_SHARE_MIN: 0.7,"
        " STREAMS_CHECK_CRCS: true, STREAMS_CROWDING_PERCENTILES: '80,90,99',"
        " STREAMS_SYMBOLS_ALLOWED: 'BTCUSDT,ETHUSDT'}"
    )
    given = environment_of(values)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()

    assert "25000000" == given["STREAMS_CASCADE_MARKET_FLOOR_USD"]
    assert 25_000_000 == settings.cascade_market.floor_usd
    assert (0.7, True) == (settings.cascade_market.share_min, settings.check_crcs)
    assert {"BTCUSDT", "ETHUSDT"} == settings.symbols_allowed


def environment_of(path):
    result = helm("template", "demo", str(CHART), "--kube-version", KUBERNETES, "--set", BROKERS, "-f", str(path))
    (found,) = [each for each in yaml.safe_load_all(result.stdout) if each["kind"] == "Deployment"]
    return {each["name"]: each["value"] for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}


# ---------------------------------------------------------------- the workers


def test_a_worker_may_write_where_faust_must_and_nowhere_else():
    volumes = {each["name"]: each for each in pods()["worker"]["spec"]["volumes"]}

    assert [{"name": "scratch", "mountPath": "/tmp"}] == worker()["volumeMounts"]
    assert "emptyDir" in volumes["scratch"]


def test_the_probes_ask_pages_that_exist_at_the_port_that_is_served():
    container = worker()
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}

    assert str(ports["http"]) == environment()["STREAMS_WEB_PORT"]
    assert "0.0.0.0" == environment()["STREAMS_WEB_HOST"]
    assert ["/healthz", "/healthz", "/readyz"] == [
        container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    ]
    assert one("Service")["spec"]["selector"].items() <= pods()["worker"]["metadata"]["labels"].items()


def test_a_worker_that_waits_for_a_broker_at_its_start_is_left_alone_for_an_hour():
    probe = worker()["startupProbe"]

    assert 3600 == probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize(("stuck_ms", "failures"), [(None, 8), (60_000, 8), (60_001, 9), (1_000, 3), (600_000, 62)])
def test_a_worker_that_stands_still_has_its_time_before_it_is_ended(stuck_ms, failures):
    values = [f"settings.STREAMS_STUCK_MS={stuck_ms}"] if stuck_ms else []
    probe = worker(*values)["livenessProbe"]

    assert Settings().stuck_ms == 60_000
    assert (10, failures) == (probe["periodSeconds"], probe["failureThreshold"])


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(None, 30), (15_000, 30), (60_000, 75)])
def test_a_worker_has_until_its_transaction_has_ended_and_some_to_leave(timeout_ms, seconds):
    values = [f"settings.STREAMS_TRANSACTION_TIMEOUT_MS={timeout_ms}"] if timeout_ms else []

    assert Settings().transaction_timeout_ms == 15_000
    assert seconds == pods(*values)["worker"]["spec"]["terminationGracePeriodSeconds"]


def test_old_and_new_workers_do_not_work_side_by_side():
    assert {"type": "Recreate"} == one("Deployment")["spec"]["strategy"]


def test_workers_are_spread_and_evicted_one_at_a_time():
    labels = pods()["worker"]["metadata"]["labels"].items()

    for spread in pods()["worker"]["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"].items() == labels
    budget = one("PodDisruptionBudget")["spec"]
    assert (1, labels) == (budget["maxUnavailable"], budget["selector"]["matchLabels"].items())
    assert "AlwaysAllow" == budget["unhealthyPodEvictionPolicy"]


def test_where_it_may_run_and_how_much_it_gets():
    values = ("nodeSelector.disk=ssd", "tolerations[0].key=spot", "tolerations[0].operator=Exists")
    spec = pods(*values)["worker"]["spec"]

    assert ({"disk": "ssd"}, [{"key": "spot", "operator": "Exists"}]) == (spec["nodeSelector"], spec["tolerations"])
    assert VALUES["resources"] == worker()["resources"]


def test_keda_decides_the_number_of_workers_or_the_values_do():
    scaled = one("ScaledObject", *EVERYTHING, "replicas=1", "topics.partitions=6", "autoscaling.replicasMax=6")["spec"]
    (trigger,) = scaled["triggers"]

    assert 2 == one("Deployment")["spec"]["replicas"]
    assert "replicas" not in one("Deployment", "autoscaling.enabled=true")["spec"]
    assert (1, 6) == (scaled["minReplicaCount"], scaled["maxReplicaCount"])
    assert one("Deployment")["metadata"]["name"] == scaled["scaleTargetRef"]["name"]
    assert ("enable", "scram_sha512") == (trigger["metadata"]["tls"], trigger["metadata"]["sasl"])
    assert "liquidation-streams" == trigger["metadata"]["consumerGroup"]
    secrets = one("TriggerAuthentication", *EVERYTHING)["spec"]["secretTargetRef"]
    assert ["username", "password", "ca", "cert", "key"] == [each["parameter"] for each in secrets]


# ---------------------------------------------------------------- hooks and the network


@pytest.mark.parametrize("job", ["apply", "check"])
def test_the_topics_are_seen_to_before_the_workers(job):
    manifest = one("Job", f"topics.job={job}", "topics.partitions=6", "topics.replication=3")
    (container,) = manifest["spec"]["template"]["spec"]["containers"]

    assert ["topics", job, "--partitions=6", "--replication=3"][: 4 if job == "apply" else 3] == container["args"]


def looks(*values):
    """Return what each container of the Job runs, by its name."""
    return {
        container["name"]: container["args"]
        for job in all_of("Job", *values)
        for container in job["spec"]["template"]["spec"]["containers"]
    }


@pytest.mark.parametrize("job", ["register", "check"])
def test_the_schemas_are_seen_to_before_the_workers(job):
    assert {"topics", "schemas"} == set(looks(*REGISTRY))
    assert ["schemas", job] == looks(*REGISTRY, f"registry.job={job}")["schemas"]
    assert {"schemas": ["schemas", job]} == looks(*REGISTRY, f"registry.job={job}", "topics.job=none")
    assert ["NetworkPolicy"] * 3 == [
        each["kind"] for each in all_of("NetworkPolicy", *REGISTRY, "topics.job=none", "networkPolicy.enabled=true")
    ]


@pytest.mark.parametrize("values", [
    (), (*REGISTRY, "registry.job=none"), (*REGISTRY, "settings.STREAMS_VALUE_FORMAT=json"),
])  # fmt: skip
def test_without_a_registry_no_schemas_are_seen_to(values):
    assert {"topics"} == set(looks(*values))
    assert [] == all_of("Job", "topics.job=none", *values)


def test_the_network_is_open_for_brokers_registry_names_and_scrapes_only():
    values = ("networkPolicy.enabled=true", r"kafka.brokers=a:9092\,b:9093", "registry.url=https://registry.internal")
    policy = one("NetworkPolicy", *values, name="demo")["spec"]
    out = [(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule["ports"]]
    ((rule),) = policy["ingress"]

    assert ["Ingress", "Egress"] == policy["policyTypes"]
    names = [(protocol, port) for port in (53, 5353) for protocol in ("UDP", "TCP")]
    assert [*names, ("TCP", 9092), ("TCP", 9093), ("TCP", 443)] == out
    assert [{"protocol": "TCP", "port": "http"}] == rule["ports"]
    assert VALUES["networkPolicy"]["from"] == rule["from"][:-1]
    assert rule["from"][-1]["podSelector"]["matchLabels"].items() <= pods()["test"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("url", "port"), [("http://a", 80), ("http://a:8081", 8081), ("https://a/b", 443)])
def test_the_port_of_the_registry_is_that_of_its_address(url, port):
    policy = one("NetworkPolicy", "networkPolicy.enabled=true", f"registry.url={url}", name="demo")

    assert port == policy["spec"]["egress"][1]["ports"][-1]["port"]


def test_peers_narrow_where_brokers_may_be():
    values = ("networkPolicy.enabled=true", "networkPolicy.to[0].ipBlock.cidr=10.1.0.0/16")
    policy = one("NetworkPolicy", *values, name="demo")

    assert "to" not in policy["spec"]["egress"][0]
    assert [{"ipBlock": {"cidr": "10.1.0.0/16"}}] == policy["spec"]["egress"][1]["to"]


def test_the_job_has_its_policy_before_it_runs():
    policy = one("NetworkPolicy", "networkPolicy.enabled=true", name="demo-topics")

    assert "-1" == policy["metadata"]["annotations"]["helm.sh/hook-weight"]
    assert pods()["topics"]["metadata"]["labels"] == policy["spec"]["podSelector"]["matchLabels"]
    worker_policy = one("NetworkPolicy", "networkPolicy.enabled=true", name="demo")
    assert worker_policy["spec"]["egress"] == policy["spec"]["egress"]


def test_the_test_asks_workers_and_nobody_asks_the_test():
    policy = one("NetworkPolicy", "networkPolicy.enabled=true", name="demo-test")["spec"]

    assert policy["podSelector"]["matchLabels"].items() <= pods()["test"]["metadata"]["labels"].items()
    assert (["Ingress", "Egress"], False) == (policy["policyTypes"], "ingress" in policy)
    assert pods()["worker"]["metadata"]["labels"] == policy["egress"][-1]["to"][0]["podSelector"]["matchLabels"]


def test_the_image_is_what_the_pods_believe_it_to_be():
    dockerfile = ROOT / "deploy" / "docker" / "Dockerfile"
    if not dockerfile.is_file():
        pytest.skip("there is no deploy/docker/Dockerfile yet")
    text = dockerfile.read_text()

    assert '"streams"]' in next(line for line in text.splitlines() if line.startswith("ENTRYPOINT"))
    assert any(line.startswith("USER 10001") for line in text.splitlines())


@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["plain", "all"])
def test_lint_finds_nothing(values):
    sets = [part for value in (BROKERS, *values) for part in ("--set", value)]
    linted = helm("lint", "--strict", str(CHART), "--kube-version", KUBERNETES, *sets)

    assert 0 == linted.returncode, linted.stdout
