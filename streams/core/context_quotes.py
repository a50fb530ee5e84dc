"""How much an asset's price moved and how wide its spread was, minute by minute, from quotes.

Law: a minute's sample is the quote with the newest event time in it (the greater one where two are equal), so
order within a minute and repeats do not matter. The first quote of a later minute closes the asset's minute;
what comes for a closed minute is passed over.

Volatility: per instrument, the log return from the last price of one minute to that of the next (the mark price,
unless the quote has none within ``MARK_APART_MAX`` of its mid: then the mid; never from one kind to the other); their
mean over the asset's instruments is the asset's return of that minute. Where none has a price of the minute before, a
move of up to ``quote_age_ms_max`` counts, less what of it the asset's returns have already: it goes to the minute that
ends it, and those between have a return of zero: they add up to the move, and the mean square of a price that wanders
stays what it is. What takes longer is a hole, and no figure since a moment reaches over one, or further back than is
kept.
Spread: (ask - bid) / mid, the mean over the instruments with a fresh quote.

Memory per asset: at most 27 hours of two samples a minute (26 KB) and 91 days of one an hour (18 KB).
"""

from __future__ import annotations

from math import fsum, isfinite, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.core.context_quoted import AssetQuotes, Closed
from streams.core.context_rule import DAY_MS, HOUR_MS, MINUTE_MS, NUMBER_MAX, ContextRule
from streams.core.events import PositionSide
from streams.core.history import Histories, Samples, rank, realised_volatility
from streams.core.reading import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.core.events import Quote

#: A smaller move of the price is none: nothing of it can be taken back (a fraction).
MOVE_MIN = 0.005
#: A mark further than this from the mid (a fraction) is taken for a mistake, as of units: a single one of 0.08 beside a
#: book at 80,000 made volatility a thousand times as high, for a day.
MARK_APART_MAX = 0.2


class Spread(NamedTuple):
    """An asset's spread now as a multiple of its median before, and that median (a fraction of the price)."""

    multiple: Reading | None
    median: float | None


