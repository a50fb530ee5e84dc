"""The chart on a real API server with its controllers, the workers against a real Kafka that asks for a login.

Only the node is a stand-in (``node.py``): what a pod says to run is run, as a process of this checkout.
"""

from __future__ import annotations

import base64
import subprocess
import time

import pytest
import yaml

from tests.broker import kafka as brokers
from tests.broker.kafka import Kafka, free_ports
from tests.chart import api, tools
from tests.chart.api import ApiServer
from tests.chart.chart import CHART
from tests.chart.node import Node

pytestmark = pytest.mark.cluster

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="right";'
ON = (
    "topics.replication=1", "kafka.securityProtocol=SASL_PLAINTEXT", "kafka.saslMechanism=PLAIN",
    "networkPolicy.enabled=true", "monitoring.scrape=service", "monitoring.alerts=true", "monitoring.dashboards=true",
)  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    reason = brokers.missing()
    if reason is not None:
        pytest.skip(reason)
    made = Kafka(tmp_path_factory.mktemp("kafka"))
    (port,) = free_ports(1)
    for name, more in {
        "listeners": f"LOGIN://127.0.0.1:{port}", "advertised.listeners": f"LOGIN://127.0.0.1:{port}",
        "listener.security.protocol.map": "LOGIN:SASL_PLAINTEXT",
    }.items():  # fmt: skip
        made.properties[name] += f",{more}"
    made.properties |= {"sasl.enabled.mechanisms": "PLAIN", "listener.name.login.plain.sasl.jaas.config": JAAS}
    made.start()
    yield f"127.0.0.1:{port}"
    made.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    reason = api.missing() or tools.no_definitions()
    if reason is not None:
        pytest.skip(reason)
    made = ApiServer(tmp_path_factory.mktemp("kubernetes")).start()
    for path in tools.definitions():
        made.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(path.read_text()))
    node = Node(made, tmp_path_factory.mktemp("node")).start()
    made.node = node
    yield made
    node.stop()
    made.stop()


class Place:
    """A namespace, with Helm."""

    def __init__(self, server, name, broker):
        self.server, self.name, self.broker = server, name, broker
        # The strictest standard: a pod that asked for more than it needs would be refused.
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        server.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})

    def helm(self, verb, *arguments):
        """Run Helm as a person would, show it, and return (exit code, what it said)."""
        words = [verb, *arguments]
        command = [str(tools.tool("helm")), "--kubeconfig", str(self.server.kubeconfig), "-n", self.name, *words]
        result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(f"\n$ helm -n {self.name} {' '.join(words).replace(str(CHART), CHART.name)}\n{result.stdout.strip()}")
        return result.returncode, result.stdout

    def chart(self, verb, *values):
        sets = [part for value in (f"kafka.brokers={self.broker}", *ON, *values) for part in ("--set", value)]
        return self.helm(verb, "demo", str(CHART), "--wait", "--timeout", "4m", *sets)

    def secret(self, name, **data):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.server.post(f"/api/v1/namespaces/{self.name}/secrets", {"metadata": {"name": name}, "data": encoded})

    def workers(self):
        path = f"/api/v1/namespaces/{self.name}/pods?labelSelector=app.kubernetes.io/component=worker"
        return [pod for pod in self.server.items(path) if "deletionTimestamp" not in pod["metadata"]]

    def left(self):
        """Return what of the release is still there."""
        kinds = {
            "api/v1": ["services", "configmaps", "pods"], "apis/apps/v1": ["deployments", "replicasets"],
            "apis/batch/v1": ["jobs"], "apis/policy/v1": ["poddisruptionbudgets"],
            "apis/networking.k8s.io/v1": ["networkpolicies"], "apis/keda.sh/v1alpha1": ["scaledobjects"],
            "apis/monitoring.coreos.com/v1": ["servicemonitors", "prometheusrules"],
        }  # fmt: skip
        selector = "labelSelector=app.kubernetes.io/instance=demo"
        return [
            f"{kind}/{each['metadata']['name']}"
            for group, names in kinds.items()
            for kind in names
            for each in self.server.items(f"/{group}/namespaces/{self.name}/{kind}?{selector}")
        ]

    def wait_until_left_are(self, names):
        """Return when what has been deleted is gone: Helm does not wait for the pods of a Deployment."""
        deadline = time.monotonic() + 60
        while set(self.left()) != names:
            assert time.monotonic() < deadline, self.left()
            time.sleep(0.5)


