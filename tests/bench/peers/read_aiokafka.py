"""Reading alone, with aiokafka's getmany: the floor of a client in Python. `broker topic group - - warm total`."""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer


async def read(broker: str, topic: str, group: str, warm: int, total: int) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=2 << 20,
    )
    await consumer.start()
    seen, said = 0, False
    while seen < total:
        seen += sum(map(len, (await consumer.getmany(timeout_ms=1_000)).values()))
        if not said and seen >= warm:
            said = True
            print("warm", seen, flush=True)
    print("done", seen, flush=True)
    await consumer.stop()


if __name__ == "__main__":
    broker, topic, group, _, _, warm, total = sys.argv[1:]
    asyncio.run(read(broker, topic, group, int(warm), int(total)))
