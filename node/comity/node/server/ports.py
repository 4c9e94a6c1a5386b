"""Why a port cannot be bound."""

from __future__ import annotations

import errno
import socket

from comity.record.address import parse_address


def why_not_bound(listen: str) -> str:
    """Return the system's reason why a port cannot be bound, which gRPC does not tell."""
    host, port = parse_address(listen)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host.strip("[]"), port))
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "the port is taken: is another node running?",
            errno.EACCES: "not permitted: ports below 1024 need a privilege",
            errno.EADDRNOTAVAIL: "no such address on this machine",
        }
        return reasons.get(error.errno or 0, str(error.strerror or error))
    return "the port was taken a moment ago"
