"""Profiles: a person's identity, key and trust bundle for one node, in one file of mode 0600.

    {"identity": "spiffe://uk.aisi.example/analyst/ada", "bundle": {trust bundle},
     "certificate": "<X.509-SVID, PEM>", "privateKey": "<PKCS #8, PEM>", "root": "<TUF metadata>"}

``comity-node grant`` makes the file, and ``profile_store`` keeps a copy of it. ``root`` is in it if
the institute has a root; then the bundle is the root's profile, and both follow the institute's
changes of keys.

Invariants: certificate, key and identity of a ``Profile`` belong together; the identity is one of
the bundle's institute; the repr does not show the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.errors import BadBundle, BadConfig, InvalidInput
from comity.record.keys import read_secret, write_secret
from comity.record.root import Root, first, follow
from comity.record.spiffe import SpiffeId
from comity.record.times import format_time

_FIELDS: Final = {"identity", "bundle", "certificate", "privateKey"}
_ROOT: Final = "root"
_GRANT_HINT: Final = "ask the operator of your node for a new profile (comity-node grant)"


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's identity, and the bundle of the node that the person talks to.

    ``certificate`` (X.509-SVID) and ``private_key`` (PKCS #8) are PEM. ``bundle`` is the profile of
    ``root``; None means that the institute has no root.
    """

    identity: SpiffeId
    bundle: TrustBundle
    certificate: str
    private_key: str = field(repr=False)
    root: Root | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.identity.institute != self.bundle.institute:
            message = f"expected an identity of {self.bundle.institute}, got {self.identity}"
            raise BadConfig(message, field="identity")
        if self.root is not None and self.root.profile != self.bundle:
            raise BadConfig("expected the root of the bundle, got another", field=_ROOT)

        # X509-SVID, section 2: exactly one URI names the identity
        leaf = self._leaf()
        named = _spiffe_uris(leaf)
        if named != [str(self.identity)]:
            raise BadConfig(f"expected {self.identity}, got {named}", field="certificate")

        if _spki(self._private().public_key()) != _spki(leaf.public_key()):
            raise BadConfig("expected the certificate's key, got another", field="privateKey")

    @property
    def expiry(self) -> datetime:
        """The time (UTC) after which the certificate is not accepted."""
        return self._leaf().not_valid_after_utc

    def check_current(self, now: datetime) -> None:
        """Check that the certificate is valid at ``now``.

        Raises:
            BadConfig: the certificate has expired, or is not valid yet.
        """
        leaf = self._leaf()
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            start, end = format_time(leaf.not_valid_before_utc), format_time(self.expiry)
            message = f"expected a time from {start} to {end}, got {format_time(now)} by this clock"
            raise BadConfig(message, field="certificate", hint=_GRANT_HINT)

    def follow(self, documents: Iterable[bytes]) -> Profile:
        """Return the profile after newer versions of its root (TUF 1.0, sections 5.3.3 to 5.3.9).

        ``documents`` are the versions in their order. A profile without a root stays as it is.

        Raises:
            LimitExceeded, MalformedJson, BadRoot: a document is no root, or not the next version.
        """
        root = self.root
        for document in documents if root else ():
            root = follow(root, Root.parse(document)) if root else None
        return replace(self, root=root, bundle=root.profile) if root else self

    def check_pinned(self, bundles: Sequence[TrustBundle]) -> None:
        """Check that a node's bundles begin with its own, and that this lists the pinned keys.

        Raises:
            BadBundle: the first bundle is another institute's, or lists other record keys.
        """
        pinned, own = self.bundle, bundles[0] if bundles else None
        if own is None or own.institute != pinned.institute:
            got = own.institute if own else "none"
            raise BadBundle(f"expected the bundle of {pinned.institute} first, got {got}")
        if own.keys_by_id.keys() != pinned.keys_by_id.keys():
            message = f"expected the keys {sorted(pinned.keys_by_id)}, got {sorted(own.keys_by_id)}"
            hint = "if your institute changed its keys, ask its operator for a new profile"
            raise BadBundle(message, field="recordKeys", hint=hint)

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile.

        Raises:
            BadConfig: the file is missing, readable by other users, or not a profile; names the
                file and the field.
        """
        data = read_secret(path)
        try:
            return cls._parse(ijson.loads(data))
        except (BadConfig, InvalidInput) as error:
            where = f"{path}: {error.field}" if error.field else str(path)
            raise BadConfig(error.message, field=where, hint=error.hint or _GRANT_HINT) from error

    def save(self, path: Path) -> None:
        """Write the profile with mode 0600.

        Raises:
            BadConfig: the file exists already.
        """
        value = {
            "identity": str(self.identity),
            "bundle": self.bundle.to_value(),
            "certificate": self.certificate,
            "privateKey": self.private_key,
        }
        if self.root is not None:
            value[_ROOT] = self.root.document.decode()
        write_secret(path, ijson.canonical(value) + b"\n")

    @classmethod
    def _parse(cls, value: Any) -> Profile:
        if not isinstance(value, dict) or set(value) - {_ROOT} != _FIELDS:
            got = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
            raise BadConfig(f"expected {', '.join(sorted(_FIELDS))}, got {got:.200}")
        for name in ("identity", "certificate", "privateKey", _ROOT):
            # the root may be left out
            if not isinstance(value.get(name, ""), str):
                raise BadConfig("expected text", field=name)

        bundle = TrustBundle.from_json(ijson.canonical(value["bundle"]))
        identity = SpiffeId.parse(value["identity"])
        root = first(Root.parse(value[_ROOT].encode())) if _ROOT in value else None
        return cls(identity, bundle, value["certificate"], value["privateKey"], root)

    def _leaf(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(self.certificate.encode())
        except ValueError as error:
            raise BadConfig("expected a certificate in PEM", field="certificate") from error

    def _private(self) -> Any:
        try:
            return serialization.load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            message = "expected an unencrypted private key in PEM"
            raise BadConfig(message, field="privateKey") from error


def _spiffe_uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


def _spki(public: Any) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    encoded: bytes = public.public_bytes(encoding, form)
    return encoded
