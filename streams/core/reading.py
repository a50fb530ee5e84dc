"""What a number of the context is: how large, how unusual, how old."""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """A value, its percentile (0 to 100) in its own history or None where that is too short, its age in milliseconds.

    Examples
    --------
    >>> Reading(0.1095, None, 0)
    Reading(value=0.1095, percentile=None, age_ms=0)

    """

    value: float
    percentile: float | None
    age_ms: int
