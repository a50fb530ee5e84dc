"""The reader of the README reads what a worker writes: what was committed, each message once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

from confluent_kafka import Producer

from tests.simulation.records import encoder

ROOT = Path(__file__).parents[2]
READER = re.compile(r"<!-- reader: .*?```python\n(.*?)```", re.DOTALL)


def message(**fields):
    text = (ROOT / "schemas" / "examples" / "cascade" / "market_subsided.json").read_text()
    return encoder().encode("cascades", json.loads(text) | fields)


def write(broker, *said):
    """Write messages and whether each is committed."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "readme"})
    producer.init_transactions()
    for value, commits in said:
        producer.begin_transaction()
        producer.produce("cascades", value, b"MARKET|ALL", 0)
        producer.flush()
        (producer.commit_transaction if commits else producer.abort_transaction)()


def test_the_reader_of_the_readme_says_what_is_major_and_committed_and_each_once(own_kafka):
    own_kafka.create_topics(partitions=1, app_id="readme")
    first, second = (message(cascade_id="c", sequence=number, headline=f"said {number}") for number in (0, 1))
    minor = message(cascade_id="d", severity="MINOR", headline="minor")
    aborted, last = (message(cascade_id=name, headline=name) for name in ("aborted", "last"))
    write(own_kafka, (first, True), (minor, True), (aborted, False), (first, True), (second, True), (last, True))
    source = READER.search((ROOT / "README.md").read_text()).group(1)

    with subprocess.Popen(
        [sys.executable, "-c", source.replace("localhost:9092", own_kafka.bootstrap)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        late = threading.Timer(60, reader.kill)
        late.start()
        lines = [next(reader.stdout, "nothing more") for _ in range(3)]
        late.cancel()
        reader.kill()

    assert ["said 0", "said 1", "last"] == [" ".join(line.split()[3:]) for line in lines]
    assert lines[0].startswith("SUBSIDED MARKET ALL ")
