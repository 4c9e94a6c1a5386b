"""Witnessing: cosigning another institute's log as it grows (C2SP tlog-witness).

    (1) the checkpoint is of the log of a pinned institute                 NotFound         404
    (2) a log key in that institute's own bundle signed it                 BadSignature,
                                                                           UnknownKey       403
    (3) the log was not halted, and this witness was not restored          Forbidden        403
    (4) its size is not below the size that the proof begins at            BadCheckpoint    400
    (5) of one size there is one root                                      Conflict         409
    (6) the proof begins at what is held                                   OtherSizeHeld    409
    (7) the proof leads from what is held to the checkpoint                BadProof         422
    (8) it is committed, and marked outside the database
    (9) it is cosigned with every witness key that is in force

Invariants: (3) to (8) happen under the store's write lock, so that no two threads or processes
cosign what contradicts each other; a checkpoint that contradicts the held one halts the log, with
the evidence kept; a checkpoint that carries our own cosignature and is newer than what is held
shows that the database was restored, and halts all witnessing; meanwhile such checkpoints are still
taken for held, so that no memory is missing when an operator resumes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from comity.node.database.clock import to_datetime
from comity.node.database.store import WriteSession
from comity.node.database.tables import WitnessedLogRow
from comity.node.trust.site import Site
from comity.node.witness.halting import (
    WITNESS_RESTORED,
    check_witnessed,
    halt_restored,
    halt_split,
    witnessed_log,
)
from comity.record.bundle import TrustBundle
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.cosignature import cosign, verify_cosignature, witness_name
from comity.record.errors import (
    BadCheckpoint,
    BadSignature,
    ComityError,
    Conflict,
    Forbidden,
    NotFound,
    OtherSizeHeld,
)
from comity.record.limits import MAX_CHECKPOINT_BYTES
from comity.record.log import origin
from comity.record.merkle import verify_consistency
from comity.record.note import Note, NoteSigner, SignatureLine, Verifier, known_lines, verify
from comity.record.split_view import SplitView

_ORIGIN_PREFIX: Final = origin("")


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that the log of ``institute`` signed, and the note that says so.

    Of the lines under the note, those in the log's and in our own name were verified; others are
    as they came. ``cosigned_time`` is when this institute cosigned it; None where it did not.
    """

    institute: str
    checkpoint: Checkpoint
    note: Note
    cosigned_time: datetime | None

    @property
    def root(self) -> str:
        """The root, hex."""
        return self.checkpoint.root.hex()


def log_keys(bundle: TrustBundle) -> list[Verifier]:
    """Return the keys that speak for the log of an institute: those that bear its name."""
    keys = [Verifier.parse(key) for key in bundle.log_keys]
    return [key for key in keys if key.name == origin(bundle.institute)]


def open_seen(site: Site, data: bytes) -> Seen:
    """Read a checkpoint of another institute's log: (1) and (2).

    Whoever brings it can have put lines under it. What is in our name and does not verify is left
    out, and so is what is in the log's name and of no key that we know: others may know it, and
    would refuse what we tell.

    Raises:
        LimitExceeded: over MAX_CHECKPOINT_BYTES, or a size over MAX_TREE_SIZE.
        BadNote, BadCheckpoint: not well formed.
        NotFound: of no institute that is pinned; this one is not its own witness.
        BadSignature: a signature by the log's key does not verify.
        UnknownKey: no signature by the log's key.
    """
    MAX_CHECKPOINT_BYTES.check(len(data), "checkpoint")
    claimed = Checkpoint.parse(Note.parse(data).text).origin
    institute = claimed.removeprefix(_ORIGIN_PREFIX)
    pinned = claimed.startswith(_ORIGIN_PREFIX) and institute != site.institute
    bundle = site.find_bundle(institute) if pinned else None
    if bundle is None:
        raise NotFound(f"no pinned institute has the log {claimed!r:.100}", field="checkpoint")
    keys = log_keys(bundle)
    checkpoint, note = open_checkpoint(data, keys)
    ours = _own_lines(site, note)
    verified, names = {*verify(note, keys), *ours}, (claimed, witness_name(site.institute))
    lines = tuple(s for s in note.signatures if s in verified or s.name not in names)
    time = max(ours.values(), default=None)
    return Seen(institute, checkpoint, Note(note.text, lines), time)


def add_checkpoint(
    site: Site, data: bytes, old_size: int, proof: Sequence[bytes]
) -> list[SignatureLine]:
    """Take a newer checkpoint of another institute's log; return this institute's cosignatures.

    ``proof`` are the hashes (RFC 6962, section 2.1.2) from ``old_size``, which must be what is
    held. Whoever brings it need not be the log: nothing here speaks against the log but (5).

    Raises: as ``open_seen``, and as the table above says.
    """
    seen = open_seen(site, data)
    size = seen.checkpoint.size
    if old_size > size:
        message = f"expected at least {old_size} leaves, got {size}"
        raise BadCheckpoint(message, field="checkpoint.size")
    if not _need_not_write(site, seen, old_size):
        with site.store.write() as session:
            refusal = _take(session, site, seen, old_size, proof)
        if refusal is not None:
            raise refusal
    site.keep_mark()
    now, signers = to_datetime(site.clock()), site.own.witness_signers()
    return [cosign(seen.note.text, signer, now) for signer in signers]


