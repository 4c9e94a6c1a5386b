"""Halting a log: it is cosigned no more, evidence is kept, an alarm is raised; and resuming it.

Invariants: a halted log is not cosigned again before an operator resumes it, whatever it shows
meanwhile; evidence is kept only after it was checked, at most MAX_SPLIT_VIEWS pieces of one log.
"""

from __future__ import annotations

import hashlib
from typing import Final

import structlog
from sqlmodel import Session, func, select

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.owner import own_institute
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import (
    AlarmRow,
    SightingRow,
    SplitViewRow,
    WitnessedLogRow,
)
from comity.node.log.head import LOG_INCONSISTENT, LOG_ROLLED_BACK
from comity.record import split_view
from comity.record.errors import Conflict, Forbidden, NotFound
from comity.record.merkle import EMPTY_ROOT

SPLIT_VIEW: Final = "SPLIT_VIEW"
"""A log signed two checkpoints that contradict each other; there is evidence of it."""

WITNESS_RESTORED: Final = "WITNESS_RESTORED"
"""About this institute: it cosigned a checkpoint that its database does not know."""

RESTORED: Final = "RESTORED"
"""About this institute: its operator recovered a restored database; see ``server.recovery``."""

MAX_SPLIT_VIEWS: Final = 8
"""Pieces of evidence kept against one log: one is enough, and its key can make any number."""

log = structlog.get_logger()


def witnessed_log(session: Session, institute: str, number: int) -> WitnessedLogRow:
    """Return the row of an institute's log; a new one of size 0 if nothing is held of it."""
    row = session.get(WitnessedLogRow, (institute, number))
    if row is None:
        root = EMPTY_ROOT.hex()
        row = WitnessedLogRow(
            institute=institute, log_number=number, size=0, root=root, note=b"", witnessed_time=0
        )
    return row


def check_witnessed(session: Session, row: WitnessedLogRow, own: str) -> None:
    """Check that this institute, ``own``, may cosign a log.

    Raises:
        Forbidden: the log was halted; or this database was restored and holds nothing of the log,
            which may have been cosigned before.
    """
    # a backup can be older than our first cosignature for a log
    restored = {alarm.reason for alarm in list_alarms(session, own)} & {RESTORED, WITNESS_RESTORED}
    if restored and session.get(WitnessedLogRow, (row.institute, row.log_number)) is None:
        hint = f"comity-node alarms clear {own} {min(restored)}, once it is known what happened"
        message = "this database was restored: logs that it does not know may have been cosigned"
        raise Forbidden(message, hint=hint)

    if row.halted:
        hint = f"comity-node witness resume {row.institute}, once it is known what happened"
        raise Forbidden(f"the log of {row.institute} is not witnessed: {row.halted}", hint=hint)


def halt_witnessing(
    session: WriteSession, row: WitnessedLogRow, reason: str, message: str, now: int
) -> None:
    """Stop cosigning a log, and raise the alarm ``reason`` about its institute."""
    row.halted = f"{reason}: {message}"
    session.add(row)
    session.flush()
    raise_alarm(session, row.institute, reason, message, now)


def halt_for_split_view(
    session: WriteSession,
    row: WitnessedLogRow,
    evidence: split_view.SplitView,
    message: str,
    now: int,
) -> None:
    """Halt a log that contradicted itself, and keep the ``evidence``, which was checked."""
    keep_evidence(session, row.institute, evidence, now)
    hint = f"comity-node witness export {row.institute} FILE writes the proof"
    halt_witnessing(session, row, SPLIT_VIEW, f"{message}; {hint}", now)


def halt_for_restored_database(
    session: WriteSession, row: WitnessedLogRow, institute: str, message: str, now: int
) -> None:
    """Halt all logs, since this ``institute`` cosigned one that its database has forgotten.

    If the alarm about that stands already, only the log of ``row`` is halted: all others were, and
    an operator may be resuming them one by one.
    """
    if session.get(AlarmRow, (institute, WITNESS_RESTORED)) is None:
        halt_all_witnessing(session, institute, message, now)
        return

    row.halted = f"{WITNESS_RESTORED}: {message}"
    session.add(row)
    session.flush()
    raise_alarm(session, institute, WITNESS_RESTORED, message, now)


