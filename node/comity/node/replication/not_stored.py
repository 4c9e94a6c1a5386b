"""What was given and not stored: refused or waiting at the receiver, and why.

A peer's word is read from its signed receipts. Invariant: a record has a row here exactly while the
peer's last word about it is that it was not stored; a reason that this node does not know is kept
as OTHER, so that a peer's text reaches neither the database nor a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import structlog
from sqlalchemy import delete, func
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import REFUSED, WAITING, NotStoredRow, QuarantineRow
from comity.node.replication.reconciliation import DifferenceKind, LedgerDifference
from comity.record.errors import ComityError
from comity.record.limits import Limit
from comity.record.receipt import Receipt, Rejected

MAX_BELIEVED: Final = Limit("MAX_BELIEVED", 1000, "records")
"""Records that are listed as waiting when a stream begins: as many as a node lets wait."""

log = structlog.get_logger()


def note_not_stored(session: WriteSession, peer: str, receipt: Receipt, now: int) -> None:
    """Note what a peer's receipt for a batch says of each of its records."""
    _forget(session, peer, receipt.stored)
    for state, items in ((REFUSED, receipt.rejected), (WAITING, receipt.waiting)):
        for item in items:
            session.merge(_row(peer, item, state, now))
        if items:
            reasons = dict(Counter(_known(item.reason) for item in items))
            log.warning("records not stored by peer", peer=peer, state=state, reasons=reasons)
    session.flush()


def settle_waiting(session: WriteSession, peer: str, receipt: Receipt, now: int) -> None:
    """Note what became of records that waited at a peer; other records are left alone."""
    which = NotStoredRow.record_id.in_(receipt.record_ids)
    waited = (NotStoredRow.peer == peer, NotStoredRow.state == WAITING, which)
    known = set(session.exec(select(NotStoredRow.record_id).where(*waited)))
    _forget(session, peer, known.intersection(receipt.stored))

    refused = [item for item in receipt.rejected if item.record in known]
    for item in refused:
        session.merge(_row(peer, item, REFUSED, now))
    session.flush()


def believed_waiting(session: Session, peer: str) -> list[str]:
    """Return the ids of records that wait at a peer by its last word, at most MAX_BELIEVED."""
    query = select(NotStoredRow.record_id)
    query = query.where(NotStoredRow.peer == peer, NotStoredRow.state == WAITING)
    return list(session.exec(query.order_by(NotStoredRow.receipt_time).limit(MAX_BELIEVED)))


def not_stored_by(session: Session, peer: str) -> dict[str, Counter[str]]:
    """Return how many records are waiting and refused at a peer, by state and reason."""
    found: dict[str, Counter[str]] = {WAITING: Counter(), REFUSED: Counter()}
    columns = (NotStoredRow.state, NotStoredRow.reason)
    query = select(*columns, func.count()).where(NotStoredRow.peer == peer).group_by(*columns)
    for state, reason, count in session.exec(query):
        found[state][reason] = count
    return found


def not_stored_differences(session: Session, own: str, peer: str) -> list[LedgerDifference]:
    """Return what a peer did not take of ours, then what was not taken of the peer's.

    There is one difference for a direction, a state and a reason.
    """
    differences: list[LedgerDifference] = []
    for table, giver, receiver in ((NotStoredRow, own, peer), (QuarantineRow, peer, own)):
        query = select(table.state, table.reason, table.record_id).where(table.peer == peer)
        ids: dict[tuple[str, str], list[str]] = {}
        for state, reason, record_id in session.exec(query.order_by(table.record_id)):
            ids.setdefault((state, reason), []).append(record_id)

        for (state, reason), some in sorted(ids.items()):
            kind = DifferenceKind(state.upper())
            done = "keeps waiting" if kind is DifferenceKind.WAITING else "refused"
            message = f"{receiver} {done} {len(some)} records of {giver}: {reason}"
            differences.append(LedgerDifference(kind, giver, receiver, message, tuple(some)))
    return differences


def _row(peer: str, item: Rejected, state: str, now: int) -> NotStoredRow:
    return NotStoredRow(
        peer=peer,
        record_id=item.record,
        state=state,
        reason=_known(item.reason),
        receipt_time=now,
    )


def _known(reason: str) -> str:
    return reason if reason in set(_reasons(ComityError)) else "OTHER"


def _reasons(error: type[ComityError]) -> Iterator[str]:
    yield error.reason
    for child in error.__subclasses__():
        yield from _reasons(child)


def _forget(session: WriteSession, peer: str, record_ids: Iterable[str]) -> None:
    which = NotStoredRow.record_id.in_(list(record_ids))
    session.connection().execute(delete(NotStoredRow).where(NotStoredRow.peer == peer, which))
