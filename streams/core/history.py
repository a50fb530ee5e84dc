"""What a figure was in the past: equally spaced samples of event time, and ranks among them.

Law: a sample is addressed by the step it belongs to, never by when it came. Writing it twice changes nothing,
and what has been saved and loaded reads the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINUTES_PER_YEAR = 365 * 24 * 60

#: First byte of every context row.
ROW_VERSION = 1


class Samples(NamedTuple):
    """Samples of one name in rising order of their steps; a step without one is left out."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


NO_SAMPLES = Samples(np.empty(0, np.int64), np.empty(0, np.float64))


def percentile(values: NDArray[np.float64], value: float) -> float:
    """Rank of a value among others, 0 to 100, ties counted half.

    ::

        100 · (#{s < value} + #{s <= value}) / 2 / #s

    Parameters
    ----------
    values
        What it is compared with, in its unit; at least one.
    value
        The figure itself.

    Examples
    --------
    >>> history = np.array([1.0, 2.0, 3.0, 4.0])
    >>> percentile(history, 3.5)
    75.0

    An equal one counts half; below all is 0, above all 100:

    >>> percentile(history, 3.0), percentile(history, 0.0), percentile(history, 5.0)
    (62.5, 0.0, 100.0)

    """
    below = int(np.count_nonzero(values < value)) + int(np.count_nonzero(values <= value))
    return 50.0 * below / len(values)


