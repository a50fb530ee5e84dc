"""The five bytes before every Avro value: 0x00 and the id of the writer's schema, big-endian.

Ids are those of Java's int: four bytes that would be a negative one are no header.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

SIZE = 5
MAGIC = 0
_HEADER = struct.Struct(">bI")
_FIVE_BYTES = np.uint64(0xFF_FFFF_FFFF)
_MAGIC_AND_SIGN = np.uint64(0x80FF)
_FIRST_MAX = 0x7F

#: Schema ids, each with the indices of the records that name it; None for "all of them".
Groups = list[tuple[int, NDArray[np.int64] | None]]


def header(schema_id: int) -> bytes:
    r"""Return the header for a schema id.

    Examples
    --------
    >>> header(258)
    b'\x00\x00\x00\x01\x02'

    """
    return _HEADER.pack(MAGIC, schema_id)


def schema_id(value: bytes | None) -> int | None:
    r"""Return the schema id a value names, or None where it has no header.

    Examples
    --------
    >>> schema_id(header(258))
    258
    >>> schema_id(b"{}") is None, schema_id(b"\x00\x80\x00\x00\x00") is None
    (True, True)

    """
    if value is None or len(value) < SIZE or value[0] != MAGIC or value[1] > _FIRST_MAX:
        return None
    return int.from_bytes(value[1:SIZE], "big")


def by_schema(blob: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Groups:
    """Group values that lie end to end, with at least 8 bytes behind the last, by the schema id they name.

    Records without a header are in no group.
    """
    words = np.ndarray((len(blob) - 7,), "<u8", blob, 0, (1,))
    heads = words[starts] & _FIVE_BYTES
    whole = ends - starts >= SIZE
    whole &= (heads & _MAGIC_AND_SIGN) == MAGIC
    if whole.all() and len(heads) and (heads == heads[0]).all():
        return [(_id(int(heads[0])), None)]
    distinct, group = np.unique(heads[whole], return_inverse=True)
    members = whole.nonzero()[0][group.argsort(kind="stable")]
    borders = np.cumsum(np.bincount(group, minlength=len(distinct)))
    return list(zip(map(_id, distinct.tolist()), np.split(members, borders[:-1]), strict=False))


def _id(head: int) -> int:
    return int.from_bytes(head.to_bytes(SIZE, "little")[1:], "big")
