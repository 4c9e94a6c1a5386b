"""The process's files: connections may not use up those that the node itself needs.

Invariant: RESERVED_FILES stay for database, keys, certificates and mark, however many connections
strangers open (invariant 10).
"""

from __future__ import annotations

import resource
from typing import Final

from comity.record.errors import BadConfig

RESERVED_FILES: Final = 512
"""Files of the node itself: up to 32 connections to SQLite of 3 files each, HTTP, keys, pipes."""

MAX_GRPC_CONNECTIONS: Final = 16_384
"""Connections on the gRPC port at a time, as far as the system allows so many files."""

_MIN_CONNECTIONS: Final = 256


def raise_file_limit() -> int:
    """Raise the process's limit of open files; return how many connections that leaves.

    Raises:
        BadConfig: the system allows too few files.
    """
    wanted = MAX_GRPC_CONNECTIONS + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_GRPC_CONNECTIONS

    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    left = wanted - RESERVED_FILES
    if left < _MIN_CONNECTIONS:
        least = _MIN_CONNECTIONS + RESERVED_FILES
        message = f"expected a limit of at least {least} open files, got {hard}"
        raise BadConfig(message, field="ulimit", hint=f"run: ulimit -Hn {least}")
    return left
