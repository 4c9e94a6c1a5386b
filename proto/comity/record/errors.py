"""Every error that Comity raises, in one tree.

    ComityError
    ├── InvalidInput
    │   ├── LimitExceeded, MalformedJson, MalformedEnvelope, BadSignature, UnknownKey, WrongIssuer,
    │   │   MalformedStatement, BadDisclosure, BadContent, BadHandling, WithdrawnRecord
    │   ├── NotYet (IssuedInFuture, UnderEmbargo), NotReleasable
    │   ├── BadReceipt, BadCursor, BadPolicy, BadDraft, BadBundle, BadRoot, ExpiredRoot, RevokedKey
    │   └── BadNote, BadCheckpoint, BadTile, BadProof, BadSplitView, BadLogPolicy, QuorumNotMet,
    │       BadEvidence, BadArchive, Unproven
    ├── Unauthenticated, Forbidden
    ├── NotFound, Conflict (OtherSizeHeld)
    ├── CursorRefused (FutureCursor, EpochChanged), LogHalted, Flooded, Unavailable
    └── BadConfig

Invariant: every class has one ``reason``, its name in UPPER_SNAKE (AIP-193): ``BadNote`` is
BAD_NOTE in a gRPC ``ErrorInfo``, a quarantine entry and a receipt. To rename a class is therefore a
change of the wire. Messages have the form "expected X, got Y" and name the field.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar, Final

_WORD_START: Final = re.compile(r"(?<!^)(?=[A-Z])")


class ComityError(Exception):
    """Root of the tree.

    ``field`` is the path of the offending value (``predicate.sections[2].name``), or empty if the
    whole input is meant. ``hint`` says what to do next, or is empty.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init_subclass__(cls) -> None:
        # an empty match before each capital but the first: BadNote becomes Bad_Note
        cls.reason = _WORD_START.sub("_", cls.__name__).upper()

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message, self.field, self.hint = message, field, hint


class InvalidInput(ComityError):
    """The input is not acceptable as it is."""

    curable: ClassVar[bool] = False
    """True if time, or a later message, can make the same input acceptable."""


class LimitExceeded(InvalidInput):
    """Something is larger, longer or deeper than the named limit allows."""

    def __init__(self, limit: str, maximum: int, got: int, unit: str, *, field: str = "") -> None:
        super().__init__(f"expected at most {maximum} {unit} ({limit}), got {got}", field=field)
        self.limit, self.maximum, self.got, self.unit = limit, maximum, got, unit


class MalformedJson(InvalidInput):
    """The text is not I-JSON (RFC 7493)."""


class MalformedEnvelope(InvalidInput):
    """The input is not a DSSE envelope with exactly one signature."""


class BadSignature(InvalidInput):
    """The signature does not verify under the named key."""


class UnknownKey(InvalidInput):
    """The keyid is in no trust bundle that may speak here; a later root may list it."""

    curable = True


class WrongIssuer(InvalidInput):
    """The signature is valid, but its key belongs to another institute than the issuer."""


class MalformedStatement(InvalidInput):
    """The payload is not a Comity statement."""


class NotYet(InvalidInput):
    """The input becomes acceptable at ``time``, by this node's clock; None if told by a peer."""

    curable = True

    def __init__(
        self, message: str, *, time: datetime | None = None, field: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, field=field, hint=hint or "compare the clocks of both nodes")
        self.time = time


class IssuedInFuture(NotYet):
    """The record's issueTime lies ahead of this node's clock."""


class UnderEmbargo(NotYet):
    """A part's embargo ends later, by this node's clock."""


class BadDisclosure(InvalidInput):
    """The disclosure matches no digest in the header, or is not well formed."""


class BadDraft(InvalidInput):
    """A draft has several faults; the message lists them, one a line."""


class BadContent(InvalidInput):
    """A section's value does not follow its content model."""


class WithdrawnRecord(InvalidInput):
    """The issuer has withdrawn the record."""


class BadHandling(InvalidInput):
    """Release conditions contradict each other, or a section is looser than its record."""


class NotReleasable(InvalidInput):
    """The issuer's handling does not let this institute have the part from that peer."""


class BadReceipt(InvalidInput):
    """The receipt is not signed by its receiver, or does not fit what was sent."""


class BadCursor(InvalidInput):
    """This node did not make the cursor or page token."""


class BadPolicy(InvalidInput):
    """The policy does not parse, or does not validate against the schema."""


class BadBundle(InvalidInput):
    """The input is not a trust bundle."""


class BadRoot(InvalidInput):
    """The input is not an institute's root, or does not follow from the version before."""


class ExpiredRoot(InvalidInput):
    """The root's time is over: what it says is stale, not false."""


class RevokedKey(InvalidInput):
    """A revoked key signed, and no log shows that it signed before the revocation."""


class BadNote(InvalidInput):
    """The input is not a signed note, a line of one, or a verifier key."""


class BadCheckpoint(InvalidInput):
    """The signed note is not a checkpoint of the log."""


class BadTile(InvalidInput):
    """The path names no tile of a log, or the tile's bytes do not fit its width."""


class BadProof(InvalidInput):
    """A Merkle proof cannot be made, or does not lead to the root."""


class BadSplitView(InvalidInput):
    """The evidence does not prove that a log contradicted itself."""


class BadLogPolicy(InvalidInput):
    """The text is not a policy of logs, witnesses and a quorum."""


class QuorumNotMet(InvalidInput):
    """Fewer witnesses cosigned the checkpoint than the quorum asks for."""


class BadEvidence(InvalidInput):
    """A Sigstore file is not as Comity writes it, or is of another record."""


class BadArchive(InvalidInput):
    """The input is not a zip, or holds a file that must not be unpacked."""


class Unproven(InvalidInput):
    """Nothing at hand says that the statement is true, nor that it is false."""


class Unauthenticated(ComityError):
    """The certificate is missing, or does not chain to the bundle of its institute."""


class Forbidden(ComityError):
    """The caller is known and may not do this."""


class NotFound(ComityError):
    """There is no such thing here."""


class Conflict(ComityError):
    """The thing exists already and differs."""


class OtherSizeHeld(Conflict):
    """A witness holds ``held`` leaves of a log; the proof begins at another size."""

    def __init__(self, message: str, *, held: int = 0, field: str = "", hint: str = "") -> None:
        super().__init__(message, field=field, hint=hint)
        self.held = held


class LogHalted(ComityError):
    """The institute's log is signed no more: what would be added to it could not be proved."""


class CursorRefused(ComityError):
    """The cursor is well formed and cannot be served: start again without one."""


class FutureCursor(CursorRefused):
    """The cursor points past the end of the sender's queue: the sender lost state."""


class EpochChanged(CursorRefused):
    """The cursor is from another life of the sender's database."""


class Flooded(ComityError):
    """A peer sent so many bad records in a row that the stream was cut."""


class Unavailable(ComityError):
    """The other side cannot be reached, or went silent."""


class BadConfig(ComityError):
    """Settings, files or set-up of this machine are not usable."""
