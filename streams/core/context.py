"""What was known around a cascade: volatility, spread, open interest and exchange inflow, before and after.

Law: event time only. A figure is what the records say about the moment asked for, with its age, or None: "not
available". Nothing here is needed for an event to fire. Order and repeats are harmless within the bounds that
``context_quotes``, ``context_interest`` and ``context_flows`` state; across assets of a partition a topic may be
out of order by up to ``ContextRule.kept_ms`` (flows: their whole history).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from streams.core.context_flows import FlowContext
from streams.core.context_interest import InterestContext
from streams.core.context_quotes import QuoteContext
from streams.core.context_rule import MINUTE_MS, ContextRule
from streams.core.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.core.events import ExchangeFlow, OpenInterest, PositionSide, Quote

__all__ = ["After", "Before", "ContextRule", "ContextTracker"]


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of an asset when a cascade began; None is "not available".

    Parameters
    ----------
    at_ms
        The moment it is of.
    volatility
        Annualised realised volatility of the 24 hours before (fraction), ranked in its own 90 days.
    spread_multiple
        Spread as a multiple of its own median; no rank.
    spread_median
        That median: (ask - bid) / mid over the 24 hours before (fraction).
    open_interest
        Coins by instrument, "exchange|symbol", to compare with later.
    inflow
        Coins into exchanges per 24 hours, ranked in its own 90 days.

    Examples
    --------
    >>> before = Before(at_ms=0, volatility=Reading(0.4, 12.5, 0), open_interest={"binance|BTCUSDT": 80_000.0})
    >>> Before.from_json(before.to_json()) == before
    True

    Nothing known is a value too:

    >>> Before.from_json(Before(at_ms=0).to_json()) == Before(at_ms=0)
    True

    """

    at_ms: int
    volatility: Reading | None = None
    spread_multiple: Reading | None = None
    spread_median: float | None = None
    open_interest: dict[str, float] = field(default_factory=dict)
    inflow: Reading | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a plain dict of what JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Before:
        """Return what ``to_json`` gave, also after a way through JSON text."""
        readings = {name: _reading(saved[name]) for name in ("volatility", "spread_multiple", "inflow")}
        return cls(**{**saved, **readings})


@dataclass(frozen=True, slots=True)
class After:
    """What followed a cascade's onset, against what was before; None is "not available".

    Parameters
    ----------
    volatility_multiple
        Volatility since the onset / volatility before.
    spread_multiple
        Median spread since the onset / median before.
    open_interest_change
        In coins, since the onset (fraction).
    price_recovered
        Which part of its worst move since the five minutes of the onset the quoted price has taken back.

    """

    volatility_multiple: float | None
    spread_multiple: float | None
    open_interest_change: float | None
    price_recovered: float | None


class ContextTracker:
    """The context of every asset of one source partition.

    Parameters
    ----------
    rule
        Bounds and lengths.

    Examples
    --------
    >>> tracker = ContextTracker(ContextRule())
    >>> tracker.before("BTC", 1_700_000_000_000).volatility is None
    True

    """

    def __init__(self, rule: ContextRule) -> None:
        self._quotes = QuoteContext(rule)
        self._interest = InterestContext(rule)
        self._flows = FlowContext(rule)

    def quote(self, quote: Quote) -> None:
        """Take in one quote; raises ``InvalidEvent`` above ``instruments_max``."""
        self._quotes.fold(quote)

    def open_interest(self, interest: OpenInterest) -> None:
        """Take in one record of open interest; raises ``InvalidEvent`` above ``instruments_max``."""
        self._interest.fold(interest)

    def flow(self, flow: ExchangeFlow) -> None:
        """Take in one record of exchange flows; raises ``InvalidEvent`` above ``instruments_max``."""
        self._flows.fold(flow)

    def before(self, asset: str, at_ms: int) -> Before:
        """Return what is known of an asset at a moment: the onset of a cascade, or now."""
        multiple, median = self._quotes.spread(asset, at_ms)
        return Before(
            at_ms=at_ms,
            volatility=self._quotes.volatility(asset, at_ms),
            spread_multiple=multiple,
            spread_median=median,
            open_interest=self._interest.snapshot(asset, at_ms),
            inflow=self._flows.inflow(asset, at_ms),
        )

    def open_interest_coins(self, asset: str, at_ms: int) -> dict[str, float]:
        """Return coins in open positions by instrument, "exchange|symbol", as they stood at a moment."""
        return self._interest.snapshot(asset, at_ms)

    def instruments_with_open_interest(self) -> Iterator[tuple[str, str]]:
        """Yield asset and instrument, "exchange|symbol", of all open interest that is remembered."""
        return self._interest.instruments()

    def open_interest_times(self, asset: str, at_ms: int) -> dict[str, int]:
        """Return when each of ``open_interest_coins`` was heard (ms)."""
        return self._interest.times(asset, at_ms)

    def open_interest_change(self, before: Before, asset: str, at_ms: int) -> Reading | None:
        """Return the change in coins since ``before`` (fraction) over instruments heard from at both moments."""
        return self._interest.change(asset, before.open_interest, before.at_ms, at_ms)

    def after(self, before: Before, asset: str, side: PositionSide, since_ms: int, at_ms: int) -> After:
        """Return what followed since the onset; none of it by quotes once that is ``ContextRule.kept_ms`` ago."""
        change = self.open_interest_change(before, asset, at_ms)
        volatility = before.volatility.value if before.volatility else None
        return After(
            volatility_multiple=_ratio(self._quotes.volatility_since(asset, since_ms, at_ms), volatility),
            spread_multiple=_ratio(self._quotes.spread_since(asset, since_ms, at_ms), before.spread_median),
            open_interest_change=change.value if change else None,
            price_recovered=self._quotes.recovered_since(asset, side, since_ms - 5 * MINUTE_MS, at_ms),
        )

    def dirty_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call, keys beginning with ``x|``; None where one has expired."""
        return [*self._quotes.dirty_rows(), *self._interest.dirty_rows(), *self._flows.dirty_rows()]

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one row that ``dirty_rows`` gave; in any order, all before the first record.

        Raises
        ------
        ValueError
            If the row is none of ours.

        """
        if key[:4] in {b"x|q|", b"x|r|", b"x|s|", b"x|v|"}:
            self._quotes.load(key, value)
        elif key[:4] in {b"x|o|", b"x|i|"}:
            self._interest.load(key, value)
        elif key[:4] in {b"x|f|", b"x|g|"}:
            self._flows.load(key, value)
        else:
            msg = f"row {key!r} of the state is of no kind that the context keeps"
            raise ValueError(msg)


def _reading(saved: list[Any] | Reading | None) -> Reading | None:
    return Reading(*saved) if saved is not None else None


def _ratio(now: float | None, before: float | None) -> float | None:
    return now / before if now is not None and before else None
