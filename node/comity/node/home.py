"""A node's home: the folder that holds its settings, keys and certificates.

    comity.toml               settings
    keys/ca.key               signs certificates of the institute's people and node
    keys/node.pem             speaks TLS: private key and certificate
    keys/record.key           signs records and receipts
    keys/log.key              signs checkpoints
    keys/witness.key          cosigns checkpoints of other logs
    certificates/ca.pem
    state/mark                how far the database has come; belongs in no backup
    comity.db                 the database, unless the settings name another

Invariants: a home is made whole or not at all, and never over another; folders are 0700 and keys
0600; the five keys differ. The node's key and certificate are one file, so that they belong
together whenever a crash comes; ``renewal`` replaces it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.client.profile import Profile
from comity.node.authority import Authority, Svid
from comity.node.disk import replace_secret
from comity.node.settings import Settings
from comity.record.bundle import JsonWebKey, PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import SigningKey, private_pem, read_secret, write_secret
from comity.record.note import LOG_KEY, WITNESS_KEY, NoteSigner, verifier_key
from comity.record.spiffe import Role, SpiffeId

NODE_FILE: Final = "node.pem"
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


class Home:
    """A home folder that exists; ``path`` is absolute. Everything is read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __repr__(self) -> str:
        return f"Home({self.path})"

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        institute: str,
        names: dict[str, str],
        address: str,
        listen: str | None = None,
        database: str | None = None,
    ) -> Home:
        """Make a home: settings, five keys, two certificates.

        Raises:
            BadConfig: ``path`` exists and is not an empty folder, or a setting is not acceptable.
                Nothing is left behind.

        """
        with _built_beside(path) as draft:
            settings = Settings.write(
                draft,
                institute=institute,
                names=names,
                address=address,
                listen=listen,
                database=database,
            )
            _write_keys(draft, settings.institute)
        return cls(path)

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

    @property
    def authority(self) -> Authority:
        """The institute's CA.

        Raises:
            BadConfig: a file is missing, readable by others, or not what it should be.

        """
        key = self._key("ca")
        if not key.exists():
            hint = "for the node's certificate: comity-node certificate renew --ca-key FILE"
            raise BadConfig("the key of the institute's CA is not here", field=str(key), hint=hint)
        return self.authority_with(key)

    def authority_with(self, key: Path) -> Authority:
        """Return the institute's CA, with its private key from a file that is not in the home.

        Raises:
            BadConfig: as ``authority``.

        """
        certificate = _read(self._certificate("ca"))
        return Authority.load(self.institute, certificate, read_secret(key))

    @property
    def node_id(self) -> SpiffeId:
        """Identity of the node, which also signs what the institute publishes with it."""
        return SpiffeId(self.institute, Role.NODE)

    def bundle(self) -> TrustBundle:
        """Return what peers pin of this institute; the same bytes for as long as nothing changed.

        Raises:
            BadConfig: a file is missing or not what it should be.

        """
        record = self.record_key().key
        log, witness = self.log_key().public_key(), self.witness_key().public_key()
        authority = x509.load_pem_x509_certificate(_read(self._certificate("ca")))
        der = authority.public_bytes(serialization.Encoding.DER)
        return TrustBundle(
            institute=self.institute,
            names=self.settings.names,
            address=self.settings.address,
            spiffe=SpiffeBundle(keys=(JsonWebKey.of(authority, der),)),
            record_keys=(PublicRecordKey(keyid=record.keyid, public_key=record.pem),),
            log_keys=(verifier_key(f"log.{self.institute}", LOG_KEY, log),),
            witness_keys=(verifier_key(f"witness.{self.institute}", WITNESS_KEY, witness),),
        )

    def record_key(self) -> SigningKey:
        """Return the key that signs records and receipts.

        Raises:
            BadConfig: missing, readable by others, or not P-256; so for every key.

        """
        return SigningKey.load(self._key("record"))

    def log_key(self) -> ed25519.Ed25519PrivateKey:
        """Return the key that signs checkpoints of this institute's log."""
        return _load_ed25519(self._key("log"))

    def witness_key(self) -> ed25519.Ed25519PrivateKey:
        """Return the key that cosigns checkpoints of other institutes' logs."""
        return _load_ed25519(self._key("witness"))

    def log_signers(self) -> list[NoteSigner]:
        """Return what signs checkpoints of this institute's log, the newest key first."""
        return [NoteSigner(f"log.{self.institute}", LOG_KEY, self.log_key())]

    def witness_signers(self) -> list[NoteSigner]:
        """Return what cosigns checkpoints of other institutes' logs, the newest key first."""
        return [NoteSigner(f"witness.{self.institute}", WITNESS_KEY, self.witness_key())]

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
        replace_secret(self.keys / NODE_FILE, svid.private_key + svid.certificate)

    def grant(self, role: Role, name: str) -> Profile:
        """Return a new profile, valid for a year, for a person of this institute.

        ``role`` is any but the node's; ``name`` is 1 to 64 of ``[a-zA-Z0-9._-]``.

        Raises:
            InvalidInput: not a name, or the node's role.
            BadConfig: a file is missing, readable by others, or not what it should be.

        """
        who = SpiffeId(self.institute, role, name)
        if role is Role.NODE:
            people = ", ".join(r for r in Role if r is not Role.NODE)
            raise InvalidInput(f"expected one of {people}, got {role}", field="role")
        svid = self.authority.issue(who)
        return Profile(who, self.bundle(), svid.certificate.decode(), svid.private_key.decode())

    def _key(self, name: str) -> Path:
        return self.keys / f"{name}.key"

    def _certificate(self, name: str) -> Path:
        return self.path / "certificates" / f"{name}.pem"


