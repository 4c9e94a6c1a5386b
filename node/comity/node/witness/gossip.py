"""Gossip: what nodes tell each other of the logs that they have seen.

A log that shows one history here and another there is found out as soon as two who have seen both
meet. A told checkpoint that is of the held size is compared at once; of another size it is kept, a
sighting, until the log itself has shown how it fits; see ``watching``. Invariants: nothing is kept
that the log's own key did not sign; each teller has one place for each log, so that nobody fills
the table; a checkpoint of our own log that we know nothing of halts our signer, because then our
database was restored from an older backup; once the operator has resumed it, what was told before
does so no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, select

from comity.node.database.store import WriteSession
from comity.node.database.tables import CheckpointRow, LogHeadRow, SightingRow, WitnessedLogRow
from comity.node.log import tree
from comity.node.log.checkpoints import LOG_INCONSISTENT, halt
from comity.node.trust.peers import bundle_of, get_peer
from comity.node.trust.site import Site
from comity.node.witness.cosigning import (
    Seen,
    find_contradiction,
    find_restored,
    log_keys,
    open_seen,
)
from comity.node.witness.halting import LOG_ROLLED_BACK, witnessed_log
from comity.record import checkpoint as notes
from comity.record.errors import NotFound, UnknownKey
from comity.record.limits import MAX_CHECKPOINT_BYTES, MAX_PEERS
from comity.record.log import origin
from comity.record.merkle import EMPTY_ROOT
from comity.record.note import Note, known_lines


def tell(site: Site) -> list[bytes]:
    """Return the newest checkpoints that this node has seen of others' logs, by institute."""
    query = select(WitnessedLogRow.note).where(WitnessedLogRow.note != b"")
    with site.store.read() as session:
        return list(session.exec(query.order_by(WitnessedLogRow.institute).limit(MAX_PEERS)))


def hear(site: Site, teller: str, told: Sequence[bytes]) -> None:
    """Take in the checkpoints that a peer has seen of others, this institute among them.

    A log that is not pinned, and a key that its bundle does not list, are passed over: the teller
    may know more than we do. Contradictions are dealt with here, and not the teller's fault.

    Raises:
        LimitExceeded: more than MAX_PEERS, or one over MAX_CHECKPOINT_BYTES; nothing was taken.
        BadNote, BadCheckpoint, BadSignature: one is malformed; nothing was taken.
    """
    fresh, own = _unknown(site, teller, _parse(told))
    if not (fresh or own):
        return
    with site.store.write() as session:
        for seen in fresh:
            _hear(session, site, teller, seen)
        for checkpoint in own:
            _hear_own(session, site, teller, checkpoint)


def open_sightings(session: Session, institute: str, limit: int) -> list[SightingRow]:
    """Return sightings of a log that were not checked so far, each checkpoint once.

    What only keys signed that the log's bundle lists no more is not held against it.
    """
    which = select(SightingRow).where(
        SightingRow.institute == institute, SightingRow.checked.is_(False)
    )
    keys = log_keys(bundle_of(get_peer(session, institute)))
    found: dict[bytes, SightingRow] = {}
    for row in session.exec(which.order_by(SightingRow.told_time, SightingRow.teller)):
        if any(known_lines(Note.parse(row.note), keys)):
            found.setdefault(row.note, row)
        if len(found) == limit:
            break
    return list(found.values())


def mark_checked(session: WriteSession, sighting: SightingRow) -> None:
    """Note that a log has shown how a checkpoint fits, whoever told it."""
    same = select(SightingRow).where(
        SightingRow.institute == sighting.institute, SightingRow.note == sighting.note
    )
    for row in session.exec(same):
        row.checked = True
        session.add(row)
    session.flush()


def _parse(told: Sequence[bytes]) -> list[tuple[bytes, Note]]:
    MAX_PEERS.check(len(told), "checkpoints")
    for number, data in enumerate(told):
        MAX_CHECKPOINT_BYTES.check(len(data), f"checkpoints[{number}]")
    return [(data, Note.parse(data)) for data in told]


def _unknown(
    site: Site, teller: str, told: Sequence[tuple[bytes, Note]]
) -> tuple[list[Seen], list[notes.Checkpoint]]:
    """Return what is new among it: of each other log the largest, and all of the own.

    Of another log only the largest is verified, so that many of one cost no more.
    """
    with site.store.read() as session:
        known = _known_texts(session, teller)
    claims = [(notes.Checkpoint.parse(n.text), data) for data, n in told if n.text not in known]
    fresh: dict[str, Seen] = {}
    own: list[notes.Checkpoint] = []
    for claim, data in sorted(claims, key=lambda item: item[0].size, reverse=True):
        try:
            if claim.origin == origin(site.institute):
                own.append(notes.open_checkpoint(data, log_keys(site.bundle))[0])
            elif claim.origin not in fresh:
                fresh[claim.origin] = open_seen(site, data)
        except (NotFound, UnknownKey):
            continue
    return list(fresh.values()), own


def _known_texts(session: Session, teller: str) -> set[str]:
    """Return the texts that were checked already, or wait for it: the usual case costs no more."""
    held = session.exec(select(WitnessedLogRow.note).where(WitnessedLogRow.note != b""))
    told = session.exec(select(SightingRow.note).where(SightingRow.teller == teller))
    own = session.exec(select(CheckpointRow.note))
    return {Note.parse(data).text for rows in (held, told, own) for data in rows}


def _hear(session: WriteSession, site: Site, teller: str, seen: Seen) -> None:
    row, size = witnessed_log(session, seen.institute), seen.checkpoint.size
    if find_restored(session, site, row, seen) is not None or row.halted:
        return
    if find_contradiction(session, site, row, seen) is not None:
        return
    if (size, seen.root) == (row.size, row.root) or size <= row.passed_over:
        return
    # without cosignatures the same checkpoint is the same note, whoever tells of it
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


def _hear_own(session: WriteSession, site: Site, teller: str, told: notes.Checkpoint) -> None:
    """Compare a checkpoint that our log key signed with our log."""
    head = session.get(LogHeadRow, 1) or LogHeadRow(root=EMPTY_ROOT.hex())
    if told.size <= head.passed_over:
        return
    signed = min(head.size, tree.tree_size(session))
    fault = f"{teller} holds our checkpoint of {told.size} leaves"
    if told.size > signed:
        reason, fault = LOG_ROLLED_BACK, f"{fault}, and our log has {signed}"
    elif tree.root(session, told.size) != told.root:
        reason, fault = LOG_INCONSISTENT, f"{fault} with another root"
    else:
        return
    head.passed_over = told.size
    if head.halted:
        session.add(head)
        session.flush()
    else:
        halt(session, head, reason, f"{fault}: an older database?", site.clock())