def rank(past: Samples, value: float, hour: int, *, days_min: int) -> float | None:
    """Percentile of a value in an hourly history, or None where that is too short to say.

    Long enough is a first sample at least ``days_min`` days before the hour, and samples on as many days of
    the calendar (UTC): one old sample beside an hour of new ones is no history.

    Parameters
    ----------
    past
        Hourly samples, their steps in hours since 1970.
    value
        The figure itself, in their unit.
    hour
        Hours since 1970 at which it was read.
    days_min
        Days that a history must cover.

    Examples
    --------
    >>> past = Samples(np.arange(0, 168), np.arange(0.0, 168.0))
    >>> rank(past, 84.0, 168, days_min=7)
    50.29761904761905

    An hour short of seven days is not seven days:

    >>> rank(past, 84.0, 167, days_min=7) is None
    True

    """
    if not len(past.steps) or hour - past.steps[0] < 24 * days_min:
        return None
    if len(np.unique(past.steps // 24)) < days_min:
        return None
    return percentile(past.values, value)


def realised_volatility(returns: NDArray[np.float64]) -> float:
    """Annualised realised volatility of one-minute log returns, as a fraction.

    No mean is taken off: over a minute it is nothing beside the noise. ::

        sqrt(mean(r²) · 365 · 24 · 60)

    Parameters
    ----------
    returns
        Log returns over one minute each; at least one. Minutes between them may be missing.

    Examples
    --------
    >>> round(realised_volatility(np.array([0.001, -0.001])), 4)
    0.725

    A price that stands still has none:

    >>> realised_volatility(np.zeros(5))
    0.0

    """
    return float(np.sqrt(np.mean(returns * returns) * MINUTES_PER_YEAR))


def row_body(key: bytes, value: bytes, newest: int = ROW_VERSION) -> bytes:
    r"""Return what a saved row holds behind its version byte.

    Raises
    ------
    ValueError
        If a later version wrote it than ``newest``, or nobody.

    Examples
    --------
    >>> row_body(b"x|q|BTC", b"\x01{}")
    b'{}'

    An empty value is not a row of ours:

    >>> row_body(b"x|q|BTC", b"")
    Traceback (most recent call last):
    ValueError: row b'x|q|BTC' of the state must begin with version byte 1 at most, began with b''

    """
    if not value or not 1 <= value[0] <= newest:
        msg = f"row {key!r} of the state must begin with version byte {newest} at most, began with {value[:1]!r}"
        raise ValueError(msg)
    return value[1:]


class Histories:
    """Samples of many names on one grid of steps, in chunks that are also the saved rows.

    A chunk holds ``slots`` steps, 8 bytes each, and is there only where it holds a sample. A row is a chunk
    up to its last sample, so a flush writes only what has changed.

    Parameters
    ----------
    prefix
        What the keys of the rows begin with; the chunk and the name follow.
    slots
        Steps in a chunk.

    Examples
    --------
    >>> histories = Histories(b"x|s|", slots=60)
    >>> histories.put("BTC", 119, 0.5)
    >>> histories.put("BTC", 120, 0.25)
    >>> histories.samples("BTC", 0, 121).values.tolist()
    [0.5, 0.25]

    The first step is inside, the end is not:

    >>> histories.samples("BTC", 119, 120).steps.tolist()
    [119]
    >>> [key for key, value in histories.dirty_rows()]
    [b'x|s|1|BTC', b'x|s|2|BTC']

    """

    def __init__(self, prefix: bytes, slots: int) -> None:
        self._prefix = prefix
        self._slots = slots
        self._chunks: dict[str, dict[int, NDArray[np.float64]]] = {}
        self._dirty: set[tuple[str, int]] = set()

    def put(self, name: str, step: int, value: float) -> None:
        """Write the sample of one step; a later one of the same step replaces it."""
        chunk, slot = divmod(step, self._slots)
        chunks = self._chunks.setdefault(name, {})
        if chunk not in chunks:
            chunks[chunk] = np.full(self._slots, np.nan)
        chunks[chunk][slot] = value
        self._dirty.add((name, chunk))

    def samples(self, name: str, first: int, end: int) -> Samples:
        """Return the samples of the steps ``first <= step < end``."""
        # Over the chunks that are there, not over the range: a range may begin in 1970.
        chunks = self._chunks.get(name, {})
        found = sorted(chunk for chunk in chunks if first < (chunk + 1) * self._slots and chunk * self._slots < end)
        if not found:
            return NO_SAMPLES
        steps = (np.array(found)[:, None] * self._slots + np.arange(self._slots)).ravel()
        values = np.concatenate([chunks[chunk] for chunk in found])
        inside = (steps >= first) & (steps < end) & ~np.isnan(values)
        return Samples(steps[inside], values[inside])

    def newest(self, name: str, first: int, end: int) -> tuple[int, float] | None:
        """Return step and value of the newest sample of ``first <= step < end``, or None."""
        found = self.samples(name, first, end)
        return (int(found.steps[-1]), float(found.values[-1])) if len(found.steps) else None

    def expire(self, first: int) -> None:
        """Forget the chunks that end at or before this step, for every name."""
        limit = first // self._slots
        for name in [name for name, chunks in self._chunks.items() if min(chunks) < limit]:
            chunks = self._chunks[name]
            for chunk in [chunk for chunk in chunks if chunk < limit]:
                del chunks[chunk]
                self._dirty.add((name, chunk))
            if not chunks:
                del self._chunks[name]

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call, by key; None where a chunk has expired."""
        rows = sorted(self._row(name, chunk) for name, chunk in self._dirty)
        self._dirty.clear()
        return rows

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one row that ``dirty_rows`` gave."""
        chunk, name = key.removeprefix(self._prefix).split(b"|", 1)
        saved = np.frombuffer(row_body(key, value), dtype="<f8")
        values = np.full(self._slots, np.nan)
        values[: len(saved)] = saved
        self._chunks.setdefault(name.decode(), {})[int(chunk)] = values

    def _row(self, name: str, chunk: int) -> tuple[bytes, bytes | None]:
        key = self._prefix + f"{chunk}|{name}".encode()
        values = self._chunks.get(name, {}).get(chunk)
        if values is None:
            return key, None
        used = int((~np.isnan(values)).nonzero()[0][-1]) + 1
        return key, bytes((ROW_VERSION,)) + values[:used].astype("<f8").tobytes()
