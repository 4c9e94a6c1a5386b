"""Every error that Comity raises, in one tree.

    ComityError
    ├── InvalidInput                what was handed in is not acceptable as it is
    │   ├── LimitExceeded           larger, longer or deeper than a limit allows
    │   ├── MalformedJson           not I-JSON (RFC 7493)
    │   ├── MalformedEnvelope       not a DSSE envelope with exactly one signature
    │   ├── BadSignature            the signature does not verify under the named key
    │   ├── UnknownKey              the keyid is in no trust bundle that may speak here
    │   ├── WrongIssuer             a good signature, by a key of another institute
    │   ├── MalformedStatement      not a Comity statement
    │   ├── IssuedInFuture          issueTime lies ahead of this clock
    │   ├── BadDisclosure           matches no digest in the header, or is not well formed
    │   ├── BadContent              a section does not follow its content model
    │   ├── BadHandling             release conditions that contradict each other
    │   ├── NotReleasable           handling does not let this institute have it from that peer
    │   ├── BadReceipt              a receipt that does not fit what was sent
    │   ├── BadCursor               not a cursor or page token of this node
    │   ├── BadBundle               not a trust bundle
    │   ├── BadRoot                 not an institute's root, or one that does not follow the last
    │   ├── ExpiredRoot             a root whose time is over: stale, not false
    │   ├── RevokedKey              signed by a key that was not trusted any more
    │   ├── BadNote                 not a signed note, or not the verifier key of one
    │   ├── BadCheckpoint           not a log's checkpoint
    │   ├── BadTile                 no tile of a log, or one whose bytes are not what they must be
    │   ├── BadProof                no proof of a Merkle tree, or one that leads to another root
    │   ├── BadEvidence             not a Sigstore bundle or trusted root, or of something else
    │   ├── BadArchive              not a zip, or one that must not be unpacked
    │   ├── Unproven                nothing at hand says that it is so, nor that it is not
    │   ├── BadLogPolicy            not a policy of logs, witnesses and a quorum
    │   ├── QuorumNotMet            fewer witnesses cosigned than the quorum asks for
    │   ├── BadSplitView            evidence that proves no contradiction of a log
    │   └── BadPolicy               does not parse, or does not validate against the schema
    ├── Unauthenticated             no certificate, or one that does not chain to its own institute
    ├── Forbidden                   identity known, call not allowed
    ├── NotFound                    no such thing here
    ├── Conflict                    the thing exists, and differs
    │   └── OtherSizeHeld           a witness holds another size of the log than the proof begins at
    ├── CursorRefused               a well-formed cursor that cannot be served
    │   ├── FutureCursor            points past the end: start without a cursor
    │   └── EpochChanged            from another life of the sender: start without a cursor
    ├── Flooded                     a peer sends nothing but bad records
    ├── Unavailable                 the other side cannot be reached, or went silent
    └── BadConfig                   settings, files or set-up of this machine

Invariant: every class has one ``reason`` (UPPER_SNAKE, AIP-193), which is the same in a gRPC
``ErrorInfo``, in a quarantine entry, in a receipt and on a terminal. Messages are built here or
from the values in hand, in the form "expected X, got Y", and name the field.
"""

from __future__ import annotations

from typing import ClassVar


class ComityError(Exception):
    """Root of the tree.

    ``field`` is the path of the offending value (``predicate.sections[2].name``), or empty when
    the whole input is meant. ``hint`` says what to do next, or is empty.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field
        self.hint = hint


class InvalidInput(ComityError):
    """What was handed in is not acceptable as it is."""

    reason = "INVALID_INPUT"


class LimitExceeded(InvalidInput):
    """Something is larger, longer or deeper than the named limit allows."""

    reason = "LIMIT_EXCEEDED"

    def __init__(self, limit: str, maximum: int, got: int, unit: str, *, field: str = "") -> None:
        super().__init__(f"expected at most {maximum} {unit} ({limit}), got {got}", field=field)
        self.limit = limit
        self.maximum = maximum
        self.got = got
        self.unit = unit


class MalformedJson(InvalidInput):
    """Not I-JSON (RFC 7493)."""

    reason = "MALFORMED_JSON"


class MalformedEnvelope(InvalidInput):
    """Not a DSSE envelope with exactly one signature."""

    reason = "MALFORMED_ENVELOPE"


class BadSignature(InvalidInput):
    """The signature does not verify under the named key."""

    reason = "BAD_SIGNATURE"


class UnknownKey(InvalidInput):
    """The keyid is in no trust bundle that may speak here."""

    reason = "UNKNOWN_KEY"


class WrongIssuer(InvalidInput):
    """A valid signature, made by a key of another institute than the issuer."""

    reason = "WRONG_ISSUER"


class MalformedStatement(InvalidInput):
    """Not a Comity statement."""

    reason = "MALFORMED_STATEMENT"


class IssuedInFuture(InvalidInput):
    """The record's issueTime lies ahead of this node's clock."""

    reason = "ISSUED_IN_FUTURE"


class BadDisclosure(InvalidInput):
    """A disclosure that matches no digest in the header, or is not well formed."""

    reason = "BAD_DISCLOSURE"


class BadContent(InvalidInput):
    """A section's value does not follow its content model."""

    reason = "BAD_CONTENT"


