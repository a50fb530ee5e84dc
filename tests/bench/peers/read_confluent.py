"""Reading alone, with librdkafka in batches: the floor of any client. `broker topic group - - warm total`."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer

BATCH = 10_000


def main() -> None:
    broker, topic, group, _, _, warm, total = sys.argv[1:]
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 4 << 20,
            "queued.max.messages.kbytes": 64 << 10,
        }
    )
    consumer.subscribe([topic])
    seen, said = 0, False
    while seen < int(total):
        seen += len(consumer.consume(BATCH, timeout=1.0))
        if not said and seen >= int(warm):
            said = True
            print("warm", seen, flush=True)
    print("done", seen, flush=True)
    consumer.close()


if __name__ == "__main__":
    main()
