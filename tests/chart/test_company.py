"""What the rules of a company's cluster ask of a chart: quotas, mesh, priorities, users, an umbrella."""

from __future__ import annotations

import shutil

import pytest
import yaml

from tests.chart.chart import BROKERS, CHART, EVERYTHING, KUBERNETES, VALUES, every_pod, helm, one, pods, refused

PODS = range(4)
NODES = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]"
MARKS = (
    r"podLabels.cost-centre=risk", r"podLabels.app\.kubernetes\.io/component=other",
    r"podAnnotations.sidecar\.istio\.io/inject=no", "priorityClassName=high", "serviceAccountName=streams",
    f"{NODES}.key=disk", f"{NODES}.operator=Exists",
)  # fmt: skip


@pytest.mark.parametrize("number", PODS)
def test_every_pod_is_marked_placed_and_ranked_and_keeps_its_own_labels(number):
    plain, marked = every_pod(*EVERYTHING)[number], every_pod(*EVERYTHING, *MARKS)[number]
    before, after = plain["metadata"], marked["metadata"]
    asked = marked["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert before["labels"] | {"cost-centre": "risk"} == after["labels"]
    assert before.get("annotations", {}) | {"sidecar.istio.io/inject": "no"} == after["annotations"]
    assert ("high", "streams") == (marked["spec"]["priorityClassName"], marked["spec"]["serviceAccountName"])
    assert [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}] == asked["nodeSelectorTerms"]
    assert {"affinity", "priorityClassName", "serviceAccountName"}.isdisjoint(plain["spec"])


@pytest.mark.parametrize("number", PODS)
def test_every_container_says_what_it_needs(number):
    pod = every_pod(*EVERYTHING)[number]
    worker = pod["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"

    for container in pod["spec"]["containers"]:
        assert (VALUES["resources"] if worker else VALUES["hooks"]["resources"]) == container["resources"]


@pytest.mark.parametrize("number", PODS)
def test_a_cluster_may_choose_the_user_but_not_root(number):
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    given = every_pod(*EVERYTHING, "podUser.runAsUser=1000710000")[number]["spec"]["securityContext"]
    left = every_pod(*EVERYTHING, *(f"podUser.{name}=null" for name in ids))[number]["spec"]["securityContext"]

    assert [1_000_710_000, 10_001, 10_001] == [given[name] for name in ids]
    assert {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} == left
    assert "at '/podUser/runAsUser'" in refused(BROKERS, "podUser.runAsUser=0")


def test_the_job_has_time_to_pull_the_image_and_ends_before_helm_stops_waiting():
    assert 240 == one("Job")["spec"]["activeDeadlineSeconds"]
    assert 60 == one("Job", "hooks.deadlineSeconds=60")["spec"]["activeDeadlineSeconds"]


def test_a_rollback_is_looked_at_as_an_upgrade_is():
    wanted = "pre-install,pre-upgrade,pre-rollback"
    policy = one("NetworkPolicy", "networkPolicy.enabled=true", name="demo-topics")

    assert wanted == one("Job")["metadata"]["annotations"]["helm.sh/hook"]
    assert wanted == policy["metadata"]["annotations"]["helm.sh/hook"]


def test_the_network_policies_find_pods_with_labels_of_others():
    values = ("networkPolicy.enabled=true", *MARKS)
    for name, component in {"demo": "worker", "demo-topics": "topics", "demo-test": "test"}.items():
        selected = one("NetworkPolicy", *values, name=name)["spec"]["podSelector"]["matchLabels"]

        assert selected.items() <= pods(*values)[component]["metadata"]["labels"].items()


def test_it_can_stand_under_an_umbrella_with_values_for_all(tmp_path):
    shutil.copytree(CHART, tmp_path / "charts" / CHART.name)
    needs = {"name": CHART.name, "version": "0.1.0"}
    chart = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [needs]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    shared = {"global": {"imageRegistry": "registry.internal"}, CHART.name: {"kafka": {"brokers": "kafka-1:9092"}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(shared))

    result = helm("template", "demo", str(tmp_path), "--kube-version", KUBERNETES)

    assert 0 == result.returncode, result.stderr
    assert "kind: Deployment" in result.stdout
