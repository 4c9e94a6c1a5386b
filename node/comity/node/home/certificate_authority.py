"""The institute's certificate authority: X.509-SVIDs (spiffe/spiffe, standards/X509-SVID.md).

Invariants: every key is ECDSA P-256; the authority signs for its own institute only; a leaf has
exactly one URI SAN, is no CA and may only make signatures; only the node's certificate carries a
DNS name (the institute's id, which callers expect) and may serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import private_pem
from comity.record.spiffe import Role, SpiffeId, check_institute

CLOCK_DRIFT: Final = timedelta(hours=1)
"""How long before now a certificate begins: the other side's clock may be slow."""

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
NODE_LIFETIME: Final = timedelta(days=90)
PERSON_LIFETIME: Final = timedelta(days=365)

_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Svid:
    """A certificate and its private key, both PEM. Its repr shows neither."""

    certificate: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "Svid(…)"


@dataclass(frozen=True, slots=True)
class Authority:
    """An institute's CA. Its repr does not show the private key."""

    institute: str
    certificate: x509.Certificate
    _private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.institute})"

    @classmethod
    def create(cls, institute: str, now: datetime | None = None, generation: int = 1) -> Authority:
        """Make a key and a self-signed certificate of ``spiffe://<institute>``, 10 years long.

        ``generation`` counts the institute's authorities, from 1: each has a name of its own.

        Raises:
            InvalidInput: not an institute id.

        """
        check_institute(institute)
        private = ec.generate_private_key(ec.SECP256R1())
        # a common name holds at most 64 characters, an institute id up to 253
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, f"Comity {institute}"[:64])]
        if generation > 1:
            # TLS looks an issuer up by its name, and tries one only
            attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, str(generation)))
        name = x509.Name(attributes)
        certificate = (
            _builder(private.public_key(), now, AUTHORITY_LIFETIME)
            .subject_name(name)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(_uri_name(f"spiffe://{institute}"), critical=False)
            .sign(private, hashes.SHA256())
        )
        return cls(institute, certificate, private)

    @classmethod
    def load(cls, institute: str, certificate: bytes, private_key: bytes) -> Authority:
        """Read certificate and unencrypted private key, both PEM.

        Raises:
            BadConfig: not PEM, not P-256, or the two do not belong together.

        """
        try:
            private = serialization.load_pem_private_key(private_key, password=None)
            parsed = x509.load_pem_x509_certificate(certificate)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadConfig("expected the authority's certificate and key in PEM") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise BadConfig(f"expected an ECDSA P-256 key, got {type(private).__name__}")
        if private.public_key() != parsed.public_key():
            raise BadConfig("expected the key of the authority's certificate, got another")
        return cls(institute, parsed, private)

    def pem(self) -> tuple[bytes, bytes]:
        """Return certificate and private key, both PEM."""
        return self.certificate.public_bytes(_PEM), private_pem(self._private)

    def issue(
        self, who: SpiffeId, lifetime: timedelta | None = None, now: datetime | None = None
    ) -> Svid:
        """Make a new key and a certificate for ``who``.

        ``lifetime`` is by default 90 days for the node and 365 days for a person.

        Raises:
            InvalidInput: ``who`` is of another institute.

        """
        private = ec.generate_private_key(ec.SECP256R1())
        return Svid(self.certify(who, private.public_key(), lifetime, now), private_pem(private))

    def certify(
        self,
        who: SpiffeId,
        public: ec.EllipticCurvePublicKey,
        lifetime: timedelta | None = None,
        now: datetime | None = None,
    ) -> bytes:
        """Return a certificate (PEM) that says that ``public`` is the key of ``who``.

        Raises:
            InvalidInput: ``who`` is of another institute.

        """
        if who.institute != self.institute:
            raise InvalidInput(f"expected an identity of {self.institute}, got {who}")
        serves = who.role is Role.NODE
        names = _uri_name(str(who), who.institute if serves else None)
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            identifier.value
        )
        builder = (
            _builder(public, now, lifetime or (NODE_LIFETIME if serves else PERSON_LIFETIME))
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(_purposes(serves=serves), critical=False)
            # critical, because the subject is empty (RFC 5280, section 4.2.1.6)
            .add_extension(names, critical=True)
            .add_extension(issuer_key, critical=False)
        )
        return builder.sign(self._private, hashes.SHA256()).public_bytes(_PEM)


def _builder(
    public: ec.EllipticCurvePublicKey, now: datetime | None, lifetime: timedelta
) -> x509.CertificateBuilder:
    start = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - CLOCK_DRIFT)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _uri_name(uri: str, dns_name: str | None = None) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if dns_name:
        names.append(x509.DNSName(dns_name))
    return x509.SubjectAlternativeName(names)


def _purposes(*, serves: bool) -> x509.ExtendedKeyUsage:
    client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
    return x509.ExtendedKeyUsage([client, server] if serves else [client])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
