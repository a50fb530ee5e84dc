"""What values.schema.json lets through. ``python -m tests.chart.test_schema`` writes its settings anew."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from streams.settings import Settings, variables
from tests.chart.chart import BROKERS, CHART, SCHEMA, VALUES, refused, rendered

#: Settings that have a key of their own, or that only the chart can know.
RESERVED = {
    "STREAMS_BROKER", "STREAMS_APP_ID", "STREAMS_WEB_HOST", "STREAMS_WEB_PORT", "STREAMS_SECURITY_PROTOCOL",
    "STREAMS_SASL_MECHANISM", "STREAMS_SASL_USERNAME", "STREAMS_SASL_PASSWORD", "STREAMS_SASL_PASSWORD_FILE",
    "STREAMS_SSL_CAFILE", "STREAMS_SSL_CERTFILE", "STREAMS_SSL_KEYFILE", "STREAMS_REGISTRY_URL",
    "STREAMS_REGISTRY_USERNAME", "STREAMS_REGISTRY_PASSWORD", "STREAMS_REGISTRY_PASSWORD_FILE",
    "STREAMS_REGISTRY_CAFILE", "STREAMS_DATA_DIR",
}  # fmt: skip
THREE_NUMBERS = r"^ *-?[0-9.]+( *, *-?[0-9.]+){2} *$"
KEPT = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern")
MISSPELLED = [
    "replicaCout=3",
    "image.repositry=x",
    "kafka.broker=kafka:9092",
    "registry.uri=http://registry",
    "topics.partition=4",
    "settings.STREAMS_LATENES_MS=1",
    "resources.limit.memory=1Gi",
    "resources.limits.memry=1Gi",
    "tolerations[0].kee=x",
    "affinity.podAffinty.x=y",
    "podUser.runAsUsr=1",
    "hooks.deadline=60",
    "networkPolicy.enable=true",
    "networkPolicy.to[0].namespaceSelectr.matchLabels.x=y",
    "networkPolicy.to[0].ipBlock.cidrs=10.0.0.0/8",
    "monitoring.scrap=pod",
    "autoscaling.maxReplicas=3",
]
WRONG = {
    "replicas=0": "/replicas",
    "replicas=two": "/replicas",
    "appId=my app": "/appId",
    "image.tag=late st": "/image/tag",
    "kafka.brokers=kafka": "/kafka/brokers",
    "kafka.brokers=http://kafka:9092": "/kafka/brokers",
    "kafka.securityProtocol=TLS": "/kafka/securityProtocol",
    "kafka.saslMechanism=GSSAPI": "/kafka/saslMechanism",
    "kafka.loginSecret=Kafka User": "/kafka/loginSecret",
    "registry.url=registry:8081": "/registry/url",
    "registry.url=http://ann:secret@registry": "/registry/url",
    "topics.job=create": "/topics/job",
    "registry.job=apply": "/registry/job",
    "topics.partitions=0": "/topics/partitions",
    "monitoring.scrape=true": "/monitoring/scrape",
    "resources.limits.memory=1GB": "/resources/limits/memory",
    "settings.STREAMS_LATENESS_MS=-1": "/settings/STREAMS_LATENESS_MS",
    "settings.STREAMS_LATENESS_MS=2s": "/settings/STREAMS_LATENESS_MS",
    "settings.STREAMS_LOG_LEVEL=TRACE": "/settings/STREAMS_LOG_LEVEL",
    r"settings.STREAMS_CASCADE_MARKET_MULTIPLES=3\,10": "/settings/STREAMS_CASCADE_MARKET_MULTIPLES",
}


def settings_schema() -> dict[str, Any]:
    """Return the rule of each setting that may stand in ``settings``, as pydantic has it."""
    whole = Settings.model_json_schema()
    found: dict[str, Any] = {}
    for field, rule in whole["properties"].items():
        group = whole["$defs"].get(rule.get("$ref", "").rpartition("/")[2])
        members = {f"{field}_{name}": each for name, each in group["properties"].items()} if group else {field: rule}
        found |= {f"STREAMS_{name.upper()}": each for name, each in members.items()}
    assert set(found) == set(variables()), "pydantic's schema has changed its form"
    return {name: _flat(rule) for name, rule in found.items() if name not in RESERVED}


def _flat(rule: dict[str, Any]) -> dict[str, Any]:
    rule = rule["anyOf"][0] | rule if "anyOf" in rule else rule  # "or null" means "or unset"
    if rule["type"] == "array":
        lists = {"type": "string"} if rule.get("uniqueItems") else {"type": "string", "pattern": THREE_NUMBERS}
        return lists | {"description": rule["description"]}
    return {name: rule[name] for name in KEPT if name in rule} | {"description": rule["description"]}


def rewrite() -> None:
    schema = SCHEMA | {"properties": SCHEMA["properties"] | {}}
    schema["properties"]["settings"]["properties"] = settings_schema()
    (CHART / "values.schema.json").write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")


def objects(rule: Any, path: str = "") -> Any:
    """Yield every rule of an object, with its path."""
    if isinstance(rule, dict):
        if rule.get("type") == "object":
            yield path, rule
        for name, each in rule.items():
            yield from objects(each, f"{path}/{name}")


def test_the_settings_are_those_of_the_worker():
    assert settings_schema() == SCHEMA["properties"]["settings"]["properties"], "python -m tests.chart.test_schema"


def test_every_reserved_setting_is_one():
    assert set() == RESERVED - set(variables())


def test_every_object_is_closed():
    assert [] == [path for path, rule in objects(SCHEMA) if rule.get("additionalProperties") is not False]


def test_every_key_has_a_default_and_every_default_a_rule():
    def keys(values, rule):
        for name, each in values.items():
            yield name, rule["properties"].get(name)
            if isinstance(each, dict) and each and "properties" in (rule["properties"].get(name) or {}):
                yield from keys(each, rule["properties"][name])

    assert [] == [name for name, rule in keys(VALUES, SCHEMA) if rule is None]
    for name, rule in SCHEMA["properties"].items():
        if name not in {"settings", "global", "resources"}:
            assert set(rule.get("properties", ())) == set(VALUES[name] if "properties" in rule else ()), name


@pytest.mark.parametrize("value", MISSPELLED)
def test_a_misspelled_key_is_refused_by_its_name(value):
    wrong = next(part for part in value.partition("=")[0].replace("[0]", "").split(".") if part not in _known())

    assert f"additional properties '{wrong}' not allowed" in refused(BROKERS, value)


def _known():
    """Return every name that the schema knows somewhere."""
    return {name for _, rule in objects(SCHEMA) for name in rule.get("properties", ())}


@pytest.mark.parametrize(("value", "key"), WRONG.items(), ids=WRONG)
def test_a_value_that_cannot_be_meant_is_refused_with_its_key(value, key):
    assert f"- at '{key}': " in refused(BROKERS, value)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_setting_with_a_key_of_its_own_is_refused_under_settings(name):
    assert f"at '/settings': additional properties '{name}' not allowed" in refused(BROKERS, f"settings.{name}=x")


def test_what_the_schema_must_not_refuse():
    assert rendered(
        "image.tag=0.1.0@sha256:" + "0" * 64,
        r"kafka.brokers=kafka-1:9092\,kafka-2.example.com:9093",
        "networkPolicy.enabled=true",
        "networkPolicy.to[0].ipBlock.cidr=10.0.0.0/8",
        "networkPolicy.to[1].podSelector.matchLabels.strimzi\\.io/kind=Kafka",
        "resources.limits.memory=null",
        "tolerations[0].key=spot",
        "tolerations[0].operator=Exists",
        "settings.STREAMS_IDLE_TIMEOUT_MS=0",
        r"settings.STREAMS_CASCADE_MARKET_MULTIPLES=3\,10\,30",
    )


if __name__ == "__main__":
    sys.exit(rewrite())
