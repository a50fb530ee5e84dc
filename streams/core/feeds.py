"""When a venue's liquidations have gone silent although the venue lives, and when they are back.

No liquidations is normal in quiet hours. So silence is counted in minutes in
which another stream of the same venue (funding, quotes, open interest) said
something, and compared with what was normal for this venue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.core.phrases import exchange_name

MINUTE_MS = 60_000
_DAY = 1_440


@dataclass(frozen=True, slots=True)
class FeedRule:
    """From when on silence is no longer normal. All lengths are minutes in which a sister stream spoke.

    Parameters
    ----------
    least
        A shorter silence is never reported.
    factor
        How many times its habit a silence has to exceed.
    days
        How far back the habit looks.
    days_least
        Days that have to be known: a week, so that a weekend is among them.
    day_least
        Minutes that make a day known.
    unknown
        The bound until then.
    patience
        Minutes by which a sister stream may be behind the market's clock and is still waited for.
    exchanges_max
        So many venues may come by their sister streams: each topic's in stage 1, all in stage 2.

    """

    least: int = 30
    factor: int = 3
    days: int = 14
    days_least: int = 7
    day_least: int = 720
    unknown: int = 1_440
    patience: int = 60
    exchanges_max: int = 200


class Finding(NamedTuple):
    """A feed has gone silent, or is back."""

    exchange: str
    silent: bool
    time_ms: int  # when the minute of the finding ends
    silence: int
    bound: int
    habitual: bool  # the bound is from a habit that is known
    last_ms: int | None


@dataclass(slots=True)
class Feed:
    """What is remembered of one venue; minutes are those of event time, counted from 1970."""

    judged: int = -1  # the minutes up to this one are decided
    silence: int = 0
    silent: int = 0  # 1: found by the bound of those whose habit is not known, 2: by the habit
    last_ms: int | None = None
    alive: set[int] = field(default_factory=set)  # not decided yet: a sister stream spoke
    told: dict[int, int] = field(default_factory=dict)  # not decided yet: there was a liquidation; the newest
    #: By day: the longest silence that ended in it, and the minutes alive in which the feed was not silent.
    days: dict[int, list[int]] = field(default_factory=dict)

    def habitual(self, rule: FeedRule) -> bool:
        """Return whether enough days are known."""
        return sum(alive >= rule.day_least for _, alive in self.days.values()) >= rule.days_least

    def bound(self, rule: FeedRule) -> int:
        """Return the longest silence that is normal.

        It is a multiple of the second longest that ended on different days: the longest may have been an outage.
        One that the habit itself has found counts as its bound and no more: a feed may become quieter.

        Examples
        --------
        >>> rule = FeedRule()
        >>> week = {day: [longest, 1_440] for day, longest in enumerate([9, 8, 11, 7, 40, 35, 300])}
        >>> Feed(days=week).bound(rule), Feed(days={}).bound(rule)
        (120, 1440)

        """
        ended = sorted(longest for longest, _ in self.days.values())
        habit = ended[-2] if len(ended) > 1 else 0
        return max(rule.factor * habit, rule.least if self.habitual(rule) else rule.unknown)

    def step(self, rule: FeedRule, minute: int) -> tuple[int, int, bool] | None:
        """Decide one minute; return (silence, bound, habitual) where the feed has gone silent or is back."""
        today = minute // _DAY
        if today not in self.days:
            self.days = {day: line for day, line in self.days.items() if day > today - rule.days} | {today: [0, 0]}
        was, day, silence = self.silent, self.days[today], self.silence
        bound, habitual = self.bound(rule), self.habitual(rule)
        if minute in self.told:
            day[0] = max(day[0], silence if was < 2 else min(silence, bound))
            self.silence, self.silent, self.last_ms = 0, 0, max(self.told[minute], self.last_ms or 0)
        else:
            silence = self.silence = silence + 1
            self.silent = was or (silence > bound) * (1 + habitual)
        day[1] += minute in self.alive and not self.silent
        return (silence, bound, habitual) if self.silent != was else None

    def to_json(self, since: int) -> dict[str, Any]:
        """Return the state as plain JSON, but for liquidations in their own minutes from ``since`` on.

        While a partition is days behind the others there are thousands of those, and the market's minutes have them.
        """
        told = {minute: at for minute, at in self.told.items() if minute < since or at // MINUTE_MS != minute}
        return {name: getattr(self, name) for name in self.__slots__} | {"alive": _runs(self.alive), "told": told}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Feed:
        """Return the state of plain JSON.

        Examples
        --------
        >>> feed = Feed(judged=7, alive={8}, days={0: [3, 8]})
        >>> Feed.from_json(feed.to_json(since=0)) == feed
        True

        """
        alive = {minute for first, end in content["alive"] for minute in range(first, end)}
        told, days = ({int(name): of for name, of in content[kind].items()} for kind in ("told", "days"))
        return cls(**{**content, "alive": alive, "told": told, "days": days})


def _runs(minutes: set[int]) -> list[list[int]]:
    """Return minutes as runs [first, end): a venue's other streams speak for hours without a pause."""
    runs: list[list[int]] = []
    for minute in sorted(minutes):
        if runs and runs[-1][1] == minute:
            runs[-1][1] = minute + 1
        else:
            runs.append([minute, minute + 1])
    return runs


