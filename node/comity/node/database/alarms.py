"""Alarms: events that an operator must look at, kept in the database until they are cleared.

Invariants: an alarm is one row for an institute and a reason, however often it is raised, so that a
peer that provokes it fills neither the database nor the log output; it is logged as an error the
first time and when its message changes; only an operator, or the end of its cause, clears it.
"""

from __future__ import annotations

import structlog
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import AlarmRow
from comity.node.database.text import storable_message

log = structlog.get_logger()


def raise_alarm(session: WriteSession, institute: str, reason: str, message: str, now: int) -> None:
    """Raise an alarm about ``institute``; count it if it was raised before.

    ``reason`` is UPPER_SNAKE, at most 64 characters; ``now`` is Unix milliseconds.
    """
    message = storable_message(message)

    alarm = session.get(AlarmRow, (institute, reason))
    if alarm is None:
        alarm = AlarmRow(
            institute=institute, reason=reason, message="", first_time=now, last_time=now, count=0
        )

    # a cause that lasts is logged once
    if alarm.message != message:
        log.error("alarm", institute=institute, reason=reason, message=message)

    alarm.message, alarm.last_time, alarm.count = message, now, alarm.count + 1
    session.add(alarm)
    session.flush()


def clear_alarm(session: WriteSession, institute: str, reason: str) -> bool:
    """Drop an alarm; return True if there was one."""
    alarm = session.get(AlarmRow, (institute, reason))
    if alarm is None:
        return False
    session.delete(alarm)
    session.flush()
    log.info("alarm cleared", institute=institute, reason=reason)
    return True


def list_alarms(session: Session, institute: str | None = None) -> list[AlarmRow]:
    """Return the alarms, oldest first; with ``institute`` only those about it."""
    query = select(AlarmRow).order_by(AlarmRow.first_time, AlarmRow.institute, AlarmRow.reason)
    if institute is not None:
        query = query.where(AlarmRow.institute == institute)
    return list(session.exec(query))
