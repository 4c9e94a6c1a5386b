"""TLS credentials of the server, which say with which certificates a connection opens at all.

Invariants: there is no connection without a client certificate by this institute or a pinned peer;
a peer that is added or dropped, and a node certificate that is renewed, count from the next
handshake, without a restart; however many strangers knock, credentials are looked up at most
MAX_LOOKS times a second, so under a flood a change may count a second later. The identity of a
caller is established call by call (``callers``).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import grpc

MAX_LOOKS: Final = 20
"""Handshakes of a second for which the newest credentials are looked up."""


def server_credentials(
    identity: Callable[[], tuple[bytes, bytes]], authorities: Callable[[], bytes]
) -> grpc.ServerCredentials:
    """Return credentials that ``identity`` and ``authorities`` keep up to date.

    ``identity`` returns the node's certificate and private key, ``authorities`` the CA
    certificates of this institute and of all pinned peers, all PEM. Both are called on a thread of
    gRPC's. If one fails, gRPC logs the failure and the handshake goes on with the credentials that
    were last in force.
    """
    in_force = (*identity(), authorities())
    looks = deque([float("-inf")] * MAX_LOOKS, maxlen=MAX_LOOKS)

    def refresh() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_force
        # a look costs milliseconds, and a handshake costs a stranger next to nothing
        now = time.monotonic()
        if now - looks[0] < 1:
            return None
        looks.append(now)

        latest = (*identity(), authorities())
        if latest == in_force:
            return None
        in_force = latest
        return _configuration(*latest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(*in_force),
        refresh,  # type: ignore[arg-type]  # the stubs forget None, "no change"
        require_client_authentication=True,
    )


def _configuration(
    certificate: bytes, private_key: bytes, authorities: bytes
) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(private_key, certificate)], authorities)
