"""Calls to a node with any certificate, and the ErrorInfo that every refusal must carry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sqlmodel import SQLModel

from comity.client.connection.channel import open_channel
from comity.client.connection.grpc_errors import DOMAIN
from comity.node.database.tables import (
    HandlingClassRow,
    ItemRow,
    PartRow,
    RecordRow,
    RecordTagRow,
    StandingRow,
)
from comity.node.home.certificate_authority import Svid
from comity.record.bundle import TrustBundle
from comity.record.spiffe import Role, SpiffeId
from tests.support.network import Running, make_home, serving

OPERATOR: Final = SpiffeId("uk.aisi.example", Role.OPERATOR, "bo")

UK, CA, EVE = "uk.aisi.example", "ca.aisi.example", "eve.example"


@asynccontextmanager
async def calling(bundle: TrustBundle, svid: Svid) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to a node with a certificate."""
    async with open_channel(bundle, svid.certificate, svid.private_key) as channel:
        yield channel


@asynccontextmanager
async def operating(root: Path) -> AsyncIterator[tuple[Running, grpc.aio.Channel]]:
    """Serve uk, and connect to it as an operator."""
    home = make_home(root, UK)
    async with serving(home) as uk, calling(uk.node.bundle, home.authority.issue(OPERATOR)) as line:
        yield uk, line


async def refusal(call: Awaitable[Any]) -> error_details_pb2.ErrorInfo:
    """Return the ErrorInfo with which a call is refused."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return info_of(error)
    raise AssertionError(f"expected a refusal, got {answer!r:.200}")


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the one ErrorInfo of a refusal."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"expected ErrorInfo, got {error.code()}: {error.details()}"
    [detail] = status.details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert info.domain == DOMAIN
    return info


STORED: Final[tuple[type[SQLModel], ...]] = (
    RecordRow,
    RecordTagRow,
    PartRow,
    ItemRow,
    HandlingClassRow,
    StandingRow,
)
"""The tables that bad input must leave as they are."""


def contents(running: Running) -> dict[str, list[dict[str, Any]]]:
    """Return all that a node holds, by table."""
    return {
        str(table.__tablename__): [row.model_dump() for row in running.rows(table)]
        for table in STORED
    }
