"""The tables of ``make evaluate``: our detector and the public rules on the same orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from streams.core.events import Scope
from streams.settings import Settings
from tests.evaluation import labels, rules, scalar
from tests.evaluation.data import Orders
from tests.evaluation.labels import Span
from tests.evaluation.ours import Event, events, messages, spans
from tests.evaluation.score import Score, gone_by_episode, in_quiet, median_interval, right_side, score, summed

NOT_QUIET = ("2025-01-27", "2025-06-23")
SPLIT_2023 = round(datetime(2023, 1, 13, tzinfo=UTC).timestamp())


def table(header: list[str], lines: Iterable[list[str]]) -> str:
    """Return columns under their names, the first one to the left."""
    rows = [header, *lines]
    width = [max(len(row[at]) for row in rows) for at in range(len(header))]
    return "\n".join(
        "  ".join([row[0].ljust(width[0]), *(cell.rjust(size) for cell, size in zip(row[1:], width[1:], strict=True))])
        for row in rows
    )


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def of(counts: tuple[int, int]) -> str:
    """Return "so many of so many", or nothing of nothing."""
    some, everything = counts
    return f"{some} of {everything}" if everything else "-"


def detectors(found: list[Event], name: str) -> dict[str, list[Span]]:
    """Our three rows: all cascades, those that become MAJOR, and these from the moment that they are said to be."""
    return {
        f"ours, {name}": spans(found),
        f"ours, {name}, those that become MAJOR": spans(found, "MAJOR"),
        f"ours, {name}, once said to be MAJOR": spans(found, "MAJOR", when_said=True),
    }


def scored(name: str, result: Score, *more: str) -> list[str]:
    return [
        name, str(result.alerts),
        f"{result.rates.precision:.2f}" if result.alerts else "-",
        f"{result.low.precision:.2f}-{result.high.precision:.2f}" if result.alerts else "-",
        f"{result.found} of {result.episodes}", f"{result.f1:.2f}", f"{result.low.f1:.2f}-{result.high.f1:.2f}",
        str(result.most), "-" if result.delay_s is None else f"{result.delay_s / 60:.0f} min", percent(result.gone),
        of(result.right_side), *more,
    ]  # fmt: skip


HEADER = [
    "rule", "alerts", "precision", "(90 %)", "recall", "F1", "(90 %)", "most per episode", "after", "money gone",
    "right side",
]  # fmt: skip


# --- January 2023 -----------------------------------------------------------------------------------------------------


def bursts(show: Callable[[str], None], orders: Orders, said: list[dict[str, Any]]) -> None:
    """Binance in January 2023: fourteen days, eight episodes."""
    episodes, quiet = labels.episodes(orders), labels.quiet_hours(orders)
    counts = f"{len(orders.orders):,} bursts, {len(episodes)} episodes, {len(quiet)} quiet hours"
    show(f"\nBinance, January 2023: {counts}\n")
    found = events(said, Scope.EXCHANGE)
    alerts = {name: rule(orders) for name, rule in rules.PUBLIC.items()} | detectors(found, "EXCHANGE")
    show(
        table(
            [*HEADER, "per quiet day"],
            [
                scored(name, score(each, episodes, orders), f"{in_quiet(each, quiet) / len(quiet) * 24:.2f}")
                for name, each in alerts.items()
            ],
        )
    )
    show("\nright side: -, as the file calls a burst of both sides SELL; so its sides are not used, all are fed as one")
    everything = _all_scopes(said)
    show(f"our cascades of all scopes: {len(everything)}, {in_quiet(everything, quiet)} of them begin in a quiet hour")
    gone = gone_by_episode(spans(found), episodes, orders)
    low, high = median_interval([share for share in gone if share is not None])
    show(f"money gone at our onset, by episode: {', '.join(map(percent, gone))}; median's 90 %: {low:.0%}-{high:.0%}")
    missed = [event for event in found if not any(Span(event.onset, event.ended).meets(each) for each in episodes)]
    hours = labels.sliding(orders, labels.HOUR_S)
    most = [hours[(orders.second >= event.onset) & (orders.second <= event.ended)].max() for event in missed]
    show("outside of the label our cascades had a highest hour of " + ", ".join(f"${usd / 1e6:.1f}M" for usd in most))
    show("\nto 2023-01-12, and after; the thresholds have seen both\n")
    lines = []
    for name, each in alerts.items():
        parts = [
            score([span for span in each if inside(span)], [span for span in episodes if inside(span)], orders)
            for inside in (_before(SPLIT_2023), _after(SPLIT_2023))
        ]
        lines.append([name, *(cell for part in parts for cell in _short(part))])
    show(table(["rule", *["precision", "recall", "F1", "gone"] * 2], lines))


def _before(split: int) -> Callable[[Span], bool]:
    return lambda span: span.start < split


def _after(split: int) -> Callable[[Span], bool]:
    return lambda span: span.start >= split


def _short(part: Score) -> list[str]:
    return [f"{part.rates.precision:.2f}", f"{part.found} of {part.episodes}", f"{part.f1:.2f}", percent(part.gone)]


# --- captures ---------------------------------------------------------------------------------------------------------


def captures(show: Callable[[str], None], found: dict[str, Orders]) -> None:
    """Single orders of Binance: hours in which nothing happened, and two days of which people spoke."""
    sessions = [session for orders in found.values() for session in orders.sessions()]
    hours = sum(session.hours for session in sessions if _day(session) not in NOT_QUIET)
    show(f"\nBinance's captures: {hours:.2f} quiet hours; the two other days, {' and '.join(NOT_QUIET)}\n")
    loud = [labels.sided(labels.episodes(session, labels.QUIET_USD), session) for session in sessions]
    lines = []
    for name, rule in (rules.PUBLIC | {"ours, all scopes": lambda orders: _all_scopes(messages(orders))}).items():
        said = [rule(session) for session in sessions]
        days = [
            sum(len(each) for each, held in zip(said, sessions, strict=True) if _day(held) == day) for day in NOT_QUIET
        ]
        quiet = sum(map(len, said)) - sum(days)
        sides = of(summed(right_side(*each) for each in zip(said, loud, strict=True)))
        lines.append([name, f"{quiet / hours:.1f}", *map(str, days), sides])
    show(table(["rule", "per quiet hour", *NOT_QUIET, "right side"], lines))
    show(f"\nright side: that of stretches of ${labels.QUIET_USD / 1e6:g}M in 60 min; there are {sum(map(len, loud))}")


def _day(orders: Orders) -> str:
    return f"{datetime.fromtimestamp(int(orders.second[0]), UTC):%Y-%m-%d}"


def _all_scopes(said: list[dict[str, Any]]) -> list[Span]:
    return [span for scope in Scope for span in spans(events(said, scope))]


# --- what each threshold is for ---------------------------------------------------------------------------------------

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "floor $5M": {"floor_usd": 5_000_000},
    "hour_min 1": {"hour_min": 1},
    "multiple 8": {"multiple": 8},
    "release 0.5": {"release": 0.5},
    "quiet 30 min": {"quiet_ms": 1_800_000},
    "release 0.5, quiet 30 min": {"release": 0.5, "quiet_ms": 1_800_000},
    "hour_multiples 8,25,80": {"hour_multiples": (8, 25, 80)},
}


def variants(show: Callable[[str], None], orders: Orders) -> None:
    """The rule of an exchange with one threshold changed at a time."""
    episodes, group = labels.episodes(orders), Settings().cascade_exchange
    lines = []
    for name, change in VARIANTS.items():
        found = scalar.cascades(orders, group.model_copy(update=change).rule(), Scope.EXCHANGE)
        onset, major = (score(spans(found, severity), episodes, orders) for severity in ("MINOR", "MAJOR"))
        lines.append([name, *_short(onset), str(onset.most), *_short(major)])
    show("\none threshold of EXCHANGE changed at a time: all cascades, and those that become MAJOR\n")
    names = ["precision", "recall", "F1", "gone"]
    show(table(["", *names, "most per episode", *names], lines))
