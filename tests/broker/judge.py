"""What a run has left on Kafka, read committed, against the oracle of the log as it was really written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Message

from streams.codec import rows as codec
from streams.codec.records import RecordDecoder
from streams.core.crowding_rule import CrowdingRule
from streams.core.errors import Reason
from streams.core.events import Scope
from streams.core.feeds import FeedRule
from streams.core.headline import crowded_headline
from streams.core.screen import ScreenRule
from streams.settings import Settings
from streams.units.shard import FEED_STATUS
from streams.units.to_market import SNAPSHOTS
from tests.broker.upstream import FUNDING
from tests.broker.worker import committed_offsets, compacted, last_records, read_messages, read_topic
from tests.simulation import oracle, oracle_crowding, oracle_feeds
from tests.simulation.records import LIQUIDATIONS, Record, batch_of, registry
from tests.simulation.test_units import astray, covered, status, told, with_coverage

#: Low enough that random logs have cascades in every scope.
FLOORS = {"instrument": 150_000, "asset": 200_000, "exchange": 400_000, "market": 500_000}
CROWDED = ("crowded-longs", "crowded-shorts")
#: A tick at offset N says that nothing was left to read: by the broker, no record from N on may be older than this.
#: One that was given before a worker was put to sleep is committed when it wakes, whatever has come since; so the time
#: that a commit gives at an offset counts too. Who listens gives no more than its patience, which is a second here.
TICK_SLACK_MS, TICK_STEP_MS = 10_000, 5_000


class Verdict(NamedTuple):
    """Each difference in a sentence, of which there should be none; and how much was compared."""

    problems: list[str]
    seen: Counter[str]


def verdict(broker: Any, app_id: str) -> Verdict:
    """Compare everything."""
    logs = read_log(broker, LIQUIDATIONS)
    commits = commit_rows(broker, f"{app_id}-state-changelog")
    settings = Settings(**{f"cascade_{scope}": {"floor_usd": floor} for scope, floor in FLOORS.items()})
    rules = {scope: getattr(settings, f"cascade_{scope.lower()}").rule() for scope in Scope}
    outcome = oracle.run(logs, ticks_of(commits, len(logs)), ScreenRule(), rules)
    crowded, refused = funding(read_log(broker, FUNDING))
    rows = {key: covered(key, row, outcome) for key, row in outcome.rows.items()}
    letters = [record for _, record in read_topic(broker, "dead-letters")]
    published = compacted(read_topic(broker, "liquidation-windows"))
    found = _counted(
        "dead letter",
        [*outcome.dead, *refused],
        [(each["reason"], each["topic"], each["partition"], each["offset"]) for each in letters],
    )
    found += _rows(rows, published)
    addressed = read_topic(broker, "cascades")
    cascades = [record for _, record in addressed]
    found += astray(cascades) + _in_order(addressed, "cascade_id")
    feeds = [each for log in read_log(broker, SNAPSHOTS) for each in log]
    watermarks = oracle_feeds.history(feeds, ScreenRule().market_lateness_ms, FeedRule())
    expected = told(with_coverage(outcome.cascades, watermarks))
    found += _counted("cascade", map(_text, expected), map(_text, told(cascades)))
    positions = [each for topic in CROWDED for each in read_topic(broker, topic)]
    told_crowded = [record for _, record in positions]
    found += _in_order(positions, "crowded_id")
    found += _counted("crowded position", map(_text, crowded), map(_text, told_crowded))
    due = [each for _, found_then in watermarks for each in found_then]
    statuses = [status(record) for _, record in read_topic(broker, FEED_STATUS)]
    found += _counted("feed status", map(_text, due), map(_text, statuses))
    found += _ends(broker, app_id, commits) + _early_ticks(logs, commits, outcome.steps)
    seen = {"rows": rows, "cascades": cascades, "crowded": crowded, "dead letters": letters, "feed status": due}
    return Verdict(found, Counter({name: len(some) for name, some in seen.items()}))


def said(broker: Any) -> dict[str, Any]:
    """Return what a second run over the same log has to say again.

    Not of feeds, nor of coverage: they are judged by the log of pane-snapshots, which is another one then.
    """
    letters = [record for _, record in read_topic(broker, "dead-letters")]
    crowded = [record for topic in CROWDED for _, record in read_topic(broker, topic)]
    return {
        "dead letters": sorted((each["topic"], each["partition"], each["offset"], each["reason"]) for each in letters),
        "cascades": told([_uncovered(record) for _, record in read_topic(broker, "cascades")]),
        "crowded positions": sorted(map(_text, crowded)),
        "rows": compacted(read_topic(broker, "liquidation-windows")),
    }


def _uncovered(cascade: Mapping[str, Any]) -> dict[str, Any]:
    return {**cascade, "exchanges": [{**line, "coverage": None} for line in cascade["exchanges"]]}


def read_log(broker: Any, topic: str) -> list[list[Record]]:
    """Return what readers see of a topic, by partition."""
    found: dict[int, list[Record]] = {tp.partition: [] for tp in last_records(broker, topic)}
    for message in read_messages(broker, topic):
        found[message.partition()].append(
            Record(message.offset(), message.key(), message.value(), message.timestamp()[1])
        )
    return [found[number] for number in sorted(found)]


def commit_rows(broker: Any, changelog: str) -> list[Message]:
    """Return every commit row that was ever written: compaction leaves the open segment alone."""
    return [message for message in read_messages(broker, changelog) if message.key() == codec.COMMIT]


def ticks_of(commits: list[Message], partitions: int) -> list[list[tuple[int, int]]]:
    """Return the logged ticks of each partition, as (offset, time)."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(partitions)]
    for message in commits:
        ticks = codec.parse_json(message.value())["ticks"]
        found[message.partition()] += [(offset or 0, time) for offset, time in ticks if time is not None]
    return found


