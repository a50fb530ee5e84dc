"""What the worker says about itself: one event name in the past tense, and keys.

Nothing is logged per record, and no sentence or secret is logged at all.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

#: Every event name that the package logs, and what happened. The tests compare it with the code, both ways.
EVENTS: dict[str, str] = {
    "batch_lost": "records were skipped between the broker and us; the partition was read again",
    "broker_unreachable": "no broker answered; waiting to ask again",
    "records_expired": "retention deleted records before they were read; reading went on behind them",
    "registry_unreachable": "the schema registry gave no answer; waiting to ask again",
    "topic_missing": "a topic is not there, or has another count of partitions than wanted",
    "unit_restored": "a partition is ours: fenced, recovered from its changelog and positioned",
    "worker_stopped": "the worker ended, with the reason; nothing unfinished was acknowledged",
}

#: At DEBUG these write each request as it is sent: that of a PLAIN login is the password.
_TALKATIVE = ("aiokafka.conn", "kafka")


def configure(log_format: Literal["json", "console"], log_level: str) -> None:
    """Send all logs, those of the libraries included, to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))


def _renderer(log_format: str) -> list[structlog.typing.Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # The console renderer prints tracebacks itself where it is given them.
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
