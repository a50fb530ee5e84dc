"""Where schema ids get their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Registry(Protocol):
    """Schemas by id: asked for once and awaited, then at hand without waiting."""

    def needs(self, schema_id: int) -> bool:
        """Say whether ``resolve`` has something to find out about an id."""

    async def resolve(self, ids: set[int]) -> None:
        """Find out what the ids mean, however long that takes."""

    def schema(self, schema_id: int) -> Any | None:
        """Return the parsed JSON of a schema; None for an id that is not known."""


class FileRegistry:
    """Schemas whose ids are fixed in a file: nothing to ask, nothing to wait for.

    Parameters
    ----------
    schemas
        Parsed JSON by schema id.
    subjects
        Schema id by subject, ``<topic>-value``.

    """

    def __init__(self, schemas: Mapping[int, Any], subjects: Mapping[str, int]) -> None:
        astray = sorted(set(subjects.values()) - set(schemas))
        if astray:
            msg = f"subjects name the schema ids {astray}, which are not in the files"
            raise ValueError(msg)
        self._schemas = dict(schemas)
        self._subjects = dict(subjects)

    def needs(self, schema_id: int) -> bool:  # noqa: ARG002  # the protocol's
        """Files are all there from the start."""
        return False

    async def resolve(self, ids: set[int]) -> None:
        """Nothing to do."""

    def schema(self, schema_id: int) -> Any | None:
        """Return the parsed JSON of a schema; None for an id that is not known."""
        return self._schemas.get(schema_id)

    def writers(self) -> dict[str, tuple[int, Any]]:
        """Return (schema id, schema) by topic: what an ``Encoder`` needs."""
        return {
            subject.removesuffix("-value"): (schema_id, self._schemas[schema_id])
            for subject, schema_id in self._subjects.items()
        }
