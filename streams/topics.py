"""The topics of the job: what ``schemas/topics.yaml`` says, what a cluster has, and what lies between the two."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from streams.cluster import ClusterProblem
from streams.resources import yaml_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafka.admin import KafkaAdminClient

UNKNOWN_TOPIC = 3
NOT_ALLOWED = 29
#: From so many copies on, a write is asked of two of them: one broker may be away, and none that was confirmed is lost.
COPIES, IN_SYNC = 3, "min.insync.replicas"
DAY_MS = 86_400_000
#: What takes records away where it is made smaller; -1 keeps them for ever.
KEPT_MS = ("retention.ms", "delete.retention.ms")


class Finding(NamedTuple):
    """Something to say about a topic; a problem keeps the job from being right, a note does not."""

    problem: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as ``topics.yaml`` declares it, with the names of this application filled in."""

    name: str
    role: str
    required: bool
    partitions: int
    replication: int
    same_count_as: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    schema: str | None = None
    subject: str | None = None
    schema_id: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One topic as the cluster has it; ``config`` is empty and ``replication`` None where we may not read them."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    allowed: bool = True
    replication: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``apply`` would do: topics to create, settings to change, and what it leaves to a person."""

    create: list[Topic]
    configure: dict[str, dict[str, str]]
    left: list[Finding]

    def sentences(self) -> list[str]:
        """Return one line a step, the way a terminal shows it."""
        made = [f"create {topic.name}: {topic.partitions} partitions, {_config(topic.config)}" for topic in self.create]
        changed = [f"configure {name}: {_config(config)}" for name, config in self.configure.items()]
        return [*made, *changed]


def declared(app_id: str, *, partitions: int | None = None, replication: int | None = None) -> list[Topic]:
    """Return every topic of the job.

    ``partitions`` replaces the default count, and so leaves alone the topics that must have one;
    ``replication`` replaces the broker's own.
    """
    data = yaml_data("topics.yaml")
    default = data["partitions"]

    def topic(name: str, entry: dict[str, Any]) -> Topic:
        count = entry.get("partitions", default)
        return Topic(
            name=name.format(app=app_id),
            role=entry["role"],
            required=entry["required"],
            partitions=partitions if partitions is not None and count == default else count,
            replication=data["replication"] if replication is None else replication,
            same_count_as=entry.get("same_count_as"),
            config={key: _text(value) for key, value in entry["config"].items()},
            schema=entry["schema"],
            subject=entry["subject"],
            schema_id=entry["schema_id"],
        )

    return [topic(name, entry) for name, entry in data["topics"].items()]


def found(client: KafkaAdminClient, topics: Sequence[Topic]) -> dict[str, Found]:
    """Return those of the topics that the cluster has, with the settings that we care for."""
    described = {entry["name"]: entry for entry in client.describe_topics([topic.name for topic in topics])}
    there = [topic for topic in topics if described[topic.name]["error_code"] != UNKNOWN_TOPIC]
    visible = [topic for topic in there if described[topic.name]["error_code"] != NOT_ALLOWED]
    configs = _configs(client, visible)
    return {
        topic.name: Found(
            partitions=len(described[topic.name]["partitions"]),
            config=configs.get(topic.name, {}),
            allowed=topic in visible,
            replication=min((len(each["replica_nodes"]) for each in described[topic.name]["partitions"]), default=None),
        )
        for topic in there
    }


def broker_replication(client: KafkaAdminClient, topics: Sequence[Topic], cluster: Mapping[str, Found]) -> int | None:
    """Return the broker's own replication factor, if a topic would be made with it and it can be read."""
    if all(topic.name in cluster or topic.replication > 0 for topic in topics):
        return None
    name = "default.replication.factor"
    try:
        broker = str(client.describe_cluster()["brokers"][0]["broker_id"])
        resource = ConfigResource(ConfigResourceType.BROKER, broker, {name: None})
        answer = client.describe_configs([resource], config_filter=ConfigFilterType.ALL)
    except KafkaError:
        return None
    entry = answer.get("broker", {}).get(broker, {}).get(name)
    return int(entry["value"]) if entry else None


