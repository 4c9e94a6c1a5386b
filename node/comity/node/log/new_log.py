"""Closing this institute's log and beginning another, under a new key and a new name.

It happens once the institute's bundle lists the key of the new log (see ``comity.record.log``).

Invariants: a log that was closed is never signed again; the new log begins with the leaves that are
left, each at the place that it had, so that an index from which a record key is revoked means the
same in both; the numbers of logs only grow; after a recovery, no log begins whose key was made
before it, since that key may have signed in the life of the database that was lost.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlmodel import Session, select

from comity.node.database.alarms import clear_alarm
from comity.node.database.owner import own_institute
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import CheckpointRow, ClosedLogRow, CosignatureRow
from comity.node.log.head import LOG_INCONSISTENT, LOG_ROLLED_BACK, log_head
from comity.node.log.proofs import newest_checkpoint
from comity.record.errors import NotFound
from comity.record.merkle import EMPTY_ROOT

log = structlog.get_logger()


def least_number(session: Session) -> int:
    """Return the least number of a log that may begin."""
    head = log_head(session)
    return max(head.log_number, head.used_number) + 1


def begin_log(session: WriteSession, number: int, now: int) -> bool:
    """Close the present log and begin the one with ``number``, if that may begin; True if so.

    What peers hold against the closed log's name stays with that name, and so does the alarm that
    it was restored, which an operator clears.
    """
    head = log_head(session)
    if number < least_number(session):
        return False

    # its newest checkpoint stays: it proves all leaves that the new log begins with
    session.add(
        ClosedLogRow(
            log_number=head.log_number,
            size=head.size,
            root=head.root,
            note=_newest_note(session),
            told_size=head.told_size,
            halted=head.halted,
            closed_time=now,
        )
    )
    session.connection().execute(sa.delete(CosignatureRow))
    session.connection().execute(sa.delete(CheckpointRow))

    # nothing is signed in the new name so far
    head.log_number, head.size, head.root = number, 0, EMPTY_ROOT.hex()
    head.halted, head.told_size = "", 0
    session.add(head)
    session.flush()

    institute = own_institute(session)
    for reason in (LOG_INCONSISTENT, LOG_ROLLED_BACK):
        clear_alarm(session, institute, reason)
    log.info("a new log began", institute=institute, number=number)
    return True


def closed_logs(session: Session) -> list[ClosedLogRow]:
    """Return the logs of this institute that were closed, the oldest first."""
    return list(session.exec(select(ClosedLogRow).order_by(ClosedLogRow.log_number)))


def _newest_note(session: Session) -> bytes:
    try:
        return newest_checkpoint(session).note
    except NotFound:
        return b""
