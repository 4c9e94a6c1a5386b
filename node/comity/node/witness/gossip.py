"""Gossip: nodes share the newest checkpoints that they have seen of other institutes' logs.

A log that shows one history to one peer and another to the next is found out as soon as the two
share. A shared checkpoint of the held size is compared at once. One of another size is kept as a
*sighting* until the log itself has shown how it fits; see ``consistency``.

Invariants: only what the log's own key signed is kept; a peer has one place for each log, so that
no peer can fill the table; a checkpoint of our own log that our database does not know halts our
signer, since the database must have been restored from an older backup (invariant 8). Of an
institute's logs only the newest is shared and followed; a closed one stays as it was last seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import CheckpointRow, SightingRow, WitnessedLogRow
from comity.node.log import tree
from comity.node.log.head import LOG_INCONSISTENT, LOG_ROLLED_BACK, halt_signing, log_head
from comity.node.trust.peers import bundle_of, get_peer
from comity.node.trust.site import Site
from comity.node.witness.cosigning import halt_if_contradicted, halt_if_restored
from comity.node.witness.halting import witnessed_log
from comity.node.witness.seen_checkpoints import SeenCheckpoint, log_keys, open_seen_checkpoint
from comity.record import checkpoint as notes
from comity.record.errors import NotFound, UnknownKey
from comity.record.limits import MAX_CHECKPOINT_BYTES, MAX_PEERS
from comity.record.log import is_log_of, newest_log, origin
from comity.record.note import Note, known_lines


def checkpoints_to_share(site: Site) -> list[bytes]:
    """Return the checkpoint held of each institute's newest log, at most MAX_PEERS."""
    order = (WitnessedLogRow.institute, WitnessedLogRow.log_number)
    with site.store.read() as session:
        rows = session.exec(select(WitnessedLogRow).order_by(*order))
        newest = {row.institute: row.note for row in rows}
    return [note for note in newest.values() if note][:MAX_PEERS]


def take_shared_checkpoints(site: Site, teller: str, shared: Sequence[bytes]) -> None:
    """Take the checkpoints that the peer ``teller`` has seen of other logs, ours among them.

    Those of a log that is not pinned, or by a key that its bundle does not list, are passed over:
    the peer may know more than we do. Contradictions raise nothing, since they are not the peer's
    fault; they halt the log that signed them.

    Raises:
        LimitExceeded: more than MAX_PEERS, or one over MAX_CHECKPOINT_BYTES; nothing was taken.
        BadNote, BadCheckpoint, BadSignature: one is malformed; nothing was taken.
    """
    fresh, own = _unknown(site, teller, _parse(shared))
    if not (fresh or own):
        return
    with site.store.write() as session:
        for seen in fresh:
            _take(session, site, teller, seen)
        for checkpoint in own:
            _take_own(session, site, teller, checkpoint)


def unchecked_sightings(session: Session, institute: str, limit: int) -> list[SightingRow]:
    """Return at most ``limit`` unchecked sightings of an institute's newest log, oldest first.

    Each note is returned once. A sighting is left out if its keys are no longer in the bundle.
    """
    which = select(SightingRow).where(
        SightingRow.institute == institute, SightingRow.checked.is_(False)
    )

    rows = session.exec(which.order_by(SightingRow.told_time, SightingRow.teller)).all()
    if not rows:
        return []
    bundle = bundle_of(get_peer(session, institute))
    name = origin(institute, newest_log(institute, bundle.log_keys))
    keys = [key for key in log_keys(bundle) if key.name == name]
    found: dict[bytes, SightingRow] = {}
    for row in rows:
        if any(known_lines(Note.parse(row.note), keys)):
            found.setdefault(row.note, row)
        if len(found) == limit:
            break

    return list(found.values())


def mark_checked(session: WriteSession, sighting: SightingRow) -> None:
    """Record that a log has shown how a checkpoint fits, whichever peers shared it."""
    same = select(SightingRow).where(
        SightingRow.institute == sighting.institute, SightingRow.note == sighting.note
    )
    for row in session.exec(same):
        row.checked = True
        session.add(row)
    session.flush()


