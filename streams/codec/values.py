"""From the bytes of one value to its fields by name, Avro or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from streams.codec import wire
from streams.codec.batch import RecordBatch
from streams.codec.fields import shown
from streams.codec.reader import Malformed, compile_reader
from streams.codec.registry import Registry
from streams.codec.schema import SchemaError, parse
from streams.core.errors import InvalidEvent, Reason

ValueFormat = Literal["avro", "json"]


class ValueReader:
    """Reads values one by one; what a registry has said of a schema is compiled once."""

    def __init__(self, registry: Registry, value_format: ValueFormat = "avro") -> None:
        self.registry = registry
        self.value_format = value_format
        self._readers: dict[int, Callable[[bytes, int], Any] | str] = {}

    def unresolved(self, batch: RecordBatch) -> set[int]:
        """Return the schema ids of a batch that the registry has yet to be asked for."""
        if self.value_format == "json":
            return set()
        named = {schema_id for schema_id, _ in batch.by_schema()}
        return {schema_id for schema_id in named if self.registry.needs(schema_id)}

    def schema_id(self, value: bytes | None) -> int | None:
        """Return the schema id a value names; None for JSON."""
        return wire.schema_id(value) if self.value_format == "avro" else None

    def read(self, value: bytes | None) -> dict[str, Any]:
        """Return the fields of a value.

        Raises
        ------
        InvalidEvent
            If it is no record.

        """
        if value is None:
            raise InvalidEvent(Reason.UNDECODABLE, "the value must be a record, was null (a tombstone)")
        record = _from_json(value) if self.value_format == "json" else self._from_avro(value)
        if not isinstance(record, dict):
            raise InvalidEvent(Reason.UNDECODABLE, f"the value must be a record, was {shown(record)}")
        return record

    def _from_avro(self, value: bytes) -> Any:
        schema_id = wire.schema_id(value)
        if schema_id is None:
            hint = "; set STREAMS_VALUE_FORMAT=json if it is JSON" if value[:1] == b"{" else ""
            detail = f"the value must begin with 0x00 and a schema id, was {shown(value[:16])}{hint}"
            raise InvalidEvent(Reason.UNDECODABLE, detail)
        read = self._reader(schema_id)
        try:
            return read(value, wire.SIZE)
        except Malformed as error:
            detail = f"the value must be one record of schema {schema_id}: {error}"
            raise InvalidEvent(Reason.UNDECODABLE, detail) from error

    def _reader(self, schema_id: int) -> Callable[[bytes, int], Any]:
        read = self._readers.get(schema_id)
        if read is None:
            schema = self.registry.schema(schema_id)
            if schema is None:
                raise InvalidEvent(Reason.UNKNOWN_SCHEMA, f"schema {schema_id} must be in the registry, and is not")
            read = self._readers[schema_id] = _compiled(schema)
        if isinstance(read, str):
            raise InvalidEvent(Reason.UNKNOWN_SCHEMA, f"schema {schema_id} cannot be used: {read}")
        return read


def _compiled(schema: Any) -> Callable[[bytes, int], Any] | str:
    try:
        return compile_reader(parse(schema))
    except SchemaError as error:
        return str(error)


def _from_json(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        detail = f"the value must be a JSON object: {type(error).__name__}, was {shown(value)}"
        raise InvalidEvent(Reason.UNDECODABLE, detail) from error
