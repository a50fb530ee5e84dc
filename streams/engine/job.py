"""The Faust app: every setting that we rely on, said explicitly."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import mode
import structlog
from faust.types.auth import CredentialsT

from streams.codec.registry import Registry
from streams.engine.batching import BatchScheduler
from streams.engine.owned import Options, Stage
from streams.engine.owners import Owners
from streams.engine.recovery import TableManager

log = structlog.get_logger()
#: Seconds that an orderly end may take: once something has failed, and once somebody has asked for it.
LAST_WORDS_SECONDS, END_SECONDS = 8.0, 15.0


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the Faust app is set up."""

    broker: str
    credentials: CredentialsT | None
    session_timeout_ms: int
    fetch_bytes: int
    check_crcs: bool
    web_host: str
    web_port: int
    data_dir: Path | None
    log_level: str


class Job(faust.App):
    """Faust's app with the owners of its units."""

    owners: Owners
    exit_code = 0

    def stop_now(self) -> None:
        """Leave in order if that goes quickly, and leave in any case: nothing uncommitted has happened."""
        self.exit_code = 1
        leave_within(LAST_WORDS_SECONDS)
        self._stopping = asyncio.ensure_future(self.stop())


class Worker(faust.Worker):
    """Runs the app; a signal ends it."""

    def _schedule_shutdown(self, signal: Any) -> None:
        # Told to stop amid its start, or amid its end, Faust can wait for ever: for a task, or for its own thread.
        leave_within(END_SECONDS, f"told to stop by {signal.name}, it had not ended within {END_SECONDS:g} s")
        super()._schedule_shutdown(signal)


def leave_within(seconds: float, reason: str | None = None) -> None:
    """End the process after so many seconds, whatever its loop and its threads do then; say why, if nobody has yet."""

    def leave() -> None:
        if reason:
            log.error("worker_stopped", reason=reason)
        os._exit(1)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def build(stages: Iterable[Stage], job: JobOptions, options: Options, registry: Registry) -> Job:
    """Return the app with its owners and life cycle; agents are registered on it."""
    stages = list(stages)
    app = Job(options.group, topic_partitions=stages[0].partitions, **_faust_settings(job))
    app.owners = Owners(app, stages, options, registry)

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        await app.owners.revoke()

    @app.on_before_shutdown.connect
    async def stopped(*_: Any, **__: Any) -> None:
        # Faust tells nobody that partitions are let go of when it stops.
        await app.owners.revoke()

    @app.task  # type: ignore[untyped-decorator]  # Faust does not type it
    async def settle() -> None:
        # The collector walks millions of long-lived objects for nothing: the largest single cost of the job.
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 20, 100)

    return app


def _faust_settings(job: JobOptions) -> dict[str, Any]:
    return {
        "broker": [f"batched://{address.strip()}" for address in job.broker.split(",")],
        "broker_credentials": job.credentials,
        "datadir": job.data_dir or _scratch(),
        "store": "memory://",
        "ConsumerScheduler": BatchScheduler,
        "TableManager": TableManager,
        "agent_supervisor": mode.CrashingSupervisor,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "stream_wait_empty": False,
        "stream_buffer_maxsize": 4,  # batches: a backlog is read no faster than it is folded
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": job.fetch_bytes,
        "broker_commit_interval": 1.0,
        "broker_session_timeout": job.session_timeout_ms / 1000,
        "broker_heartbeat_interval": job.session_timeout_ms / 3000,
        "broker_request_timeout": max(90.0, job.session_timeout_ms / 1000),
        "broker_check_crcs": job.check_crcs,
        "processing_guarantee": "at_least_once",
        "web_host": job.web_host,
        "web_bind": job.web_host,
        "web_port": job.web_port,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_metrics_enabled": False,
    }


def _scratch() -> Path:
    """Return a folder for what Faust must write somewhere, gone when the process ends."""
    folder = tempfile.mkdtemp(prefix="streams-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def run(app: Job, log_level: str) -> int:
    """Run the app until it is told to stop; return the exit code."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(app, loglevel=log_level, loop=loop, redirect_stdouts=False, override_logging=False, quiet=True)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if code and app.owners.failure is None:
            # Not ours: brokers that went away amid the start, a service of Faust's that fell over.
            log.error("worker_stopped", reason=repr(end.__context__))  # noqa: TRY400 - Faust has logged the traceback
        return app.exit_code or code
    return app.exit_code  # type: ignore[unreachable]  # mode says NoReturn and relies on a context manager


def connection(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return aiokafka's options without those that are not set."""
    return {name: value for name, value in options.items() if value is not None}
