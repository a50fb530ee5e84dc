"""How many rows and bytes of state a unit has: what a recovery would have to keep of its changelog."""

from __future__ import annotations

from collections.abc import Iterable


class StateSize:
    """Follows the rows of one changelog partition by the hashes of their keys, which cost less than the keys."""

    __slots__ = ("_sizes", "bytes")

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self.bytes = 0

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._sizes)

    def apply(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take in rows as they are written; a null deletes."""
        sizes, grown = self._sizes, 0
        for key, value in rows:
            name = hash(key)
            grown -= sizes.pop(name, 0)
            if value is not None:
                sizes[name] = size = len(key) + len(value)
                grown += size
        self.bytes += grown
