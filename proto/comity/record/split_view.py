"""Split views: evidence that one log signed two checkpoints that contradict each other.

    {"type": "urn:comity:split-view:v1",
     "smaller": "<signed note>", "larger": "<signed note>",
     "root": "<base64>", "proof": ["<base64>", …]}

Two checkpoints of the same size contradict each other if their roots differ; ``root`` and ``proof``
are left out. With different sizes, ``proof`` (RFC 6962, section 2.1.2) shows that the larger tree
begins with ``root``, while the log signed another root for the smaller size. Anyone who knows the
log's key can check the evidence offline: ``SplitView.parse(data).check(log_keys)`` raises an error
unless the contradiction is proved, and returns a sentence for each step of the check.

Invariants: the maker and the carrier of the evidence need not be trusted, since only the log's key
can make it; the checker uses its own keys, and reads none from the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from comity.record import ijson
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.encoding import encode_base64, parse_hash
from comity.record.errors import BadProof, BadSplitView
from comity.record.limits import MAX_PROOF_HASHES, MAX_SPLIT_VIEW_BYTES
from comity.record.merkle import verify_consistency
from comity.record.models import Model, describe
from comity.record.note import Note, Verifier

TYPE: Final = "urn:comity:split-view:v1"


class _Document(Model):
    type: Literal["urn:comity:split-view:v1"]
    smaller: str
    larger: str
    root: str | None = None
    proof: Annotated[tuple[str, ...], Field(max_length=MAX_PROOF_HASHES)] = ()


@dataclass(frozen=True, slots=True)
class SplitView:
    """Two signed notes and, if their sizes differ, the proof that connects them. Not yet checked.

    ``root`` (32 bytes) is the root of the smaller size within the larger tree. ``proof`` holds the
    hashes (32 bytes each) that lead from it to the larger tree's root. Both are empty for equal
    sizes.
    """

    smaller: bytes
    larger: bytes
    root: bytes = b""
    proof: tuple[bytes, ...] = ()

    @classmethod
    def of(
        cls, one: Note, other: Note, root: bytes = b"", proof: Sequence[bytes] = ()
    ) -> SplitView:
        """Combine two notes, the smaller checkpoint first, without their cosignatures.

        Raises:
            BadCheckpoint, LimitExceeded: a note is no checkpoint.
        """
        smaller, larger = sorted((one, other), key=lambda note: Checkpoint.parse(note.text).size)
        return cls(_bare(smaller), _bare(larger), root, tuple(proof))

    @classmethod
    def parse(cls, data: bytes) -> SplitView:
        """Read the JSON form.

        Raises:
            LimitExceeded: over MAX_SPLIT_VIEW_BYTES.
            MalformedJson: not I-JSON.
            BadSplitView: a field is missing, unknown or malformed; names it.
        """
        MAX_SPLIT_VIEW_BYTES.check(len(data), "evidence")
        try:
            document = _Document.parse(ijson.loads(data, field="evidence"))
        except ValidationError as error:
            path, message = describe(error)
            raise BadSplitView(message, field=path.lstrip(".") or "evidence") from error

        root = b"" if document.root is None else parse_hash(document.root, "root", BadSplitView)
        numbered = enumerate(document.proof)
        proof = [parse_hash(text, f"proof[{n}]", BadSplitView) for n, text in numbered]
        return cls(document.smaller.encode(), document.larger.encode(), root, tuple(proof))

    def to_json(self) -> bytes:
        """Return the JCS form and a line feed."""
        document = _Document(
            type=TYPE,
            smaller=self.smaller.decode(),
            larger=self.larger.decode(),
            root=encode_base64(self.root) if self.root else None,
            proof=tuple(map(encode_base64, self.proof)),
        )

        # an empty tuple is no None, so it would be written
        value = document.to_value()
        if not self.proof:
            del value["proof"]
        return ijson.canonical(value) + b"\n"

    def check(self, log_keys: Iterable[Verifier]) -> tuple[str, ...]:
        """Check that the log of these keys contradicted itself; return the steps in words.

        (1) Each note is a checkpoint that a key of its log signed (C2SP tlog-checkpoint).
        (2) Both are of the same log.
        (3) With equal sizes, the roots differ. Otherwise the proof shows that the larger tree
        begins with ``root`` (RFC 6962, section 2.1.2), and the smaller checkpoint has another root.

        Raises:
            BadSplitView: the two do not contradict each other.
            LimitExceeded, BadNote, BadCheckpoint, BadSignature, UnknownKey: as ``open_checkpoint``.
        """
        # (1) each note is signed
        keys = list(log_keys)
        smaller, _ = open_checkpoint(self.smaller, keys)
        larger, _ = open_checkpoint(self.larger, keys)

        # (2) both are of the same log
        if smaller.origin != larger.origin:
            message = f"expected two checkpoints of {smaller.origin!r:.100}"
            raise BadSplitView(f"{message}, got one of {larger.origin!r:.100}", field="larger")

        # (3) they contradict each other
        same = smaller.size == larger.size
        return (
            f"1. {smaller.origin} signed size {smaller.size} with root {smaller.root.hex()}",
            f"2. {larger.origin} signed size {larger.size} with root {larger.root.hex()}",
            _check_roots(smaller, larger) if same else self._check_proof(smaller, larger),
        )

    def _check_proof(self, smaller: Checkpoint, larger: Checkpoint) -> str:
        old, new = smaller.size, larger.size
        try:
            verify_consistency(old, new, self.root, larger.root, self.proof)
        except BadProof as error:
            raise BadSplitView(error.message, field=error.field) from error

        if self.root == smaller.root:
            message = f"expected another root of {old} leaves than was signed, got the same"
            raise BadSplitView(message, field="root")
        return f"3. the tree of {new} leaves begins with {old} leaves of root {self.root.hex()}"


def _check_roots(one: Checkpoint, other: Checkpoint) -> str:
    if one.root == other.root:
        message = f"expected two roots of {one.size} leaves, got one"
        raise BadSplitView(message, field="larger")
    return f"3. a log has one root of {one.size} leaves"


def _bare(note: Note) -> bytes:
    """Return a checkpoint's note without cosignatures, which prove nothing against the log."""
    origin = Checkpoint.parse(note.text).origin
    return Note(note.text, tuple(s for s in note.signatures if s.name == origin)).to_bytes()
