"""What a witness does when an institute closes its log and begins another.

The institute's bundle tells it, by the key of the new log. Invariants: the new log owes no proof
that it continues the closed one; what is held of the closed one, and all evidence against it, stays
as it is; the operator is told once.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete
from sqlmodel import select

from comity.node.database.alarms import clear_alarm, raise_alarm
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import SightingRow, WitnessedLogRow
from comity.node.log.head import LOG_INCONSISTENT, LOG_ROLLED_BACK, LOG_UNPROVEN
from comity.record.log import origin

LOG_REPLACED: Final = "LOG_REPLACED"
"""An institute has closed its log and begun another, since it lost entries of the closed one."""


def note_new_log(session: WriteSession, row: WitnessedLogRow, now: int) -> None:
    """Tell of a log of which nothing was held so far, if it takes the place of another."""
    institute, order = row.institute, WitnessedLogRow.log_number.desc()
    older = (WitnessedLogRow.institute == institute, WitnessedLogRow.log_number < row.log_number)
    before = session.exec(select(WitnessedLogRow).where(*older).order_by(order)).first()
    if before is None:
        return

    # the closed log will prove nothing any more: what it owed is told by this alarm
    which = SightingRow.institute == institute
    session.connection().execute(delete(SightingRow).where(which))
    for reason in (LOG_INCONSISTENT, LOG_ROLLED_BACK, LOG_UNPROVEN):
        clear_alarm(session, institute, reason)

    closed, begun = (origin(institute, log.log_number) for log in (before, row))
    message = f"closed {closed}, of which {before.size} leaves were seen here, and began {begun}"
    why = f" (it was halted here: {before.halted})" if before.halted else ""
    ask = f"ask {institute} which records it lost: comity-node reconcile {institute} lists them"
    raise_alarm(session, institute, LOG_REPLACED, f"{message}{why}; {ask}", now)