def carries_ours(note: Note, signers: Iterable[NoteSigner]) -> bool:
    """Say whether a note has a line in the name of each of these witness keys, unverified."""
    lines = {(line.name, line.keyid) for line in note.signatures}
    return all((s.name, s.verifier.keyid) in lines for s in signers)


def find_restored(
    session: WriteSession, site: Site, row: WitnessedLogRow, seen: Seen
) -> ComityError | None:
    """Look for our own cosignature on a checkpoint that this database knows nothing of.

    Returns the refusal; the caller must commit all the same, since cosigning is halted. None means
    that there is no such cosignature. This node cosigns only what it found consistent, so the
    checkpoint takes the place of the one that is held.
    """
    time = seen.cosigned_time
    if time is None or seen.checkpoint.size <= max(row.size, row.passed_over):
        return None
    if row.halted and not row.halted.startswith(WITNESS_RESTORED):
        return None
    message = (
        f"this institute cosigned {seen.checkpoint.size} leaves of {seen.institute} at"
        f" {time:%Y-%m-%d %H:%M:%S} UTC, but its database knew of {row.size}: an older backup?"
    )
    _hold(session, row, seen, site.clock())
    if not row.halted:
        halt_restored(session, row, site.institute, message, site.clock())
    return Forbidden(message, hint="comity-node witness resume, once it is known what happened")


def find_contradiction(
    session: WriteSession, site: Site, row: WitnessedLogRow, seen: Seen
) -> ComityError | None:
    """Look for another root of the held size: (5); otherwise as ``find_restored``."""
    size = seen.checkpoint.size
    if not row.note or size != row.size or seen.root == row.root or size <= row.passed_over:
        return None
    message = f"signed two roots of {size} leaves, {row.root} and {seen.root}"
    evidence = SplitView.of(Note.parse(row.note), seen.note)
    halt_split(session, row, evidence, message, site.clock())
    return Conflict(f"the log of {seen.institute} {message}", field="checkpoint.root")


def is_held(row: WitnessedLogRow, seen: Seen) -> bool:
    """Say whether what is held differs in cosignatures at most.

    They are no news: witnesses that took them for some would rouse each other for ever, and anyone
    can put lines under a note.
    """
    if not row.note:
        return False
    before, origin = Note.parse(row.note), seen.checkpoint.origin
    held_lines, seen_lines = (
        {line for line in note.signatures if line.name == origin} for note in (before, seen.note)
    )
    return before.text == seen.note.text and held_lines == seen_lines


def _need_not_write(site: Site, seen: Seen, old_size: int) -> bool:
    with site.store.read() as session:
        row = witnessed_log(session, seen.institute)
    return is_held(row, seen) and row.size == old_size and not row.halted


def _take(
    session: WriteSession, site: Site, seen: Seen, old_size: int, proof: Sequence[bytes]
) -> ComityError | None:
    """Do (3) to (8). A refusal is returned where it leaves something to be committed."""
    row = witnessed_log(session, seen.institute)
    refusal = find_restored(session, site, row, seen)
    if refusal is None:
        check_witnessed(session, row, site.institute)
        refusal = find_contradiction(session, site, row, seen)
    if refusal is not None:
        return refusal
    if old_size != row.size:
        message = f"expected a proof from {row.size} leaves, got one from {old_size}"
        raise OtherSizeHeld(message, held=row.size, field="old_size")
    new = seen.checkpoint
    verify_consistency(old_size, new.size, bytes.fromhex(row.root), new.root, proof)
    _hold(session, row, seen, site.clock())
    return None


def _hold(session: WriteSession, row: WitnessedLogRow, seen: Seen, now: int) -> None:
    row.size, row.root = seen.checkpoint.size, seen.root
    row.note, row.witnessed_time = seen.note.to_bytes(), now
    session.add(row)
    session.flush()


def _own_lines(site: Site, note: Note) -> dict[SignatureLine, datetime]:
    """Return the lines that our own witness keys made, each with when."""
    name = witness_name(site.institute)
    if name not in {line.name for line in note.signatures}:
        return {}
    own = [signer.verifier for signer in site.own.witness_signers()]
    found: dict[SignatureLine, datetime] = {}
    for line, key in known_lines(note, own):
        with suppress(BadSignature):
            found[line] = verify_cosignature(note.text, line, key)
    return found
