"""Record keys: ECDSA P-256 with SHA-256 and DER signatures; keyid is the OpenSSH fingerprint.

Invariants: a keyid is computed from the key and never read from a file, since go-securesystemslib
skips a signature with any other keyid. A private key is written with mode 0600 and never overwrites
a file.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from comity.record.errors import BadConfig, BadSignature, InvalidInput

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_ECDSA = ec.ECDSA(hashes.SHA256())
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256's group (SEC 2, section 2.4.2)."""

_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A public record key."""

    keyid: str
    public: ec.EllipticCurvePublicKey

    @classmethod
    def of(cls, public: ec.EllipticCurvePublicKey) -> RecordKey:
        """Name a public key by its fingerprint."""
        return cls(fingerprint(public), public)

    @classmethod
    def from_pem(cls, pem: str) -> RecordKey:
        """Read a SubjectPublicKeyInfo PEM.

        Raises:
            InvalidInput: not PEM, or not a P-256 key.
        """
        try:
            public = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput(f"expected a public key in PEM: {error}") from error
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise InvalidInput(f"expected an ECDSA P-256 key, got {type(public).__name__}")
        return cls.of(public)

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo, PEM."""
        encoding = serialization.Encoding.PEM
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.public.public_bytes(encoding, form).decode()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a DER signature over ``message``.

        Raises:
            BadSignature: it does not verify.
        """
        try:
            self.public.verify(signature, message, _ECDSA)
        except InvalidSignature as error:
            fault = f"does not verify under key {self.keyid}"
            raise BadSignature(fault, field="signatures[0].sig") from error


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private record key. Its repr shows only the keyid."""

    key: RecordKey
    _private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.key.keyid})"

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new P-256 key from the operating system's randomness."""
        return cls._of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path, passphrase: Callable[[], str] | None = None) -> SigningKey:
        """Read a PKCS #8 PEM file; ``passphrase`` is called only if the key is encrypted.

        Raises:
            BadConfig: the file is missing, readable by other users, or not a P-256 private key; or
                it is encrypted, and the passphrase is missing or wrong.
        """
        # an operator is asked for a passphrase only if the file needs one
        data, password = read_secret(path), None
        if passphrase is not None and _ENCRYPTED in data:
            password = passphrase().encode()

        try:
            private = serialization.load_pem_private_key(data, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            expected = (
                "an unencrypted private key"
                if password is None
                else "the passphrase of a private key"
            )
            raise BadConfig(f"expected {expected} in PEM", field=str(path)) from error

        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise BadConfig("expected an ECDSA P-256 private key", field=str(path))
        return cls._of(private)

    @classmethod
    def _of(cls, private: ec.EllipticCurvePrivateKey) -> SigningKey:
        return cls(RecordKey.of(private.public_key()), private)

    def save(self, path: Path, passphrase: str = "") -> None:
        """Write PKCS #8 PEM with mode 0600, encrypted if there is a passphrase.

        Raises:
            BadConfig: the file exists already.
        """
        write_secret(path, private_pem(self._private, passphrase))

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over ``message``, in its lower form; see ``is_lower``."""
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA))
        return encode_dss_signature(r, min(s, _ORDER - s))


def is_lower(signature: bytes) -> bool:
    """True if a DER signature that verifies is the lower of its two forms.

    From one form, (r, s), anyone can make the other, (r, order - s), without the key.
    """
    return decode_dss_signature(signature)[1] <= _ORDER // 2


def fingerprint(public: ec.EllipticCurvePublicKey) -> str:
    """Return the OpenSSH fingerprint, ``SHA256:<base64 without padding>``."""
    # an OpenSSH public key is "<type> <base64 of the blob>"; the fingerprint is over the blob
    blob = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(blob.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def private_pem(private: PrivateKey, passphrase: str = "") -> bytes:
    """Return a private key as PKCS #8 PEM, encrypted if there is a passphrase."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return private.private_bytes(encoding, form, encryption)


def write_secret(path: Path, data: bytes) -> None:
    """Create the file ``path`` with mode 0600, write ``data``, and sync it to disk.

    Raises:
        BadConfig: it exists already, or cannot be written.
    """
    # the mode is set as the file is made: there is no moment at which others may read it
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadConfig("exists already and is not overwritten", field=str(path)) from error
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner may read.

    Raises:
        BadConfig: the file is missing or unreadable, or its mode lets other users read it.
    """
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(path)) from error
    if mode & 0o077:
        hint = f"run: chmod 600 {path}"
        raise BadConfig(f"expected mode 0600, got {mode & 0o777:04o}", field=str(path), hint=hint)
    return data
