"""Follows a peer's root while records are pulled from it (TUF, client workflow 5.3).

    (1) the versions after the held one are asked for, at most MAX_ROOTS: when a connection begins,
        when the peer announces a newer version, and when the time of its refresh hint is over
    (2) each version is checked against the one before; the last must not have expired
    (3) all versions are kept in one transaction, and the profile of the last becomes the pinned
        bundle

Invariants: if a check fails, nothing changes, and an alarm says so; a peer that was pinned without
a root is not asked; no announcement or answer of a peer can keep us asking, or fill our memory
(invariant 10).
"""

from __future__ import annotations

import time
from typing import Final

import grpc
import structlog

from comity.node.node import Node
from comity.node.server.threads import in_thread
from comity.node.trust.root_chains import newest_root
from comity.record.errors import LimitExceeded
from comity.record.limits import Limit
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc

MAX_ROOTS: Final = Limit("MAX_ROOTS", 256, "versions at once")
"""Versions that are followed at once, as in python-tuf's client: years of rotations."""

MAX_ROOTS_BYTES: Final = Limit("MAX_ROOTS_BYTES", 16 << 20, "bytes")
"""Size of all versions that are followed at once."""

ANSWER_SECONDS: Final = 30
"""Longest time that a peer may take for one page of versions."""

MIN_REFRESH_SECONDS: Final = 60
"""Shortest time between two questions by time, whatever the refresh hint."""

MAX_REFRESH_SECONDS: Final = 86_400
"""Longest time between two questions, whatever the refresh hint: a day."""

log = structlog.get_logger()


class RootFollower:
    """Follows the root of one peer over one connection."""

    def __init__(self, node: Node, peer: str, channel: grpc.aio.Channel) -> None:
        self._node, self._peer = node, peer
        self._stub = rpc.ExchangeServiceStub(channel)
        self._held = 0
        self._announced_in_vain = False
        self._next = 0.0

    async def start(self) -> None:
        """Follow the root as the connection begins.

        Raises:
            RpcError: the peer does not answer.
        """
        await self._ask()

    async def follow_announced(self, version: int) -> None:
        """Follow the root if the peer announces a newer ``version``, or if it is time to.

        ``version`` 0 announces nothing.

        Raises:
            RpcError: the peer does not answer.
        """
        if version and not self._held:
            # the operator may have pinned the root since
            self._held, _ = await in_thread(self._look)

        is_newer = 0 < self._held < version and not self._announced_in_vain
        if is_newer or time.monotonic() >= self._next:
            await self._ask()
            # a peer that announces versions which it does not have is asked by time alone
            self._announced_in_vain = 0 < self._held < version

    async def _ask(self) -> None:
        held, hint = await in_thread(self._look)
        pause = min(max(hint, MIN_REFRESH_SECONDS), MAX_REFRESH_SECONDS)
        self._held, self._next = held, time.monotonic() + pause
        if not held:
            return

        # (1) the versions after the held one
        try:
            documents = await self._fetch(held)
        except LimitExceeded as error:
            await in_thread(self._node.refuse_root, self._peer, error)
            return

        # (2) and (3) check and keep them
        version = await in_thread(self._node.follow, self._peer, documents)
        self._held = version
        if version != held:
            log.info("root followed", peer=self._peer, version=version)

    async def _fetch(self, held: int) -> list[bytes]:
        """Return the documents of all versions after ``held``."""
        found: list[bytes] = []
        while True:
            request = pb.ListRootsRequest(after_version=held + len(found))
            try:
                page = await self._stub.ListRoots(request, timeout=ANSWER_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return found  # the peer's release of Comity knows no roots
                raise

            if not page.roots:
                return found
            found += page.roots
            _check_size(found)

    def _look(self) -> tuple[int, int]:
        """Return the held version and its refresh hint in seconds; both 0 if no root is pinned."""
        with self._node.store.read() as session:
            root = newest_root(session, self._peer)
        return (root.version, root.profile.spiffe.spiffe_refresh_hint) if root else (0, 0)


def _check_size(found: list[bytes]) -> None:
    # checked page by page: a peer cannot fill our memory
    MAX_ROOTS.check(len(found), "roots")
    MAX_ROOTS_BYTES.check(sum(map(len, found)), "roots")
