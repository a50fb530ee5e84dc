"""The output topics, read back as any consumer would read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from streams.core.errors import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Settings

WINDOWS: Final = "liquidation-windows"
CASCADES: Final = "cascades"
CROWDED: Final = ("crowded-longs", "crowded-shorts")
#: A field of each that no other record of ours has: by the wrong registry a value may be read as one of those.
_TELLING: Final = {
    WINDOWS: "as_of",
    CASCADES: "cascade_id",
    **dict.fromkeys(CROWDED, "crowded_id"),
    "feed-status": "last_liquidation",
    "dead-letters": "offset",
}
TOPICS: Final = tuple(_TELLING)

Record = Mapping[str, Any]


class Seen(NamedTuple):
    """One message of an output topic; no record is a tombstone, or else a value that could not be read."""

    topic: str
    key: str
    record: Record | None
    unreadable: bool = False


class Reads(Protocol):
    """From the bytes of a value to its fields: ``streams.codec.values.ValueReader``."""

    def read(self, value: bytes | None) -> dict[str, Any]:
        """Return the fields; ``InvalidEvent`` where it is no record."""


class Outputs:
    """Reads the output topics from the start (windows) or the last few of each partition (events).

    Parameters
    ----------
    options
        librdkafka's settings of the connection.
    reader
        Decodes the values.
    tail
        Messages of each partition of the event topics to begin with; all of them where it is None.

    """

    def __init__(self, options: Mapping[str, Any], reader: Reads, *, tail: int | None = None) -> None:
        self._reader = reader
        self._consumer = Consumer(
            {
                **options,
                # Partitions are assigned by hand: the group is only a name, and nothing is committed.
                "group.id": "streams-watch",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "logger": _Quiet(),
            }
        )
        self._tail = tail
        self.missing: list[str] = []

    def open(self, timeout_s: float) -> None:
        """Take all partitions of the topics that are there; name the others in ``missing``."""
        found = self._consumer.list_topics(timeout=timeout_s).topics
        self.missing = [name for name in TOPICS if name not in found]
        partitions = [
            TopicPartition(name, partition) for name in TOPICS if name in found for partition in found[name].partitions
        ]
        for partition in partitions:
            partition.offset = self._from(partition, timeout_s)
        self._consumer.assign(partitions)

    def read(self, timeout_s: float, count: int = 2_000) -> list[Seen]:
        """Return what has come, after at most this time."""
        return [
            self._seen(str(message.topic()), (message.key() or b"").decode(errors="replace"), message.value())
            for message in self._consumer.consume(count, timeout_s)
            if message.error() is None
        ]

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _from(self, partition: TopicPartition, timeout_s: float) -> int:
        if partition.topic == WINDOWS or self._tail is None:
            return int(OFFSET_BEGINNING)
        low, high = self._consumer.get_watermark_offsets(partition, timeout=timeout_s)
        return max(low, high - self._tail)

    def _seen(self, topic: str, key: str, value: bytes | None) -> Seen:
        if value is None:
            return Seen(topic, key, None)
        try:
            record = self._reader.read(value)
        except InvalidEvent:
            record = {}
        return Seen(topic, key, record) if _TELLING[topic] in record else Seen(topic, key, None, unreadable=True)


def connection(settings: Settings, role: str = "watch") -> dict[str, Any]:
    """Return the connection part of the settings under librdkafka's names; ``role`` is what brokers log of us."""
    password = settings.sasl_password
    options = {
        "bootstrap.servers": settings.broker,
        "client.id": f"{settings.app_id}-{role}",
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": password.get_secret_value() if password else None,
        "ssl.ca.location": settings.ssl_cafile and str(settings.ssl_cafile),
        "ssl.certificate.location": settings.ssl_certfile and str(settings.ssl_certfile),
        "ssl.key.location": settings.ssl_keyfile and str(settings.ssl_keyfile),
    }
    return {name: value for name, value in options.items() if value is not None}


class AskedRegistry:
    """A registry that is asked while we wait, once for each id: good for a person who watches."""

    def __init__(self, ask: Callable[[int], Any | None]) -> None:
        self._ask = ask
        self._schemas: dict[int, Any | None] = {}

    def needs(self, schema_id: int) -> bool:
        """Say whether an id has yet to be asked for."""
        return schema_id not in self._schemas

    async def resolve(self, ids: set[int]) -> None:
        """Ask for all of them."""
        for schema_id in ids:
            self.schema(schema_id)

    def schema(self, schema_id: int) -> Any | None:
        """Return the parsed JSON of a schema; None for an id that is not known."""
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._ask(schema_id)
        return self._schemas[schema_id]


class _Quiet:
    """A logger that says nothing: librdkafka's own lines would tear the picture."""

    def log(self, *_: Any) -> None:
        """Say nothing."""
