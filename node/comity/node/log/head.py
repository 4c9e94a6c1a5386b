"""The head of this institute's log: what was signed last, and why it is signed no more.

A log that was halted may have lost leaves under a checkpoint that somebody holds. Any further
signature in its name could then be a second history, and a lasting proof against the institute.
Invariant: a halted log is never signed again and takes no record; the institute begins another,
see ``new_log``.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from comity.node.database.alarms import raise_alarm
from comity.node.database.owner import own_institute
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import LogHeadRow
from comity.record.errors import LogHalted
from comity.record.merkle import EMPTY_ROOT

LOG_INCONSISTENT: Final = "LOG_INCONSISTENT"
"""A log does not continue what it signed before."""

LOG_ROLLED_BACK: Final = "LOG_ROLLED_BACK"
"""A log shows a smaller tree than it signed before."""

LOG_UNPROVEN: Final = "LOG_UNPROVEN"
"""A log fails to show a proof, though perhaps not by its own fault; it is not halted."""


def log_head(session: Session) -> LogHeadRow:
    """Return what was signed last of this institute's present log."""
    return session.get(LogHeadRow, 1) or LogHeadRow(root=EMPTY_ROOT.hex())


def halt_signing(session: WriteSession, reason: str, fault: str, now: int) -> None:
    """Sign nothing more in the name of the present log, and raise the alarm ``reason``."""
    head = log_head(session)
    head.halted = fault
    session.add(head)
    session.flush()
    raise_alarm(session, own_institute(session), reason, fault, now)


def check_takes_records(session: Session) -> None:
    """Check that a record that is published now would stand in a log that is signed.

    Raises:
        LogHalted: the log is signed no more.
    """
    halted = log_head(session).halted
    if halted:
        hint = "comity-node log new begins a new log, once no newer backup can be found"
        raise LogHalted(f"the log is halted, and takes no new record: {halted}", hint=hint)
