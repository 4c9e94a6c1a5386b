"""Alarms: events that an operator must look at, kept in the database until they are cleared.

Where the settings say how, a new alarm is delivered to people; see ``server.alarm_messages``.

Invariants: an alarm is one row for an institute and a reason, however often it is raised, so that a
peer that provokes it fills neither the database nor the log output; it is logged as an error the
first time and when its message changes; only an operator, or the end of its cause, clears it; it is
delivered at least once, however often processes die.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import func
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import AlarmRow
from comity.node.database.text import storable_message

MAX_DELIVERIES: Final = 8
"""Alarms that are delivered at a time."""

MIN_RETRY_MS: Final = 30_000
"""The pause after the first try; longer than a delivery may take."""

MAX_RETRY_MS: Final = 3_600_000
"""The longest pause between two tries of a delivery."""

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


def claim_deliveries(session: WriteSession, now: int) -> list[AlarmRow]:
    """Return the alarms whose delivery is to be tried now, the oldest first.

    They are at most MAX_DELIVERIES. The next try of each is set at once, so that no other process
    tries as well, and a process that dies half-way only delays it. The pause between two tries
    doubles from MIN_RETRY_MS to MAX_RETRY_MS.
    """
    due = select(AlarmRow).where(AlarmRow.delivered_time.is_(None), AlarmRow.retry_time <= now)
    alarms = list(session.exec(due.order_by(AlarmRow.first_time).limit(MAX_DELIVERIES)))
    for alarm in alarms:
        pause = min(MIN_RETRY_MS << min(alarm.delivery_attempts, 16), MAX_RETRY_MS)
        alarm.delivery_attempts += 1
        alarm.retry_time = now + pause
        session.add(alarm)
    session.flush()
    return alarms


def next_delivery_time(session: Session) -> int | None:
    """Return when the next delivery is to be tried, in Unix milliseconds; None if none waits."""
    waiting = select(func.min(AlarmRow.retry_time)).where(AlarmRow.delivered_time.is_(None))
    return session.exec(waiting).one()


def mark_delivered(session: WriteSession, alarm: AlarmRow, now: int) -> None:
    """Remember that an alarm reached people, unless it was cleared meanwhile."""
    row = session.get(AlarmRow, (alarm.institute, alarm.reason))
    # one that was cleared and raised again is news
    if row is not None and row.first_time == alarm.first_time:
        row.delivered_time = now
        session.add(row)
        session.flush()


def list_alarms(session: Session, institute: str | None = None) -> list[AlarmRow]:
    """Return the alarms, oldest first; with ``institute`` only those about it."""
    query = select(AlarmRow).order_by(AlarmRow.first_time, AlarmRow.institute, AlarmRow.reason)
    if institute is not None:
        query = query.where(AlarmRow.institute == institute)
    return list(session.exec(query))
