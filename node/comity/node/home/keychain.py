"""The keys of a home, and the trust bundle that lists them.

A key is in force because the institute's bundle lists it, not because of the place of its file. A
key that is newer than all listed ones is staged. Of the keys that the bundle lists and has not
revoked, the newest signs. So publishing a root moves no file, and all processes that share a home
agree.

Invariant: a key leaves a bundle only because an operator revoked it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from comity.node.home.key_files import (
    KeyUse,
    generations,
    keys_made,
    load_certificate,
    load_ed25519,
    log_number,
)
from comity.node.home.settings import Settings
from comity.record.bundle import JsonWebKey, PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.cosignature import witness_name
from comity.record.errors import BadConfig
from comity.record.keys import RecordKey, SigningKey
from comity.record.log import newest_log, origin
from comity.record.note import LOG_KEY, WITNESS_KEY, NoteSigner

T = TypeVar("T")


@dataclass(frozen=True)
class Keychain:
    """The keys of a home at the time it was read; the keys of each use are oldest first.

    ``made`` is the number of keys that were ever made in the home.
    """

    institute: str
    made: int
    record: tuple[SigningKey, ...]
    log: tuple[NoteSigner, ...]
    witness: tuple[NoteSigner, ...]
    authorities: tuple[x509.Certificate, ...]

    @classmethod
    def load(cls, home: Path, institute: str) -> Keychain:
        """Read all private keys of a home, except that of authorities only the certificates.

        Raises:
            BadConfig: a file is missing, readable by others, or malformed.
        """

        def log_signer(file: Path) -> NoteSigner:
            return NoteSigner(origin(institute, log_number(file)), LOG_KEY, load_ed25519(file))

        def witness_signer(file: Path) -> NoteSigner:
            return NoteSigner(witness_name(institute), WITNESS_KEY, load_ed25519(file))

        return cls(
            institute,
            keys_made(home),
            _load(home, KeyUse.RECORD, SigningKey.load),
            _load(home, KeyUse.LOG, log_signer),
            _load(home, KeyUse.WITNESS, witness_signer),
            _load(home, KeyUse.CA, load_certificate),
        )

    def bundle(
        self,
        settings: Settings,
        before: TrustBundle | None = None,
        sequence: int | None = None,
        published: Sequence[TrustBundle] = (),
    ) -> TrustBundle:
        """Return the bundle that follows ``before``: its keys and the home's newer ones.

        Without ``before`` the bundle lists every key of the home. ``settings`` gives names and
        address. ``sequence`` is ``spiffe_sequence`` of the SPIFFE bundle, 0 or more; by default it
        is 1 for a new home and grows with each key, so that peers tell an older bundle from a newer
        one. A key that one of the ``published`` bundles listed is not new: it is missing because it
        was revoked.

        Raises:
            BadConfig: without ``before``, the home has no key of some use.
        """
        if sequence is None:
            sequence = self.made - len(KeyUse) + 1

        records = [_public(key.key) for key in self.record]
        logs, witnesses = _verifiers(self.log), _verifiers(self.witness)
        authorities = [_web_key(certificate) for certificate in self.authorities]

        if before is None:
            _require(records, KeyUse.RECORD)
            _require(logs, KeyUse.LOG)
            _require(witnesses, KeyUse.WITNESS)
            _require(authorities, KeyUse.CA)
        else:
            # a held key that is older than a listed one was dropped before, and stays out
            every = [before, *published]
            records = _followed([b.record_keys for b in every], records, lambda key: key.keyid)
            logs = _followed([b.log_keys for b in every], logs, str)
            witnesses = _followed([b.witness_keys for b in every], witnesses, str)
            authorities = _followed([b.spiffe.keys for b in every], authorities, lambda k: k.x5c)

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
        """Return the key that signs records and receipts: the newest that the bundle has in force.

        Raises:
            BadConfig: the home has no key that the bundle has in force.
        """
        # one signer only: a record has one signature, and names one key
        valid = {key.keyid for key in bundle.record_keys if key.revoked_from is None}
        return _require([key for key in self.record if key.key.keyid in valid], KeyUse.RECORD)[-1]

    def log_signers(self, bundle: TrustBundle, number: int) -> list[NoteSigner]:
        """Return the keys that sign checkpoints of a log, newest first: all that the bundle lists.

        Raises:
            BadConfig: the home has no key of that log that the bundle lists.
        """
        # all of them sign, so that peers with an older bundle find a key that they know
        name = origin(self.institute, number)
        return _require([k for k in self._listed_log_keys(bundle) if k.name == name], KeyUse.LOG)[
            ::-1
        ]

    def newest_log(self, bundle: TrustBundle) -> int:
        """Return the number of the newest log that the bundle lists and that this home can sign."""
        return newest_log(self.institute, [key.name for key in self._listed_log_keys(bundle)])

    def witness_signers(self, bundle: TrustBundle) -> list[NoteSigner]:
        """Return the keys that cosign checkpoints of other logs, newest first.

        Raises:
            BadConfig: the home has no witness key that the bundle lists.
        """
        listed = [key for key in self.witness if str(key.verifier) in bundle.witness_keys]
        return _require(listed, KeyUse.WITNESS)[::-1]

    def check(self, bundle: TrustBundle) -> None:
        """Check that the home can make every signature that the bundle lets peers expect.

        Raises:
            BadConfig: for some use, the home has no key that the bundle has in force.
        """
        self.record_key(bundle)
        self.log_signers(bundle, self.newest_log(bundle))
        self.witness_signers(bundle)

    def _listed_log_keys(self, bundle: TrustBundle) -> list[NoteSigner]:
        return [key for key in self.log if str(key.verifier) in bundle.log_keys]


def _load(home: Path, use: KeyUse, read: Callable[[Path], T]) -> tuple[T, ...]:
    return tuple(read(file) for file in generations(home, use))


def _followed(
    listed: Sequence[Sequence[T]], held: list[T], name: Callable[[T], Hashable]
) -> list[T]:
    """Return the keys listed first, and the held ones (oldest first) newer than every listed one.

    ``listed`` are the keys of the bundle before, and then those of bundles that were published.
    """
    # not by time: the order of generations is the only age that every process sees alike
    names = {name(item) for keys in listed for item in keys}
    places = [place for place, item in enumerate(held) if name(item) in names]
    return [*listed[0], *held[max(places, default=-1) + 1 :]]


def _require(keys: list[T], use: KeyUse) -> list[T]:
    if not keys:
        hint = f"comity-node keys rotate {use} makes a new one"
        raise BadConfig(f"no {use} key in force is here", field="keys", hint=hint)
    return keys


def _public(key: RecordKey) -> PublicRecordKey:
    return PublicRecordKey(keyid=key.keyid, public_key=key.pem)


def _verifiers(keys: Iterable[NoteSigner]) -> list[str]:
    return [str(key.verifier) for key in keys]


def _web_key(certificate: x509.Certificate) -> JsonWebKey:
    return JsonWebKey.of(certificate, certificate.public_bytes(serialization.Encoding.DER))
