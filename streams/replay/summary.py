"""What became of the records of a replay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

_BEHIND_MS_SAID = 60_000


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts by topic (``refused``: topic and reason; ``events``: topic and phase), and money in micro-USD."""

    unreadable: int
    consumed: Counter[str]
    aggregated: Counter[str]
    duplicates: Counter[str]
    refused: Counter[tuple[str, str]]
    long_micro_usd: int
    short_micro_usd: int
    events: Counter[tuple[str, str]]
    market_behind_ms: int | None  # None: exchanges and the market have no clock


def show(summary: Summary, console: Console) -> None:
    """Print the summary as two tables, and what a reader could stumble over."""
    console.print(_records(summary))
    console.print(_findings(summary))
    if summary.unreadable:
        console.print(f"lines that could not be read: {summary.unreadable:,}")
    if sentence := waiting(summary):
        console.print(sentence)


def counts(summary: Summary) -> list[tuple[str, ...]]:
    """Return what became of the records, for a report: topic, read, counted, seen before, refused with the reasons."""
    rows = []
    for topic, consumed in sorted(summary.consumed.items()):
        refused = [f"{count:,} {why}" for (where, why), count in sorted(summary.refused.items()) if where == topic]
        numbers = (consumed, summary.aggregated[topic], summary.duplicates[topic])
        rows.append((topic, *(f"{number:,}" for number in numbers), ", ".join(refused) or "0"))
    return rows


def caveats(summary: Summary) -> list[str]:
    """Return what a reader of a report could stumble over."""
    found = []
    if summary.unreadable:
        found.append(f"Lines that could not be read: {summary.unreadable:,}.")
    if sentence := waiting(summary):
        found.append(sentence)
    return found


def waiting(summary: Summary) -> str | None:
    """Say by how much exchanges and the market end before their assets, where that is much."""
    behind_ms = summary.market_behind_ms
    if behind_ms is None or behind_ms < _BEHIND_MS_SAID:
        return None
    return (
        f"Exchanges and the market stand {behind_ms / 60_000:,.0f} min before the newest liquidation that counts: "
        "they wait for the partition that has had none for longest; --partitions 1 has only one."
    )


def _records(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("records", "read", "aggregated", "duplicates", "refused"):
        table.add_column(name, justify="left" if name == "records" else "right")
    for topic, consumed in sorted(summary.consumed.items()):
        refused = sum(count for (where, _), count in summary.refused.items() if where == topic)
        counts = (consumed, summary.aggregated[topic], summary.duplicates[topic], refused)
        table.add_row(topic, *(f"{count:,}" for count in counts))
    for (topic, reason), count in sorted(summary.refused.items()):
        table.add_row(f"  {topic}: {reason}", "", "", "", f"{count:,}")
    return table


def _findings(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("long liquidated, USD", dollars(summary.long_micro_usd))
    table.add_row("short liquidated, USD", dollars(summary.short_micro_usd))
    for (topic, phase), count in sorted(summary.events.items()):
        table.add_row(f"{topic} {phase}".rstrip(), f"{count:,}")
    return table


def dollars(micro_usd: int) -> str:
    """Return micro-USD as dollars and cents, without a float in between."""
    cents = (micro_usd + 5_000) // 10_000
    return f"{cents // 100:,}.{cents % 100:02d}"
