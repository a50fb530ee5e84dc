"""Whose fault it is: the producer's records are refused with one of these reasons."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Reason(StrEnum):
    """Why a record became a dead letter; the metric label and the header."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_KEY = "wrong_key"
    UNUSABLE_NAME = "unusable_name"
    MISSING_FIELD = "missing_field"
    UNKNOWN_SIDE = "unknown_side"
    IMPOSSIBLE_NUMBER = "impossible_number"
    ABOVE_CEILING = "above_ceiling"
    NOTIONAL_MISMATCH = "notional_mismatch"
    IMPOSSIBLE_TIME = "impossible_time"
    EVENT_TIME_IN_FUTURE = "event_time_in_future"
    TOO_OLD = "too_old"
    OTHER_ASSET = "other_asset"
    TOO_MANY_INSTRUMENTS = "too_many_instruments"


class InvalidEvent(ValueError):
    """A record that cannot be used: the producer's fault, never ours.

    Parameters
    ----------
    reason
        What is wrong, as a metric label.
    detail
        One sentence for a tired operator: the field, the rule, the value.

    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def too_many(known: int, most: int, exchanges: Collection[str], exchanges_most: int, exchange: str) -> str | None:
    """Return what a new instrument would be one too many of; None where there is room.

    Examples
    --------
    >>> too_many(2, 2, {"okx"}, 9, "okx")
    'would be instrument 3 of this partition; STREAMS_INSTRUMENTS_MAX is 2'
    >>> too_many(2, 9, {"okx"}, 1, "bybit")
    'would be of exchange 2 of this partition; there may be 1'
    >>> too_many(2, 9, {"okx"}, 1, "okx") is None
    True

    """
    if known >= most:
        return f"would be instrument {known + 1} of this partition; STREAMS_INSTRUMENTS_MAX is {most}"
    if exchange not in exchanges and len(exchanges) >= exchanges_most:
        return f"would be of exchange {len(exchanges) + 1} of this partition; there may be {exchanges_most}"
    return None


def other_asset(known: str, said: str) -> str:
    """Return what is wrong with a symbol of one asset that is said to be of another.

    Examples
    --------
    >>> other_asset("PEPE", "SHIB")
    'is asset PEPE since its first record, and this one says SHIB; if that is right, start with a new STREAMS_APP_ID'

    """
    new_id = "if that is right, start with a new STREAMS_APP_ID"
    return f"is asset {known} since its first record, and this one says {said}; {new_id}"
