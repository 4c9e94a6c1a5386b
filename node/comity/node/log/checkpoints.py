"""Signs the log's checkpoints (C2SP tlog-checkpoint), never two that contradict each other.

    (1) the last signed size and root are compared with the tree as it is now
    (2) the new size and root are committed, and noted outside the database
    (3) the note is signed with every key of this log that is in force
    (4) the note is kept, and old ones are dropped

Invariants (invariant 8): nothing is signed before (2) is on disk, so that a crash between (2) and
(4) can only lead to the same note again; a tree that does not continue what was signed halts the
signer for good, with an alarm (see ``head``); a checkpoint covers all leaves that were committed
before it, so that one signature serves many records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, select

from comity.node.database.clock import Clock
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import CheckpointRow, CosignatureRow, LogHeadRow
from comity.node.log import tree
from comity.node.log.head import LOG_INCONSISTENT, halt_signing, log_head
from comity.record import checkpoint as notes
from comity.record.note import Note, NoteSigner

KEPT: Final = 16
"""Checkpoints that are kept, of the newest and of the newest cosigned each.

While records keep coming, witnesses are some checkpoints behind."""


class Signer:
    """Signs the checkpoints of one log.

    ``signers`` gives the keys of the present log that are in force, the newest first; ``keep_mark``
    writes the mark, see ``database.progress_mark``.
    """

    def __init__(
        self,
        store: Store,
        signers: Callable[[], Sequence[NoteSigner]],
        clock: Clock,
        keep_mark: Callable[[], None],
    ) -> None:
        self._store, self._signers, self._clock = store, signers, clock
        self._keep_mark = keep_mark

    def sign(self) -> bool:
        """Sign the tree unless it was signed before; return True if a checkpoint was made."""
        with self._store.read() as session:
            if _is_signed(session) or log_head(session).halted:
                return False

        # (1) and (2) compare with the last signed size and root, and commit the new ones
        with self._store.write() as session:
            head = self._advance(session)
        if head.halted:
            return False
        self._keep_mark()

        # (3) one line of every log key that is in force, unless another log began meanwhile
        signers = self._signers()
        with self._store.read() as session:
            if log_head(session).log_number != head.log_number:
                return False
        body = notes.Checkpoint(signers[0].name, head.size, bytes.fromhex(head.root))
        lines = [notes.sign_checkpoint(body, signer).signatures[0] for signer in signers]
        note = Note(body.body, tuple(lines)).to_bytes()

        # (4) keep the note
        with self._store.write() as session:
            self._keep(session, head.size, note)
        return True

    def _advance(self, session: WriteSession) -> LogHeadRow:
        head = log_head(session)
        size = tree.tree_size(session)

        if not head.halted:
            fault = _contradiction(session, head, size)
            if fault:
                halt_signing(session, LOG_INCONSISTENT, fault, self._clock())
            else:
                head.size, head.root = size, tree.tree_root(session, size).hex()

        session.add(head)
        session.flush()
        return head

    def _keep(self, session: WriteSession, size: int, note: bytes) -> None:
        held = session.get(CheckpointRow, size)
        if held is None:
            session.add(CheckpointRow(size=size, note=note, signed_time=self._clock()))
        else:
            # another key came into force while the tree stood still
            held.note = note
            session.add(held)
        session.flush()
        _drop_old(session)


def _is_signed(session: Session) -> bool:
    newest: int | None = session.exec(select(sa.func.max(CheckpointRow.size))).one()
    return newest == tree.tree_size(session)


def _contradiction(session: Session, head: LogHeadRow, size: int) -> str:
    """Return how the tree fails to continue what was signed; empty if it does continue it."""
    if size < head.size:
        return f"the log has {size} leaves, but {head.size} were signed: an older database?"
    if tree.tree_root(session, head.size).hex() != head.root:
        return f"the first {head.size} leaves are not those that were signed"
    return ""


def _drop_old(session: WriteSession) -> None:
    # the newest may not be cosigned so far, and a proof for others needs one that is
    cosigned = select(CosignatureRow.size).distinct().order_by(CosignatureRow.size.desc())
    newest = select(CheckpointRow.size).order_by(CheckpointRow.size.desc())
    lists = (cosigned.limit(KEPT), newest.limit(KEPT))
    kept = sa.or_(*(CheckpointRow.size.in_(sizes) for sizes in lists))
    session.connection().execute(sa.delete(CheckpointRow).where(~kept))
    gone = ~CosignatureRow.size.in_(select(CheckpointRow.size))
    session.connection().execute(sa.delete(CosignatureRow).where(gone))
