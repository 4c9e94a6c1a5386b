"""Channels: mutual TLS to one institute's node, for its people and for its peers' nodes alike.

``answer`` awaits a node's answer, and ``told`` turns a failed call into an error of the tree.

Invariants:

- Only the authorities of the dialled institute count as roots, so no other institute's authority
  can answer for it.
- The server's certificate must carry the institute's id, whatever the address.
- There is no insecure mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from comity.client.connection.grpc_errors import from_rpc
from comity.record.address import dial_target
from comity.record.bundle import TrustBundle
from comity.record.errors import BadBundle, ComityError, Unavailable
from comity.record.limits import MAX_MESSAGE_BYTES

KEEPALIVE_MS: Final = 20_000
"""How often a silent connection is probed: sooner than common NATs drop it."""

KEEPALIVE_TIMEOUT_MS: Final = 10_000
"""How long a probe may go unanswered before the connection counts as lost."""

MAX_BACKOFF_MS: Final = 5_000
"""The longest pause between two attempts to connect. gRPC's 2 minutes outlast most restarts."""

TIMEOUT_SECONDS: Final = 30.0
"""How long one answer may take. A stream has no limit."""

_UNVERIFIED: Final = "CERTIFICATE_VERIFY_FAILED"
"""BoringSSL's word for a certificate that does not chain to the offered roots."""

_T = TypeVar("_T")

_MESSAGE_OPTIONS: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)
_CHANNEL_OPTIONS: Final = (
    *_MESSAGE_OPTIONS,
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF_MS),
)

SERVER_OPTIONS: Final = (
    *_MESSAGE_OPTIONS,
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
)
"""Options of every server: gRPC's defaults cut off clients that probe as often as ours do."""


def open_channel(bundle: TrustBundle, certificate: bytes, private_key: bytes) -> grpc.aio.Channel:
    """Open a channel to the node of ``bundle.institute`` at ``bundle.address``.

    ``certificate`` is the caller's X.509-SVID, and ``private_key`` its key in PKCS #8, both in PEM.
    Nothing is sent before the first call. Needs a running event loop.

    Raises:
        BadBundle: the bundle holds no authority; so an institute revokes all its certificates.
    """
    # an empty list of roots would make gRPC trust those of this machine
    if not bundle.authorities:
        message = f"expected an authority of {bundle.institute}, got none"
        raise BadBundle(message, field="spiffe.keys")

    roots = b"".join(a.public_bytes(Encoding.PEM) for a in bundle.authorities)
    credentials = grpc.ssl_channel_credentials(roots, private_key, certificate)

    # the certificate is checked for the institute's id and not for the host of the address
    name = ("grpc.ssl_target_name_override", bundle.institute)
    return grpc.aio.secure_channel(
        dial_target(bundle.address), credentials, options=(*_CHANNEL_OPTIONS, name)
    )


async def answer(call: Awaitable[_T], bundle: TrustBundle) -> _T:
    """Await the answer to one call to the node of ``bundle``.

    Raises:
        Unavailable: the node did not answer within TIMEOUT_SECONDS.
        ComityError: the error that the node answered with, as ``told`` returns it.
    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await call
    except TimeoutError as error:
        raise Unavailable(f"no answer within {TIMEOUT_SECONDS:.0f} s") from error
    except grpc.aio.AioRpcError as error:
        raise told(error, bundle) from error


def told(error: grpc.aio.AioRpcError, bundle: TrustBundle) -> ComityError:
    """Return the error of a failed call to the node of ``bundle``, with a hint what to do."""
    found = from_rpc(error)

    # the node's own hint is better than ours
    if isinstance(found, Unavailable) and not found.hint:
        where = f"{bundle.institute} at {bundle.address}"
        if _UNVERIFIED in found.message:
            unknown = f"{where} is certified by an authority that is not known here"
            found.hint = f"{unknown}: if it changed its own, ask its operator for a new profile"
        else:
            found.hint = f"is the node of {where} up, and does it still accept this profile?"

    return found
