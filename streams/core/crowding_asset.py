"""What is known of the instruments of one asset: the rate in force on each, and their mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from streams.core.crowding_rule import mean
from streams.core.crowding_series import Series

#: ``(asset,)`` or ``(exchange, symbol, asset)``.
Identity = tuple[str, ...]


@dataclass(slots=True)
class RateInForce:
    """The newest rate of an instrument and what its rates have summed to in the open hour.

    Attributes
    ----------
    event_time_ms
        When the venue said it; -1 before anything is known.
    valid_until_ms
        When the rate is too old to count, excluded.
    annualised
        The rate in billionths a year.
    weight
        Open interest in micro-USD, None where it was not given.
    since_ms
        Up to when the open hour is summed.
    total, covered_ms
        Rate times milliseconds, and milliseconds, summed in the open hour.

    """

    event_time_ms: int = -1
    valid_until_ms: int = 0
    annualised: int = 0
    weight: int | None = None
    since_ms: int = 0
    total: int = 0
    covered_ms: int = 0

    def replace(self, event_time_ms: int, valid_until_ms: int, annualised: int, weight: int | None) -> None:
        """Let a newer rate be in force from its event time on."""
        self._sum(event_time_ms)
        self.event_time_ms, self.valid_until_ms = event_time_ms, valid_until_ms
        self.annualised, self.weight = annualised, weight

    def close_hour(self, end_ms: int) -> int | None:
        """Return the hour's mean over the time that is covered, None where the rate is too old at its end.

        Examples
        --------
        A rate of 2 for a quarter of the hour, then of 6:

        >>> rate = RateInForce()
        >>> rate.replace(0, valid_until_ms=3_600_000, annualised=2, weight=0)
        >>> rate.replace(900_000, valid_until_ms=3_600_000, annualised=6, weight=0)
        >>> rate.close_hour(3_600_000)
        5

        Its time is over with that hour:

        >>> rate.close_hour(7_200_000) is None
        True

        """
        self._sum(end_ms)
        value = mean(self.total, self.covered_ms) if self.valid_until_ms >= end_ms and self.covered_ms else None
        self.open_hour(end_ms)
        return value

    def open_hour(self, start_ms: int) -> None:
        """Begin to sum anew."""
        self.since_ms, self.total, self.covered_ms = start_ms, 0, 0

    def _sum(self, to_ms: int) -> None:
        span = min(to_ms, self.valid_until_ms) - self.since_ms
        if span > 0:
            self.total += self.annualised * span
            self.covered_ms += span
        self.since_ms = max(self.since_ms, to_ms)


@dataclass(slots=True)
class Member:
    """An instrument of an asset."""

    identity: Identity
    rate: RateInForce = field(default_factory=RateInForce)
    series: Series = field(default_factory=Series)


class Part(NamedTuple):
    """An instrument in its asset's mean: its rate, in billionths a year, and its open interest in micro-USD."""

    member: Member
    value: int
    weight: int | None


@dataclass(slots=True)
class Asset:
    """An asset: its clock, the newest event time; its own series; its instruments, by name."""

    identity: Identity
    clock_ms: int = -1
    series: Series = field(default_factory=Series)
    members: dict[Identity, Member] = field(default_factory=dict)

    def member(self, identity: Identity) -> Member:
        """Return an instrument, new where it is not known."""
        if identity not in self.members:
            self.members[identity] = Member(identity)
            # By name, not by arrival: a restart must find the same order.
            self.members = dict(sorted(self.members.items()))
        return self.members[identity]

    def knows_a_rate_at(self, end_ms: int) -> bool:
        """Say whether closing the hour that ends at this time can change anything."""
        return any(member.rate.valid_until_ms >= end_ms or member.series.hours for member in self.members.values())

    def knows_a_rate_after(self, at_ms: int) -> bool:
        """Say whether a rate is in force behind a moment."""
        return any(member.rate.valid_until_ms > at_ms for member in self.members.values())

    def rate_in_force(self) -> int | None:
        """Return the mean of the rates in force at the clock, None where all are too old."""
        rates = [(member, member.rate) for member in self.members.values()]
        return mean_of([Part(m, r.annualised, r.weight) for m, r in rates if r.valid_until_ms > self.clock_ms])


def weigh(parts: list[Part]) -> list[int]:
    """Return what each part weighs: its open interest where all of them have one; else each the same.

    Examples
    --------
    >>> member = Member(("binance", "BTCUSDT", "BTC"))
    >>> weigh([Part(member, 10, 3), Part(member, 20, 1)])
    [3, 1]
    >>> weigh([Part(member, 10, 3), Part(member, 20, None)])
    [1, 1]

    A contract that nobody holds weighs nothing, beside one that somebody holds:

    >>> weigh([Part(member, 10, 3), Part(member, 20, 0)]), weigh([Part(member, 20, 0)])
    ([3, 0], [1])

    """
    known = [part.weight for part in parts if part.weight is not None]
    return known if len(known) == len(parts) and any(known) else [1] * len(parts)


def mean_of(parts: list[Part]) -> int | None:
    """Return the mean by what the parts weigh, None of nothing.

    ::

        sum(value * weight) / sum(weight), rounded

    Examples
    --------
    >>> member = Member(("binance", "BTCUSDT", "BTC"))
    >>> mean_of([Part(member, 10, 3), Part(member, 20, 1)])
    13
    >>> mean_of([]) is None
    True

    """
    if not parts:
        return None
    weights = weigh(parts)
    return mean(sum(part.value * weight for part, weight in zip(parts, weights, strict=True)), sum(weights))
