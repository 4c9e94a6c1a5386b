"""Requests of a log to a witness over HTTP (C2SP tlog-witness).

    old <size, decimal>
    <base64 of a hash>          consistency proof from that size, up to 63 lines
    <empty line>
    <checkpoint, with the log's signature>

is the body of ``POST /add-checkpoint``; lines of cosignatures are the answer. Invariant: the
checkpoint is kept byte for byte; parsing proves nothing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from comity.record.encoding import parse_hash, parse_size
from comity.record.errors import InvalidInput
from comity.record.limits import MAX_PROOF_HASHES

SIZE_TYPE: Final = "text/x.tlog.size"
"""Media type of an answer that holds the size of the tree that the witness has seen."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that the log expects the witness to hold, a proof, and a checkpoint.

    ``proof`` holds the hashes (32 bytes each) that lead from ``old_size`` to the checkpoint's tree.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Read a request.

        Raises:
            LimitExceeded: over MAX_PROOF_HASHES, or a size over MAX_TREE_SIZE.
            InvalidInput: a line is missing, or differs from what ``to_bytes`` writes.
        """
        # the checkpoint has empty lines as well: the first one ends the head
        head, blank, checkpoint = body.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"expected ASCII before the checkpoint: {error}", field="body"
            ) from error

        if not first.startswith("old ") or not blank:
            raise InvalidInput("expected 'old <decimal>', hashes, and an empty line", field="body")

        MAX_PROOF_HASHES.check(len(lines), "proof")
        old_size = parse_size(first.removeprefix("old "), "old", InvalidInput)
        numbered = enumerate(lines)
        proof = tuple(parse_hash(line, f"proof[{n}]", InvalidInput) for n, line in numbered)
        return cls(old_size, proof, checkpoint)

    def to_bytes(self) -> bytes:
        """Return the body of the request."""
        lines = [b"old %d" % self.old_size, *map(base64.b64encode, self.proof)]
        return b"\n".join([*lines, b"", self.checkpoint])