def _parse(shared: Sequence[bytes]) -> list[tuple[bytes, Note]]:
    MAX_PEERS.check(len(shared), "checkpoints")
    for number, data in enumerate(shared):
        MAX_CHECKPOINT_BYTES.check(len(data), f"checkpoints[{number}]")
    return [(data, Note.parse(data)) for data in shared]


def _unknown(
    site: Site, teller: str, shared: Sequence[tuple[bytes, Note]]
) -> tuple[list[SeenCheckpoint], list[notes.Checkpoint]]:
    """Return the new checkpoints: the largest of each other log, and all of our own."""
    with site.store.read() as session:
        known = _known_texts(session, teller)
    claims = [(notes.Checkpoint.parse(n.text), data) for data, n in shared if n.text not in known]

    # the largest of a log comes first, and only that is verified: many of one cost no more
    fresh: dict[str, SeenCheckpoint] = {}
    own: list[notes.Checkpoint] = []
    for claim, data in sorted(claims, key=lambda item: item[0].size, reverse=True):
        try:
            if is_log_of(site.institute, claim.origin):
                own.append(notes.open_checkpoint(data, log_keys(site.bundle))[0])
            elif claim.origin not in fresh:
                fresh[claim.origin] = open_seen_checkpoint(site, data)
        except (NotFound, UnknownKey):
            continue

    return list(fresh.values()), own


def _known_texts(session: Session, teller: str) -> set[str]:
    """Return the texts of notes that were checked already, or are kept as sightings.

    Most shares bring nothing else, and are done with once they were compared with these.
    """
    held = session.exec(select(WitnessedLogRow.note).where(WitnessedLogRow.note != b""))
    sightings = session.exec(select(SightingRow.note).where(SightingRow.teller == teller))
    own = session.exec(select(CheckpointRow.note))
    return {Note.parse(data).text for rows in (held, sightings, own) for data in rows}


def _take(session: WriteSession, site: Site, teller: str, seen: SeenCheckpoint) -> None:
    """Compare a checkpoint of another log with the held one, or keep it as a sighting."""
    row, size = witnessed_log(session, *seen.log), seen.checkpoint.size
    if halt_if_restored(session, site, row, seen) is not None or row.halted:
        return
    if halt_if_contradicted(session, site, row, seen) is not None:
        return

    # a closed log may have lost the leaves that would prove how the checkpoint fits
    if seen.closed:
        return

    # the same checkpoint is no news, and neither is one of a life that an operator has given up
    if (size, seen.root) == (row.size, row.root) or size <= row.passed_over:
        return

    # without cosignatures, the same checkpoint is the same note from whichever peer
    lines = tuple(s for s in seen.note.signatures if s.name == seen.checkpoint.origin)
    sighting = SightingRow(
        institute=seen.institute,
        teller=teller,
        size=size,
        note=Note(seen.note.text, lines).to_bytes(),
        told_time=site.clock(),
    )
    session.merge(sighting)
    session.flush()


def _take_own(session: WriteSession, site: Site, teller: str, shared: notes.Checkpoint) -> None:
    """Compare a checkpoint that our own log key signed with our log (invariant 8)."""
    head = log_head(session)
    # what peers hold of a closed log was the reason to close it
    if shared.origin != origin(site.institute, head.log_number) or shared.size <= head.told_size:
        return

    # the signed tree can be larger than the tree that a restored database has
    signed = min(head.size, tree.tree_size(session))
    fault = f"{teller} holds our checkpoint of {shared.size} leaves"
    if shared.size > signed:
        reason, fault = LOG_ROLLED_BACK, f"{fault}, and our log has {signed}"
    elif tree.tree_root(session, shared.size) != shared.root:
        reason, fault = LOG_INCONSISTENT, f"{fault} with another root"
    else:
        return

    # told once, also where the log was halted before: the operator learns how much is lost
    head.told_size = shared.size
    session.add(head)
    session.flush()
    halt_signing(session, reason, f"{fault}: an older database?", site.clock())