class QuoteContext:
    """Volatility and spread of every asset of one partition.

    Parameters
    ----------
    rule
        Bounds and lengths.

    Examples
    --------
    >>> quotes = QuoteContext(ContextRule())
    >>> quotes.volatility("BTC", 1_700_000_000_000) is None
    True

    """

    def __init__(self, rule: ContextRule) -> None:
        self._rule = rule
        self._window = rule.window_ms // MINUTE_MS
        self._kept = rule.kept_ms // MINUTE_MS
        self._gap = -(-rule.quote_age_ms_max // MINUTE_MS)
        self._assets: dict[str, AssetQuotes] = {}
        self._count = 0
        self._clock = -1
        self._dirty: set[str] = set()
        self._returns = Histories(b"x|r|", slots=60)
        self._spreads = Histories(b"x|s|", slots=60)
        self._volatilities = Histories(b"x|v|", slots=24)

    def fold(self, quote: Quote) -> None:
        """Take in one quote; one that is crossed or whose bid is 0 or ask 1e30 or more says nothing.

        Raises
        ------
        InvalidEvent
            If it is of one instrument more than the rule allows.

        """
        bid, ask, mark, time_ms = quote.bid_price, quote.ask_price, quote.mark_price, quote.event_time_ms
        if not 0.0 < bid <= ask < NUMBER_MAX:
            return
        mid = (bid + ask) / 2
        price, marked = mid, False
        if mark is not None and abs(mark - mid) <= MARK_APART_MAX * mid:
            price, marked = mark, True
        instrument = quote.instrument
        asset = self._assets.get(instrument.asset)
        seen = asset.quoted.get(instrument) if asset else None
        if seen is None:
            known = len(asset.quoted) if asset else 0
            self._rule.admit(f"quotes of {instrument.exchange} {instrument.symbol}", self._count, known)
        minute = time_ms // MINUTE_MS
        if asset is None or minute != asset.minute:
            asset = self._turned(instrument.asset, asset, minute)
            if asset is None:
                return
            seen = asset.quoted.get(instrument)  # what is known may have expired
        newest = (time_ms, price, (ask - bid) / mid, marked)
        if seen is None:
            self._count += 1
            self._assets[instrument.asset] = asset
            asset.add(instrument, newest)
        elif newest > seen.newest:
            seen.newest = newest
        self._dirty.add(instrument.asset)

    def volatility(self, asset: str, at_ms: int) -> Reading | None:
        """Return the annualised volatility of the window before a moment, ranked in its hourly history."""
        rule, minute, hour = self._rule, at_ms // MINUTE_MS, at_ms // HOUR_MS
        found = self._fresh(self._returns, asset, minute - self._window, at_ms)
        if len(found.steps) < rule.returns_count_min:
            return None
        value = realised_volatility(found.values)
        past = self._volatilities.samples(asset, hour - rule.history_ms // HOUR_MS, hour)
        percentile = rank(past, value, hour, days_min=rule.history_ms_min // DAY_MS)
        return Reading(value, percentile, _age(found, at_ms))

    def spread(self, asset: str, at_ms: int) -> Spread:
        """Return the spread at a moment as a multiple of its median over the window before, without a rank."""
        minute = at_ms // MINUTE_MS
        past = self._spreads.samples(asset, minute - self._window, minute).values
        median = float(np.median(past)) if len(past) >= self._rule.spreads_count_min else None
        now = self._spread_now(asset, at_ms)
        # A book that is locked most of the day has a median of zero, and nothing is a multiple of that.
        multiple = Reading(now[0] / median, None, now[1]) if now and median else None
        return Spread(multiple, median)

    def volatility_since(self, asset: str, since_ms: int, at_ms: int) -> float | None:
        """Return the annualised volatility from the minute that holds ``since_ms`` to the last whole one."""
        returns = self._returns_since(asset, since_ms, at_ms)
        return realised_volatility(returns) if len(returns) else None

    def spread_since(self, asset: str, since_ms: int, at_ms: int) -> float | None:
        """Return the median spread (a fraction) from the minute that holds ``since_ms`` to the last whole one."""
        first = since_ms // MINUTE_MS
        found = self._fresh(self._spreads, asset, first, at_ms)
        known = len(found.steps) >= self._rule.since_count_min and first >= self._clock - self._kept
        return float(np.median(found.values)) if known else None

    def recovered_since(self, asset: str, side: PositionSide, since_ms: int, at_ms: int) -> float | None:
        """Return which part of its worst move against a side since a moment the price has taken back, by whole minutes.

        None where the quotes are too few or too old, a minute is not known, or the move was under ``MOVE_MIN``.
        1 is all of it, and more is possible.
        """
        returns = self._returns_since(asset, since_ms, at_ms)
        if not len(returns):
            return None
        with np.errstate(all="ignore"):  # of prices that jump by twenty digits, again and again
            moved = np.expm1(np.cumsum(returns))
            worst = min(moved) if side is PositionSide.LONG else max(moved)
            found = float(1 - moved[-1] / worst)
        against = -worst if side is PositionSide.LONG else worst
        return found if against >= MOVE_MIN and isfinite(found) else None

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call; None where one has expired."""
        known = [(name, self._assets.get(name)) for name in sorted(self._dirty)]
        rows = [(b"x|q|" + name.encode(), asset.row() if asset else None) for name, asset in known]
        self._dirty.clear()
        return [*rows, *self._returns.dirty_rows(), *self._spreads.dirty_rows(), *self._volatilities.dirty_rows()]

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one row that ``dirty_rows`` gave."""
        histories = {b"x|r|": self._returns, b"x|s|": self._spreads, b"x|v|": self._volatilities}
        if key[:4] in histories:
            histories[key[:4]].load(key, value)
            return
        name = key[4:].decode()
        asset = self._assets[name] = AssetQuotes.from_row(name, key, value)
        self._count += len(asset.quoted)
        self._clock = max(self._clock, asset.minute)

    def _turned(self, name: str, asset: AssetQuotes | None, minute: int) -> AssetQuotes | None:
        if minute <= self._clock - self._kept or (asset is not None and minute < asset.minute):
            return None
        # Expiry comes before the closing: which asset is the first of a new hour must not show.
        clock, self._clock = self._clock, max(self._clock, minute)
        if clock // 60 != self._clock // 60:
            self._expire()
        asset = self._assets.get(name)
        if asset is None:
            return AssetQuotes(minute)
        self._close(name, asset)
        if minute // 60 != asset.minute // 60:
            self._sample_volatility(name, asset.minute // 60 + 1)
        asset.minute = minute
        return asset

    def _close(self, name: str, asset: AssetQuotes) -> None:
        minute = asset.minute
        oldest, fresh_ms = minute - self._gap, (minute + 1) * MINUTE_MS - self._rule.quote_age_ms_max
        moves, spreads = [], []
        for seen in asset.quoted.values():
            time_ms, price, spread, marked = seen.newest
            if time_ms >= fresh_ms:
                spreads.append(spread)
            before = seen.closed
            # A price of the other kind waits: a mark that is missing once is no hole.
            if time_ms // MINUTE_MS == minute and (before.marked == marked or before.minute < oldest):
                seen.closed = Closed(minute, log(price), marked)
                if before.minute >= oldest:
                    moves.append((before.minute, seen.closed.log_price - before.log_price))
        if moves:
            self._put_returns(name, minute, moves)
        if spreads:
            self._spreads.put(name, minute, _mean(spreads))

    def _put_returns(self, name: str, minute: int, moves: list[tuple[int, float]]) -> None:
        """Let a minute have what is new in the moves to it, each with the minute that it began after."""
        if all(first == minute - 1 for first, _ in moves):
            self._returns.put(name, minute, _mean([move for _, move in moves]))
            return
        known = self._returns.samples(name, minute - self._gap, minute)
        newest = int(known.steps[-1]) if len(known.steps) else -1
        began = [first for first, _ in moves]
        first = max((each for each in began if each <= newest), default=min(began))
        for step in {*range(first + 1, minute)} - {*known.steps.tolist()}:
            self._returns.put(name, step, 0.0)
        moved = _mean([move for each, move in moves if each == first])
        self._returns.put(name, minute, moved - fsum(known.values[known.steps > first]))

    def _sample_volatility(self, name: str, hour: int) -> None:
        values = self._returns.samples(name, hour * 60 - self._window, hour * 60).values
        if len(values) >= self._rule.returns_count_min:
            self._volatilities.put(name, hour, realised_volatility(values))

    def _expire(self) -> None:
        first = self._clock - self._kept
        self._returns.expire(first)
        self._spreads.expire(first)
        self._volatilities.expire(self._clock // 60 - (self._rule.history_ms + self._rule.lag_ms_max) // HOUR_MS)
        for name, asset in list(self._assets.items()):
            gone = asset.drop_before(first * MINUTE_MS)
            if gone:
                self._dirty.add(name)
                self._count -= gone
            if not asset.quoted:
                del self._assets[name]

    def _fresh(self, histories: Histories, asset: str, first: int, at_ms: int) -> Samples:
        found = histories.samples(asset, first, at_ms // MINUTE_MS)
        if len(found.steps) and _age(found, at_ms) <= self._rule.quote_age_ms_max:
            return found
        return Samples(found.steps[:0], found.values[:0])

    def _returns_since(self, asset: str, since_ms: int, at_ms: int) -> NDArray[np.float64]:
        """Return those of all minutes from that of a moment to the last whole one; none if one is not known."""
        first = since_ms // MINUTE_MS
        steps, values = self._fresh(self._returns, asset, first, at_ms)
        enough = len(steps) >= self._rule.since_count_min and steps[-1] - first == len(steps) - 1
        return values if enough else values[:0]

    def _spread_now(self, name: str, at_ms: int) -> tuple[float, int] | None:
        asset, oldest_ms = self._assets.get(name), at_ms - self._rule.quote_age_ms_max
        if asset is None:
            return None
        newest_ms = max(seen.newest[0] for seen in asset.quoted.values())
        if newest_ms <= at_ms + self._rule.ahead_ms_max:
            fresh = [seen.newest[2] for seen in asset.quoted.values() if seen.newest[0] >= oldest_ms]
            return (_mean(fresh), max(0, at_ms - newest_ms)) if fresh else None
        # The quotes are ahead of the moment asked about: the last whole minute before it stands in.
        found = self._spreads.newest(name, -(-oldest_ms // MINUTE_MS) - 1, at_ms // MINUTE_MS)
        return (found[1], at_ms - (found[0] + 1) * MINUTE_MS) if found else None


def _age(found: Samples, at_ms: int) -> int:
    # A minute's sample is as old as its end.
    return at_ms - (int(found.steps[-1]) + 1) * MINUTE_MS


def _mean(values: list[float]) -> float:
    # fsum is exact, so the order in which instruments came does not show.
    return fsum(values) / len(values)
