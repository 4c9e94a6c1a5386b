"""A node's home: the folder that holds its settings, keys and certificates.

    comity.toml               settings
    keys/ca.key               signs certificates of the institute's people and node
    keys/node.pem             speaks TLS: private key and certificate
    keys/record.key           signs records and receipts
    keys/log.key              signs checkpoints
    keys/witness.key          cosigns checkpoints of other logs
    keys/log.used             beside the log's keys once one has signed; see ``trust.known_keys``
    keys/alarms.secret        signs messages about alarms, where alarms are sent on
    certificates/ca.pem
    keys/record.2.key         a successor, if there is one; see ``keychain``
    state/mark                how far the database has come; not for backups
    state/serving/            which processes serve; see ``serving``
    comity.db                 the database, unless the settings name another

Invariants: folders have mode 0700 and keys 0600. The five keys differ. The node's key and
certificate are in one file, so they match after a crash too; ``node_certificate`` replaces it.
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
from comity.client.files import replace_file
from comity.node.home.certificate_authority import Authority, Svid
from comity.node.home.folder_lock import lock_folder
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
    """A home folder that exists; ``path`` is absolute.

    Only the settings are kept in memory. Keys and certificates are read again on each call, since
    another process may have added or replaced some.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __repr__(self) -> str:
        return f"Home({self.path})"

    @cached_property
    def settings(self) -> Settings:
        """The settings in ``comity.toml``, read once.

        Raises:
            BadConfig: there is no home here, or the file has an error.

        """
        return Settings.load(self.path)

    @property
    def institute(self) -> str:
        """The institute's id."""
        return self.settings.institute

    @property
    def keys(self) -> Path:
        """The folder of the private keys."""
        return self.path / "keys"

    @property
    def state(self) -> Path:
        """The folder of state that must not be restored together with the database."""
        return self.path / "state"

    @contextmanager
    def locked_for_serving(self) -> Iterator[None]:
        """Keep other processes from serving this home while its database is SQLite.

        Raises:
            BadConfig: another process serves this home.

        """
        # processes on PostgreSQL share the work by leases; on SQLite both would pull and sign
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
            BadConfig: a file is missing, readable by others, or malformed.

        """
        # a newer authority signs only once peers have it in their bundles: keys rotate ca --finish
        files = self._certificates()
        certificates = (load_certificate(file) for file in files)
        signer = next((c for c in certificates if self.is_certified_by(c)), None)
        return self.authority_of(signer or load_certificate(files[0]))

    def authority_of(self, certificate: x509.Certificate) -> Authority:
        """Return the institute's CA that has this certificate.

        Raises:
            BadConfig: the certificate or its key is not in the home.

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
        """Return the CA that has this private key; the file may be outside the home.

        Raises:
            BadConfig: as ``authority``, or no certificate in the home is for this key.

        """
        secret = read_secret(key)

        # the last attempt is outside the loop, so that its error reaches the operator
        *others, newest = self._certificates()
        for file in others:
            with suppress(BadConfig):
                return Authority.load(self.institute, file.read_bytes(), secret)
        return Authority.load(self.institute, newest.read_bytes(), secret)

    @property
    def node_id(self) -> SpiffeId:
        """The node's identity, under which it also publishes records."""
        return SpiffeId(self.institute, Role.NODE)

    def keychain(self) -> Keychain:
        """Return the keys that the home has now.

        Raises:
            BadConfig: a file is missing, readable by others, or malformed.

        """
        return Keychain.load(self.path, self.institute)

    def bundle(self) -> TrustBundle:
        """Return the bundle of all keys of the home, which peers pin if there is no root.

        The same keys and settings give the same bytes.

        Raises:
            BadConfig: a file is missing or malformed.

        """
        return self.keychain().bundle(self.settings)

    def record_key(self) -> SigningKey:
        """Return the key that signs records and receipts if the institute has no root.

        Raises:
            BadConfig: a file is missing or malformed.

        """
        return self.keychain().record_key(self.bundle())

    def node_identity(self) -> tuple[bytes, bytes]:
        """Return the node's present certificate and private key, both PEM.

        Raises:
            BadConfig: the file is missing, readable by others, or malformed.

        """
        file = self.keys / NODE_FILE
        key, separator, certificate = read_secret(file).partition(_CERTIFICATE)
        if not (key and separator):
            raise BadConfig("expected a private key and its certificate in PEM", field=str(file))
        return separator + certificate, key

    def save_node_identity(self, svid: Svid) -> None:
        """Replace the node's certificate and private key; open connections keep the old ones.

        Raises:
            BadConfig: the file cannot be written; it is unchanged.

        """
        replace_file(self.keys / NODE_FILE, svid.private_key + svid.certificate)

    def is_certified_by(self, authority: x509.Certificate) -> bool:
        """Return True if the authority signed the node's certificate; False if that is damaged."""
        try:
            leaf = x509.load_pem_x509_certificate(self.node_identity()[0])
            leaf.verify_directly_issued_by(authority)
        except (BadConfig, ValueError, TypeError, InvalidSignature):
            return False
        return True

    def grant(self, role: Role, name: str, pin: Root | TrustBundle | None = None) -> Profile:
        """Return a new profile, valid for a year, for a person of this institute.

        ``role`` is any role except the node's. ``name`` is 1 to 64 of ``[a-zA-Z0-9._-]``. ``pin``
        is the institute's root or bundle, by default ``bundle()``.

        Raises:
            InvalidInput: the name is malformed, or the role is the node's.
            BadConfig: a file is missing, readable by others, or malformed.

        """
        holder = SpiffeId(self.institute, role, name)
        if role is Role.NODE:
            people = ", ".join(r for r in Role if r is not Role.NODE)
            raise InvalidInput(f"expected one of {people}, got {role}", field="role")

        svid = self.authority.issue(holder)
        root = pin if isinstance(pin, Root) else None
        bundle = pin.profile if isinstance(pin, Root) else pin or self.bundle()
        certificate, private_key = svid.certificate.decode(), svid.private_key.decode()
        return Profile(holder, bundle, certificate, private_key, root)

    def _certificates(self) -> list[Path]:
        files = generations(self.path, KeyUse.CA)
        if not files:
            where = str(self.path / "certificates")
            raise BadConfig("expected the certificate of an authority, got none", field=where)
        return files
