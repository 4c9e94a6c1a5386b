"""Private keys under a passphrase, for a backup.

    salt (16 bytes), nonce (12 bytes), ChaCha20-Poly1305 (RFC 8439) of a zip of the files

The key is scrypt's (RFC 7914) of the passphrase. The institute's id is bound to what is encrypted.
Invariant: a name in the zip is that of a file in the folder ``keys``, never a path.
"""

from __future__ import annotations

import io
import re
import secrets
import zipfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from comity.record.errors import BadArchive, InvalidInput
from comity.record.keys import read_secret, write_secret

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_COST: Final = 2**17
"""scrypt's N: 128 MiB and some tenths of a second for each guess at the passphrase."""

_NAME: Final = re.compile(r"[a-z][a-z0-9.]{0,63}")


def lock_keys(folder: Path, institute: str, passphrase: str) -> bytes:
    """Return the files of the folder of keys, encrypted.

    Raises:
        InvalidInput: the passphrase is empty.
        BadConfig: a file cannot be read, or others can read it.
    """
    if not passphrase:
        raise InvalidInput("expected a passphrase, got none", field="passphrase")

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        for file in sorted(folder.iterdir()):
            if _NAME.fullmatch(file.name):
                files.writestr(file.name, read_secret(file))

    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    cipher = _cipher(passphrase, salt)
    return salt + nonce + cipher.encrypt(nonce, packed.getvalue(), institute.encode())


def unlock_keys(data: bytes, folder: Path, institute: str, passphrase: str) -> None:
    """Write the files of ``lock_keys`` into a folder, with mode 0600.

    Raises:
        InvalidInput: the passphrase is another, or the keys are another institute's.
        BadArchive: a file has a name that no key has.
        BadConfig: a file exists, or the folder cannot be written.
    """
    salt, rest = data[:_SALT_BYTES], data[_SALT_BYTES:]
    nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    try:
        packed = _cipher(passphrase, salt).decrypt(nonce, sealed, institute.encode())
    except (InvalidTag, ValueError) as error:
        message = f"expected the passphrase of the keys of {institute}, got another"
        raise InvalidInput(message, field="passphrase") from error

    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        for name in files.namelist():
            if not _NAME.fullmatch(name):
                raise BadArchive(f"expected the name of a key file, got {name!r:.80}", field="keys")
            write_secret(folder / name, files.read(name))


def _cipher(passphrase: str, salt: bytes) -> ChaCha20Poly1305:
    scrypt = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1)
    return ChaCha20Poly1305(scrypt.derive(passphrase.encode()))
