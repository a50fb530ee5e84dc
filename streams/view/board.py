"""A board of what is known now: windows by market, venue and coin, crowded positions, and what was announced."""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.core.phrases import exchange_name, money, percent
from streams.view.outputs import CASCADES, CROWDED, WINDOWS

if TYPE_CHECKING:
    from streams.view.outputs import Record, Seen

SHOWN_WINDOWS: Final = ("1m", "5m", "15m", "1h", "4h", "24h")
SCOPES: Final = {"MARKET": 0, "EXCHANGE": 1, "ASSET": 2}
BAR: Final = 24
_SEVERITY_STYLES: Final = {"MINOR": "yellow", "MAJOR": "dark_orange", "SEVERE": "red", "EXTREME": "bold red"}


class Board:
    """Remembers the newest of everything and draws it.

    Parameters
    ----------
    title
        Stands above the windows.
    note
        Stands below them, in grey.
    assets
        How many coins have a row.
    events
        How many announcements are kept.

    """

    def __init__(self, title: str, note: str = "", *, assets: int = 8, events: int = 10) -> None:
        self.title = title
        self.note = note
        self.windows: dict[str, Record] = {}
        self.cascades: dict[str, Record] = {}
        self.crowded: dict[str, Record] = {}
        self.counts: Counter[str] = Counter()
        self.unreadable = 0
        self.event_time_ms = 0
        self._assets = assets
        self._events: deque[Text] = deque(maxlen=events)

    def apply(self, seen: Seen) -> str | None:
        """Take one message in; return a line where it is worth one."""
        topic, key, record, unreadable = seen
        if unreadable:
            self.unreadable += 1
            return None
        self.counts[topic] += 1
        if topic == WINDOWS:
            self._window(key, record)
            return None
        if record is None:
            return None
        self.event_time_ms = max(self.event_time_ms, record.get("event_time", 0))
        if topic == CASCADES:
            newest(self.cascades, record["cascade_id"], record)
        elif topic in CROWDED:
            newest(self.crowded, record["crowded_id"], record)
        return self._announce(topic, record)

    def market(self) -> Record | None:
        """Return the newest message of the largest cascade of the whole market."""
        whole = [record for record in self.cascades.values() if record["scope"] == "MARKET"]
        return max(whole, key=lambda record: highest(record, "highest_hour"), default=None)

    def status(self) -> str:
        """Return the market in one line, for where there is no terminal."""
        row, trouble = self.windows.get("MARKET|ALL"), self._trouble()
        if row is None:
            return f"{clock(self.event_time_ms)}  {trouble or 'no liquidations yet'}"
        sums = "  ".join(f"{window} {amount(row, window)}" for window in ("5m", "1h", "24h"))
        return f"{clock(row['as_of'])}  market  {sums}{trouble and '  '}{trouble}"

    def render(self) -> RenderableType:
        """Return everything as one picture."""
        # Text, where a str would be read as markup: brackets stand in names of producers and in addresses.
        title = Text(f"{self.title}  ").append(f"{clock(self.event_time_ms)} UTC", style="dim")
        parts: list[RenderableType] = [Panel(self._table(), title=title, subtitle=self._foot())]
        if trouble := self._trouble():
            parts.append(Text(trouble, style="red"))
        if self.note:
            parts.append(Text(self.note, style="dim"))
        if running := self._crowded_line():
            parts.append(running)
        lines = list(self._events) or [Text("nothing announced yet", style="dim")]
        parts.append(Panel(Group(*lines), title="announced", title_align="left"))
        return Group(*parts)

    def _trouble(self) -> str:
        if not self.unreadable:
            return ""
        return f"{self.unreadable} messages could not be read: STREAMS_VALUE_FORMAT or registry?"

    def _window(self, key: str, record: Record | None) -> None:
        if record is None:
            self.windows.pop(key, None)
            return
        self.windows[key] = record
        self.event_time_ms = max(self.event_time_ms, record["as_of"])

    def _announce(self, topic: str, record: Record) -> str | None:
        text = announcement(topic, record)
        if text is None:
            return None
        self._events.append(text)
        return text.plain

    def _rows(self) -> list[Record]:
        wide = [record for record in self.windows.values() if record["scope"] in SCOPES]
        wide.sort(key=lambda record: (SCOPES[record["scope"]], -total(record, "24h"), record["key"]))
        coins = [record for record in wide if record["scope"] == "ASSET"][: self._assets]
        return [record for record in wide if record["scope"] != "ASSET"] + coins

    def _table(self) -> Table:
        table = Table(expand=True, box=None, pad_edge=False)
        table.add_column("liquidated", no_wrap=True)
        for window in SHOWN_WINDOWS:
            table.add_column(window, justify="right", no_wrap=True)
        table.add_column("longs", justify="right", no_wrap=True)
        table.add_column("last hour", no_wrap=True)
        rows = self._rows()
        largest = {
            scope: max((total(record, "1h") for record in rows if record["scope"] == scope), default=0.0)
            for scope in SCOPES
        }
        for record in rows:
            style = "bold" if record["scope"] == "MARKET" else ""
            amounts = [amount(record, window) for window in SHOWN_WINDOWS]
            bar = _bar(total(record, "1h"), largest[record["scope"]])
            table.add_row(Text(_name(record)), *amounts, long_share(record, "1h"), bar, style=style)
        return table

    def _foot(self) -> Text:
        crowded = sum(self.counts[name] for name in CROWDED)
        foot = Text(f"{self.counts[CASCADES]} cascade messages · {crowded} on crowding", style="dim")
        if dead := self.counts["dead-letters"]:
            foot.append(" · ").append(f"{dead} dead letters", style="red")
        return foot

    def _crowded_line(self) -> Text | None:
        running = [r for r in self.crowded.values() if r["phase"] != "ENDED" and r["scope"] == "ASSET"]
        if not running:
            return None
        running.sort(key=lambda record: -abs(record["funding_rate_annualised"]))
        text = Text("crowded: ", style="magenta")
        names = [
            f"{r['asset']} {'longs' if r['position_side'] == 'LONG' else 'shorts'}"
            f" {r['funding_rate_annualised'] * 100:.0f} % a year"
            for r in running[:5]
        ]
        more = f" and {len(running) - 5} more" if len(running) > 5 else ""
        return text.append(", ".join(names) + more, style="default")


