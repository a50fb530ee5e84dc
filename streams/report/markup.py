"""Tables and amounts for the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from streams.core.phrases import money


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """Return a table of plain text; the last ``numbers`` columns stand to the right."""
    right = len(head) - numbers
    cells = [_row("th", head, right), *(_row("td", row, right) for row in rows)]
    return f"<table>{''.join(cells)}</table>"


def _row(tag: str, cells: Sequence[str], right: int) -> str:
    marked = [f'<{tag} class="n">' if at >= right else f"<{tag}>" for at in range(len(cells))]
    return f"<tr>{''.join(f'{mark}{escape(cell)}</{tag}>' for mark, cell in zip(marked, cells, strict=True))}</tr>"


def money_of(micro_usd: int, floor: bool) -> str:
    """Return micro-USD as an amount that says what it is: a floor reads "at least"."""
    return money_in(micro_usd / 1e6, floor)


def money_in(usd: float, floor: bool) -> str:
    """Return US dollars in the same way."""
    return f"{'at least ' if floor else ''}{money(usd, floor=floor)}"


def minutes(ms: int) -> str:
    """Return a length of time.

    Examples
    --------
    >>> minutes(59_000), minutes(150_000), minutes(7_500_000)
    ('59 s', '2 min 30 s', '2 h 5 min')

    """
    seconds = round(ms / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds % 60 else f"{seconds // 60} min"
    return f"{seconds // 3_600} h {seconds % 3_600 // 60} min"
