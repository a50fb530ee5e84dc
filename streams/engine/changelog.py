"""A changelog partition, read whole and fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.records import read as read_records


async def read(
    ends: Mapping[TopicPartition, int], connection: Mapping[str, Any], *, check_crcs: bool
) -> dict[TopicPartition, dict[bytes, bytes]]:
    """Return the newest row of each key, of partitions that each hold a committed record at offset ``ends[tp]``.

    That record, our owner row, is what the reading ends on: a partition may go on with markers that nobody delivers.
    """
    rows: dict[TopicPartition, dict[bytes, bytes]] = {tp: {} for tp in ends}
    consumer = AIOKafkaConsumer(
        **connection, isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest",
        check_crcs=check_crcs, max_partition_fetch_bytes=8 << 20, fetch_max_wait_ms=100,
    )  # fmt: skip
    await consumer.start()
    try:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        missing = set(ends)
        while missing:
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                held, found = rows[tp], read_records(records)
                for offset, key, value in zip(found.offsets.tolist(), found.keys, found.values, strict=True):
                    if offset > ends[tp]:
                        break
                    assert key is not None, "each row of ours has one"
                    if value is None:
                        held.pop(key, None)
                    else:
                        held[key] = value
                if offset >= ends[tp]:
                    missing.discard(tp)
    finally:
        await consumer.stop()
    return rows