@contextmanager
def _built_beside(path: Path) -> Iterator[Path]:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "name another folder with --home, or move this one away"
        raise BadConfig("exists already and is not overwritten", field=str(path), hint=hint)
    draft = _empty_folder_beside(path)
    try:
        yield draft
        draft.rename(path)
    except OSError as error:
        shutil.rmtree(draft)
        raise BadConfig(f"cannot be made: {error.strerror}", field=str(path)) from error
    except BadConfig as error:
        shutil.rmtree(draft)
        field = error.field.replace(str(draft), str(path))
        raise BadConfig(error.message, field=field, hint=error.hint) from error
    except BaseException:
        shutil.rmtree(draft)
        raise


def _empty_folder_beside(path: Path) -> Path:
    # mkdtemp makes the folder 0700, and a rename within one file system is whole or not at all
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=parent))
    except OSError as error:
        raise BadConfig(f"cannot be made: {error.strerror}", field=str(path)) from error


def _write_keys(draft: Path, institute: str) -> None:
    keys, certificates = draft / "keys", draft / "certificates"
    keys.mkdir(mode=0o700)
    certificates.mkdir(mode=0o700)
    authority = Authority.create(institute)
    node = authority.issue(SpiffeId(institute, Role.NODE))
    certificate, private_key = authority.pem()
    write_secret(keys / "ca.key", private_key)
    write_secret(keys / NODE_FILE, node.private_key + node.certificate)
    SigningKey.generate().save(keys / "record.key")
    write_secret(keys / "log.key", private_pem(ed25519.Ed25519PrivateKey.generate()))
    write_secret(keys / "witness.key", private_pem(ed25519.Ed25519PrivateKey.generate()))
    (certificates / "ca.pem").write_bytes(certificate)


def _load_ed25519(path: Path) -> ed25519.Ed25519PrivateKey:
    try:
        private = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError) as error:
        raise BadConfig("expected an unencrypted private key in PEM", field=str(path)) from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise BadConfig(f"expected an Ed25519 key, got {type(private).__name__}", field=str(path))
    return private


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(path)) from error
