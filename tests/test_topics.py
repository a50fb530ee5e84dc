"""What `topics.yaml` says against what a cluster has, without a cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kafka.errors import ClusterAuthorizationFailedError

from streams import topics
from streams.cluster import ClusterProblem
from streams.topics import Found

WANTED = topics.declared("app")
GOOD = {topic.name: Found(topic.partitions, topic.config) for topic in WANTED}


def problems(cluster):
    return [finding.sentence for finding in topics.check(WANTED, cluster) if finding.problem]


def notes(cluster):
    return [finding.sentence for finding in topics.check(WANTED, cluster) if not finding.problem]


def with_config(name, **config):
    changed = {key.replace("_", "."): value for key, value in config.items()}
    return GOOD | {name: Found(GOOD[name].partitions, {**GOOD[name].config, **changed})}


def without(name):
    return {other: found for other, found in GOOD.items() if other != name}


def test_the_changelogs_carry_the_name_of_the_application():
    assert {"app-state-changelog", "app-market-changelog"} <= set(GOOD)


def test_a_cluster_with_everything_is_fine_and_there_is_nothing_to_do():
    plan = topics.plan(WANTED, GOOD)

    assert [] == topics.check(WANTED, GOOD)
    assert ([], {}, []) == (plan.create, plan.configure, plan.left)


def test_a_missing_required_topic_is_a_problem():
    assert ["funding is missing; `streams topics apply` creates it"] == problems(without("funding"))


def test_a_missing_optional_topic_is_normal():
    assert ["quotes is not there, which is normal; what depends on it reads 'not available'"] == notes(
        without("quotes")
    )
    assert [] == problems(without("quotes"))


def test_different_partition_counts_are_a_problem_with_both_counts():
    (sentence,) = problems(GOOD | {"funding": Found(6, GOOD["funding"].config)})

    assert sentence.startswith("funding has 6 partitions and liquidations has 4: ")


def test_another_count_than_the_one_that_was_asked_for_is_a_problem_with_both_counts():
    (finding,) = topics.miscounted(GOOD, 8)

    assert finding.problem
    assert finding.sentence.startswith("liquidations has 4 partitions and 8 were asked for ")
    assert [] == topics.miscounted(GOOD, 4)
    assert [] == topics.miscounted(GOOD, None)
    assert [] == topics.miscounted(without("liquidations"), 8)


def test_a_partition_count_of_the_users_own_is_fine_where_all_have_it():
    alike = {name: Found(12, found.config) if found.partitions == 4 else found for name, found in GOOD.items()}

    assert [] == topics.check(WANTED, alike)


def test_a_missing_topic_is_created_with_the_count_of_the_one_it_goes_with():
    cluster = {"liquidations": Found(12, GOOD["liquidations"].config)}

    created = {topic.name: topic.partitions for topic in topics.plan(WANTED, cluster).create}

    assert (12, 12, 1) == (created["funding"], created["app-state-changelog"], created["app-market-changelog"])


def test_a_partition_count_that_was_asked_for_leaves_single_partitions_alone():
    counts = {topic.name: topic.partitions for topic in topics.declared("app", partitions=8, replication=3)}

    assert (8, 1, 1) == (counts["liquidations"], counts["pane-snapshots"], counts["app-market-changelog"])


def test_retention_by_the_producers_time_stamps_is_noted():
    (sentence,) = notes(with_config("liquidations", message_timestamp_type="CreateTime"))

    assert sentence.startswith("liquidations counts its retention from the producer's time stamps")


def test_endless_retention_by_the_producers_time_stamps_is_fine():
    endless = with_config("liquidations", message_timestamp_type="CreateTime", retention_ms="-1")

    assert [] == topics.check(WANTED, endless)


def test_a_changelog_that_is_not_compacted_is_a_problem():
    (sentence,) = problems(with_config("app-state-changelog", cleanup_policy="delete"))

    assert sentence.startswith("app-state-changelog has cleanup.policy=delete and needs compact")


def test_an_input_may_be_kept_for_as_long_as_its_owner_wants_and_is_not_changed():
    longer = with_config("liquidations", retention_ms="31536000000")

    assert {} == topics.plan(WANTED, longer).configure


def test_an_output_never_loses_retention_to_a_plan():
    assert {} == topics.plan(WANTED, with_config("cascades", retention_ms="-1")).configure


def test_of_an_input_only_the_kind_of_time_stamp_is_changed():
    stamped = with_config("liquidations", message_timestamp_type="CreateTime", retention_ms="1")

    assert {"liquidations": {"message.timestamp.type": "LogAppendTime"}} == topics.plan(WANTED, stamped).configure


def test_a_changelog_is_ours_and_gets_all_its_settings():
    changed = with_config("app-state-changelog", segment_bytes="1")

    assert {"app-state-changelog": {"segment.bytes": "67108864"}} == topics.plan(WANTED, changed).configure


@pytest.mark.parametrize(("name", "key", "days"), [
    ("pane-snapshots", "retention_ms", 7), ("app-state-changelog", "delete_retention_ms", 1),
])  # fmt: skip
def test_what_is_ours_is_kept_for_longer_by_a_plan_and_never_for_less(name, key, days):
    ours = days * topics.DAY_MS
    changed = {
        there: topics.plan(WANTED, with_config(name, **{key: str(there)})).configure
        for there in (ours - 1, ours + 1, -1)
    }

    assert {ours - 1: {name: {key.replace("_", "."): str(ours)}}, ours + 1: {}, -1: {}} == changed


def test_partition_counts_that_differ_are_left_to_a_person():
    plan = topics.plan(WANTED, GOOD | {"funding": Found(6, GOOD["funding"].config)})

    assert ([], {}, 1) == (plan.create, plan.configure, len(plan.left))


def test_what_a_plan_sets_right_is_not_left_to_a_person():
    plan = topics.plan(WANTED, with_config("app-state-changelog", cleanup_policy="delete"))

    assert ({"app-state-changelog": {"cleanup.policy": "compact"}}, []) == (plan.configure, plan.left)


def test_that_new_topics_may_lack_a_setting_for_want_of_a_right_is_noted():
    (finding,) = topics.plan(WANTED, without("quotes")).left

    assert not finding.problem
    assert finding.sentence.startswith("the broker's default.replication.factor could not be read (DESCRIBE_CONFIGS ")
    assert [] == topics.plan(WANTED, without("quotes"), 1).left == topics.plan(WANTED, GOOD).left
    assert [] == topics.plan(topics.declared("app", replication=3), without("quotes")).left


def created(*, replication=None, broker=None):
    wanted = topics.declared("app", replication=replication)
    return {topic.config.get("min.insync.replicas") for topic in topics.plan(wanted, {}, broker).create}


def test_where_there_are_three_copies_a_write_is_asked_of_two():
    assert {"2"} == created(replication=3) == created(broker=3)
    assert {None} == created(replication=2) == created(replication=1, broker=3) == created(broker=1) == created()


def test_of_a_topic_that_exists_nothing_more_is_asked():
    thin = with_config("app-state-changelog", min_insync_replicas="1")

    assert {} == topics.plan(topics.declared("app", replication=3), thin).configure


def replicated(copies, **config):
    return {name: replace(found, replication=copies, config={**found.config, **config}) for name, found in GOOD.items()}


def test_what_lies_on_one_broker_alone_is_noted_but_for_what_others_write():
    (sentence,) = notes(replicated(1))

    assert sentence.startswith("only one broker has cascades, crowded-longs, ")
    assert "app-state-changelog" in sentence
    assert "quotes" not in sentence
    assert [] == problems(replicated(1)) == notes(replicated(2)) == notes(replicated(3, **{"min.insync.replicas": "2"}))


def test_three_copies_of_which_one_is_enough_are_noted():
    thin = {"min.insync.replicas": "1"}

    (sentence,) = notes(replicated(3, **thin))

    assert sentence.startswith("min.insync.replicas is 1 on cascades, ")
    assert "liquidations" not in sentence.partition(":")[0].split(", ")
    assert [] == notes(replicated(2, **thin))


def test_an_input_that_is_kept_for_less_than_a_day_is_noted():
    hour = "quotes is kept for 1 h: what workers miss that are away for longer is lost"

    assert [hour] == notes(with_config("quotes", retention_ms="3600000"))
    assert [] == notes(with_config("quotes", retention_ms="86400000"))
    assert [] == notes(with_config("quotes", retention_ms="3600000", cleanup_policy="compact"))
    assert [] == notes(with_config("cascades", retention_ms="3600000"))


def test_rows_of_ours_whose_settings_cannot_be_read_are_not_called_good():
    (sentence,) = notes(GOOD | {"app-state-changelog": Found(4), "app-market-changelog": Found(1)})

    assert sentence.startswith("settings of app-state-changelog, app-market-changelog could not be read: ")


class Broker:
    """What the broker says about its own replication factor."""

    def __init__(self, said):
        self.said = said

    def describe_cluster(self):
        return {"brokers": [{"broker_id": 7}]}

    def describe_configs(self, resources, config_filter):
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Cluster:
    """A cluster that has every topic, one of them with a setting to be changed."""

    def __init__(self, answer):
        self.answer = answer
        self.there = with_config("app-state-changelog", cleanup_policy="delete")

    def describe_topics(self, names):
        found = {name: [{"replica_nodes": [1, 2]}] * self.there[name].partitions for name in names}
        return [{"name": name, "error_code": 0, "partitions": each} for name, each in found.items()]

    def describe_configs(self, resources, config_filter):
        return {
            "topic": {
                resource.name: {key: {"value": value} for key, value in self.there[resource.name].config.items()}
                for resource in resources
            }
        }

    def alter_configs(self, resources):
        return {"topic": {resource.name: self.answer for resource in resources}}


def test_a_change_that_the_broker_refuses_is_not_taken_as_done():
    refusal = "[Error 44] PolicyViolationError: no compaction here"

    with pytest.raises(ClusterProblem) as raised:
        topics.apply(Cluster(refusal), WANTED)

    assert f"the broker refused to configure app-state-changelog: {refusal}" == str(raised.value)
    assert ["app-state-changelog"] == list(topics.apply(Cluster("OK"), WANTED).configure)


@pytest.mark.parametrize(("said", "copies"), [
    ({"broker": {"7": {"default.replication.factor": {"value": "3"}}}}, 3), ({}, None),
    (ClusterAuthorizationFailedError(), None),
])  # fmt: skip
def test_the_brokers_own_replication_factor_is_asked_for_where_it_matters(said, copies):
    assert copies == topics.broker_replication(Broker(said), WANTED, without("quotes"))
    assert None is topics.broker_replication(Broker(said), WANTED, GOOD)
    assert None is topics.broker_replication(Broker(said), topics.declared("app", replication=3), {})


def test_a_topic_that_this_login_may_not_read_is_a_problem():
    assert ["quotes may not be read with this login"] == problems(GOOD | {"quotes": Found(0, {}, allowed=False)})


def test_settings_that_this_login_may_not_read_are_not_judged():
    unread = GOOD | {"liquidations": Found(4)}

    assert [] == topics.check(WANTED, unread)
    assert {} == topics.plan(WANTED, unread).configure
