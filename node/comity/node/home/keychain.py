"""The keys of a home, generation by generation, and the trust bundle that lists them.

    keys/record.key             the first record key
    keys/record.2.key           the second, and so on; log, witness and ca likewise
    certificates/ca.2.pem       the certificate of keys/ca.2.key

A key is in force because the institute's bundle lists it, not because of where its file lies: a
key that is newer than those that the bundle lists is staged, and of those that it lists and has
not revoked the newest signs. So nothing has to be moved when a root is published, and processes
with a home each agree on what they all have. Invariants: no file is ever written over; a key
leaves a bundle only because an operator revoked it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.home.certificate_authority import Authority
from comity.node.home.settings import Settings
from comity.record.bundle import JsonWebKey, PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.cosignature import witness_name
from comity.record.errors import BadConfig
from comity.record.keys import RecordKey, SigningKey, private_pem, read_secret, write_secret
from comity.record.log import origin
from comity.record.note import LOG_KEY, WITNESS_KEY, NoteSigner

T = TypeVar("T")


class Sort(StrEnum):
    """What a key is for."""

    RECORD = "record"
    LOG = "log"
    WITNESS = "witness"
    CA = "ca"


@dataclass(frozen=True)
class Keychain:
    """The keys that a home had when it was read, each sort oldest first."""

    institute: str
    record: tuple[SigningKey, ...]
    log: tuple[NoteSigner, ...]
    witness: tuple[NoteSigner, ...]
    authorities: tuple[x509.Certificate, ...]

    @classmethod
    def load(cls, home: Path, institute: str) -> Keychain:
        """Read all keys but those of authorities, of which the certificates are read.

        Raises:
            BadConfig: a file is missing, readable by others, or not what it should be.
        """

        def signer(name: str, kind: int) -> Callable[[Path], NoteSigner]:
            return lambda file: NoteSigner(name, kind, _ed25519(file))

        return cls(
            institute,
            _load(home, Sort.RECORD, SigningKey.load),
            _load(home, Sort.LOG, signer(origin(institute), LOG_KEY)),
            _load(home, Sort.WITNESS, signer(witness_name(institute), WITNESS_KEY)),
            _load(home, Sort.CA, load_certificate),
        )

    def bundle(
        self, settings: Settings, before: TrustBundle | None = None, sequence: int = 1
    ) -> TrustBundle:
        """Return the bundle that follows ``before``: its keys, and those here that are newer.

        Without ``before``, it lists every key. Names and address are the settings'; ``sequence``
        is SPIFFE's, 0 or more.

        Raises:
            BadConfig: there is no key of some sort.
        """
        records = [_public(key.key) for key in self.record]
        logs, witnesses = _verifiers(self.log), _verifiers(self.witness)
        authorities = [_web_key(certificate) for certificate in self.authorities]
        if before is None:
            _some(records, Sort.RECORD)
            _some(logs, Sort.LOG)
            _some(witnesses, Sort.WITNESS)
            _some(authorities, Sort.CA)
        else:
            records = _followed(before.record_keys, records, lambda key: key.keyid)
            logs = _followed(before.log_keys, logs, str)
            witnesses = _followed(before.witness_keys, witnesses, str)
            authorities = _followed(before.spiffe.keys, authorities, lambda key: key.x5c)
        return TrustBundle(
            institute=self.institute,
            names=settings.names,
            address=settings.address,
            spiffe=SpiffeBundle(keys=tuple(authorities), spiffe_sequence=sequence),
            record_keys=tuple(records),
            log_keys=tuple(logs),
            witness_keys=tuple(witnesses),
        )

    def record_key(self, bundle: TrustBundle) -> SigningKey:
        """Return what signs records and receipts: the newest key that the bundle has in force.

        Raises:
            BadConfig: none of them is here.
        """
        valid = {key.keyid for key in bundle.record_keys if key.revoked_from is None}
        return _some([key for key in self.record if key.key.keyid in valid], Sort.RECORD)[-1]

    def log_signers(self, bundle: TrustBundle) -> list[NoteSigner]:
        """Return what signs checkpoints, the newest key first: all that the bundle lists.

        Raises:
            BadConfig: none of them is here.
        """
        listed = [key for key in self.log if str(key.verifier) in bundle.log_keys]
        return _some(listed, Sort.LOG)[::-1]

    def witness_signers(self, bundle: TrustBundle) -> list[NoteSigner]:
        """Return what cosigns checkpoints of other logs, the newest key first.

        Raises:
            BadConfig: none of them is here.
        """
        listed = [key for key in self.witness if str(key.verifier) in bundle.witness_keys]
        return _some(listed, Sort.WITNESS)[::-1]

    def check(self, bundle: TrustBundle) -> None:
        """Check that all that has to be signed under a bundle can be signed here.

        Raises:
            BadConfig: the bundle has none of a sort in force that is here.
        """
        self.record_key(bundle)
        self.log_signers(bundle)
        self.witness_signers(bundle)


def make_key(home: Path, institute: str, sort: Sort) -> Path:
    """Make the next generation of a key; return its file.

    Raises:
        BadConfig: the home cannot be written.
    """
    files = generations(home, sort)
    number = _generation(files[-1]) + 1 if files else 1
    name = str(sort) if number == 1 else f"{sort}.{number}"
    file = home / "keys" / f"{name}.key"
    if sort is Sort.RECORD:
        SigningKey.generate().save(file)
    elif sort is Sort.CA:
        certificate, private_key = Authority.create(institute, generation=number).pem()
        write_secret(file, private_key)
        # last, since it is by its certificate that an authority is known to be here
        write_secret(home / "certificates" / f"{name}.pem", certificate)
    else:
        write_secret(file, private_pem(ed25519.Ed25519PrivateKey.generate()))
    return file


def generations(home: Path, sort: Sort) -> list[Path]:
    """Return the files of a sort of key, oldest first; of an authority, its certificates.

    Raises:
        BadConfig: the home cannot be read.
    """
    folder, suffix = ("certificates", "pem") if sort is Sort.CA else ("keys", "key")
    pattern = re.compile(rf"{sort}(?:\.[1-9][0-9]{{0,5}})?\.{suffix}")
    try:
        names = os.listdir(home / folder)
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(home / folder)) from error
    found = [home / folder / name for name in names if pattern.fullmatch(name)]
    return sorted(found, key=_generation)


def load_certificate(file: Path) -> x509.Certificate:
    """Read a certificate.

    Raises:
        BadConfig: missing, or not one in PEM.
    """
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(file)) from error
    except ValueError as error:
        raise BadConfig("expected a certificate in PEM", field=str(file)) from error


def stamp(home: Path) -> tuple[int, int]:
    """Return what changes when a key is added to a home or taken away."""
    folders = home / "keys", home / "certificates"
    try:
        return folders[0].stat().st_mtime_ns, folders[1].stat().st_mtime_ns
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(home)) from error


def _generation(file: Path) -> int:
    return int(file.stem.partition(".")[2] or 1)


def _load(home: Path, sort: Sort, read: Callable[[Path], T]) -> tuple[T, ...]:
    return tuple(read(file) for file in generations(home, sort))


def _followed(listed: Iterable[T], held: list[T], name: Callable[[T], Hashable]) -> list[T]:
    """Return what is listed, and of what is held those that are newer than all of it."""
    known = [*listed]
    names = {name(item) for item in known}
    places = [place for place, item in enumerate(held) if name(item) in names]
    return known + held[max(places, default=-1) + 1 :]


def _some(keys: list[T], sort: Sort) -> list[T]:
    if not keys:
        hint = f"comity-node keys rotate {sort} makes a new one"
        raise BadConfig(f"no {sort} key in force is here", field="keys", hint=hint)
    return keys


def _public(key: RecordKey) -> PublicRecordKey:
    return PublicRecordKey(keyid=key.keyid, public_key=key.pem)


def _verifiers(keys: Iterable[NoteSigner]) -> list[str]:
    return [str(key.verifier) for key in keys]


def _web_key(certificate: x509.Certificate) -> JsonWebKey:
    return JsonWebKey.of(certificate, certificate.public_bytes(serialization.Encoding.DER))


def _ed25519(path: Path) -> ed25519.Ed25519PrivateKey:
    try:
        private = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError) as error:
        raise BadConfig("expected an unencrypted private key in PEM", field=str(path)) from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise BadConfig(f"expected an Ed25519 key, got {type(private).__name__}", field=str(path))
    return private
