"""However a worker ends, it ends, and says why."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAYS_REASONS = """
import structlog
structlog.configure(processors=[lambda _, __, said: said.get("reason", "")])
"""


def ran(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param("worker.app.stop_now()", [], id="after a failure, which has said why"),
        pytest.param("worker._on_sigterm()", ["told to stop by SIGTERM, it had not ended within 0.2 s"], id="a signal"),
    ],
)
def test_a_worker_that_cannot_end_in_order_ends_all_the_same(asked, words):
    # Faust can hang in its own shutdown, and its threads can outlive its loop.
    program = f"""
import asyncio, threading
{SAYS_REASONS}
from streams.engine import job as engine
from tests.engine.jobs import job
engine.LAST_WORDS_SECONDS = engine.END_SECONDS = 0.2
async def main():
    worker = engine.Worker(job(), loop=asyncio.get_running_loop())
    {asked}
    print("asked")
asyncio.run(main())
threading.Thread(target=threading.Event().wait).start()
"""
    ended = ran(program)

    assert (1, ["asked", *words]) == (ended.returncode, ended.stdout.splitlines()), ended.stderr


def test_what_faust_ends_by_is_said_as_every_end_is():
    # The brokers were there when topics were looked up, and are gone when Faust starts.
    program = f"""
{SAYS_REASONS}
from streams.engine import job as engine
from tests.engine.jobs import job
raise SystemExit(engine.run(job(), "CRITICAL"))
"""
    ended = ran(program)

    assert 1 == ended.returncode, ended.stderr
    assert ended.stdout.startswith("KafkaConnectionError"), ended.stdout
