"""Profiles: what a person needs to talk to the node of its institute, in one file of mode 0600.

    {"identity": "spiffe://uk.aisi.example/analyst/ada", "bundle": {trust bundle},
     "certificate": "<X.509-SVID, PEM>", "privateKey": "<PKCS #8, PEM>"}

``comity-node grant`` makes the file, ``comity login`` keeps a copy below ``$COMITY_CONFIG`` (by
default ``~/.config/comity``):

    profiles/<name>.json        one file a profile
    current                     the name of the profile that is used unless another is named

Invariants: certificate, key and identity of a ``Profile`` belong together, and its identity is one
of the bundle's institute; its repr does not show the key.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, InvalidInput, NotFound
from comity.record.keys import read_secret, write_secret
from comity.record.spiffe import SpiffeId
from comity.record.times import format_time

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}")
_FIELDS: Final = {"identity", "bundle", "certificate", "privateKey"}
_GRANT_HINT: Final = "ask the operator of your node for a new profile (comity-node grant)"


@dataclass(frozen=True, slots=True)
class Profile:
    """Who someone is, and which node and keys it trusts. ``certificate`` and key are PEM."""

    identity: SpiffeId
    bundle: TrustBundle
    certificate: str
    private_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.identity.institute != self.bundle.institute:
            message = f"expected an identity of {self.bundle.institute}, got {self.identity}"
            raise BadConfig(message, field="identity")
        leaf = self._leaf()
        named = _spiffe_uris(leaf)
        if named != [str(self.identity)]:
            raise BadConfig(f"expected {self.identity}, got {named}", field="certificate")
        if _spki(self._private().public_key()) != _spki(leaf.public_key()):
            raise BadConfig("expected the certificate's key, got another", field="privateKey")

    @property
    def expiry(self) -> datetime:
        """Time (UTC) after which the certificate opens nothing."""
        return self._leaf().not_valid_after_utc

    def check_current(self, now: datetime) -> None:
        """Check that the certificate is valid at ``now``.

        Raises:
            BadConfig: it has expired, or is not valid yet.
        """
        leaf = self._leaf()
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            start, end = format_time(leaf.not_valid_before_utc), format_time(self.expiry)
            message = f"expected a time from {start} to {end}, got {format_time(now)}"
            raise BadConfig(message, field="certificate", hint=_GRANT_HINT)

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile.

        Raises:
            BadConfig: missing, readable by others, or not a profile; names the file and field.
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
        write_secret(path, ijson.canonical(value) + b"\n")

    @classmethod
    def _parse(cls, value: Any) -> Profile:
        if not isinstance(value, dict) or set(value) != _FIELDS:
            got = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
            raise BadConfig(f"expected {', '.join(sorted(_FIELDS))}, got {got:.200}")
        for name in ("identity", "certificate", "privateKey"):
            if not isinstance(value[name], str):
                raise BadConfig("expected text", field=name)
        bundle = TrustBundle.from_json(ijson.canonical(value["bundle"]))
        identity = SpiffeId.parse(value["identity"])
        return cls(identity, bundle, value["certificate"], value["privateKey"])

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


class ProfileStore:
    """The profiles that a person has logged in with."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, by default $COMITY_CONFIG or ~/.config/comity."""
        configured = os.environ.get("COMITY_CONFIG")
        default = Path(configured) if configured else Path.home() / ".config" / "comity"
        self._folder = folder or default

    @property
    def names(self) -> list[str]:
        """Names of all profiles, sorted."""
        return sorted(path.stem for path in (self._folder / "profiles").glob("*.json"))

    @property
    def current(self) -> str:
        """Name of the profile to use: $COMITY_PROFILE or the last login; empty if neither."""
        named = os.environ.get("COMITY_PROFILE")
        pointer = self._folder / "current"
        return named or (pointer.read_text().strip() if pointer.exists() else "")

    def path(self, name: str) -> Path:
        """Return where a profile of that name is kept.

        Raises:
            InvalidInput: not a name.
        """
        if not _NAME.fullmatch(name):
            message = f"expected 1 to 200 of [A-Za-z0-9._@-], got {name!r:.80}"
            raise InvalidInput(message, field="profile")
        return self._folder / "profiles" / f"{name}.json"

    def login(self, profile: Profile, name: str = "") -> str:
        """Keep a profile, make it the current one and return its name.

        The name is by default ``<person>@<institute>``. A profile of the same identity is
        replaced, as when a certificate was renewed.

        Raises:
            InvalidInput: not a name.
            BadConfig: the name is taken by another identity, or the folder cannot be written.
        """
        identity = profile.identity
        name = name or f"{identity.name or identity.role}@{identity.institute}"
        path = self.path(name)
        if path.exists() and Profile.load(path).identity != identity:
            raise BadConfig("is another identity's: choose another --name", field=name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.unlink(missing_ok=True)
            profile.save(fresh)
            fresh.replace(path)
            (self._folder / "current").write_text(name + "\n")
        except OSError as error:
            message = f"cannot be written: {error.strerror}"
            raise BadConfig(message, field=str(self._folder)) from error
        return name

    def open(self, name: str | Path | None = None) -> Profile:
        """Return a profile by name or by path (a ``Path``, or text with a slash or ``.json``).

        Without ``name``, the current one.

        Raises:
            BadConfig: the file is not a usable profile.
            NotFound: no profile of that name, or none at all.
        """
        chosen = name or self.current
        if not chosen:
            hint = "run: comity login FILE, with the file that your node's operator gave you"
            raise NotFound("no profile yet", field="profile", hint=hint)
        if isinstance(chosen, Path) or "/" in chosen or chosen.endswith(".json"):
            return Profile.load(Path(chosen))
        path = self.path(chosen)
        if not path.exists():
            known = ", ".join(self.names) or "none"
            raise NotFound(f"expected one of {known}, got {chosen!r}", field="profile")
        return Profile.load(path)


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
