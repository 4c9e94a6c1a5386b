"""The key files of a home; each new key of a use is another generation.

    keys/record.key             the first record key
    keys/record.2.key           the second, and so on; log, witness and ca likewise
    certificates/ca.2.pem       the certificate of keys/ca.2.key
    keys/log20261201124500.key  the first key of a later log, which has that number

Invariants: a key file is never overwritten, and the number of a generation is never used again.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.home.certificate_authority import Authority
from comity.record.errors import BadConfig
from comity.record.keys import SigningKey, private_pem, read_secret, write_secret
from comity.record.log import FIRST_LOG


class KeyUse(StrEnum):
    """What a key signs: records and receipts, checkpoints, cosignatures, or certificates."""

    RECORD = "record"
    LOG = "log"
    WITNESS = "witness"
    CA = "ca"


def make_key(home: Path, institute: str, use: KeyUse) -> Path:
    """Make the next key of a use; return its file.

    Raises:
        BadConfig: the home cannot be written.
    """
    # the first generation has no number in its name
    files = generations(home, use)
    number = _generation(files[-1]) + 1 if files else 1
    name = str(use) if number == 1 else f"{_series(files[-1])}.{number}"
    file = home / "keys" / f"{name}.key"

    # P-256 for records and certificates, Ed25519 for notes (C2SP signed-note)
    if use is KeyUse.RECORD:
        SigningKey.generate().save(file)
    elif use is KeyUse.CA:
        certificate, private_key = Authority.create(institute, generation=number).pem()
        write_secret(file, private_key)
        # the certificate last: ``generations`` finds an authority by it
        write_secret(home / "certificates" / f"{name}.pem", certificate)
    else:
        write_secret(file, private_pem(ed25519.Ed25519PrivateKey.generate()))

    return file


def make_log_key(home: Path, number: int) -> Path:
    """Make the first key of the log with that number, see ``comity.record.log``; return its file.

    Raises:
        BadConfig: the home cannot be written.
    """
    file = home / "keys" / f"{KeyUse.LOG}{number}.key"
    write_secret(file, private_pem(ed25519.Ed25519PrivateKey.generate()))
    return file


def log_number(file: Path) -> int:
    """Return the number of the log whose key a file holds."""
    return int(_series(file).removeprefix(KeyUse.LOG) or FIRST_LOG)


def generations(home: Path, use: KeyUse) -> list[Path]:
    """Return the files of one use, oldest first: private keys, but certificates for ``CA``.

    Raises:
        BadConfig: the home cannot be read.
    """
    folder, suffix = ("certificates", "pem") if use is KeyUse.CA else ("keys", "key")
    series = r"log(?:[1-9][0-9]{13})?" if use is KeyUse.LOG else str(use)
    pattern = re.compile(rf"{series}(?:\.[1-9][0-9]{{0,5}})?\.{suffix}")

    try:
        names = os.listdir(home / folder)
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(home / folder)) from error

    found = [home / folder / name for name in names if pattern.fullmatch(name)]
    return sorted(found, key=lambda file: (len(_series(file)), _series(file), _generation(file)))


def keys_made(home: Path) -> int:
    """Return how many keys were ever made in a home; it only grows, also when a key is removed.

    Raises:
        BadConfig: the home cannot be read.
    """
    newest = {_series(f): _generation(f) for use in KeyUse for f in generations(home, use)}
    return sum(newest.values())


def load_certificate(file: Path) -> x509.Certificate:
    """Read a certificate in PEM.

    Raises:
        BadConfig: the file is missing or is not a certificate in PEM.
    """
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(file)) from error
    except ValueError as error:
        raise BadConfig("expected a certificate in PEM", field=str(file)) from error


def key_folder_times(home: Path) -> tuple[int, int]:
    """Return when the folders of keys and certificates last changed, in nanoseconds.

    The times differ once a key was added or removed.

    Raises:
        BadConfig: the home cannot be read.
    """
    folders = home / "keys", home / "certificates"
    try:
        return folders[0].stat().st_mtime_ns, folders[1].stat().st_mtime_ns
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(home)) from error


def load_ed25519(path: Path) -> ed25519.Ed25519PrivateKey:
    """Read the private key of a log or a witness, which signs notes (C2SP signed-note).

    Raises:
        BadConfig: the file is missing, readable by others, or not an unencrypted Ed25519 key in
            PEM.
    """
    try:
        private = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError) as error:
        raise BadConfig("expected an unencrypted private key in PEM", field=str(path)) from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise BadConfig(f"expected an Ed25519 key, got {type(private).__name__}", field=str(path))
    return private


def _series(file: Path) -> str:
    """Return the name that all generations of a key share."""
    return file.stem.partition(".")[0]


def _generation(file: Path) -> int:
    return int(file.stem.partition(".")[2] or 1)