def plan(topics: Sequence[Topic], cluster: Mapping[str, Found], replication: int | None = None) -> Plan:
    """Say what is missing; ``replication`` is the broker's own.

    Nothing that exists is ever made smaller: of a topic that others share only the kind of time stamp is changed,
    of ours no time that records are kept for is cut, and a partition count is never changed, because that would move
    keys away from their state.
    """
    missing = [topic for topic in topics if topic.name not in cluster]
    create = [_made(_with_count(topic, topics, cluster), replication) for topic in missing]
    configure = {}
    for topic in topics:
        if topic.name in cluster and cluster[topic.name].config:
            ours = topic.config if topic.role == "internal" else {"message.timestamp.type": "LogAppendTime"}
            there = cluster[topic.name].config
            changed = {key: value for key, value in ours.items() if not _good(key, there.get(key), value)}
            if changed:
                configure[topic.name] = changed
    after = {name: replace(it, config={**it.config, **configure.get(name, {})}) for name, it in cluster.items()}
    existing = [topic for topic in topics if topic.name in cluster]
    left = [finding for finding in check(existing, after) if finding.problem]
    if replication is None and any(topic.replication <= 0 for topic in create):
        sentence = (
            "the broker's default.replication.factor could not be read (DESCRIBE_CONFIGS on the cluster): new topics "
            f"get no {IN_SYNC}=2; with --replication {COPIES} (in the chart topics.replication) they do"
        )
        left.append(Finding(problem=False, sentence=sentence))
    return Plan(create, configure, left)


def apply(client: KafkaAdminClient, topics: Sequence[Topic]) -> Plan:
    """Create what is missing, set what may be set, and return what was done and what is left.

    Raises
    ------
    ClusterProblem
        If the broker refuses a change; all others have been made.

    """
    there = found(client, topics)
    steps = plan(topics, there, broker_replication(client, topics, there))
    if steps.create:
        wanted = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.config),
            }
            for topic in steps.create
        }
        client.create_topics(wanted, wait_for_metadata=True)
    if steps.configure:
        answers = client.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, config) for name, config in steps.configure.items()]
        )
        # Of a refusal kafka-python only tells.
        refused = [f"{name}: {said}" for name, said in answers["topic"].items() if said != "OK"]
        if refused:
            msg = f"the broker refused to configure {'; '.join(refused)}"
            raise ClusterProblem(msg)
    return steps


def check(topics: Sequence[Topic], cluster: Mapping[str, Found]) -> list[Finding]:
    """Say in sentences where the cluster differs from what the job needs."""
    findings = []
    for topic in topics:
        there = cluster.get(topic.name)
        if there is None:
            findings.append(_missing(topic))
        elif not there.allowed:
            findings.append(Finding(problem=True, sentence=f"{topic.name} may not be read with this login"))
        else:
            findings += _counts(topic, there, cluster)
            findings += _settings(topic, there)
    return [*findings, *_durability([topic for topic in topics if topic.role != "input"], cluster)]


def miscounted(cluster: Mapping[str, Found], partitions: int | None) -> list[Finding]:
    """Refuse a partition count that was asked for where ``liquidations``, which decides, exists with another one."""
    there = cluster.get("liquidations")
    if partitions is None or there is None or there.partitions == partitions:
        return []
    sentence = (
        f"liquidations has {there.partitions} partitions and {partitions} were asked for (--partitions, in the chart "
        f"topics.partitions): ask for {there.partitions}; the count of a topic that exists is part of the state"
    )
    return [Finding(problem=True, sentence=sentence)]


def _missing(topic: Topic) -> Finding:
    if topic.required:
        return Finding(problem=True, sentence=f"{topic.name} is missing; `streams topics apply` creates it")
    return Finding(
        problem=False,
        sentence=f"{topic.name} is not there, which is normal; what depends on it reads 'not available'",
    )


