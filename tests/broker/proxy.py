"""Between workers and brokers: understands as much of Kafka's protocol as is needed to fail at a chosen step.

A frame is a length and a body; a request's body begins with what it asks for (two bytes), the version (two) and a
number (four) with which the answer begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: The requests that a transaction is made of, in their order.
STEPS = {"init": 22, "add_partitions": 24, "produce": 0, "add_offsets": 25, "commit_offsets": 28, "end": 26}


@dataclass(eq=False)
class Trap:
    """What happens to the next request of a kind: before the broker has it, or when it has answered.

    ``strike`` is called with the client's port, in the proxy's thread; then the connection is silent for ``seconds``;
    then it is ``cut`` or goes on.
    """

    step: str
    before: bool
    seconds: float = 0.0
    cut: bool = True
    strike: Callable[[int], None] = lambda port: None
    sprung: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Forwards from advertised ports to real ones, in a thread of its own."""

    def __init__(self, routes: dict[int, int]) -> None:
        self.routes = routes
        self._traps: list[Trap] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def set_trap(self, trap: Trap) -> None:
        self._loop.call_soon_threadsafe(self._traps.append, trap)

    def remove(self, trap: Trap) -> None:
        """Take away a trap that has caught nobody."""
        self._loop.call_soon_threadsafe(lambda: self._traps.remove(trap) if trap in self._traps else None)

    # ---------------------------------------------------------------- in the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = []
        for advertised, real in self.routes.items():
            serve = asyncio.start_server(lambda r, w, real=real: self._connected(r, w, real), "127.0.0.1", advertised)
            servers.append(self._loop.run_until_complete(serve))
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _connected(self, reader: Any, writer: Any, real: int) -> None:
        try:
            to_broker = await asyncio.open_connection("127.0.0.1", real)
        except OSError:
            writer.transport.abort()
            return
        port = writer.get_extra_info("peername")[1]
        watched: dict[bytes, Trap] = {}
        both = (
            asyncio.ensure_future(self._requests(reader, to_broker[1], port, watched)),
            asyncio.ensure_future(self._answers(to_broker[0], writer, port, watched)),
        )
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the proxy stops
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in both:
                each.cancel()
            for end in (writer, to_broker[1]):
                end.transport.abort()
            await asyncio.gather(*both, return_exceptions=True)

    async def _requests(self, reader: Any, writer: Any, port: int, watched: dict[bytes, Trap]) -> None:
        while True:
            length = await reader.readexactly(4)
            frame = await reader.readexactly(int.from_bytes(length, "big"))
            trap = self._trap(int.from_bytes(frame[:2], "big"))
            if trap is not None:
                if not trap.before:
                    watched[frame[4:8]] = trap
                elif await _spring(trap, port):
                    return
            writer.write(length + frame)
            await writer.drain()

    async def _answers(self, reader: Any, writer: Any, port: int, watched: dict[bytes, Trap]) -> None:
        while True:
            length = await reader.readexactly(4)
            frame = await reader.readexactly(int.from_bytes(length, "big"))
            trap = watched.pop(frame[:4], None)
            if trap is not None and await _spring(trap, port):
                return
            writer.write(length + frame)
            await writer.drain()

    def _trap(self, asked: int) -> Trap | None:
        for trap in self._traps:
            if STEPS[trap.step] == asked:
                self._traps.remove(trap)
                return trap
        return None


async def _spring(trap: Trap, port: int) -> bool:
    trap.strike(port)
    trap.sprung.set()
    await asyncio.sleep(trap.seconds)
    return trap.cut
