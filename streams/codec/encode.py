"""Wire records to bytes: what all output topics are written with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from streams.codec import wire
from streams.codec.batch import RecordBatch, Refused
from streams.codec.values import ValueFormat

#: A dead letter keeps so much of its key and of its value (bytes); the rest is at its coordinates.
#: In JSON a byte may take six characters, and all of them must fit into a batch of the producer.
KEY_BYTES_MAX, VALUE_BYTES_MAX = 4_096, 32_768
DETAIL_CHARACTERS_MAX = 1_000


class Encoder:
    """Writes the wire records of each topic with that topic's schema.

    Parameters
    ----------
    writers
        Schema id and schema (parsed JSON) by topic: ``FileRegistry.writers()``, or what an HTTP registry
        returned for the subjects.
    value_format
        ``avro`` with the Confluent header, or ``json``.

    """

    def __init__(self, writers: Mapping[str, tuple[int, Any]], value_format: ValueFormat = "avro") -> None:
        self._value_format = value_format
        self._writers = {
            topic: (wire.header(schema_id), fastavro.parse_schema(_plain(schema)))
            for topic, (schema_id, schema) in writers.items()
        }

    def header(self, topic: str) -> bytes | None:
        """Return what stands before each value of a topic; None for JSON."""
        return None if self._value_format == "json" else self._writers[topic][0]

    def encode(self, topic: str, record: Mapping[str, Any]) -> bytes:
        """Return the value of one message.

        Raises
        ------
        ValueError
            If the record is not shaped like the topic's schema: our mistake.

        """
        if self._value_format == "json":
            return json.dumps(record, default=_latin, allow_nan=False, separators=(",", ":")).encode()
        head, schema = self._writers[topic]
        out = BytesIO()
        out.write(head)
        try:
            fastavro.schemaless_writer(out, schema, record, strict_allow_default=True)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
            msg = f"a record for {topic} is not shaped like its schema: {error!r}"
            raise ValueError(msg) from error
        return out.getvalue()


def dead_letter(batch: RecordBatch, refused: Refused, schema_id: int | None) -> dict[str, Any]:
    """Return the wire record that says what was refused, why, and where it lies."""
    key, value = batch.keys[refused.index], batch.values[refused.index]
    return {
        "reason": refused.reason.value,
        "detail": refused.detail[:DETAIL_CHARACTERS_MAX].encode(errors="replace").decode(),
        "topic": batch.topic,
        "partition": batch.partition,
        "offset": int(batch.offsets[refused.index]),
        "key": key if key is None else key[:KEY_BYTES_MAX],
        "value": value if value is None else value[:VALUE_BYTES_MAX],
        "schema_id": schema_id,
        "timestamp": int(batch.timestamps[refused.index]),
    }


def _latin(value: object) -> str:
    # Avro's own way to put bytes into JSON: one character for each byte.
    if isinstance(value, bytes):
        return value.decode("latin-1")
    msg = f"{type(value).__name__} is nothing for the wire"
    raise TypeError(msg)


def _plain(schema: Any) -> Any:
    # Wire records hold integers where the schema says timestamp-millis: fastavro need not convert.
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if name != "logicalType"}
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    return schema
