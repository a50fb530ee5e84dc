"""Windows and events of a running worker, live on a terminal."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click
from confluent_kafka import KafkaException
from rich.console import Console
from rich.live import Live

from streams.codec.values import ValueReader
from streams.registries import file_registry
from streams.registry_cli import RegistryProblem, known
from streams.view.board import Board
from streams.view.outputs import TOPICS, AskedRegistry, Outputs, connection

if TYPE_CHECKING:
    from streams.codec.registry import Registry
    from streams.settings import Settings

CONNECT_S = 10.0
REFRESH_S = 0.25
#: Announcements of each partition that are shown from before we came.
TAIL = 20
#: Seconds between two lines where there is no terminal.
LINE_S = 10.0


def run(settings: Settings) -> None:
    """Show what the job publishes until Ctrl-C."""
    outputs = Outputs(connection(settings), ValueReader(_registry(settings), settings.value_format), tail=TAIL)
    try:
        outputs.open(CONNECT_S)
        for name in outputs.missing:
            click.echo(f"streams: {settings.broker} has no topic {name}", err=True)
        if len(outputs.missing) == len(TOPICS):
            sys.exit(1)
        show(outputs, Board(f"{settings.app_id} at {settings.broker}"), Console())
    except KafkaException as error:
        click.echo(f"streams: no broker at {settings.broker} answered: {error.args[0].str()}", err=True)
        sys.exit(1)
    except RegistryProblem as problem:
        click.echo(f"streams: {problem}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        pass
    finally:
        outputs.close()


def show(outputs: Outputs, board: Board, console: Console) -> None:
    """Draw the board again and again, or print lines where there is no terminal; for ever."""
    if not console.is_terminal:
        _print_lines(outputs, board, console)
    with Live(board.render(), console=console, auto_refresh=False, screen=True) as live:
        while True:
            for seen in outputs.read(REFRESH_S):
                board.apply(seen)
            live.update(board.render(), refresh=True)


def _print_lines(outputs: Outputs, board: Board, console: Console) -> None:
    due = time.monotonic() + LINE_S
    while True:
        for seen in outputs.read(REFRESH_S):
            if line := board.apply(seen):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        if time.monotonic() >= due:
            console.print(board.status(), markup=False, highlight=False, soft_wrap=True)
            due += LINE_S


def _registry(settings: Settings) -> Registry:
    if settings.registry_url is None:
        return file_registry()

    def fetch(schema_id: int) -> Any | None:
        answer = known(settings, "GET", f"/schemas/ids/{schema_id}")
        return json.loads(answer.body["schema"]) if answer else None

    return AskedRegistry(fetch)
