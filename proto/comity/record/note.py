"""Signed notes and the keys that sign them (C2SP signed-note).

    <text, ending in LF>
    <empty line>
    — <name> <base64 of keyID || signature>                       once or more
    <name>+<hex of keyID>+<base64 of type || public key>          a verifier key
    keyID = SHA-256(name || 0x0A || type || public key)[:4]

Type 0x01 is Ed25519 over the text (a log). Types 0x04 and 0x06 are timestamped cosignatures with
Ed25519 and ML-DSA-44 (a witness), which ``cosignature`` makes and checks. Invariants: a note proves
nothing until a signature on it is verified; signatures of unknown keys are ignored; a log and a
witness never share a key, since a cosignature with Ed25519 does not commit to its cosigner's name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from comity.record.encoding import decode_base64, encode_base64
from comity.record.errors import BadConfig, BadNote, BadSignature
from comity.record.limits import MAX_NAME_CHARS, MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES

LOG_KEY: Final = 0x01
WITNESS_KEY: Final = 0x04
MLDSA_WITNESS_KEY: Final = 0x06

KEYID_BYTES: Final = 4

_KEY_BYTES: Final = {LOG_KEY: 32, WITNESS_KEY: 32, MLDSA_WITNESS_KEY: 1312}
_VERIFIER_KEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{4,2000})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature under a note: the key's name and id (4 bytes), and the signature's bytes."""

    name: str
    keyid: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> SignatureLine:
        """Read a line, without its LF.

        Raises:
            BadNote: the text differs from what ``str`` writes, or as ``check_name``.
        """
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not encoded:
            raise BadNote(f"expected '{_DASH}<name> <base64>', got {line!r:.100}")
        check_name(name)

        blob = decode_base64(encoded)
        if blob is None or len(blob) <= KEYID_BYTES:
            raise BadNote(f"expected base64 of a key id and a signature, got {encoded!r:.100}")
        return cls(name, blob[:KEYID_BYTES], blob[KEYID_BYTES:])

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.keyid + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in LF, and the signatures on it. Not yet verified."""

    text: str
    signatures: tuple[SignatureLine, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note. Its text ends before the last empty line.

        Raises:
            LimitExceeded: over MAX_NOTE_BYTES or MAX_NOTE_SIGNATURES.
            BadNote: not UTF-8, a control character, no empty line, no signature, or a bad line.
        """
        MAX_NOTE_BYTES.check(len(data), "note")
        try:
            note = data.decode()
        except UnicodeDecodeError as error:
            raise BadNote(f"expected UTF-8: {error}", field="note") from error

        # C2SP signed-note: no ASCII control character but LF
        control = _CONTROL.search(note)
        if control:
            message = f"expected no control character but LF, got {control[0]!r}"
            raise BadNote(message, field="note")

        # the text itself may have empty lines, the signatures none
        text, blank, signed = note.rpartition("\n\n")
        if not blank or not signed.endswith("\n"):
            message = "expected a text, an empty line, and signature lines that end in LF"
            raise BadNote(message, field="note")
        return cls(text + "\n", _parse_lines(signed[:-1].split("\n")))

    def to_bytes(self) -> bytes:
        """Return the note in the form in which it is sent and stored."""
        return "".join([self.text, "\n", *(f"{line}\n" for line in self.signatures)]).encode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key of a log or witness: ``public`` is raw, 32 bytes, or 1312 for ML-DSA-44."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, key: str) -> Verifier:
        """Read a verifier key.

        Raises:
            BadNote: the text differs from what ``str`` writes, the type or length of the key is
                not known here, or the id is not the key's.
        """
        match = _VERIFIER_KEY.fullmatch(key)
        typed = decode_base64(match[3]) if match else None
        if match is None or typed is None:
            raise BadNote(f"expected <name>+<hex>+<base64>, got {key!r:.100}")
        check_name(match[1])
        MAX_NAME_CHARS.check(len(match[1]))

        kind, public = typed[0], typed[1:]
        if kind not in _KEY_BYTES:
            raise BadNote(f"expected a key of type 0x01, 0x04 or 0x06, got 0x{kind:02x}")
        if len(public) != _KEY_BYTES[kind]:
            raise BadNote(f"expected a key of {_KEY_BYTES[kind]} bytes, got {len(public)}")

        # the id is computed from the key: one that differs shows a typing error
        verifier = cls(match[1], kind, public)
        if verifier.keyid.hex() != match[2]:
            raise BadNote(f"expected key id {verifier.keyid.hex()}, got {match[2]}")
        return verifier

    @property
    def keyid(self) -> bytes:
        """The key's id: 4 bytes, which distinguish keys of the same name."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._typed).digest()[:KEYID_BYTES]

    @property
    def _typed(self) -> bytes:
        return bytes([self.kind]) + self.public

    def __str__(self) -> str:
        return f"{self.name}+{self.keyid.hex()}+{encode_base64(self._typed)}"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a bare signature over ``message``, whose form depends on the kind of key.

        Raises:
            BadSignature: it does not verify.
            BadConfig: the installed cryptography has no ML-DSA-44.
        """
        try:
            if self.kind == MLDSA_WITNESS_KEY:
                mldsa.MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            fault = f"does not verify under key {self.name}+{self.keyid.hex()}"
            raise BadSignature(fault, field="signature") from error
        except UnsupportedAlgorithm as error:
            raise BadConfig("expected a cryptography with ML-DSA-44", field=self.name) from error


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key with its name: of a log (``kind`` LOG_KEY) or a witness (WITNESS_KEY)."""

    name: str
    kind: int
    private: ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.kind, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> SignatureLine:
        """Sign a text, which ends in LF, with a log's key.

        Raises:
            BadConfig: the key is a witness's, which only ``cosignature`` may use.
        """
        if self.kind != LOG_KEY:
            raise BadConfig(f"expected a log's key (0x01), got 0x{self.kind:02x}", field=self.name)
        return SignatureLine(self.name, self.verifier.keyid, self.private.sign(text.encode()))


def verify(note: Note, verifiers: Iterable[Verifier]) -> list[SignatureLine]:
    """Check the signatures of known log keys; return the first of each key, in the note's order.

    Raises:
        BadSignature: a signature of a known key does not verify, or its key is no log's.
    """
    # C2SP signed-note: one bad signature of a known key makes the whole note invalid
    found: dict[Verifier, SignatureLine] = {}
    for line, verifier in known_lines(note, verifiers):
        if verifier.kind != LOG_KEY:
            raise BadSignature(f"expected a log's key (0x01), got {verifier}", field="signature")
        verifier.verify(line.signature, note.text.encode())
        found.setdefault(verifier, line)
    return list(found.values())


def known_lines(
    note: Note, verifiers: Iterable[Verifier]
) -> Iterator[tuple[SignatureLine, Verifier]]:
    """Yield each line whose name and id are those of a known key, unverified, with that key."""
    known = {(verifier.name, verifier.keyid): verifier for verifier in verifiers}
    for line in note.signatures:
        verifier = known.get((line.name, line.keyid))
        if verifier is not None:
            yield line, verifier


def check_name(name: str) -> None:
    """Check the name of a key.

    Raises:
        BadNote: empty, or with a Unicode space, a control character or a plus.
    """
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise BadNote(f"expected a key's name without spaces and plus, got {name!r:.100}")


def _parse_lines(lines: Sequence[str]) -> tuple[SignatureLine, ...]:
    MAX_NOTE_SIGNATURES.check(len(lines), "note")
    return tuple(SignatureLine.parse(line) for line in lines)
