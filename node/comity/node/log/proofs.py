"""What the log publishes: its checkpoint with cosignatures, its tiles, and its proofs.

Proofs are those of RFC 6962, sections 2.1.1 and 2.1.2. Invariant: only leaves under a signed
checkpoint are shown, and never a leaf that is newer than the checkpoint shown with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, select

from comity.node.database.tables import CheckpointRow, CosignatureRow, LogEntryRow
from comity.node.log import tree
from comity.record import merkle
from comity.record.errors import NotFound
from comity.record.limits import MAX_CHECKPOINT_BYTES, MAX_NOTE_SIGNATURES, Limit
from comity.record.note import Note
from comity.record.tile import Tile
from comity.record.tlog_proof import TlogProof

MAX_TILES: Final = Limit("MAX_TILES", 32, "tiles")
"""Tiles in one answer: each holds up to 256 leaves of some 600 bytes, 5 MiB together."""


class PublishedCheckpoint(NamedTuple):
    """A signed checkpoint, its ``note`` with the cosignatures so far, and its size in leaves."""

    size: int
    note: bytes


def newest_checkpoint(session: Session) -> PublishedCheckpoint:
    """Return the newest checkpoint.

    Raises:
        NotFound: nothing was signed so far.
    """
    return _checkpoint(session, CheckpointRow.size.desc())


def newest_size(session: Session) -> int:
    """Return the number of leaves under the newest checkpoint; 0 if nothing was signed so far."""
    return session.exec(select(sa.func.max(CheckpointRow.size))).one() or 0


def cosigned_checkpoint(session: Session, index: int) -> PublishedCheckpoint:
    """Return the checkpoint that covers leaf ``index`` and that most witnesses cosigned.

    Raises:
        NotFound: no checkpoint covers it so far.
    """
    # of checkpoints with as many cosignatures the newest one comes first
    count = sa.select(sa.func.count()).where(CosignatureRow.size == CheckpointRow.size)
    most = count.scalar_subquery().desc()
    return _checkpoint(session, most, CheckpointRow.size.desc(), above=index)


def prove_consistency(session: Session, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of ``new`` leaves continues the one of ``old``.

    It is empty if ``old`` is larger: the checkpoint alone shows a witness that the log shrank.
    """
    return merkle.consistency_proof(old, new, tree.hashes(session, new)) if old <= new else []


def prove_inclusion(session: Session, record_id: str) -> TlogProof:
    """Return the proof that a record of this institute is in its log, RFC 6962, section 2.1.1.

    Raises:
        NotFound: the record is not in the log, or no checkpoint covers it so far.
    """
    which = LogEntryRow.record_id == record_id
    index = session.exec(select(LogEntryRow.log_index).where(which)).one_or_none()
    if index is None:
        raise NotFound(f"{record_id} is not in this log", field="record_id")
    shown = cosigned_checkpoint(session, index)

    hashes = merkle.inclusion_proof(index, shown.size, tree.hashes(session, shown.size))
    return TlogProof(index, tuple(hashes), shown.note)


def published_tiles(session: Session, paths: Sequence[str]) -> list[bytes]:
    """Return tiles by their paths, as far as a checkpoint covers them.

    Raises:
        LimitExceeded: more than MAX_TILES.
        BadTile: not a path of a tile.
        NotFound: the log has no such tile so far.
    """
    MAX_TILES.check(len(paths), "paths")
    tiles = [Tile.parse(path) for path in paths]

    # nothing newer than the checkpoint is shown
    size = newest_checkpoint(session).size
    found = tree.read_tiles(session, tiles)
    for tile, data in zip(tiles, found, strict=True):
        if not data or not tile.fits(size):
            raise NotFound("the log has no such tile so far", field=tile.path)
    return found


def _checkpoint(
    session: Session, *order: sa.UnaryExpression[int], above: int = -1
) -> PublishedCheckpoint:
    query = select(CheckpointRow).where(CheckpointRow.size > above).order_by(*order).limit(1)
    row = session.exec(query).first()
    if row is None:
        raise NotFound("the log has no checkpoint of that so far", field="checkpoint")
    return PublishedCheckpoint(row.size, row.note + b"".join(_cosignatures(session, row)))


def _cosignatures(session: Session, checkpoint: CheckpointRow) -> list[bytes]:
    """Return the cosignature lines to show under a checkpoint, ordered by witness.

    As many as MAX_NOTE_SIGNATURES and MAX_CHECKPOINT_BYTES allow. Every witness gets one line
    before any gets a second, so that a witness with many keys crowds out nobody.
    """
    query = select(CosignatureRow).where(CosignatureRow.size == checkpoint.size)

    # (n, witness): the n-th newest line of a witness name
    turns = Counter[str]()
    queue: list[tuple[int, str, bytes]] = []
    for row in session.exec(query.order_by(CosignatureRow.cosigned_time.desc())):
        name = row.witness.partition("+")[0]
        queue.append((turns[name], row.witness, row.line))
        turns[name] += 1

    # the newest line of each first, as long as readers take more
    room = MAX_CHECKPOINT_BYTES - len(checkpoint.note)
    places = MAX_NOTE_SIGNATURES - len(Note.parse(checkpoint.note).signatures)
    chosen: dict[str, bytes] = {}
    for _, witness, line in sorted(queue)[:places]:
        room -= len(line)
        if room < 0:
            break
        chosen[witness] = line

    return [chosen[witness] for witness in sorted(chosen)]
