"""One flush is one Kafka transaction: rows, outputs and offsets, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import TransactionalIdAuthorizationFailed
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import OffsetAndMetadata

from streams.units.unit import Flush

Pairs = list[tuple[bytes, bytes | None]]
BATCH_BYTES = 262_144
_REQUEST_BYTES = 1_048_576
_PLACES_MAX = 65_536


class Writer:
    """The transactional producer of one unit; a newer one with the same id fences it.

    ``internal`` are the topics beside its changelog that only our own units read.
    """

    def __init__(
        self,
        transactional_id: str,
        group: str,
        changelog: TopicPartition,
        connection: Mapping[str, Any],
        timeout_ms: int,
        internal: frozenset[str] = frozenset(),
    ) -> None:
        self.changelog = changelog
        self._internal = internal | {changelog.topic}
        self._group = group
        self._name = transactional_id
        self._places: dict[tuple[str, bytes], int] = {}
        self._producer = AIOKafkaProducer(
            **connection, transactional_id=transactional_id, transaction_timeout_ms=timeout_ms, acks="all",
            max_batch_size=BATCH_BYTES, max_request_size=_REQUEST_BYTES, linger_ms=0,
            retry_backoff_ms=10,  # the default of 100 is slept whole when the coordinator is a moment behind
        )  # fmt: skip

    async def fence(self, owner: tuple[bytes, bytes]) -> int:
        """Shut out the unit's last owner and return the offset of the owner row that says so."""
        try:
            await self._producer.start()
            async with self._producer.transaction():
                done = await self._send(self.changelog.topic, self.changelog.partition, [owner])
        except TransactionalIdAuthorizationFailed:
            msg = f"the login needs WRITE on transactional id {self._name} (or on a prefix of it)"
            raise ValueError(msg) from None
        return int(done[0].offset)

    async def commit(self, flush: Flush, partition: int, *, offsets: bool = True) -> None:
        """Send a flush in one transaction; whatever goes wrong in it is raised, and nothing of it is seen.

        The group's ``offsets`` are two of its five round trips, and only tools that show lag look at them.
        """
        places: dict[tuple[str, int], Pairs] = {}
        places[self.changelog.topic, self.changelog.partition] = flush.rows
        for topic, key, value, where in flush.messages:
            at = await self._place(topic, key) if where is None else where
            places.setdefault((topic, at), []).append((key, value))
        await self._producer.begin_transaction()
        await asyncio.gather(*(self._send(topic, at, pairs) for (topic, at), pairs in places.items()))
        # After the records are acknowledged: the broker refuses to add offsets while it verifies a produce.
        if offsets and flush.offsets:
            ends = {TopicPartition(topic, partition): OffsetAndMetadata(at, "") for topic, at in flush.offsets.items()}
            await self._producer.send_offsets_to_transaction(ends, self._group)
        await self._producer.commit_transaction()

    async def _place(self, topic: str, key: bytes) -> int:
        """Return a key's partition, as Kafka's own default partitioner has it."""
        found = self._places.get((topic, key))
        if found is None:
            count = len(await self._producer.partitions_for(topic))
            if len(self._places) >= _PLACES_MAX:
                self._places.clear()  # each dead letter has a key of its own
            found = self._places[topic, key] = (murmur2(key) & 0x7FFFFFFF) % count
        return found

    async def _send(self, topic: str, partition: int, pairs: Iterable[tuple[bytes, bytes | None]]) -> list[Any]:
        """Send records as whole batches and wait until each is acknowledged; a commit does not look at failed ones."""
        waiting = []
        batch = self._new_batch(topic)
        for key, value in pairs:
            size = len(key) + len(value or b"")
            if size > _REQUEST_BYTES and topic not in self._internal:
                msg = f"a record of {size} bytes for {topic} is larger than what brokers take: {key!r}"
                raise ValueError(msg)
            if batch.append(key=key, value=value, timestamp=None) is None:
                waiting.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._new_batch(topic)
                batch.append(key=key, value=value, timestamp=None)  # the first is taken, however large
        if batch.record_count():
            waiting.append(await self._producer.send_batch(batch, topic, partition=partition))
        return list(await asyncio.gather(*waiting))

    def _new_batch(self, topic: str) -> Any:
        """Return an empty batch: what nobody but us reads is compressed; outputs are for everyone."""
        if topic in self._internal:
            return BatchBuilder(BATCH_BYTES, DefaultRecordBatch.CODEC_ZSTD, is_transactional=True)
        return self._producer.create_batch()

    async def stop(self) -> None:
        await self._producer.stop()
