"""A node's home: the folder that holds its settings, keys and certificates.

    comity.toml               settings
    keys/ca.key               signs certificates of the institute's people and node
    keys/node.pem             speaks TLS: private key and certificate
    keys/record.key           signs records and receipts
    keys/log.key              signs checkpoints
    keys/witness.key          cosigns checkpoints of other logs
    certificates/ca.pem
    keys/record.2.key         a successor, where there is one; see ``keychain``
    state/mark                how far the database has come; belongs in no backup
    comity.db                 the database, unless the settings name another

Invariants: folders are 0700 and keys 0600; the five keys differ. The node's key and certificate are
one file, so that they belong together whenever a crash comes; ``node_certificate`` replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from comity.client.connection.profile import Profile
from comity.node.home.certificate_authority import Authority, Svid
from comity.node.home.files import lock_folder, replace_file
from comity.node.home.key_files import KeyUse, generations, load_certificate
from comity.node.home.keychain import Keychain
from comity.node.home.settings import Settings
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import SigningKey, read_secret
from comity.record.root import Root
from comity.record.spiffe import Role, SpiffeId

NODE_FILE: Final = "node.pem"
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


class Home:
    """A home folder that exists; ``path`` is absolute. Everything is read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __repr__(self) -> str:
        return f"Home({self.path})"

    @cached_property
    def settings(self) -> Settings:
        """What ``comity.toml`` says, read once.

        Raises:
            BadConfig: there is no home, or the file is not acceptable.

        """
        return Settings.load(self.path)

    @property
    def institute(self) -> str:
        """Institute id."""
        return self.settings.institute

    @property
    def keys(self) -> Path:
        """The folder of the private keys."""
        return self.path / "keys"

    @property
    def state(self) -> Path:
        """The folder of what must not be restored together with the database."""
        return self.path / "state"

    @contextmanager
    def locked_for_serving(self) -> Iterator[None]:
        """Keep other processes from serving this home, unless its database is for several.

        Two on one SQLite database would both pull from every peer, and both sign.

        Raises:
            BadConfig: another process serves it.

        """
        if self.settings.database.get_backend_name() != "sqlite":
            yield
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_folder(self.path, wait=False))
            except BlockingIOError as error:
                hint = "stop it first; only a database of PostgreSQL is served by several"
                message = "another process serves this home"
                raise BadConfig(message, field=str(self.path), hint=hint) from error
            yield

    @property
    def authority(self) -> Authority:
        """The institute's CA: the one that signed the node's certificate, or else the oldest.

        Raises:
            BadConfig: a file is missing, readable by others, or not what it should be.

        """
        files = self._certificates()
        certificates = (load_certificate(file) for file in files)
        signer = next((c for c in certificates if self.is_certified_by(c)), None)
        return self.authority_of(signer or load_certificate(files[0]))

    def authority_of(self, certificate: x509.Certificate) -> Authority:
        """Return a CA of the institute by its certificate.

        Raises:
            BadConfig: it is not here, or its key is not.

        """
        for file in self._certificates():
            if load_certificate(file) == certificate:
                return self._authority(self.keys / f"{file.stem}.key")
        raise BadConfig("the certificate of the CA is not here", field=str(self.path))

    def _authority(self, key: Path) -> Authority:
        if not key.exists():
            hint = "for the node's certificate: comity-node certificate renew --ca-key FILE"
            raise BadConfig("the key of the institute's CA is not here", field=str(key), hint=hint)
        return self.authority_with(key)

    def authority_with(self, key: Path) -> Authority:
        """Return the CA of a private key, which may lie outside the home.

        Raises:
            BadConfig: as ``authority``; or no certificate here is this key's.

        """
        secret = read_secret(key)
        *others, newest = self._certificates()
        for file in others:
            with suppress(BadConfig):
                return Authority.load(self.institute, file.read_bytes(), secret)
        return Authority.load(self.institute, newest.read_bytes(), secret)

    @property
    def node_id(self) -> SpiffeId:
        """Identity of the node, which also signs what the institute publishes with it."""
        return SpiffeId(self.institute, Role.NODE)

    def keychain(self) -> Keychain:
        """Return the keys that are here now.

        Raises:
            BadConfig: a file is missing, readable by others, or not what it should be.

        """
        return Keychain.load(self.path, self.institute)

    def bundle(self) -> TrustBundle:
        """Return a bundle of all keys that are here: what peers pin of an institute without a root.

        It has the same bytes for as long as nothing has changed.

        Raises:
            BadConfig: a file is missing or not what it should be.

        """
        return self.keychain().bundle(self.settings)

    def record_key(self) -> SigningKey:
        """Return what signs records and receipts of an institute without a root.

        Raises:
            BadConfig: a file is missing or not what it should be.

        """
        return self.keychain().record_key(self.bundle())

    def node_identity(self) -> tuple[bytes, bytes]:
        """Return the node's certificate and private key as they are now, both PEM.

        Raises:
            BadConfig: the file is missing, readable by others, or not what it should be.

        """
        file = self.keys / NODE_FILE
        key, separator, certificate = read_secret(file).partition(_CERTIFICATE)
        if not (key and separator):
            raise BadConfig("expected a private key and its certificate in PEM", field=str(file))
        return separator + certificate, key

    def save_node_identity(self, svid: Svid) -> None:
        """Replace the node's certificate and private key; open connections keep the old ones.

        Raises:
            BadConfig: the file cannot be written; it is as it was.

        """
        replace_file(self.keys / NODE_FILE, svid.private_key + svid.certificate)

    def is_certified_by(self, authority: x509.Certificate) -> bool:
        """Tell whether an authority signed the node's certificate; not if that is damaged."""
        try:
            leaf = x509.load_pem_x509_certificate(self.node_identity()[0])
            leaf.verify_directly_issued_by(authority)
        except (BadConfig, ValueError, TypeError, InvalidSignature):
            return False
        return True

    def grant(self, role: Role, name: str, pin: Root | TrustBundle | None = None) -> Profile:
        """Return a new profile, valid for a year, for a person of this institute.

        ``role`` is any but the node's; ``name`` is 1 to 64 of ``[a-zA-Z0-9._-]``; ``pin`` is
        the institute's root or bundle, by default ``bundle()``.

        Raises:
            InvalidInput: not a name, or the node's role.
            BadConfig: a file is missing, readable by others, or not what it should be.

        """
        who = SpiffeId(self.institute, role, name)
        if role is Role.NODE:
            people = ", ".join(r for r in Role if r is not Role.NODE)
            raise InvalidInput(f"expected one of {people}, got {role}", field="role")
        svid = self.authority.issue(who)
        root = pin if isinstance(pin, Root) else None
        bundle = pin.profile if isinstance(pin, Root) else pin or self.bundle()
        certificate, private_key = svid.certificate.decode(), svid.private_key.decode()
        return Profile(who, bundle, certificate, private_key, root)

    def _certificates(self) -> list[Path]:
        files = generations(self.path, KeyUse.CA)
        if not files:
            where = str(self.path / "certificates")
            raise BadConfig("expected the certificate of an authority, got none", field=where)
        return files
