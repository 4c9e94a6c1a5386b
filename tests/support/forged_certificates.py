"""Certificates that a careless or hostile authority might sign, and the homes that they attack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from comity.node.home.certificate_authority import Authority, Svid
from comity.node.home.folder import Home
from comity.record.bundle import JsonWebKey, SpiffeBundle, TrustBundle
from comity.record.keys import private_pem

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
NOW = datetime.now(UTC)


def forge(
    signer: Authority,
    *uris: str,
    dns: str | None = None,
    is_ca: bool = False,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    start: datetime = NOW - timedelta(hours=1),
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
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
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


def copycat(home: Home, victim: Home) -> TrustBundle:
    """Return a bundle of ``home`` whose authority goes by the victim's name, with its own key."""
    model, private = victim.authority.certificate, ec.generate_private_key(ec.SECP256R1())
    # names are compared without regard to case and the amount of white space
    name = x509.Name(
        x509.NameAttribute(a.oid, str(a.value).upper().replace(" ", "  ")) for a in model.subject
    )
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=private.public_key(),
        serial_number=model.serial_number,
        not_valid_before=model.not_valid_before_utc,
        not_valid_after=model.not_valid_after_utc,
    )
    for extension in model.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    forged = builder.sign(private, hashes.SHA256())
    spiffe = SpiffeBundle(keys=(JsonWebKey.of(forged, forged.public_bytes(Encoding.DER)),))
    return home.bundle().model_copy(update={"spiffe": spiffe})
