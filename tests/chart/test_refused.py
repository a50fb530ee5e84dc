"""What takes two keys to be wrong is refused in a sentence that names them."""

from __future__ import annotations

import pytest

from tests.chart.chart import BROKERS, SASL, refused, rendered

MISTAKES = {
    ("replicas=5",): "replicas must be at most topics.partitions=4, was 5: a worker beyond that has nothing to do",
    ("autoscaling.enabled=true", "autoscaling.replicasMax=8"):
        "autoscaling.replicasMax must be at most topics.partitions=4, was 8: a worker beyond that has nothing to do",
    ("autoscaling.enabled=true", "autoscaling.replicasMax=1"):
        "autoscaling.replicasMax must be at least replicas=2, was 1",
    ("kafka.securityProtocol=SASL_SSL", "kafka.saslMechanism=PLAIN"):
        "kafka.loginSecret is needed with kafka.securityProtocol=SASL_SSL",
    ("kafka.securityProtocol=SASL_PLAINTEXT", "kafka.loginSecret=login"):
        "kafka.saslMechanism is needed with kafka.securityProtocol=SASL_PLAINTEXT",
    ("kafka.loginSecret=login",):
        "kafka.loginSecret needs kafka.securityProtocol=SASL_SSL or SASL_PLAINTEXT, was PLAINTEXT",
    ("kafka.saslMechanism=PLAIN",):
        "kafka.saslMechanism needs kafka.securityProtocol=SASL_SSL or SASL_PLAINTEXT, was PLAINTEXT",
    ("kafka.caSecret=ca",): "kafka.caSecret needs kafka.securityProtocol=SSL or SASL_SSL, was PLAINTEXT",
    ("kafka.clientSecret=cert",): "kafka.clientSecret needs kafka.securityProtocol=SSL or SASL_SSL, was PLAINTEXT",
    ("registry.loginSecret=login",): "registry.loginSecret needs registry.url",
    ("registry.caSecret=ca",): 'registry.caSecret needs registry.url to begin with https://, was ""',
    ("registry.caSecret=ca", "registry.url=http://registry"):
        'registry.caSecret needs registry.url to begin with https://, was "http://registry"',
}  # fmt: skip


def test_brokers_are_needed():
    assert "kafka.brokers is needed: host:port of your brokers, several with commas" in refused()


@pytest.mark.parametrize(("values", "sentence"), MISTAKES.items(), ids=[" ".join(values) for values in MISTAKES])
def test_keys_that_do_not_go_together_are_refused_by_name(values, sentence):
    assert f"\n  {sentence}\n" in refused(BROKERS, *values)


def test_all_mistakes_are_said_at_once():
    said = refused("replicas=9", "kafka.caSecret=ca", "registry.loginSecret=login")

    assert 4 == len([line for line in said.splitlines() if line.startswith("  ")])


@pytest.mark.parametrize("values", [SASL, ("autoscaling.enabled=true",), ("replicas=8", "topics.partitions=8")])
def test_what_goes_together_is_not_refused(values):
    assert rendered(*values)
