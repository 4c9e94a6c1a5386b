"""The institute's certificate authority: X.509-SVIDs (spiffe/spiffe, standards/X509-SVID.md).

Invariants: every key is ECDSA P-256. The authority signs for its own institute only. A leaf has
exactly one URI SAN, is not a CA, and may only make signatures. Only the node's certificate may
serve TLS and carries a DNS name: the institute's id, which callers expect.
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
"""A certificate is valid from this long before now, since a caller's clock may be slow."""

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
NODE_LIFETIME: Final = timedelta(days=90)
PERSON_LIFETIME: Final = timedelta(days=365)

_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Svid:
    """An X.509-SVID: a certificate and its private key, both PEM. The repr shows neither."""

    certificate: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "Svid(…)"


@dataclass(frozen=True, slots=True)
class Authority:
    """An institute's certificate authority. The repr does not show the private key."""

    institute: str
    certificate: x509.Certificate
    _private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.institute})"

    @classmethod
    def create(cls, institute: str, now: datetime | None = None, generation: int = 1) -> Authority:
        """Make a key and a self-signed certificate of ``spiffe://<institute>``, valid for 10 years.

        ``generation`` counts the institute's authorities from 1; each gets a different name.

        Raises:
            InvalidInput: ``institute`` is not an institute id.

        """
        check_institute(institute)
        private = ec.generate_private_key(ec.SECP256R1())

        # a common name has at most 64 characters (RFC 5280, appendix A.1), an institute id 253
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, f"Comity {institute}"[:64])]
        if generation > 1:
            # TLS finds an issuer by its name, and tries only one of that name
            attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, str(generation)))
        name = x509.Name(attributes)

        certificate = (
            _builder(private.public_key(), now, AUTHORITY_LIFETIME)
            .subject_name(name)
            .issuer_name(name)
            # it signs leaves only, no further authority (RFC 5280, section 4.2.1.9)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            # a signing certificate names the trust domain without a path (X509-SVID, section 3.2)
            .add_extension(_uri_name(f"spiffe://{institute}"), critical=False)
            .sign(private, hashes.SHA256())
        )
        return cls(institute, certificate, private)

    @classmethod
    def load(cls, institute: str, certificate: bytes, private_key: bytes) -> Authority:
        """Read an authority's certificate and its unencrypted private key, both PEM.

        Raises:
            BadConfig: a file is not PEM, the key is not P-256, or it is not the certificate's.

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
        """Return the certificate and the private key, both PEM."""
        return self.certificate.public_bytes(_PEM), private_pem(self._private)

    def issue(
        self, holder: SpiffeId, lifetime: timedelta | None = None, now: datetime | None = None
    ) -> Svid:
        """Make a new key and a certificate for ``holder``.

        ``lifetime`` is by default 90 days for the node and 365 days for a person.

        Raises:
            InvalidInput: ``holder`` belongs to another institute.

        """
        private = ec.generate_private_key(ec.SECP256R1())
        return Svid(self.certify(holder, private.public_key(), lifetime, now), private_pem(private))

    def certify(
        self,
        holder: SpiffeId,
        public: ec.EllipticCurvePublicKey,
        lifetime: timedelta | None = None,
        now: datetime | None = None,
    ) -> bytes:
        """Return a certificate (PEM) that binds the key ``public`` to ``holder``.

        Raises:
            InvalidInput: ``holder`` belongs to another institute.

        """
        if holder.institute != self.institute:
            raise InvalidInput(f"expected an identity of {self.institute}, got {holder}")
        serves = holder.role is Role.NODE
        names = _uri_name(str(holder), holder.institute if serves else None)

        # the key identifiers of leaf and authority must match (RFC 5280, section 4.2.1.1)
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
    # exactly one URI; a DNS name may stand beside it (X509-SVID, section 2)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if dns_name:
        names.append(x509.DNSName(dns_name))
    return x509.SubjectAlternativeName(names)


def _purposes(*, serves: bool) -> x509.ExtendedKeyUsage:
    client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
    return x509.ExtendedKeyUsage([client, server] if serves else [client])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    # a leaf must not sign certificates (X509-SVID, section 4.3); an authority signs nothing else
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
