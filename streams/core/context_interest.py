"""How many coins are held in open positions of an asset, and how that changed: like with like.

Law: what counts of an instrument is its record with the newest event time (the greater where two are equal);
repeats and records that come late change nothing. A change is taken only over instruments known at both moments
and heard from in between: a venue that was missing must not look like a rise, one that is silent not like calm.

Memory per instrument: its latest record, and at most 3 days of one sample every five minutes (7 KB).
"""

from __future__ import annotations

import json
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from streams.core.context_rule import HOUR_MS, MINUTE_MS, NUMBER_MAX, ContextRule
from streams.core.history import ROW_VERSION, Histories, row_body
from streams.core.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.core.events import OpenInterest

STEP_MS = 5 * MINUTE_MS


class _Held(NamedTuple):
    time_ms: int
    coins: float


class InterestContext:
    """Open interest in coins of every asset of one partition.

    Parameters
    ----------
    rule
        Bounds and lengths.

    Examples
    --------
    >>> InterestContext(ContextRule()).snapshot("BTC", 1_700_000_000_000)
    {}

    """

    def __init__(self, rule: ContextRule) -> None:
        self._rule = rule
        self._assets: dict[str, dict[str, _Held]] = {}
        self._count = 0
        self._clock_ms = -1
        self._dirty: set[str] = set()
        self._samples = Histories(b"x|i|", slots=288)

    def fold(self, interest: OpenInterest) -> None:
        """Take in one record; a number below 0 or not below 1e30 says nothing.

        Raises
        ------
        InvalidEvent
            If it is of one instrument more than the rule allows.

        """
        exchange, symbol, asset = interest.instrument
        newest = _Held(interest.event_time_ms, interest.open_interest)
        if not 0.0 <= newest.coins < NUMBER_MAX or newest.time_ms <= self._clock_ms - self._rule.kept_ms:
            return
        key = f"{exchange}|{symbol}"
        held = self._assets.get(asset, {}).get(key)
        if held is None:
            self._rule.admit(f"open interest of {key}", self._count, len(self._assets.get(asset, ())))
            self._count += 1
        elif newest <= held:
            return
        elif newest.time_ms // STEP_MS != held.time_ms // STEP_MS:
            self._samples.put(f"{key}|{asset}", held.time_ms // STEP_MS, held.coins)
        self._assets.setdefault(asset, {})[key] = newest
        self._dirty.add(asset)
        clock_ms, self._clock_ms = self._clock_ms, max(self._clock_ms, newest.time_ms)
        if clock_ms // HOUR_MS != self._clock_ms // HOUR_MS:
            self._expire()

    def snapshot(self, asset: str, at_ms: int) -> dict[str, float]:
        """Return coins by instrument ("exchange|symbol") as they stood at a moment, where known and fresh."""
        return {key: held.coins for key, held in self._known(asset, at_ms)}

    def instruments(self) -> Iterator[tuple[str, str]]:
        """Yield asset and key ("exchange|symbol") of all that is remembered."""
        return ((asset, key) for asset, held in self._assets.items() for key in held)

    def times(self, asset: str, at_ms: int) -> dict[str, int]:
        """Return when each of what ``snapshot`` returns was heard, in milliseconds."""
        return {key: held.time_ms for key, held in self._known(asset, at_ms)}

    def _known(self, asset: str, at_ms: int) -> list[tuple[str, _Held]]:
        known = ((key, self._held_at(asset, key, at_ms)) for key in sorted(self._assets.get(asset, ())))
        return [(key, held) for key, held in known if held is not None]

    def change(self, asset: str, before: Mapping[str, float], before_ms: int, at_ms: int) -> Reading | None:
        """Return what a snapshot's coins have changed by, as a fraction; no rank.

        Parameters
        ----------
        asset
            Whose.
        before, before_ms
            Coins by instrument, and the moment they are of.
        at_ms
            The moment to compare with.

        """
        pairs = [(coins, self._held_at(asset, key, at_ms)) for key, coins in before.items()]
        heard = [(coins, held) for coins, held in pairs if held is not None and held.time_ms > before_ms]
        was = fsum(coins for coins, _ in heard)
        if was <= 0.0:
            return None
        change = fsum(held.coins for _, held in heard) / was - 1.0
        return Reading(change, None, max(0, at_ms - max(held.time_ms for _, held in heard)))

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call; None where one has expired."""
        rows = [(b"x|o|" + name.encode(), self._row(name)) for name in sorted(self._dirty)]
        self._dirty.clear()
        return [*rows, *self._samples.dirty_rows()]

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one row that ``dirty_rows`` gave."""
        if key.startswith(b"x|i|"):
            self._samples.load(key, value)
            return
        saved = {name: _Held(*held) for name, held in json.loads(row_body(key, value)).items()}
        self._assets[key[4:].decode()] = saved
        self._count += len(saved)
        self._clock_ms = max(self._clock_ms, *(held.time_ms for held in saved.values()))

    def _row(self, name: str) -> bytes | None:
        if name not in self._assets:
            return None
        return bytes((ROW_VERSION,)) + json.dumps(self._assets[name], separators=(",", ":"), sort_keys=True).encode()

    def _held_at(self, asset: str, key: str, at_ms: int) -> _Held | None:
        held, oldest_ms = self._assets.get(asset, {}).get(key), at_ms - self._rule.open_interest_age_ms_max
        if held is None:
            return None
        if held.time_ms <= at_ms + self._rule.ahead_ms_max:
            return held if held.time_ms >= oldest_ms else None
        # Ahead of the moment asked about: the last whole step before it, dated at its start, so never too young.
        found = self._samples.newest(f"{key}|{asset}", -(-oldest_ms // STEP_MS), at_ms // STEP_MS)
        return _Held(found[0] * STEP_MS, found[1]) if found else None

    def _expire(self) -> None:
        first_ms = self._clock_ms - self._rule.kept_ms
        self._samples.expire(first_ms // STEP_MS)
        for name, instruments in list(self._assets.items()):
            kept = {key: held for key, held in instruments.items() if held.time_ms >= first_ms}
            if len(kept) == len(instruments):
                continue
            self._dirty.add(name)
            self._count -= len(instruments) - len(kept)
            if kept:
                self._assets[name] = kept
            else:
                del self._assets[name]
