"""What is wrong with the surroundings of the job, in sentences."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from kafka import TopicPartition
from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec

from streams import access, cluster, registry_cli, topics
from streams.settings import Settings, variable
from streams.topics import Finding, Found

#: A clock that is this far off would make honest records look dated in the future (ms).
CLOCK_MS_MAX = 2_000

#: Which setting of ours has to lie within which settings of the broker.
LIMITS = {
    "transaction_timeout_ms": ("", "transaction.max.timeout.ms"),
    "session_timeout_ms": ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
}


def examine(settings: Settings) -> list[Finding]:
    """Look at the brokers, the topics, the registry and the clocks, and say what stands in the way."""
    return [*_brokers(settings), *_registry(settings)]


def _brokers(settings: Settings) -> list[Finding]:
    wanted = topics.declared(settings.app_id)
    try:
        with cluster.admin(settings) as client:
            there = topics.found(client, wanted)
            found = [*access.findings(client, settings), *topics.check(wanted, there)]
            return [*_limits(settings, _broker_config(client)), *found, *_clock(client, there)]
    except cluster.ClusterProblem as problem:
        return [Finding(problem=True, sentence=str(problem))]


def _broker_config(client: KafkaAdminClient) -> dict[str, int]:
    broker = str(client.describe_cluster()["brokers"][0]["broker_id"])
    names = [name for limits in LIMITS.values() for name in limits if name]
    resource = ConfigResource(ConfigResourceType.BROKER, broker, dict.fromkeys(names))
    answer = client.describe_configs([resource], config_filter=ConfigFilterType.ALL)
    return {name: int(entry["value"]) for name, entry in answer.get("broker", {}).get(broker, {}).items()}


def _limits(settings: Settings, config: Mapping[str, int]) -> list[Finding]:
    if not config:
        ours = " and ".join(map(variable, LIMITS))
        sentence = f"the broker's settings could not be read (DESCRIBE_CONFIGS on the cluster): it may refuse {ours}"
        return [Finding(problem=False, sentence=sentence)]
    findings = []
    for field, (least, most) in LIMITS.items():
        value = getattr(settings, field)
        for name, broken in ((least, value.__lt__), (most, value.__gt__)):
            if name in config and broken(config[name]):
                side = "at least" if name == least else "at most"
                sentence = f"{variable(field)} must be {side} the broker's {name}={config[name]}, was {value}"
                findings.append(Finding(problem=True, sentence=sentence))
    return findings


def _clock(client: KafkaAdminClient, there: Mapping[str, Found]) -> list[Finding]:
    # Kafka has no call for the time. But a record that the broker stamped cannot be newer than now: so a clock that is
    # ahead is found. One that is behind is not: its records look like those of a topic to which nobody writes.
    stamped = [
        TopicPartition(name, partition)
        for name, found in there.items()
        if found.config.get("message.timestamp.type") == "LogAppendTime"
        for partition in range(found.partitions)
    ]
    answers = client.list_partition_offsets(dict.fromkeys(stamped, OffsetSpec.MAX_TIMESTAMP)) if stamped else {}
    newest = max((answer.timestamp for answer in answers.values()), default=0)
    return _apart("the broker", max(0, newest - _now_ms()))


def _registry(settings: Settings) -> list[Finding]:
    if settings.registry_url is None or settings.value_format == "json":
        return []
    try:
        date = registry_cli.ask(settings, "GET", "/subjects").date
    except registry_cli.RegistryProblem as problem:
        return [Finding(problem=True, sentence=str(problem))]
    # The header has whole seconds, cut off: half of one is the honest reading.
    apart_ms = int(parsedate_to_datetime(date).timestamp() * 1000) + 500 - _now_ms() if date else 0
    return [*registry_cli.check(settings), *_apart("the registry", apart_ms)]


def _apart(whose: str, by_ms: int) -> list[Finding]:
    if abs(by_ms) <= CLOCK_MS_MAX:
        return []
    where = "ahead of" if by_ms > 0 else "behind"
    sentence = f"{whose}'s clock is {abs(by_ms) / 1000:.1f} s {where} this machine's: one of the two is wrong"
    return [Finding(problem=False, sentence=sentence)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
