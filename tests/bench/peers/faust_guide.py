"""Faust as its guide shows it: a windowed table and `+=`. `broker topic app folder kind warm total`.

It keeps one sum for each key and side: three values would be three tables, or a class of its own in each row.
"""

from __future__ import annotations

import socket
import sys

import faust
import liquidation
from progress import Progress, leave

LENGTH, STEP, EXPIRES = 60.0, 5.0, 3_600.0


class Liquidations(faust.Codec):
    """The value's bytes are read by a codec, Faust's own place for it."""

    def _loads(self, value: bytes) -> liquidation.Liquidation:
        return liquidation.read(value)


def main() -> None:
    broker, topic, group, folder, kind, warm, total = sys.argv[1:]
    progress = Progress(int(warm), int(total), leave)  # its changelog is written as it goes
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = faust.App(
        group,
        broker=f"kafka://{broker}",
        datadir=folder,
        store="memory://",
        topic_partitions=4,
        topic_disable_leader=True,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        producer_linger=0.1,
        web_port=port,
    )
    faust.serializers.codecs.register("liquidation", Liquidations())
    source = app.topic(topic, key_serializer="raw", value_serializer="liquidation")
    plain = app.Table("totals", default=float, partitions=4)
    windows = plain.hopping(LENGTH, STEP, EXPIRES) if kind == "hopping" else plain.tumbling(LENGTH, EXPIRES)
    totals = windows.relative_to(lambda event: event.value.event_time_ms / 1000)

    @app.agent(source)
    async def add(stream: faust.Stream) -> None:
        async for key, each in stream.items():
            totals[f"{key.decode()}|{each.is_long}"] += each.notional_usd
            progress.step()

    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