def variables(pod):
    return {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}


def ready(pod):
    return {each["type"]: each["status"] for each in pod["status"]["conditions"]}["Ready"] == "True"


@pytest.fixture(scope="module")
def place(server, broker):
    made = Place(server, "streams", broker)
    made.secret("kafka-user", username="ann", password="right")
    made.secret("half-a-user", username="ann")
    made.secret("kafka-stranger", username="ann", password="wrong")
    return made


LOGIN = "kafka.loginSecret=kafka-user"


def test_it_is_installed_upgraded_rolled_back_and_uninstalled(place):
    code, said = place.chart("install", LOGIN)
    first = place.workers()

    assert 0 == code
    assert "2. Ask for what is wrong with brokers, topics, registry and clocks" in said
    assert [True, True] == [ready(pod) for pod in first]
    assert {"deployments/demo", "services/demo", "servicemonitors/demo", "prometheusrules/demo"} <= set(place.left())

    code, said = place.helm("test", "demo", "--logs")
    assert 0 == code
    assert "note: only one broker has " in said
    assert "problem: " not in said
    assert '{"status":"ok"}' in said

    changed = ("settings.STREAMS_LATENESS_MS=3000", "autoscaling.enabled=true", "replicas=1")
    code, _ = place.chart("upgrade", LOGIN, *changed)
    second = place.workers()
    assert 0 == code
    assert 2 == len(second), "KEDA has said nothing yet"
    assert {"3000"} == {variables(pod).get("STREAMS_LATENESS_MS") for pod in second}
    assert {pod["metadata"]["uid"] for pod in first}.isdisjoint(pod["metadata"]["uid"] for pod in second)
    assert "scaledobjects/demo" in place.left()

    code, _ = place.helm("rollback", "demo", "1", "--wait", "--timeout", "4m")
    third = place.workers()
    assert 0 == code
    assert [None, None] == [variables(pod).get("STREAMS_LATENESS_MS") for pod in third]
    assert "scaledobjects/demo" not in place.left()

    code, _ = place.helm("uninstall", "demo", "--wait", "--timeout", "2m")
    assert 0 == code
    place.wait_until_left_are({"pods/demo-test-doctor", "pods/demo-test-ready"})


def test_the_workers_had_ended_in_order_and_in_time(place):
    ends = [line for line in place.server.node.seen if " ended with " in line]
    print("\n" + "\n".join(place.server.node.seen))

    assert ends
    for line in ends:
        assert "ended with [0] after" in line


REFUSED = {
    "a Secret that is not there": (["kafka.loginSecret=nobody"],
        "kafka.loginSecret: there is no Secret nobody in the namespace streams; it needs the keys "),
    "a Secret without its key": (["kafka.loginSecret=half-a-user"],
        "kafka.loginSecret: the Secret half-a-user in the namespace streams has no key password"),
    "a partition count that the cluster does not have": ([LOGIN, "topics.partitions=8"],
        "problem: liquidations has 4 partitions and 8 were asked for (--partitions, in the chart topics.partitions)"),
    "a login that the broker refuses": (["kafka.loginSecret=kafka-stranger"], "'ann' with PLAIN"),
    "settings that do not agree": ([LOGIN, "settings.STREAMS_FLUSH_INTERVAL_MS=20000"],
        "streams: STREAMS_FLUSH_INTERVAL_MS must be below STREAMS_TRANSACTION_TIMEOUT_MS=15000, was 20000"),
    "a misspelled key": ([LOGIN, "replicaCout=3"], "additional properties 'replicaCout' not allowed"),
}  # fmt: skip


@pytest.fixture(scope="module")
def running(place):
    code, _ = place.chart("install", LOGIN, "replicas=1")
    assert 0 == code
    yield [pod["metadata"]["uid"] for pod in place.workers()]
    place.helm("uninstall", "demo")


@pytest.mark.parametrize("mistake", REFUSED)
def test_an_upgrade_with_a_mistake_is_refused_and_the_workers_go_on(place, running, mistake):
    values, sentence = REFUSED[mistake]

    code, said = place.chart("upgrade", *values)

    assert 0 != code
    assert sentence in said
    assert running == [pod["metadata"]["uid"] for pod in place.workers()]
