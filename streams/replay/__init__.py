"""Recorded files through the units of the worker: what a file shows is what the stream does.

The law: records go by event time, equal ones in the order of the files, each to the partition on which Kafka would
have its key. So nothing is late, there are no ticks, and the result does not depend on where the run is cut.

A first pass puts all records in order, in a temporary file where they are many; a second one folds them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from streams import sources
from streams.codec.encode import Encoder
from streams.registries import file_registry
from streams.replay.fold import Replay
from streams.replay.load import Loader
from streams.replay.summary import Summary, show
from streams.settings import Settings

#: Records between two flushes; no result depends on it but the order of the lines that a flush writes.
FLUSH_COUNT: Final = 20_000


def run(
    settings: Settings,
    files: Iterable[Path],
    *,
    file_format: str | None,
    out: Path | None,
    partitions: int,
    flush_count: int = FLUSH_COUNT,
) -> Summary:
    """Replay files; events go to ``out`` or stdout as JSON lines, progress and the summary to stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    forms = _forms(files, file_format)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        written = stack.enter_context(out.open("w", encoding="utf-8")) if out else sys.stdout
        registry = file_registry()
        loader = Loader(partitions, Encoder(registry.writers()), lambda sentence: console.print(sentence, markup=False))
        stack.callback(loader.close)
        loader.load(forms, progress)
        emit = lambda line: click.echo(line, file=written)  # noqa: E731 - a name for the last argument of the next line
        replay = Replay(settings, registry, partitions, loader.with_liquidations, emit)
        for fed in progress.track(loader.in_order(), loader.count, description="replaying"):
            replay.feed(fed)
            if replay.fed_count % flush_count == 0:
                replay.flush()
        replay.end()
    summary = replay.summary(loader.unreadable)
    show(summary, console)
    return summary


def _forms(files: Iterable[Path], file_format: str | None) -> dict[Path, str]:
    try:
        return {path: file_format or sources.guess_format(path) for path in files}
    except ValueError as error:
        click.echo(f"streams: {error}", err=True)
        sys.exit(2)
