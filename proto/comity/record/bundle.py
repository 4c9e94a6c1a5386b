"""Trust bundles: everything that one institute must know to verify another.

Two institutes exchange their bundles out of band, compare the fingerprints (SHA-256 of the JCS
form) by voice, and pin the bundles. A bundle holds the institute's SPIFFE bundle (JWKS,
spiffe/spiffe SPIFFE_Trust_Domain_and_Bundle.md), its record keys, the verifier keys of its log and
witness, and its address. Invariants: bundles of two institutes are never merged; every key in a
bundle speaks for its own institute and for no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, ValidationError, model_validator

from comity.record import ijson
from comity.record.address import parse_address
from comity.record.errors import BadBundle, InvalidInput, UnknownKey
from comity.record.keys import RecordKey
from comity.record.limits import MAX_BUNDLE_BYTES, MAX_JSON_INTEGER
from comity.record.models import Integer, Line, Model, describe
from comity.record.spiffe import check_institute
from comity.record.statement import LanguageMap

REFRESH_HINT_SECONDS: Final = 3600


class JsonWebKey(Model):
    """One X.509 authority of a SPIFFE bundle: P-256, with the certificate in ``x5c``."""

    use: Literal["x509-svid"] = "x509-svid"
    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    x: str
    y: str
    x5c: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]

    @classmethod
    def of(cls, certificate: x509.Certificate, der: bytes) -> JsonWebKey:
        """Describe a CA certificate whose DER encoding is ``der``."""
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise BadBundle(f"expected a P-256 authority, got {type(public).__name__}")
        numbers = public.public_numbers()
        encoded = base64.b64encode(der).decode()
        return cls(x=_coordinate(numbers.x), y=_coordinate(numbers.y), x5c=(encoded,))

    def certificate(self) -> x509.Certificate:
        """Return the authority's certificate.

        Raises:
            BadBundle: ``x5c`` is not base64 of a DER certificate.
        """
        try:
            return x509.load_der_x509_certificate(base64.b64decode(self.x5c[0], validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadBundle(f"expected a certificate: {error}", field="spiffe.keys.x5c") from error


class SpiffeBundle(Model):
    """A SPIFFE bundle. Empty ``keys`` mean that every certificate is revoked."""

    keys: tuple[JsonWebKey, ...]
    spiffe_sequence: Annotated[int, Field(ge=0)] = Field(1, alias="spiffe_sequence")
    spiffe_refresh_hint: Annotated[int, Field(ge=0)] = Field(
        REFRESH_HINT_SECONDS, alias="spiffe_refresh_hint"
    )


class PublicRecordKey(Model):
    """A record key: ``keyid`` is its OpenSSH fingerprint, ``publicKey`` SPKI in PEM.

    ``revokedFrom`` is an index of the institute's log: signatures of the key that stand in the log
    before this index are valid, all others are not. None means that the key is not revoked.
    """

    keyid: Line
    public_key: str
    revoked_from: Annotated[Integer, Field(ge=0, le=MAX_JSON_INTEGER)] | None = None


class TrustBundle(Model):
    """The pinned data of an institute.

    ``names`` are the institute's names by BCP 47 tag; ``address`` is its node's, ``host:port``;
    ``log_keys`` and ``witness_keys`` are verifier keys (C2SP signed-note).
    """

    institute: str
    names: LanguageMap
    address: str
    spiffe: SpiffeBundle
    record_keys: tuple[PublicRecordKey, ...]
    log_keys: tuple[Line, ...] = ()
    witness_keys: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> TrustBundle:
        check_institute(self.institute)
        try:
            parse_address(self.address, least_port=1)
        except InvalidInput as error:
            raise BadBundle(error.message, field="address") from error

        # a keyid is computed, never believed
        for position, key in enumerate(self.record_keys):
            computed = RecordKey.from_pem(key.public_key).keyid
            if computed != key.keyid:
                field = f"recordKeys[{position}].keyid"
                raise BadBundle(f"expected the key's fingerprint {computed}", field=field)

        for authority in self.spiffe.keys:
            authority.certificate()
        return self

    @cached_property
    def authorities(self) -> tuple[x509.Certificate, ...]:
        """CA certificates of the institute."""
        return tuple(key.certificate() for key in self.spiffe.keys)

    @cached_property
    def keys_by_id(self) -> dict[str, RecordKey]:
        """Record keys by keyid."""
        return {key.keyid: RecordKey.from_pem(key.public_key) for key in self.record_keys}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the JCS form, lower-case hex."""
        return hashlib.sha256(self.to_json().rstrip(b"\n")).hexdigest()

    def to_json(self) -> bytes:
        """Return the JCS form and a line feed."""
        return ijson.canonical(self.to_value()) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> TrustBundle:
        """Read a bundle file.

        Raises:
            LimitExceeded: over MAX_BUNDLE_BYTES.
            MalformedJson: not I-JSON.
            BadBundle: a field is missing, unknown or malformed; names it.
        """
        MAX_BUNDLE_BYTES.check(len(data), "bundle")
        return cls.from_value(ijson.loads(data, field="bundle"))

    @classmethod
    def from_value(cls, value: Any) -> TrustBundle:
        """Read a bundle's parsed JSON.

        Raises:
            BadBundle: as ``from_json``.
        """
        try:
            return cls.parse(value)
        except ValidationError as error:
            path, message = describe(error)
            raise BadBundle(message, field=path.lstrip(".") or "bundle") from error
        except BadBundle:
            raise
        except InvalidInput as error:
            raise BadBundle(error.message, field=error.field) from error


class Keyring:
    """The record keys of several institutes.

    An institute may list another's key in its own bundle, so a key can belong to more than one
    institute. It speaks for an issuer only if that issuer's own bundle lists it.
    """

    def __init__(self, bundles: Iterable[TrustBundle]) -> None:
        self._bundles: dict[str, TrustBundle] = {}
        self._keys: dict[str, RecordKey] = {}
        self._owners: dict[str, frozenset[str]] = {}

        for bundle in bundles:
            self._bundles[bundle.institute] = bundle
            for keyid, key in bundle.keys_by_id.items():
                self._keys[keyid] = key
                owners = self._owners.get(keyid, frozenset())
                self._owners[keyid] = owners | {bundle.institute}

    def find(self, keyid: str) -> tuple[frozenset[str], RecordKey]:
        """Return the institutes whose bundles list the key, and the key: a ``FindKey``.

        Raises:
            UnknownKey: no bundle lists it.
        """
        if keyid not in self._keys:
            count = len(self._keys)
            message = f"expected one of {count} record keys in trust bundles, got {keyid!r:.80}"
            hint = "pin the trust bundle of the institute that signed"
            raise UnknownKey(message, field="signatures[0].keyid", hint=hint)
        return self._owners[keyid], self._keys[keyid]

    def bundle(self, institute: str) -> TrustBundle:
        """Return the bundle of an institute that ``find`` has named."""
        return self._bundles[institute]


def spoken(fingerprint: str) -> str:
    """Return a fingerprint in groups of four characters, for reading it aloud."""
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))


def _coordinate(number: int) -> str:
    # RFC 7518, section 6.2.1.2: always the full 32 bytes of the curve, leading zeros included
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
