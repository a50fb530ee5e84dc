"""Which seconds belong to which window: the six sliding windows and what is remembered for them.

All windows end with the newest pane, that second included; the start is inside.
A pane is one second of event time. Up to an hour windows start at the second;
4h and 24h start at the start of the minute that holds their start, because
panes older than an hour are remembered by the minute.
"""

from __future__ import annotations

from typing import Final

SECOND_MS: Final = 1_000
MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
DAY_MS: Final = DAY * SECOND_MS

#: Name and length in seconds, shortest first.
WINDOWS: Final = {"1m": 60, "5m": 300, "15m": 900, "1h": HOUR, "4h": 4 * HOUR, "24h": DAY}
LENGTHS: Final = tuple(WINDOWS.values())
#: Position of the windows that decide and describe a cascade.
FIVE_MINUTES: Final = 1
FIFTEEN_MINUTES: Final = 2
ONE_HOUR: Final = 3
ONE_DAY: Final = 5


def window_start(length: int, newest: int) -> int:
    """Return the first second of the window of ``length`` seconds that ends with second ``newest``.

    Parameters
    ----------
    length
        One of ``LENGTHS``, in seconds.
    newest
        The newest pane, seconds since 1970; it is inside the window.

    Examples
    --------
    >>> window_start(60, 119)
    60

    Four hours reach back to the start of a minute:

    >>> window_start(14_400, 14_459), window_start(14_400, 14_460)
    (60, 60)
    >>> window_start(14_400, 14_519)
    120

    """
    start = newest + 1 - length
    return start if length <= HOUR else start - start % MINUTE


def minute_leaves(length: int, minute: int) -> int:
    """Return the newest pane with which minute ``minute`` is no longer in a window of ``length`` (4h, 24h).

    Examples
    --------
    >>> minute_leaves(14_400, 1)
    14519

    """
    return MINUTE * (minute + 1) + length - 1


def seconds_kept(newest: int) -> int:
    """Return the first second that is remembered as a second when the partition's newest pane is ``newest``.

    It is the start of the minute that holds the start of the sliding hour.

    Examples
    --------
    >>> seconds_kept(7_258), seconds_kept(7_259)
    (3600, 3660)

    """
    return window_start(HOUR, newest) // MINUTE * MINUTE


def minutes_kept(newest: int) -> int:
    """Return the first minute that is remembered at all when the partition's newest pane is ``newest``.

    Examples
    --------
    >>> minutes_kept(86_400 + 59)
    1

    """
    return window_start(DAY, newest) // MINUTE