class Feeds:
    """The feeds of all venues of which anything was heard."""

    def __init__(self, rule: FeedRule | None = None) -> None:
        self.rule = rule or FeedRule()
        self.known: dict[str, Feed] = {}
        self.changed: set[str] = set()

    @property
    def silent(self) -> frozenset[str]:
        """The venues whose feeds are silent."""
        return frozenset(name for name, feed in self.known.items() if feed.silent)

    def alive(self, exchange: str, minutes: Iterable[int]) -> None:
        """Hear in which minutes a venue's other streams spoke; those that are decided stay as they are.

        Of a new venue beyond the limit nothing is heard before it has liquidations.
        """
        if exchange not in self.known and len(self.known) >= self.rule.exchanges_max:
            return
        feed = self._of(exchange)
        feed.alive |= {minute for minute in minutes if minute > feed.judged}
        # While nothing moves the market's clock they wait, but not for ever: the habit looks no further back.
        if len(feed.alive) > self.rule.days * _DAY:
            feed.alive = set(sorted(feed.alive)[-self.rule.days * _DAY :])

    def told(self, exchange: str, *times_ms: int) -> None:
        """Hear when there were liquidations: late ones are a sign of life in the first minute that is still open."""
        feed = self._of(exchange)
        told, first = feed.told, feed.judged + 1
        for time_ms in times_ms:
            minute = max(time_ms // MINUTE_MS, first)
            told[minute] = max(time_ms, told.get(minute, time_ms))

    def resume(self, exchange: str, *times_ms: int) -> None:
        """Take up liquidations that a feed has not decided on yet."""
        feed = self.known.get(exchange)
        if feed is not None:
            self.told(exchange, *(time_ms for time_ms in times_ms if time_ms // MINUTE_MS > feed.judged))

    def judge(self, closed_ms: int) -> list[Finding]:
        """Decide all minutes that end at or before a time and that each venue's sister streams have reached.

        A venue of which nothing was heard for as long as the habit looks back is forgotten.
        """
        closed = closed_ms // MINUTE_MS - 1
        return [finding for name in sorted(self.known) for finding in self._judge(name, closed)]

    def _of(self, exchange: str) -> Feed:
        self.changed.add(exchange)
        return self.known.setdefault(exchange, Feed())

    def _judge(self, exchange: str, closed: int) -> list[Finding]:
        feed, rule, found = self.known[exchange], self.rule, list[Finding]()
        until = min(closed, max(*feed.alive, feed.judged, closed - rule.patience))
        if until <= feed.judged:
            return found
        for minute in sorted(each for each in feed.alive | feed.told.keys() if each <= until):
            finding = feed.step(rule, minute)
            if finding is not None:
                found.append(Finding(exchange, bool(feed.silent), (minute + 1) * MINUTE_MS, *finding, feed.last_ms))
        feed.judged = until
        feed.alive = {each for each in feed.alive if each > until}
        feed.told = {each: time_ms for each, time_ms in feed.told.items() if each > until}
        self.changed.add(exchange)
        if not feed.alive and not feed.told and max(feed.days, default=-1) <= until // _DAY - rule.days:
            del self.known[exchange]
        return found


class Sisters:
    """In which minutes the other streams of a venue spoke, each minute told once.

    Attributes
    ----------
    newest
        The newest minute of each venue, by topic; a restart takes it up.

    """

    def __init__(self, rule: FeedRule | None = None) -> None:
        self.rule = rule or FeedRule()
        self.newest: dict[str, dict[str, int]] = {}
        self.untold: dict[str, set[int]] = {}

    def hear(self, topic: str, exchange: str, time_ms: int) -> None:
        """Hear of one record. Each topic has a newest minute of its own: one may be read far ahead of the others."""
        minute, newest = time_ms // MINUTE_MS, self.newest.setdefault(topic, {})
        if minute > newest.get(exchange, -1) and self._admits(newest, exchange, minute):
            newest[exchange] = minute
            self.untold.setdefault(exchange, set()).add(minute)

    def _admits(self, newest: dict[str, int], exchange: str, minute: int) -> bool:
        """Return whether a minute is not too old, and its venue known or not one too many; forget what is too old."""
        oldest = max(newest.values(), default=minute) - self.rule.days * _DAY
        if minute <= oldest:
            return False
        if exchange not in newest:
            kept = {name: at for name, at in newest.items() if at > oldest}
            if len(kept) >= self.rule.exchanges_max:
                return False
            for name in newest.keys() - kept.keys():
                del newest[name]
        return True

    def take(self) -> dict[str, list[int]]:
        """Return the minutes that were not told yet, by venue.

        Examples
        --------
        >>> sisters = Sisters()
        >>> for second in (0, 59, 60):
        ...     sisters.hear("quotes", "bybit", second * 1_000)
        >>> sisters.take(), sisters.take()
        ({'bybit': [0, 1]}, {})

        """
        untold, self.untold = self.untold, {}
        return {exchange: sorted(minutes) for exchange, minutes in sorted(untold.items())}


def silent_at(before: frozenset[str], findings: Iterable[Finding], time_ms: int) -> frozenset[str]:
    """Return the venues that were silent at a time, from those before some findings: they may be of hours.

    Examples
    --------
    >>> findings = [Finding("okx", True, 60_000, 3, 2, True, None), Finding("okx", False, 180_000, 5, 2, True, None)]
    >>> [sorted(silent_at(frozenset({"bybit"}), findings, minute * 60_000)) for minute in range(4)]
    [['bybit'], ['bybit', 'okx'], ['bybit', 'okx'], ['bybit']]

    """
    silent = set(before)
    for each in findings:
        if each.time_ms <= time_ms:
            (silent.add if each.silent else silent.discard)(each.exchange)
    return frozenset(silent)


def detail(finding: Finding) -> str:
    """Return a finding in one sentence."""
    name = exchange_name(finding.exchange)
    if finding.silent:
        normal = f"up to {finding.bound} are normal for it" if finding.habitual else "its habit is not known yet"
        since = "none was ever seen" if finding.last_ms is None else normal
        return f"No liquidation of {name} in {finding.silence} minutes in which its other streams spoke; {since}."
    return f"Liquidations of {name} are back after {finding.silence} minutes in which its other streams spoke."
