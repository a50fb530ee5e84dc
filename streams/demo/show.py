"""The sell-off of 2026-01-31, reconstructed, through a real worker on a broker inside this process.

Everything that is shown is read back from the worker's output topics; the
player only writes inputs. ``make demo`` runs this.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from bisect import bisect_left
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from rich.console import Console
from rich.live import Live

from streams.codec.values import ValueReader
from streams.core.phrases import money
from streams.demo.parts import READY_S, Broker, DemoFailed, Player, Worker
from streams.reconstruction import CAVEAT, LABEL, START_MS, reconstruct
from streams.registries import file_registry
from streams.view.board import Board, highest
from streams.view.outputs import Outputs

if TYPE_CHECKING:
    from types import FrameType

HOUR_USD_MIN: Final = 350e6
DAY_USD_MIN: Final = 1.05e9
#: How long the worker may take, after the last record, to close the cascade of the market.
CLOSE_S: Final = 60.0
REFRESH_S: Final = 0.125
LINE_S: Final = 5.0


def run(seed: int, seconds: float) -> None:
    """Play the sell-off in so many seconds, show what the worker makes of it, and leave nothing behind."""
    console = Console()
    signal.signal(signal.SIGTERM, _as_interrupt)
    console.print(f"[bold]{LABEL}[/bold]\n[dim]{CAVEAT}[/dim]", highlight=False)
    try:
        with ExitStack() as stack:
            try:
                carried = _play(seed, seconds, console, stack)
            finally:
                # Tidying up takes a second or two: another Ctrl-C must not leave it half done.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left behind")
        sys.exit(130)
    except DemoFailed as failure:
        console.print(f"streams: {failure}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not carried:
        sys.exit(1)


def _play(seed: int, seconds: float, console: Console, stack: ExitStack) -> bool:
    with console.status("starting the broker and the worker") as status:
        broker = Broker()
        stack.callback(broker.close)
        folder = Path(tempfile.mkdtemp(prefix="streams-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        worker = Worker(broker.address, folder)
        stack.callback(worker.stop)
        status.update(f"drawing orders and quotes from seed {seed}")
        played = reconstruct(seed)
        worker.must_run()
        outputs = Outputs({"bootstrap.servers": broker.address}, ValueReader(file_registry()))
        stack.callback(outputs.close)
        outputs.open(READY_S)
        status.update("writing months of funding and ten days of quotes")
        first = bisect_left(played, START_MS, key=lambda item: item[0])
        broker.write(played[:first])
        status.update("waiting for the worker")
        worker.wait_until_ready()
    player = Player(broker, played[first:], seconds)
    stack.callback(player.stop)
    player.start()
    board = Board(LABEL, CAVEAT)
    _watch(outputs, board, player, worker, console)
    return _conclude(board, console)


def _watch(outputs: Outputs, board: Board, player: Player, worker: Worker, console: Console) -> None:
    """Show what comes until the story is over and the cascade of the market has subsided."""
    live = Live(board.render(), console=console, auto_refresh=False) if console.is_terminal else None
    with live or ExitStack():
        said = time.monotonic()
        while not _over(board, player):
            worker.must_run()
            lines = [line for seen in outputs.read(REFRESH_S) if (line := board.apply(seen))]
            if live:
                live.update(board.render(), refresh=True)
                continue
            if time.monotonic() - said >= LINE_S:
                lines.append(board.status())
                said = time.monotonic()
            for line in lines:
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def _over(board: Board, player: Player) -> bool:
    if player.failure:
        msg = f"the player stopped: {player.failure}"
        raise DemoFailed(msg)
    if player.ended is None:
        return False
    market = board.market()
    subsided = market is not None and market["phase"] == "SUBSIDED"
    return subsided or time.monotonic() - player.ended > CLOSE_S


def _conclude(board: Board, console: Console) -> bool:
    """Print the headline as the worker published it, and say whether it carries the story."""
    market = board.market()
    if market is None:
        msg = "the worker has announced no cascade of the market"
        raise DemoFailed(msg)
    hour, day = highest(market, "highest_hour"), highest(market, "highest_day")
    carried = hour >= HOUR_USD_MIN and day >= DAY_USD_MIN
    console.print()
    console.print(market["headline"], style="bold", markup=False, highlight=False, soft_wrap=True)
    found = (
        f"read back from the topic cascades: {money(hour, floor=True)} in the hour, {money(day, floor=True)} in the day"
    )
    wanted = f"the story has {money(HOUR_USD_MIN, floor=True)} and {money(DAY_USD_MIN, floor=True)}"
    verdict = "carried" if carried else "NOT carried"
    console.print(f"{found}; {wanted}: {verdict}", style="green" if carried else "red", highlight=False, soft_wrap=True)
    console.print(f"[dim]{LABEL}[/dim]", highlight=False)
    return carried


def _as_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
