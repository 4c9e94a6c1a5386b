"""Proofs that can be checked offline: an entry's index and a checkpoint (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1
    extra <base64>                     if there is extra data
    index <decimal>
    <base64 of a hash>                 the leaf's sibling first; none in a log of one entry
    <empty line>
    <checkpoint, with its signatures and cosignatures>

Invariants: the checkpoint is kept byte for byte; parsing proves nothing. The proof is valid if
``open_checkpoint`` or a policy accepts the checkpoint, and ``verify_inclusion`` the hashes. The
extra data is not signed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from comity.record.encoding import decode_base64, parse_hash, parse_size
from comity.record.errors import BadProof
from comity.record.limits import MAX_PROOF_HASHES, MAX_TLOG_PROOF_BYTES

_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Index and inclusion proof of an entry in the tree of a checkpoint (a signed note in UTF-8).

    ``extra`` is data of the application; None means that the proof has no such line.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof. The checkpoint is not parsed.

        Raises:
            LimitExceeded: over MAX_TLOG_PROOF_BYTES or MAX_PROOF_HASHES, or an index over
                MAX_TREE_SIZE.
            BadProof: a line is missing, or differs from what ``to_bytes`` writes.
        """
        MAX_TLOG_PROOF_BYTES.check(len(data), "proof")
        # the checkpoint has empty lines as well: the first one ends the head
        head, blank, checkpoint = data.partition(b"\n\n")
        lines = _lines(head)
        if lines.pop(0) != _HEADER:
            raise BadProof(f"expected the line {_HEADER} first", field="proof")
        if not blank or not checkpoint:
            raise BadProof("expected an empty line and a checkpoint", field="proof.checkpoint")

        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _extra(lines.pop(0).removeprefix("extra "))

        if not lines or not lines[0].startswith("index "):
            raise BadProof("expected a line 'index <decimal>'", field="proof.index")
        index = parse_size(lines.pop(0).removeprefix("index "), "proof.index", BadProof)
        return cls(index, _hashes(lines), checkpoint, extra)

    def to_bytes(self) -> bytes:
        """Return the proof in the form of a file ``*.tlog-proof``."""
        extra = [] if self.extra is None else [b"extra " + base64.b64encode(self.extra)]
        hashes = [base64.b64encode(value) for value in self.hashes]
        lines = [_HEADER.encode(), *extra, b"index %d" % self.index, *hashes, b"", self.checkpoint]
        return b"\n".join(lines)


def _lines(head: bytes) -> list[str]:
    try:
        return head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadProof(f"expected ASCII before the checkpoint: {error}", field="proof") from error


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    # RFC 6962, section 2.1.1: a proof has at most one hash for each level of the tree
    MAX_PROOF_HASHES.check(len(lines), "proof.hashes")
    numbered = enumerate(lines)
    return tuple(parse_hash(line, f"proof.hashes[{n}]", BadProof) for n, line in numbered)


def _extra(text: str) -> bytes:
    data = decode_base64(text)
    if data is None:
        raise BadProof(f"expected base64, got {text!r:.100}", field="proof.extra")
    return data
