"""The node process: services over mutual TLS, background work, and an orderly end.

Invariants: on SIGTERM or SIGINT health turns NOT_SERVING, streams end after the message that is on
its way, calls in flight finish (for up to GRACE_SECONDS), and nothing acknowledged is lost
(invariant 4); a start that fails leaves no port bound and no work running.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from typing import Final

import grpc
import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from comity.client.connection.channel import SERVER_OPTIONS
from comity.node.database.clock import to_datetime
from comity.node.home.folder import Home
from comity.node.home.serving import ServingProcess, announced
from comity.node.node import Node
from comity.node.policy.versions import policy_in_force
from comity.node.server.background.certificate_renewal import Renewal
from comity.node.server.background.workers import Background
from comity.node.server.beside import running
from comity.node.server.guard import Guard
from comity.node.server.health import Health
from comity.node.server.http_port import HttpPort
from comity.node.server.open_files import raise_file_limit
from comity.node.server.ports import why_not_bound
from comity.node.server.services.admin import AdminServicer
from comity.node.server.services.audit import AuditServicer
from comity.node.server.services.exchange import ExchangeServicer
from comity.node.server.services.records import RecordsServicer
from comity.node.server.threads import in_thread
from comity.node.server.tls import server_credentials
from comity.node.server.wakeup import Bell
from comity.record.errors import BadConfig
from comity.record.times import format_time
from comity.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    exchange_service_pb2,
    exchange_service_pb2_grpc,
    records_service_pb2,
    records_service_pb2_grpc,
)

GRACE_SECONDS: Final = 10
"""How long calls in flight may take to finish."""

_COLLECT_AFTER: Final = 50_000
"""New objects before a collection: about half a batch of 256 records."""

MAX_CONNECTION_CALLS: Final = 64
"""Calls on one connection at a time; the client keeps back what goes beyond (HTTP/2, 5.1.2)."""

HANDSHAKE_MS: Final = 5_000
"""How long a handshake may take. Until its end nobody knows who is there."""

IDLE_CONNECTION_MS: Final = 600_000
"""How long a connection without a call stays open; clients open a new one by themselves."""

SERVICES: Final = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (records_service_pb2, "RecordsService"),
        (exchange_service_pb2, "ExchangeService"),
        (audit_service_pb2, "AuditService"),
        (admin_service_pb2, "AdminService"),
    )
)

log = structlog.get_logger()


def tune_garbage_collection() -> None:
    """Spare the garbage collector what was loaded at start, and let it run less often.

    A batch makes some 100,000 short-lived objects. By default that means dozens of collections that
    walk all modules and tables again, which is a third of the time of intake.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


async def serve(home: Home, ready: Callable[[str], None] = lambda address: None) -> None:
    """Run the node of ``home`` until SIGTERM or SIGINT; call ``ready`` with the bound address.

    Raises:
        BadConfig: an address is taken, the database cannot be opened, a key is missing, or the
            node's certificate has ended and cannot be renewed.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    with closing(await in_thread(Node, home)) as node:
        await in_thread(node.own.check)
        await in_thread(_tell_policy, node)
        await in_thread(_tell_address, node)
        tune_garbage_collection()

        async with Server(node) as server:
            log.info("serving", institute=node.institute, address=server.address)
            ready(server.address)
            await stop.wait()
            log.info("stopping", grace_seconds=GRACE_SECONDS)
    log.info("stopped")


def _tell_policy(node: Node) -> None:
    with node.store.read() as session:
        policy = policy_in_force(session)
    if policy.is_set:
        log.info("policy in force", name=policy.name, version=policy.version)
    else:
        log.warning("no policy is set: peers are given nothing")


def _tell_address(node: Node) -> None:
    """Warn if peers dial another address than the settings name."""
    here, root = node.home.settings.address, node.own.root
    if root is not None and root.profile.address != here:
        type_next = "comity-node root next, signed and published, tells peers of the new address"
        log.warning(
            "peers dial another address",
            expected=root.profile.address,
            got=here,
            root_version=root.version,
            hint=type_next,
        )


class Server:
    """A node that serves while the context is open. ``address`` is the host and port it bound.

    Starting takes these steps; the end undoes them in the opposite order.

    (1) a certificate that is due is renewed
    (2) the ports are bound, and calls are answered
    (3) background work runs
    (4) health turns to SERVING
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bell = Bell()
        self._stopping = asyncio.Event()
        self.health = Health(node, SERVICES)
        self._renewal = Renewal(node.home, node.clock)
        self._background = Background(node, self._bell, self._renewal)
        self._server = grpc.aio.server(
            interceptors=[Guard(node, self._bell)],
            # unasked, gRPC shares a port with whoever else has it, and each gets some of the calls
            options=(
                *SERVER_OPTIONS,
                ("grpc.so_reuseport", int(node.store.shared)),
                ("grpc.max_concurrent_streams", MAX_CONNECTION_CALLS),
                ("grpc.max_allowed_incoming_connections", raise_file_limit()),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
                ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MS),
            ),
        )
        self._open = AsyncExitStack()
        self.web = HttpPort(node, self.health) if node.home.settings.log.listen else None
        self.address = ""

    async def __aenter__(self) -> Server:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.health.close)

            # (1)
            await in_thread(self._renewal.start)

            # (2) the HTTP port first: gRPC lets go of a port only after it has started
            if self.web is not None:
                await stack.enter_async_context(self.web)

            self._add_services()
            self.address = self._bind()
            stack.push_async_callback(self._server.stop, GRACE_SECONDS)
            await self._server.start()

            # (3)
            await stack.enter_async_context(running(self._background.run()))

            # (4)
            stack.push_async_callback(self._end_streams)
            await self.health.start()
            stack.enter_context(announced(self._node.home.state, self._announcement()))
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def _announcement(self) -> ServingProcess:
        since = format_time(to_datetime(self._node.clock()))
        log_address = self.web.address if self.web is not None else ""
        return ServingProcess(os.getpid(), since, self.address, log_address)

    def _bind(self) -> str:
        """Bind the gRPC port; return its host and port."""
        listen = self._node.home.settings.listen
        credentials = server_credentials(self._node.home.node_identity, self._authorities)
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            hint = "listen in comity.toml says what is bound"
            message = f"cannot listen on {listen}: {why_not_bound(listen)}"
            raise BadConfig(message, field="listen", hint=hint) from error
        return f"{listen.rpartition(':')[0]}:{port}"

    async def _end_streams(self) -> None:
        """Turn health to NOT_SERVING, and let every stream end."""
        await self.health.stop()
        self._stopping.set()
        self._bell.ring()

    def _add_services(self) -> None:
        node, bell, stopping, server = self._node, self._bell, self._stopping, self._server
        records_service_pb2_grpc.add_RecordsServiceServicer_to_server(
            RecordsServicer(node, bell, stopping), server
        )
        exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(
            ExchangeServicer(node, bell, stopping), server
        )
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server(AuditServicer(node), server)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(AdminServicer(node), server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME], server)

    def _authorities(self) -> bytes:
        certificates = (c for bundle in self._node.bundles() for c in bundle.authorities)
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
