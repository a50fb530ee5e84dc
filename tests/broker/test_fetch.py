"""What a real broker sends in batches of many records is read whole: compressed, with headers, aborted in between."""

from __future__ import annotations

from itertools import islice

from confluent_kafka import Producer

from streams.codec import rows as codec
from tests.bench.load import Load, liquidations
from tests.broker.judge import commit_rows
from tests.broker.worker import Worker, read_topic

COMPRESSIONS, COUNT = ("none", "gzip", "snappy", "lz4", "zstd"), 2_000


def test_batches_are_read_as_they_were_written(own_kafka, tmp_path):
    own_kafka.create_topics(partitions=1, app_id="fetch")
    records = liquidations(COUNT * len(COMPRESSIONS), Load(duplicates=0.0))
    for compression in COMPRESSIONS:
        whose = {"bootstrap.servers": own_kafka.bootstrap, "transactional.id": compression}
        producer = Producer({**whose, "compression.type": compression, "batch.size": 200_000, "linger.ms": 50})
        producer.init_transactions()
        some = list(islice(records, COUNT))
        for commits in (False, True):
            producer.begin_transaction()
            for number, (key, value) in enumerate(some):
                headers = {"trace": b"%d" % number} if number % 3 == 0 else None
                producer.produce("liquidations", value if commits else value[:-1], key, 0, headers=headers)
            producer.flush()
            (producer.commit_transaction if commits else producer.abort_transaction)()
    with Worker(own_kafka, "fetch", tmp_path, idle_timeout_ms=0) as worker:
        worker.wait_until_caught_up()
        folded = worker.folded("liquidations")
        worker.stop()

    assert COUNT * len(COMPRESSIONS) == folded
    assert [] == read_topic(own_kafka, "dead-letters")
    newest = codec.parse_json(commit_rows(own_kafka, "fetch-state-changelog")[-1].value())
    assert 2 * folded < newest["next"]["liquidations"]
