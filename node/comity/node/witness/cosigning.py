"""Witnessing: cosigning another institute's log as it grows (C2SP tlog-witness, add-checkpoint).

    (1) the checkpoint is of the log of a pinned institute                 NotFound         404
    (2) a log key in that institute's own bundle signed it                 BadSignature,
                                                                           UnknownKey       403
    (3) the log was not halted or closed, and this witness not restored    Forbidden        403
    (4) the checkpoint is not smaller than the start of the proof          BadCheckpoint    400
    (5) two checkpoints of one size have one root                          Conflict         409
    (6) the proof begins at the checkpoint that is held                    OtherSizeHeld    409
    (7) the proof leads from there to the new checkpoint                   BadProof         422
    (8) the checkpoint is committed, and marked outside the database
    (9) it is cosigned with every witness key that is in force

Invariants: (3), (5) to (7) and the commit happen under the store's write lock, so that no two
threads or processes cosign checkpoints that contradict each other (invariant 8); a checkpoint that
contradicts the held one halts the log, and the evidence is kept; a checkpoint that carries our own
cosignature and is newer than the held one shows that the database was restored, and halts all
witnessing. Such a checkpoint is held all the same, so that the memory is complete when an operator
resumes witnessing.
"""

from __future__ import annotations

from collections.abc import Sequence

from comity.node.database.clock import to_datetime
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import WitnessedLogRow
from comity.node.trust.site import Site
from comity.node.witness.halting import (
    WITNESS_RESTORED,
    check_witnessed,
    halt_for_restored_database,
    halt_for_split_view,
    witnessed_log,
)
from comity.node.witness.new_logs import note_new_log
from comity.node.witness.seen_checkpoints import SeenCheckpoint, is_held, open_seen_checkpoint
from comity.record.cosignature import cosign
from comity.record.errors import BadCheckpoint, ComityError, Conflict, Forbidden, OtherSizeHeld
from comity.record.merkle import verify_consistency
from comity.record.note import Note, SignatureLine
from comity.record.split_view import SplitView


def add_checkpoint(
    site: Site, data: bytes, old_size: int, proof: Sequence[bytes]
) -> list[SignatureLine]:
    """Take a newer checkpoint of another institute's log; return this institute's cosignatures.

    ``proof`` holds the hashes (RFC 6962, section 2.1.2) from ``old_size`` leaves, which must be the
    size that is held. Anyone may bring a checkpoint, so only (5) speaks against the log itself.

    Raises: as ``open_seen_checkpoint``, and as the table above says.
    """
    # (1) and (2)
    seen = open_seen_checkpoint(site, data)

    # (4) a proof cannot begin behind its end
    size = seen.checkpoint.size
    if old_size > size:
        message = f"expected at least {old_size} leaves, got {size}"
        raise BadCheckpoint(message, field="checkpoint.size")

    # (3) and (5) to (7); a refusal that halted something is raised after the commit
    if not _is_cosigned_again(site, seen, old_size):
        with site.store.write() as session:
            refusal = _check_and_hold(session, site, seen, old_size, proof)
        if refusal is not None:
            raise refusal

    # (8) a restored backup must not cosign another history
    site.keep_mark()

    # (9) the time is part of what is signed (C2SP tlog-cosignature)
    now, signers = to_datetime(site.clock()), site.own.witness_signers()
    return [cosign(seen.note.text, signer, now) for signer in signers]


def halt_if_restored(
    session: WriteSession, site: Site, row: WitnessedLogRow, seen: SeenCheckpoint
) -> ComityError | None:
    """Halt all witnessing if a checkpoint shows that this database was restored.

    It does if it carries our own cosignature, and is larger than any checkpoint that this database
    knows of that log. This node cosigns only what it found consistent, so the checkpoint takes the
    place of the held one.

    Returns the refusal, which the caller must raise only after the commit; None means that nothing
    was halted.
    """
    time = seen.cosigned_time
    if time is None or seen.checkpoint.size <= max(row.size, row.passed_over):
        return None
    # a log that was halted for its own fault stays as it is
    if row.halted and not row.halted.startswith(WITNESS_RESTORED):
        return None

    message = (
        f"this institute cosigned {seen.checkpoint.size} leaves of {seen.institute} at"
        f" {time:%Y-%m-%d %H:%M:%S} UTC, but its database knew of {row.size}: an older backup?"
    )
    _hold(session, row, seen, site.clock())
    if not row.halted:
        halt_for_restored_database(session, row, site.institute, message, site.clock())
    return Forbidden(message, hint="comity-node witness resume, once it is known what happened")


def halt_if_contradicted(
    session: WriteSession, site: Site, row: WitnessedLogRow, seen: SeenCheckpoint
) -> ComityError | None:
    """Halt a log that signed another root of the held size, and keep the evidence: (5).

    Returns the refusal, which the caller must raise only after the commit; None means that nothing
    was halted.
    """
    size = seen.checkpoint.size
    if not row.note or size != row.size or seen.root == row.root or size <= row.passed_over:
        return None

    message = f"signed two roots of {size} leaves, {row.root} and {seen.root}"
    evidence = SplitView.of(Note.parse(row.note), seen.note)
    halt_for_split_view(session, row, evidence, message, site.clock())
    return Conflict(f"the log of {seen.institute} {message}", field="checkpoint.root")


def _is_cosigned_again(site: Site, seen: SeenCheckpoint, old_size: int) -> bool:
    """True if the very same checkpoint is held, so that nothing needs to be written."""
    with site.store.read() as session:
        row = witnessed_log(session, *seen.log)
    may_cosign = not (row.halted or seen.closed)
    return is_held(row, seen) and row.size == old_size and may_cosign


def _check_and_hold(
    session: WriteSession, site: Site, seen: SeenCheckpoint, old_size: int, proof: Sequence[bytes]
) -> ComityError | None:
    """Take (3) and (5) to (7); return a refusal whose halt must be committed, raise any other."""
    row = witnessed_log(session, *seen.log)

    # (3) this witness was not restored, and the log is not halted or closed
    refusal = halt_if_restored(session, site, row, seen)
    if refusal is not None:
        return refusal
    check_witnessed(session, row, site.institute)
    if seen.closed:
        message = f"{seen.checkpoint.origin} is closed: {seen.institute} has begun another log"
        raise Forbidden(message, field="checkpoint.origin")

    # (5) one root of one size
    refusal = halt_if_contradicted(session, site, row, seen)
    if refusal is not None:
        return refusal

    # (6) the log is told the held size, and can send the proof that fits
    if old_size != row.size:
        message = f"expected a proof from {row.size} leaves, got one from {old_size}"
        raise OtherSizeHeld(message, held=row.size, field="old_size")

    # (7) the log only grew (RFC 6962, section 2.1.2)
    new = seen.checkpoint
    verify_consistency(old_size, new.size, bytes.fromhex(row.root), new.root, proof)

    _hold(session, row, seen, site.clock())
    return None


def _hold(session: WriteSession, row: WitnessedLogRow, seen: SeenCheckpoint, now: int) -> None:
    if not row.note:
        note_new_log(session, row, now)
    row.size, row.root = seen.checkpoint.size, seen.root
    row.note, row.witnessed_time = seen.note.to_bytes(), now
    session.add(row)
    session.flush()