def halt_all_witnessing(session: WriteSession, institute: str, message: str, now: int) -> None:
    """Stop cosigning every log, and raise the alarm about this ``institute``."""
    rows = session.exec(select(WitnessedLogRow).where(WitnessedLogRow.halted == "")).all()
    for row in rows:
        row.halted = f"{WITNESS_RESTORED}: {message}"
        session.add(row)
    session.flush()
    raise_alarm(session, institute, WITNESS_RESTORED, message, now)


def keep_evidence(
    session: WriteSession, institute: str, evidence: split_view.SplitView, now: int
) -> None:
    """Keep evidence against a log, each piece once; none beyond MAX_SPLIT_VIEWS pieces."""
    data = evidence.to_json()
    digest = hashlib.sha256(data).hexdigest()

    # one piece convicts the log, whose key can sign any number of them
    count = select(func.count()).where(SplitViewRow.institute == institute)
    full = session.exec(count).one() >= MAX_SPLIT_VIEWS
    if full or session.get(SplitViewRow, (institute, digest)) is not None:
        return

    row = SplitViewRow(institute=institute, digest=digest, evidence=data, found_time=now)
    session.add(row)
    session.flush()


def resume_witnessing(session: WriteSession, institute: str, *, anew: bool) -> WitnessedLogRow:
    """Witness an institute's logs again, clear the alarms about them, and return the newest.

    The next checkpoint must continue the held one. With ``anew`` it need not: the log begins a new
    life, and the held checkpoint and all sightings of the former life are forgotten. A log that the
    institute has closed is cosigned no more, and only its alarm is cleared.

    Raises:
        NotFound: no log of that institute was ever witnessed.
        Conflict: none is halted.
    """
    query = select(WitnessedLogRow).where(WitnessedLogRow.institute == institute)
    rows = session.exec(query.order_by(WitnessedLogRow.log_number)).all()
    if not rows:
        hint = "comity-node witness list shows the logs"
        raise NotFound(f"no log of {institute!r:.100}", field="institute", hint=hint)

    # to forget a healthy log would let it show another history unseen (invariant 8)
    halted = [row for row in rows if row.halted]
    if not halted:
        hint = "comity-node witness list shows which logs are halted"
        raise Conflict(f"the log of {institute} is not halted", field="institute", hint=hint)

    for row in halted:
        row.halted = ""
        if anew:
            _forget(session, row)
        session.add(row)
    session.flush()

    for reason in (SPLIT_VIEW, LOG_INCONSISTENT, LOG_ROLLED_BACK):
        clear_alarm(session, institute, reason)
    # the alarm about this institute stands until the last of its logs is resumed
    if not _is_any_restored(session):
        clear_alarm(session, own_institute(session), WITNESS_RESTORED)

    log.info("witnessing resumed", institute=institute, anew=anew)
    return rows[-1]


def _forget(session: WriteSession, row: WitnessedLogRow) -> None:
    # peers will go on to share checkpoints of the former life: they are not held against it
    row.passed_over = max(row.size, row.passed_over, _largest_sighting(session, row.institute))
    row.size, row.root, row.note = 0, EMPTY_ROOT.hex(), b""
    for sighting in session.exec(select(SightingRow).where(SightingRow.institute == row.institute)):
        session.delete(sighting)


def _is_any_restored(session: Session) -> bool:
    """True if a log is still halted because this database was restored."""
    which = WitnessedLogRow.halted.startswith(WITNESS_RESTORED)
    return session.exec(select(WitnessedLogRow).where(which).limit(1)).first() is not None


def _largest_sighting(session: Session, institute: str) -> int:
    largest = select(func.max(SightingRow.size)).where(SightingRow.institute == institute)
    return session.exec(largest).one() or 0