class BadHandling(InvalidInput):
    """Release conditions that contradict each other, or a section looser than its record."""

    reason = "BAD_HANDLING"


class NotReleasable(InvalidInput):
    """The issuer's handling does not let this institute have the part from that peer."""

    reason = "NOT_RELEASABLE"


class BadReceipt(InvalidInput):
    """A receipt that is not signed by the receiver, or does not fit what was sent."""

    reason = "BAD_RECEIPT"


class BadCursor(InvalidInput):
    """Not a cursor or page token that this node made."""

    reason = "BAD_CURSOR"


class BadBundle(InvalidInput):
    """Not a trust bundle."""

    reason = "BAD_BUNDLE"


class BadRoot(InvalidInput):
    """Not an institute's root, or one that does not follow from the version before."""

    reason = "BAD_ROOT"


class ExpiredRoot(InvalidInput):
    """A root whose time is over: what it says is stale, not false."""

    reason = "EXPIRED_ROOT"


class RevokedKey(InvalidInput):
    """A record of a revoked key that is not shown to stand in the log before the revocation."""

    reason = "REVOKED_KEY"


class BadNote(InvalidInput):
    """Not a signed note, a line of one, or a verifier key."""

    reason = "BAD_NOTE"


class BadCheckpoint(InvalidInput):
    """A signed note that is not a log's checkpoint."""

    reason = "BAD_CHECKPOINT"


class BadTile(InvalidInput):
    """Not the path of a tile of a log, or a tile whose bytes do not fit its width."""

    reason = "BAD_TILE"


class BadProof(InvalidInput):
    """A proof of a Merkle tree that cannot be made, or does not lead to the root."""

    reason = "BAD_PROOF"


class BadEvidence(InvalidInput):
    """Not a Sigstore bundle or trusted root as Comity writes it, or one of something else."""

    reason = "BAD_EVIDENCE"


class BadArchive(InvalidInput):
    """Not a zip, or one with a file in it that is not let in."""

    reason = "BAD_ARCHIVE"


class Unproven(InvalidInput):
    """Nothing at hand says that it is so, nor that it is not."""

    reason = "UNPROVEN"


class BadLogPolicy(InvalidInput):
    """Not a policy of logs, witnesses and a quorum."""

    reason = "BAD_LOG_POLICY"


class QuorumNotMet(InvalidInput):
    """A checkpoint that fewer witnesses cosigned than the quorum asks for."""

    reason = "QUORUM_NOT_MET"


class BadSplitView(InvalidInput):
    """Evidence against a log that does not prove that the log contradicted itself."""

    reason = "BAD_SPLIT_VIEW"


class BadPolicy(InvalidInput):
    """A policy that does not parse or does not validate against the schema."""

    reason = "BAD_POLICY"


class Unauthenticated(ComityError):
    """No certificate, or one that does not chain to the bundle of the institute it names."""

    reason = "UNAUTHENTICATED"


class Forbidden(ComityError):
    """The caller is known and may not do this."""

    reason = "FORBIDDEN"


class NotFound(ComityError):
    """There is no such thing here."""

    reason = "NOT_FOUND"


class Conflict(ComityError):
    """The thing exists already and differs."""

    reason = "CONFLICT"


class OtherSizeHeld(Conflict):
    """A witness holds ``held`` leaves of a log; the proof begins at another size."""

    reason = "OTHER_SIZE_HELD"

    def __init__(self, message: str, *, held: int = 0, field: str = "", hint: str = "") -> None:
        super().__init__(message, field=field, hint=hint)
        self.held = held


class CursorRefused(ComityError):
    """A well-formed cursor that cannot be served; recovery is to start without a cursor."""

    reason = "CURSOR_REFUSED"


class FutureCursor(CursorRefused):
    """The cursor points past the end of the sender's queue: the sender lost state."""

    reason = "FUTURE_CURSOR"


class EpochChanged(CursorRefused):
    """The cursor is from another life of the sender's database."""

    reason = "EPOCH_CHANGED"


class Flooded(ComityError):
    """A peer sent so many bad records in a row that the stream was cut."""

    reason = "FLOODED"


class Unavailable(ComityError):
    """The other side cannot be reached, or went silent."""

    reason = "UNAVAILABLE"


class BadConfig(ComityError):
    """Settings, files or set-up of this machine are not usable."""

    reason = "BAD_CONFIG"