def funding(logs: list[list[Record]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return crowded positions, as the oracle has them, and dead letters of funding."""
    decoder = RecordDecoder(FUNDING, registry())
    crowded, refused = [], []
    for number, log in enumerate(logs):
        good: dict[int, Any] = {}
        other: list[Any] = []
        for record in log:
            events, bad = decoder.decode(batch_of(FUNDING, number, [record]))
            good.update((record.offset, event) for _, event in events)
            refused += [(each.reason.value, FUNDING, number, record.offset) for each in bad]
        due = oracle_crowding.run(good.values(), CrowdingRule(), other)
        crowded += [{**each, "headline": crowded_headline(each)} for each in due]
        offsets = [at for at, event in good.items() if any(event is each for each in other)]
        refused += [(Reason.OTHER_ASSET.value, FUNDING, number, at) for at in offsets]
    return crowded, refused


# -------------------------------------------------------------------- differences


def _text(record: Any) -> str:
    return json.dumps(record, sort_keys=True)


def _counted(what: str, wanted: Iterable[Any], got: Iterable[Any]) -> list[str]:
    """Compare message for message: missing, never said, said twice."""
    wanted, got = Counter(wanted), Counter(got)
    missing, extra = wanted - got, got - wanted
    twice = Counter({each: count for each, count in extra.items() if each in wanted})
    return [
        f"{sum(some.values())} {what}s {how}, such as {str(next(iter(some)))[:300]}"
        for how, some in (("are missing", missing), ("are there too often", twice), ("were never due", extra - twice))
        if some
    ]


def _in_order(messages: Iterable[tuple[str, Any]], name: str) -> list[str]:
    """Compare keys with what messages are of, and hold that those of one event come in their order."""
    found, newest = [], dict[str, int]()
    for key, each in messages:
        if key != f"{each['scope']}|{each['key']}":
            found.append(f"{each[name]} is of {each['scope']}|{each['key']} and has the key {key}")
        if each["sequence"] <= newest.get(each[name], -1):
            found.append(f"{each[name]} {each['sequence']} comes behind {newest[each[name]]}")
        newest[each[name]] = each["sequence"]
    return found


def _rows(wanted: dict[str, Any], got: dict[str, Any]) -> list[str]:
    found = [f"row {key} is missing" for key in sorted(wanted.keys() - got.keys())]
    found += [f"row {key} should be gone" for key in sorted(got.keys() - wanted.keys())]
    for key in sorted(wanted.keys() & got.keys()):
        ours, theirs = wanted[key], got[key]
        fields = {name: (ours[name], theirs.get(name)) for name in ours if ours[name] != theirs.get(name)}
        if fields:
            found.append(f"row {key} differs (due, said): {str(fields)[:300]}")
    return found


def _ends(broker: Any, group: str, commits: list[Message]) -> list[str]:
    """Compare committed offsets and the last commit rows with the ends of the logs."""
    committed = committed_offsets(broker, group)
    newest = {message.partition(): codec.parse_json(message.value())["next"] for message in commits}
    market = commit_rows(broker, f"{group}-market-changelog")
    found = []
    for topic in (LIQUIDATIONS, FUNDING, SNAPSHOTS):
        for tp, end in last_records(broker, topic).items():
            at = codec.parse_json(market[-1].value())["next"] if topic == SNAPSHOTS else newest[tp.partition]
            places = committed.get((topic, tp.partition), 0), at.get(topic, 0)
            # Where nothing was ever written, or nothing was left to read, they may stand behind a marker.
            if end and places != (end, end):
                found.append(f"{topic} {tp.partition} ends at {end}; (offset, commit row) stand at {places}")
    return found


def _early_ticks(logs: list[list[Record]], commits: list[Message], steps: Mapping[int, list[int]]) -> list[str]:
    """Find commits that gave time at an offset while records had long been there to read; ``steps``: of each tick."""
    found = []
    left = {number: list(mine) for number, mine in steps.items()}
    for message in commits:
        number, given = message.partition(), Counter[int]()
        for offset, time in codec.parse_json(message.value())["ticks"]:
            if time is not None:
                given[offset or 0] += left[number].pop(0)
        for offset, step_ms in given.items():
            after = next((record for record in logs[number] if record.offset >= offset), None)
            waited_ms = 0 if after is None else message.timestamp()[1] - after.timestamp
            if waited_ms > TICK_SLACK_MS and step_ms > TICK_STEP_MS:
                found.append(
                    f"{step_ms / 1000:.1f} s were given before offset {offset} of {number}, "
                    f"whose record had been there for {waited_ms / 1000:.1f} s"
                )
    return found[:3]
