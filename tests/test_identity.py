"""Who calls and what they may call (invariant 9), with real certificates over real mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from comity.client.channel import SERVER_OPTIONS, open_channel
from comity.client.status import from_rpc
from comity.node.authority import Authority, Svid
from comity.node.credentials import server_credentials
from comity.node.home import Home
from comity.node.identity import authenticate
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, Unauthenticated, Unavailable
from comity.record.keys import private_pem
from comity.record.spiffe import Role, SpiffeId

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
NOW = datetime.now(UTC)
Find = Callable[[str], TrustBundle | None]


def make_home(path: Path, institute: str) -> Home:
    return Home.create(path, institute=institute, names={"en": institute}, address="127.0.0.1:7000")


@pytest.fixture(scope="module")
def uk(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("homes") / "uk", UK)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("homes") / "ca", CA)


@pytest.fixture
def find_bundle(uk: Home, ca: Home) -> Find:
    return {UK: uk.bundle(), CA: ca.bundle()}.get


def forge(
    signer: Authority,
    *uris: str,
    dns: str | None = None,
    is_ca: bool = False,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> Svid:
    """Sign what a careless or hostile authority might sign; Authority.issue would refuse."""
    private = ec.generate_private_key(ec.SECP256R1())
    signing = serialization.load_pem_private_key(signer.pem()[1], None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(u) for u in uris]
    names += [x509.DNSName(dns)] if dns else []
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signing, hashes.SHA256())
    return Svid(certificate.public_bytes(serialization.Encoding.PEM), private_pem(private))


def context(svid: Svid) -> dict[str, list[bytes]]:
    return {"x509_pem_cert": [svid.certificate]}


def test_people_and_nodes_are_who_their_certificate_says(
    uk: Home, ca: Home, find_bundle: Find
) -> None:
    ada = SpiffeId(UK, Role.ANALYST, "ada")
    for home, who in ((uk, ada), (uk, uk.node_id), (ca, ca.node_id)):
        assert authenticate(context(home.authority.issue(who)), find_bundle, NOW) == who


@pytest.mark.parametrize(
    ("uris", "message"),
    [
        ((), "exactly one URI.*got none"),
        ((f"spiffe://{UK}/operator/eve", f"spiffe://{UK}/node"), "exactly one URI.*got 2"),
        ((f"https://{UK}/operator/eve",), "expected spiffe://"),
        ((f"spiffe://{UK}",), "expected spiffe://"),
        ((f"spiffe://{UK}/admin/eve",), "expected spiffe://"),
        ((f"spiffe://{FR}/node",), f"pinned institute, got spiffe://{FR}/node"),
    ],
)
def test_certificate_without_one_known_identity_is_refused(
    uk: Home,
    find_bundle: Find,
    uris: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises(Unauthenticated, match=message):
        authenticate(context(forge(uk.authority, *uris)), find_bundle, NOW)


def test_call_without_a_certificate_is_refused(
    find_bundle: Find,
) -> None:
    with pytest.raises(Unauthenticated, match="got none"):
        authenticate({"transport_security_type": [b"ssl"]}, find_bundle, NOW)


def test_garbage_for_a_certificate_is_refused(
    find_bundle: Find,
) -> None:
    with pytest.raises(Unauthenticated, match="well-formed"):
        authenticate({"x509_pem_cert": [b"-----BEGIN"]}, find_bundle, NOW)


def test_pinned_authority_cannot_name_another_institute(
    uk: Home, ca: Home, find_bundle: Find
) -> None:
    for who in (f"spiffe://{UK}/operator/eve", f"spiffe://{UK}/node"):
        with pytest.raises(Unauthenticated, match=f"by an authority of {UK}, got one by"):
            authenticate(context(forge(ca.authority, who)), find_bundle, NOW)


def test_authority_of_the_same_name_is_not_the_authority(
    find_bundle: Find,
) -> None:
    impostor = Authority.create(UK)
    svid = impostor.issue(SpiffeId(UK, Role.OPERATOR, "eve"))
    with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
        authenticate(context(svid), find_bundle, NOW)


def test_self_signed_certificate_is_refused(
    find_bundle: Find,
) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    uri = x509.UniformResourceIdentifier(f"spiffe://{UK}/operator/eve")
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .sign(private, hashes.SHA256())
    )
    svid = Svid(certificate.public_bytes(serialization.Encoding.PEM), private_pem(private))
    with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
        authenticate(context(svid), find_bundle, NOW)


def test_authority_itself_is_no_caller(uk: Home, find_bundle: Find) -> None:
    with pytest.raises(Unauthenticated, match="expected spiffe://"):
        authenticate(context(Svid(*uk.authority.pem())), find_bundle, NOW)


def test_certificate_that_is_an_authority_is_no_caller(uk: Home, find_bundle: Find) -> None:
    svid = forge(uk.authority, f"spiffe://{UK}/operator/eve", is_ca=True)
    with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
        authenticate(context(svid), find_bundle, NOW)


def test_certificate_below_another_certificate_is_refused(uk: Home, find_bundle: Find) -> None:
    eve = forge(uk.authority, f"spiffe://{UK}/analyst/eve", is_ca=True)
    middle = Authority.load(UK, eve.certificate, eve.private_key)
    with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
        authenticate(context(forge(middle, f"spiffe://{UK}/node")), find_bundle, NOW)


def test_certificate_for_servers_only_is_no_caller(uk: Home, find_bundle: Find) -> None:
    server = ExtendedKeyUsageOID.SERVER_AUTH
    svid = forge(uk.authority, f"spiffe://{UK}/operator/eve", purpose=server)
    with pytest.raises(Unauthenticated, match=f"by an authority of {UK}"):
        authenticate(context(svid), find_bundle, NOW)


def test_certificate_expires_between_two_calls_on_one_connection(
    uk: Home, find_bundle: Find
) -> None:
    who, lifetime = SpiffeId(UK, Role.ANALYST, "ada"), timedelta(minutes=5)
    svid = uk.authority.issue(who, lifetime=lifetime, now=NOW)
    authenticate(context(svid), find_bundle, NOW)
    with pytest.raises(Unauthenticated, match="got one valid from"):
        authenticate(context(svid), find_bundle, NOW + timedelta(minutes=6))
    authenticate(context(svid), find_bundle, NOW)
    with pytest.raises(Unauthenticated, match="got one valid from"):
        authenticate(context(svid), find_bundle, NOW - timedelta(hours=2))


def test_bundle_that_no_longer_lists_the_authority_ends_its_certificates(
    uk: Home, find_bundle: Find
) -> None:
    svid = uk.authority.issue(SpiffeId(UK, Role.ANALYST, "ada"))
    authenticate(context(svid), find_bundle, NOW)
    bundle = uk.bundle()
    revoked = bundle.model_copy(update={"spiffe": bundle.spiffe.model_copy(update={"keys": ()})})
    with pytest.raises(Unauthenticated, match="all are revoked"):
        authenticate(context(svid), lambda _: revoked, NOW)


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
            return (await call(b"", timeout=10)).decode()
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