def _counts(topic: Topic, there: Found, cluster: Mapping[str, Found]) -> list[Finding]:
    other = cluster.get(topic.same_count_as or "")
    if other is None or other.partitions == there.partitions:
        return []
    sentence = (
        f"{topic.name} has {there.partitions} partitions and {topic.same_count_as} has {other.partitions}: "
        "one asset's records would lie on different partitions; create it again with the same count"
    )
    return [Finding(problem=True, sentence=sentence)]


def _settings(topic: Topic, there: Found) -> list[Finding]:
    config, name = there.config, topic.name
    findings = []
    wanted = topic.config.get("cleanup.policy")
    policy = config.get("cleanup.policy", wanted)
    if topic.role != "input" and policy != wanted:
        sentence = f"{name} has cleanup.policy={policy} and needs {wanted}: its rows would {_harm(wanted)}"
        findings.append(Finding(problem=True, sentence=sentence))
    by_producer = config.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime"
    if by_producer and policy == "delete" and config.get("retention.ms") != "-1":
        sentence = (
            f"{name} counts its retention from the producer's time stamps: a replayed year would be deleted within "
            "minutes; `streams topics apply` sets message.timestamp.type=LogAppendTime"
        )
        findings.append(Finding(problem=False, sentence=sentence))
    return findings + _kept(topic, there)


def _kept(topic: Topic, there: Found) -> list[Finding]:
    kept_ms = int(there.config.get("retention.ms", -1))
    if topic.role != "input" or there.config.get("cleanup.policy") != "delete" or not 0 <= kept_ms < DAY_MS:
        return []
    sentence = f"{topic.name} is kept for {kept_ms / 3_600_000:g} h: what workers miss that are away for longer is lost"
    return [Finding(problem=False, sentence=sentence)]


def _durability(topics: Sequence[Topic], cluster: Mapping[str, Found]) -> list[Finding]:
    there = [(topic, cluster[topic.name]) for topic in topics if topic.name in cluster and cluster[topic.name].allowed]
    single = [topic.name for topic, found in there if found.replication == 1]
    thin = [t.name for t, found in there if (found.replication or 0) >= COPIES and found.config.get(IN_SYNC) == "1"]
    unread = [topic.name for topic, found in there if topic.role == "internal" and not found.config]
    said = {
        "only one broker has {}: with it they are lost; a replication factor of 3 survives that": single,
        f"{IN_SYNC} is 1 on {{}}: what one broker alone has counts as written, and is lost with it; set 2": thin,
        "settings of {} could not be read: nobody knows whether they are compacted and how long they are kept": unread,
    }
    return [Finding(False, sentence.format(", ".join(names))) for sentence, names in said.items() if names]


def _harm(wanted: str | None) -> str:
    return "be deleted with age, and the state with them" if wanted == "compact" else "be thinned out to one a key"


def _good(key: str, there: str | None, ours: str) -> bool:
    if there is None or key not in KEPT_MS:
        return there == ours
    return int(there) < 0 or 0 <= int(ours) <= int(there)


def _with_count(topic: Topic, topics: Sequence[Topic], cluster: Mapping[str, Found]) -> Topic:
    # The count of the topic that it has to go with, as the cluster has it, not as we would have made it.
    there = cluster.get(topic.same_count_as or "")
    named = next((other for other in topics if other.name == topic.same_count_as), topic)
    count = there.partitions if there else named.partitions
    return replace(topic, partitions=count)


def _made(topic: Topic, replication: int | None) -> Topic:
    copies = topic.replication if topic.replication > 0 else replication or 0
    return replace(topic, config={**topic.config, IN_SYNC: "2"}) if copies >= COPIES else topic


def _configs(client: KafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    keys = ["cleanup.policy", "message.timestamp.type", "retention.ms", IN_SYNC]
    wanted = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys({*keys, *topic.config})) for topic in topics
    ]
    answers = client.describe_configs(wanted, config_filter=ConfigFilterType.ALL)
    return {
        name: {key: entry["value"] for key, entry in config.items()}
        for name, config in answers.get("topic", {}).items()
    }


def _config(config: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(config.items()))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
