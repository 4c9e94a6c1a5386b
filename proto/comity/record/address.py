"""Addresses of nodes: ``host:port``, where the host is a DNS name or an IP address.

Invariant: an address names a TCP port and nothing else; what gRPC would take for a scheme, such as
``unix:7000``, is only ever dialled as a host of that name (``dial_target``).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from comity.record.errors import InvalidInput

MAX_PORT: Final = 65_535

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):([1-9][0-9]{0,4}|0)")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def parse_address(text: str, *, least_port: int = 0) -> tuple[str, int]:
    """Split ``host:port`` into host and port; an IPv6 host is in brackets, and keeps them.

    ``least_port`` is 1 for an address that is dialled; port 0 lets the system choose one to bind.

    Raises:
        InvalidInput: the text has another form.
    """
    match = _ADDRESS.fullmatch(text)
    if not (match and _is_host(match[1]) and least_port <= int(match[2]) <= MAX_PORT):
        expected = f"host:port with a port of {least_port} to {MAX_PORT}"
        raise InvalidInput(f"expected {expected}, got {text!r:.100}")
    return match[1], int(match[2])


def dial_target(address: str) -> str:
    """Return the target by which gRPC dials an address, and never a socket of another kind."""
    return f"dns:///{address}"


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return _is_ip(host[1:-1])
    # digits and dots alone are an IP address, and no name (RFC 1123, section 2.1)
    if host.replace(".", "").isdigit():
        return _is_ip(host)
    return all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
