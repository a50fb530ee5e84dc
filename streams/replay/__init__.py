"""Recorded files through the units of the worker: what a file shows is what the stream does.

The law: records go by event time, equal ones in the order of the files, each to the partition on which Kafka would
have its key. So nothing is late, there are no ticks, and the result does not depend on where the run is cut.

A first pass puts all records in order, in a temporary file where they are many; a second one folds them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import IO, Any, Final

import click
from rich.console import Console
from rich.progress import Progress

from streams import rules, sources
from streams.codec.encode import Encoder
from streams.registries import file_registry
from streams.replay.fold import Replay
from streams.replay.load import Fed, Loader
from streams.replay.reporting import Report, Wanted
from streams.replay.summary import Summary, show
from streams.report.page import Played
from streams.report.recorder import Recorder
from streams.settings import Settings

__all__ = ["Report", "Summary", "run"]

#: Records between two flushes. What depends on it is the order of the lines that a flush writes, and which moments
#: EXCHANGE and MARKET hear of assets beside their onsets: never later ones.
FLUSH_COUNT: Final = 20_000
_HOUR_MS: Final = 3_600_000
#: With a report there are about so many flushes more, each at an edge of event time: own normals are read off there.
_STEPS: Final = 1_000


def run(
    settings: Settings,
    files: Iterable[Path],
    *,
    file_format: str | None,
    out: Path | None,
    partitions: int,
    report: Report | None = None,
    flush_count: int = FLUSH_COUNT,
) -> Summary:
    """Replay files; events go to ``out`` or stdout as JSON lines, progress and the summary to stderr.

    With a report they go into its folder where ``out`` is not given. Where no line could be read, the exit status is 1.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        forms = {path: file_format or sources.guess_format(path) for path in files}
        wanted = Wanted.of(report, settings) if report else None
        opened = _opened(out, report, forms)
    except ValueError as error:
        click.echo(f"streams: {error}", err=True)
        sys.exit(2)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        written = stack.enter_context(opened)
        registry = file_registry()
        loader = Loader(partitions, Encoder(registry.writers()), lambda sentence: console.print(sentence, markup=False))
        stack.callback(loader.close)
        loader.load(forms, progress)
        # Own normals change by the hour; over years a picture has no room for so many.
        step_ms = min(max(loader.span_ms() // _STEPS // _HOUR_MS, 1), 24) * _HOUR_MS

        def play(label: str, of: Settings, emit: Callable[[str], None]) -> tuple[Summary, Played]:
            recorder = Recorder() if wanted else None
            replay = Replay(of, registry, partitions, loader.with_liquidations, emit, recorder)
            records = progress.track(loader.in_order(), loader.count, description=label)
            _feed(replay, records, flush_count, step_ms if wanted else None)
            return replay.summary(loader.unreadable), Played(label, rules.cascade_rules(of), recorder or Recorder())

        summary, ours = play("as set", settings, lambda line: click.echo(line.encode(), file=written))
        if wanted:
            others = [play(label, other, lambda _: None)[1] for label, other in wanted.what_ifs]
            console.print(wanted.write(forms, summary, [ours, *others]), markup=False)
    show(summary, console)
    if summary.unreadable and not summary.consumed:
        sys.exit(1)
    return summary


def _opened(out: Path | None, report: Report | None, inputs: Iterable[Path]) -> AbstractContextManager[IO[Any]]:
    """Open what the events go to; ``ValueError`` says in one sentence why it cannot be."""
    out = out or (report.folder / "events.jsonl" if report else None)
    if out is None:
        return nullcontext(sys.stdout)
    if out.exists() and any(out.samefile(path) for path in inputs):
        msg = f"the events must not be written over what is read, were to go to {out}"
        raise ValueError(msg)
    try:
        if report:
            report.folder.mkdir(parents=True, exist_ok=True)
        return out.open("wb")
    except OSError as error:
        msg = f"{error.filename} cannot be written: {error.strerror}"
        raise ValueError(msg) from None


def _feed(replay: Replay, records: Iterable[Fed], flush_count: int, step_ms: int | None) -> None:
    step = None
    for fed in records:
        if step_ms and fed.at_ms // step_ms != step:
            step = fed.at_ms // step_ms
            replay.flush()
        replay.feed(fed)
        if replay.fed_count % flush_count == 0:
            replay.flush()
    replay.end()
