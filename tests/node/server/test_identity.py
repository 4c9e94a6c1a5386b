"""Who calls and what they may call (invariant 9), with real certificates over real mutual TLS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from comity.node.home.certificate_authority import Authority, Svid
from comity.node.home.folder import Home
from comity.node.server.callers import authenticate
from comity.record.bundle import TrustBundle
from comity.record.errors import Unauthenticated
from comity.record.keys import private_pem
from comity.record.spiffe import Role, SpiffeId
from tests.support.forged_certificates import CA, FR, NOW, UK, forge

Find = Callable[[str], TrustBundle | None]


@pytest.fixture
def find_bundle(uk: Home, ca: Home) -> Find:
    return {UK: uk.bundle(), CA: ca.bundle()}.get


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
