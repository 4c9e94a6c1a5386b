"""AuditService: what was released to whom, under which rule, and what was signed for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session

from comity.node.audit import list_quarantine, list_receipts, list_releases
from comity.node.node import Node
from comity.node.threads import in_thread
from comity.v1 import audit_service_pb2 as pb
from comity.v1 import audit_service_pb2_grpc as rpc

Request = TypeVar("Request")
Response = TypeVar("Response")


class AuditServicer(rpc.AuditServiceServicer):
    """For auditors and operators of this institute."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def ListReleases(  # noqa: N802
        self, request: pb.ListReleasesRequest, context: Any
    ) -> pb.ListReleasesResponse:
        """Return a page of releases."""
        return await in_thread(self._read, list_releases, request)

    async def ListReceipts(  # noqa: N802
        self, request: pb.ListReceiptsRequest, context: Any
    ) -> pb.ListReceiptsResponse:
        """Return a page of receipts."""
        return await in_thread(self._read, list_receipts, request)

    async def ListQuarantine(  # noqa: N802
        self, request: pb.ListQuarantineRequest, context: Any
    ) -> pb.ListQuarantineResponse:
        """Return a page of refused records."""
        return await in_thread(self._read, list_quarantine, request)

    def _read(
        self, read: Callable[[Session, Request, int], Response], request: Request
    ) -> Response:
        with self._node.store.read() as session:
            return read(session, request, self._node.clock())
