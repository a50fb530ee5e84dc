"""Kubernetes' own validator takes what the chart makes, custom resources included.

It carries the schemas of Kubernetes; kubeconform would have to fetch them from a place that pins nothing.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.chart import tools
from tests.chart.chart import BROKERS, EVERYTHING, KUBERNETES, REGISTRY, SASL, TLS, template
from tests.chart.test_company import MARKS


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    reason = tools.missing("kubectl-validate") or tools.no_definitions()
    if reason is not None:
        pytest.skip(reason)
    crds = tmp_path_factory.mktemp("crds")
    for path in tools.definitions():
        shutil.copyfile(path, crds / path.name)

    def validate(text):
        manifests = crds.parent / f"{crds.name}.yaml"
        manifests.write_text(text)
        command = [tools.tool("kubectl-validate"), manifests, "--version", KUBERNETES[:4], "--local-crds", crds]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    return validate


@pytest.mark.parametrize("values", [(), SASL, TLS, REGISTRY, EVERYTHING, (*EVERYTHING, "monitoring.scrape=pod"), MARKS],
                         ids=["plain", "sasl", "tls", "registry", "all", "pod", "marks"])  # fmt: skip
def test_it_is_valid(validated, values):
    result = validated(template(BROKERS, *values).stdout)

    assert 0 == result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("field", ["maxUnavailable", "maxReplicaCount", "endpoints", "readOnlyRootFilesystem"])
def test_the_validator_sees_a_misspelled_field(validated, field):
    result = validated(template(BROKERS, *EVERYTHING).stdout.replace(f"{field}:", f"{field}x:"))

    assert 0 != result.returncode
    assert f"{field}x" in result.stdout + result.stderr
