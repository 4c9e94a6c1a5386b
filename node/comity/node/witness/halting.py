"""Stopping to witness a log, with the evidence and the alarm, and the operator's way back.

Invariants: a log that was halted is not cosigned again before the operator resumes it, whatever it
shows meanwhile; evidence is kept only after it was checked, and of one log only so much of it.
"""

from __future__ import annotations

import hashlib
from typing import Final

import structlog
from sqlmodel import Session, func, select

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.owner import own_institute
from comity.node.database.store import WriteSession
from comity.node.database.tables import (
    AlarmRow,
    LogHeadRow,
    SightingRow,
    SplitViewRow,
    WitnessedLogRow,
)
from comity.node.log.checkpoints import LOG_INCONSISTENT
from comity.record import split_view
from comity.record.errors import Forbidden, NotFound
from comity.record.merkle import EMPTY_ROOT

SPLIT_VIEW: Final = "SPLIT_VIEW"
LOG_ROLLED_BACK: Final = "LOG_ROLLED_BACK"
WITNESS_RESTORED: Final = "WITNESS_RESTORED"
"""About this institute: it cosigned what its database knows nothing of."""

RESTORED: Final = "RESTORED"
"""About this institute: its operator let a restored database be used; see ``recovery``."""

_OF_A_LOG: Final = (LOG_INCONSISTENT, LOG_ROLLED_BACK)

MAX_SPLIT_VIEWS: Final = 8
"""Pieces of evidence kept against one log: one is enough, and its key can make any number."""

log = structlog.get_logger()


def witnessed_log(session: Session, institute: str) -> WitnessedLogRow:
    """Return what is held of an institute's log; a new row of size 0 where that is nothing."""
    row = session.get(WitnessedLogRow, institute)
    if row is None:
        root = EMPTY_ROOT.hex()
        row = WitnessedLogRow(institute=institute, size=0, root=root, note=b"", witnessed_time=0)
    return row


def check_witnessed(session: Session, row: WitnessedLogRow, own: str) -> None:
    """Check that a log is still witnessed by the institute ``own``.

    Raises:
        Forbidden: it was halted; or nothing is known of it, and this database was restored, so that
            it may have been cosigned before.
    """
    restored = {alarm.reason for alarm in list_alarms(session, own)} & {RESTORED, WITNESS_RESTORED}
    if restored and session.get(WitnessedLogRow, row.institute) is None:
        hint = f"comity-node alarms clear {own} {min(restored)}, once it is known what happened"
        message = "this database was restored: logs that it does not know may have been cosigned"
        raise Forbidden(message, hint=hint)
    if row.halted:
        hint = f"comity-node witness resume {row.institute}, once it is known what happened"
        raise Forbidden(f"the log of {row.institute} is not witnessed: {row.halted}", hint=hint)


def halt(session: WriteSession, row: WitnessedLogRow, reason: str, message: str, now: int) -> None:
    """Cosign a log no more, and raise the alarm about its institute."""
    row.halted = f"{reason}: {message}"
    session.add(row)
    session.flush()
    raise_alarm(session, row.institute, reason, message, now)


def halt_split(
    session: WriteSession,
    row: WitnessedLogRow,
    evidence: split_view.SplitView,
    message: str,
    now: int,
) -> None:
    """Halt a log that contradicted itself, and keep ``evidence``, which was checked."""
    keep_evidence(session, row.institute, evidence, now)
    hint = f"comity-node witness export {row.institute} FILE writes the proof"
    halt(session, row, SPLIT_VIEW, f"{message}; {hint}", now)


def halt_restored(
    session: WriteSession, row: WitnessedLogRow, institute: str, message: str, now: int
) -> None:
    """Cosign nothing more, since this ``institute`` cosigned what it forgot.

    While the alarm about that stands, the other logs have been halted already, and an operator is
    resuming them: it halts the log of ``row`` alone.
    """
    if session.get(AlarmRow, (institute, WITNESS_RESTORED)) is None:
        halt_all(session, institute, message, now)
        return
    row.halted = f"{WITNESS_RESTORED}: {message}"
    session.add(row)
    session.flush()
    raise_alarm(session, institute, WITNESS_RESTORED, message, now)


def halt_all(session: WriteSession, institute: str, message: str, now: int) -> None:
    """Cosign nothing more, and raise the alarm about this ``institute``."""
    rows = session.exec(select(WitnessedLogRow).where(WitnessedLogRow.halted == "")).all()
    for row in rows:
        row.halted = f"{WITNESS_RESTORED}: {message}"
        session.add(row)
    session.flush()
    raise_alarm(session, institute, WITNESS_RESTORED, message, now)


def keep_evidence(
    session: WriteSession, institute: str, evidence: split_view.SplitView, now: int
) -> None:
    """Keep evidence against a log, at most MAX_SPLIT_VIEWS pieces, each once."""
    data = evidence.to_json()
    digest = hashlib.sha256(data).hexdigest()
    count = select(func.count()).where(SplitViewRow.institute == institute)
    full = session.exec(count).one() >= MAX_SPLIT_VIEWS
    if full or session.get(SplitViewRow, (institute, digest)) is not None:
        return
    row = SplitViewRow(institute=institute, digest=digest, evidence=data, found_time=now)
    session.add(row)
    session.flush()


def resume(session: WriteSession, institute: str, *, anew: bool) -> WitnessedLogRow:
    """Witness a log again, and clear the alarms that it raised.

    What it shows next must continue what is held of it. With ``anew`` it need not: what is held is
    forgotten, and so are checkpoints of its former life that peers still tell of.

    Raises:
        NotFound: that log was never witnessed.
    """
    row = session.get(WitnessedLogRow, institute)
    if row is None:
        hint = "comity-node witness list shows the logs"
        raise NotFound(f"no log of {institute!r:.100}", field="institute", hint=hint)
    row.halted = ""
    if anew:
        row.passed_over = max(row.size, row.passed_over, _largest_told(session, institute))
        row.size, row.root, row.note = 0, EMPTY_ROOT.hex(), b""
        for sighting in session.exec(select(SightingRow).where(SightingRow.institute == institute)):
            session.delete(sighting)
    session.add(row)
    session.flush()
    for reason in (SPLIT_VIEW, *_OF_A_LOG):
        clear_alarm(session, institute, reason)
    if not _is_any_restored(session):
        clear_alarm(session, own_institute(session), WITNESS_RESTORED)
    log.info("witnessing resumed", institute=institute, anew=anew)
    return row


def resume_own(session: WriteSession, institute: str) -> None:
    """Sign checkpoints of this ``institute``'s own log again.

    Raises:
        NotFound: its log was not halted.
    """
    head = session.get(LogHeadRow, 1)
    if head is None or not head.halted:
        raise NotFound("this institute's own log is not halted", field="institute")
    head.halted = ""
    session.add(head)
    session.flush()
    for reason in _OF_A_LOG:
        clear_alarm(session, institute, reason)
    log.info("signing resumed", institute=institute)


def _is_any_restored(session: Session) -> bool:
    which = WitnessedLogRow.halted.startswith(WITNESS_RESTORED)
    return session.exec(select(WitnessedLogRow).where(which).limit(1)).first() is not None


def _largest_told(session: Session, institute: str) -> int:
    told = select(func.max(SightingRow.size)).where(SightingRow.institute == institute)
    return session.exec(told).one() or 0
