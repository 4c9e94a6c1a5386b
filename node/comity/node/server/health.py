"""Health: whether a running node can answer (gRPC Health Checking Protocol v1, and HTTP).

A node is ready once it has started, until it is told to stop, as long as its database answers. The
overall status and that of each service are the same. Invariants: however many ask, one look at the
database is made at a time, and none within FRESH_SECONDS of the last; an answer takes at most
ANSWER_SECONDS, also where the database does not answer at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from comity.client.connection.channel import open_channel
from comity.node.home.folder import Home
from comity.node.server.threads import in_thread
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError

FRESH_SECONDS: Final = 1.0
"""How long the outcome of a look at the database holds."""

ANSWER_SECONDS: Final = 2.0
"""How long the database may take; probes give up soon after."""

PROBE_SECONDS: Final = 5.0
"""How long a node may take to connect and to tell its own health."""

_UNREACHABLE: Final = "the database cannot be reached"
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_EVERY_INTERFACE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 -- dialled, not bound


class Health(health.aio.HealthServicer):
    """The health of one node: NOT_SERVING until ``start`` and after ``stop``."""

    def __init__(self, site: Site, services: Iterable[str]) -> None:
        super().__init__()
        self._site = site
        self._services = ("", *services)
        self._phase = "the node is starting"
        self._look: asyncio.Task[str] | None = None
        self._looked = 0.0
        # gRPC's own servicer calls itself SERVING from the first
        self._server_status = dict.fromkeys(self._services, _NOT_SERVING)

    async def start(self) -> None:
        """Turn to SERVING."""
        self._phase = ""
        await self._tell(ready=True)

    async def stop(self) -> None:
        """Turn to NOT_SERVING for good."""
        self._phase = "the node is stopping"
        await self.enter_graceful_shutdown()

    async def close(self) -> None:
        """Wait for a look that is under way, before the database is closed."""
        if self._look is not None:
            await asyncio.wait([self._look])

    async def problem(self) -> str:
        """Return why the node is not ready, in words; empty if it is."""
        return self._phase or await self._database_problem()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Answer with the health as it is now; NOT_FOUND for a service that is not here."""
        if not self._phase:
            # told, so that those who watch hear of it as well
            await self._tell(ready=not await self.problem())
        return await super().Check(request, context)

    async def _tell(self, *, ready: bool) -> None:
        status = _SERVING if ready else _NOT_SERVING
        for service in self._services:
            if self._server_status[service] != status:
                await self.set(service, status)

    async def _database_problem(self) -> str:
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._looked >= FRESH_SECONDS):
            self._looked = now
            self._look = asyncio.create_task(in_thread(self._ask_database))

        # not cancelled after the deadline: work on a database is never left alone
        done, _ = await asyncio.wait([self._look], timeout=ANSWER_SECONDS)
        return self._look.result() if done else f"{_UNREACHABLE} within {ANSWER_SECONDS:.0f} s"

    def _ask_database(self) -> str:
        try:
            with self._site.store.read() as session:
                session.exec(select(1))
        except (SQLAlchemyError, ComityError):
            # the cause is for the operator's log, and not for everyone who can ask
            return _UNREACHABLE
        return ""


async def ask_health(home: Home, bundle: TrustBundle, address: str) -> str:
    """Ask the node that bound ``address`` (host:port) on this machine, as its own node does.

    Returns why it is not ready, in words; empty if it is.
    """
    host, _, port = address.rpartition(":")
    near = f"{_EVERY_INTERFACE.get(host, host)}:{port}"
    there = bundle.model_copy(update={"address": near})

    async with open_channel(there, *home.node_identity()) as channel:
        # the stubs know only gRPC's blocking calls
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"no answer at {near}: {error.details()}"
    return "" if answer.status == _SERVING else "its database cannot be reached, or it stops"
