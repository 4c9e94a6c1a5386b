"""Who calls and who answers (invariant 9), over real mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from comity.client.connection.channel import SERVER_OPTIONS, open_channel
from comity.client.connection.grpc_errors import from_rpc
from comity.node.home.certificate_authority import Svid
from comity.node.home.folder import Home
from comity.node.server.callers import authenticate
from comity.node.server.tls import server_credentials
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, Unauthenticated, Unavailable
from comity.record.spiffe import Role, SpiffeId
from tests.support.forged_certificates import CA, UK, forge
from tests.support.network import PATIENCE_SECONDS


@dataclass
class Node:
    """A server that answers every call with the caller's identity."""

    identity: tuple[bytes, bytes]
    bundles: dict[str, TrustBundle]
    address: str = ""

    def authorities(self) -> bytes:
        certificates = (a for b in self.bundles.values() for a in b.authorities)
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)

    def service(self) -> grpc.GenericRpcHandler:
        async def answer(request: bytes, call: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            try:
                who = authenticate(call.auth_context(), self.bundles.get, datetime.now(UTC))
            except ComityError as error:
                await call.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            return str(who).encode()

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
        return grpc.method_handlers_generic_handler("test.Who", {"Am": handler})


@asynccontextmanager
async def serving(node: Node) -> AsyncIterator[Node]:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((node.service(),))
    credentials = server_credentials(lambda: node.identity, node.authorities)
    node.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    await server.start()
    try:
        yield node
    finally:
        await server.stop(None)


async def who_am_i(node: Node, bundle: TrustBundle, svid: Svid) -> str:
    dialled = bundle.model_copy(update={"address": node.address})
    async with open_channel(dialled, svid.certificate, svid.private_key) as channel:
        try:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/test.Who/Am"
            )
            return (await call(b"", timeout=PATIENCE_SECONDS)).decode()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise Unauthenticated(error.details() or "") from error
            raise from_rpc(error) from error


def test_caller_over_tls_is_named_by_its_certificate(uk: Home, ca: Home) -> None:
    async def body() -> None:
        bundles = {UK: uk.bundle(), CA: ca.bundle()}
        async with serving(Node(uk.node_identity(), bundles)) as node:
            peer = Svid(*ca.node_identity())
            assert await who_am_i(node, uk.bundle(), peer) == f"spiffe://{CA}/node"

    asyncio.run(body())


def test_pinned_authority_cannot_call_over_tls_as_another_institute(uk: Home, ca: Home) -> None:
    async def body() -> None:
        bundles = {UK: uk.bundle(), CA: ca.bundle()}
        async with serving(Node(uk.node_identity(), bundles)) as node:
            forged = forge(ca.authority, f"spiffe://{UK}/operator/eve")
            with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
                await who_am_i(node, uk.bundle(), forged)

    asyncio.run(body())


def test_stranger_gets_no_connection(uk: Home, ca: Home) -> None:
    async def body() -> None:
        async with serving(Node(uk.node_identity(), {UK: uk.bundle()})) as node:
            with pytest.raises(Unavailable):
                await who_am_i(node, uk.bundle(), Svid(*ca.node_identity()))

    asyncio.run(body())


def test_server_of_another_authority_is_not_dialled(uk: Home, ca: Home) -> None:
    async def body() -> None:
        forged = forge(
            ca.authority,
            f"spiffe://{UK}/node",
            dns=UK,
            purpose=ExtendedKeyUsageOID.SERVER_AUTH,
        )
        impostor = Node((forged.certificate, forged.private_key), {UK: uk.bundle()})
        async with serving(impostor) as node:
            with pytest.raises(Unavailable):
                await who_am_i(node, uk.bundle(), Svid(*uk.node_identity()))

    asyncio.run(body())


def test_person_of_the_institute_cannot_pose_as_its_node(uk: Home) -> None:
    async def body() -> None:
        eve = uk.authority.issue(SpiffeId(UK, Role.ANALYST, "eve"))
        impostor = Node((eve.certificate, eve.private_key), {UK: uk.bundle()})
        async with serving(impostor) as node:
            with pytest.raises(Unavailable):
                await who_am_i(node, uk.bundle(), Svid(*uk.node_identity()))

    asyncio.run(body())


def test_peer_is_added_and_dropped_without_restart(uk: Home, ca: Home) -> None:
    async def body() -> None:
        async with serving(Node(uk.node_identity(), {UK: uk.bundle()})) as node:
            peer = Svid(*ca.node_identity())
            node.bundles[CA] = ca.bundle()
            assert await who_am_i(node, uk.bundle(), peer) == f"spiffe://{CA}/node"
            del node.bundles[CA]
            with pytest.raises((Unavailable, Unauthenticated)):
                await who_am_i(node, uk.bundle(), peer)

    asyncio.run(body())


def test_failing_refresh_keeps_what_was_in_force(uk: Home) -> None:
    async def body() -> None:
        async with serving(Node(uk.node_identity(), {UK: uk.bundle()})) as node:

            def fail() -> bytes:
                raise OSError("the disk is gone")

            node.authorities = fail  # type: ignore[method-assign]
            assert await who_am_i(node, uk.bundle(), Svid(*uk.node_identity()))

    asyncio.run(body())


@pytest.mark.parametrize("begins", [timedelta(hours=5), timedelta(days=-3)])
def test_a_certificate_that_is_not_valid_by_the_clock_is_told_with_the_word_clock(
    uk: Home, ca: Home, begins: timedelta
) -> None:
    start = datetime.now(UTC) + begins
    by_server, by_client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

    async def body() -> None:
        bundles = {UK: uk.bundle(), CA: ca.bundle()}
        named = f"spiffe://{UK}/node"
        late = forge(uk.authority, named, purpose=by_server, start=start)
        async with serving(Node((late.certificate, late.private_key), bundles)) as node:
            with pytest.raises(Unavailable, match="by this machine's clock"):
                await who_am_i(node, uk.bundle(), Svid(*ca.node_identity()))

        late = forge(ca.authority, f"spiffe://{CA}/node", purpose=by_client, start=start)
        async with serving(Node(uk.node_identity(), bundles)) as node:
            with pytest.raises(Unavailable, match="not valid by its clock"):
                await who_am_i(node, uk.bundle(), late)

    asyncio.run(body())
