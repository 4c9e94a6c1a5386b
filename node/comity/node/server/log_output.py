"""Logs: one JSON object a line on stderr, or key=value on a terminal.

All logs take one way: those of structlog here, and those of the standard library's loggers in
gRPC, SQLAlchemy and Alembic. Invariant: no private key and no password of a URL leaves the process
in a log. The finished line is searched for them, so that none hides in a nested value or in a
traceback.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----([A-Za-z0-9+/=\s]|\\+[nr])*(-----END \1-----)?"
)
_URL_PASSWORD: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s@/\"']+@")
_QUIET: Final = {
    **dict.fromkeys(("sqlalchemy", "asyncio", "tuf", "alembic"), logging.WARNING),
    # a traceback for each malformed HTTP request: any stranger could fill the log
    "aiohttp.server": logging.CRITICAL,
}


def configure_logs(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all logs of this process to ``stream``, by default stderr."""
    out = stream or sys.stderr

    # both kinds of loggers get the same fields
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

    # secrets are taken out last, of the finished line
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(terminal=out.isatty()),
                redact,
            ],
        )
    )

    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def redact(_logger: WrappedLogger, _method: str, line: EventDict | str) -> Any:
    """Remove private keys and passwords of URLs from a finished line; a structlog processor."""
    text = _PRIVATE_KEY.sub("[private key]", str(line))
    return _URL_PASSWORD.sub(r"\1***@", text)


def _renderers(*, terminal: bool) -> list[Processor]:
    # tracebacks are plain in both: the rich ones print local variables
    if terminal:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