def announcement(topic: str, record: Record) -> Text | None:
    """Return one event as a line; none for a single instrument's, of which there are too many to read."""
    if topic == CASCADES and record["scope"] != "INSTRUMENT":
        style = _SEVERITY_STYLES.get(record["severity"], "default")
        what = f"{_name(record)} cascade {record['phase']}"
        severity = "" if record["phase"] == "SUBSIDED" else f" {record['severity']}"
        return _line(record, f"{what}{severity}", style, record["headline"])
    if topic in CROWDED and record["scope"] == "ASSET":
        return _line(record, f"{record['asset']} crowding {record['phase']}", "magenta", record["headline"])
    if topic == "feed-status":
        return _line(record, f"{exchange_name(record['exchange'])} feed {record['status']}", "cyan", record["detail"])
    return None


def newest(kept: dict[str, Record], key: str, record: Record) -> None:
    """Keep the message with the highest sequence, as readers are told to."""
    known = kept.get(key)
    if known is None or record["sequence"] >= known["sequence"]:
        kept[key] = record


def highest(record: Record, name: str) -> float:
    """Return the highest hour or day of a cascade so far, both sides, US dollars."""
    usd: float = record[name]["long_usd"] + record[name]["short_usd"]
    return usd


def total(record: Record, window: str) -> float:
    """Return what one window of a record holds, in US dollars; 0 where it has none."""
    return sum((w["long_usd"] + w["short_usd"] for w in record["windows"] if w["window"] == window), start=0.0)


def amount(record: Record, window: str) -> str:
    """Return the same for a reader, with ≥ where the feeds do not show everything."""
    usd = total(record, window)
    if usd == 0:
        return "-"
    return f"{'≥' if record['at_least'] else ''}{money(usd, floor=record['at_least'])}"


def long_share(record: Record, window: str) -> str:
    """Return the share of longs in one window for a reader."""
    longs = sum(w["long_usd"] for w in record["windows"] if w["window"] == window)
    whole = total(record, window)
    return percent(longs / whole) if whole else "-"


def clock(event_time_ms: int) -> str:
    """Return an event time for a reader."""
    if event_time_ms == 0:
        return "----------- --:--:--"
    return datetime.fromtimestamp(event_time_ms / 1_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _line(record: Record, what: str, style: str, sentence: str) -> Text:
    text = Text(f"{clock(record['event_time'])}  ", style="dim")
    text.append(what, style=style)
    return text.append(f"  {sentence}", style="default")


def _name(record: Record) -> str:
    if record["scope"] == "MARKET":
        return "MARKET"
    return exchange_name(record["key"]) if record["scope"] == "EXCHANGE" else str(record["key"])


def _bar(usd: float, largest: float) -> Text:
    filled = round(BAR * usd / largest) if largest else 0
    return Text("█" * filled, style="red").append("·" * (BAR - filled), style="dim")
