"""Alarms about records that were not taken, and what an operator can do about each.

Invariant: there is one alarm for a peer, a state and a reason, with a message that does not change,
so that a peer that sends bad records for ever is told of once. An alarm about records that wait is
cleared once none of them does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlmodel import Session, func, select

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import REFUSED, WAITING, QuarantineRow
from comity.node.records.quarantine import is_waiting
from comity.record.errors import IssuedInFuture, UnderEmbargo, UnknownKey

PATIENCE_MS: Final = 60_000
"""Time for which a record may wait without an alarm: a root is often a few seconds behind."""

_STEPS: Final = {
    (WAITING, UnknownKey.reason): (
        "pin its issuer, or wait for the issuer's next root: the record is then taken by itself"
    ),
    (WAITING, IssuedInFuture.reason): (
        "nothing: it is taken at its issue time; compare this node's clock with its issuer's"
    ),
    (WAITING, UnderEmbargo.reason): (
        "nothing: it is taken when its embargo ends; compare this node's clock with the peer's"
    ),
    (REFUSED, UnknownKey.reason): (
        "no room was left, or it waited too long: pin its issuer, and ask the peer to give it anew"
    ),
}
_ANEW: Final = "tell the peer: the issuer has to publish it anew, as it is it is never taken"


def next_step(state: str, reason: str) -> str:
    """Return what an operator can do about a record in a state, for a reason."""
    return _STEPS.get((state, reason), _ANEW)


def alarm_refusals(session: WriteSession, peer: str, reasons: Iterable[str], now: int) -> None:
    """Raise the alarms about records of a peer that were refused for these reasons."""
    for reason in sorted(set(reasons)):
        _raise(session, peer, REFUSED, reason, now)


def watch_waiting(store: Store, now: int) -> None:
    """Raise and clear the alarms about records that have waited for PATIENCE_MS."""
    with store.read() as session:
        lasting, raised = _lasting(session, now - PATIENCE_MS), _raised(session)
    # most of the time nothing has changed, and no writer has to wait
    if lasting == raised:
        return

    with store.write() as session:
        for peer, reason in sorted(lasting - raised):
            _raise(session, peer, WAITING, reason, now)
        for peer, reason in sorted(raised - lasting):
            clear_alarm(session, peer, _alarm(WAITING, reason))


def next_waiting_time(session: Session, now: int) -> int | None:
    """Return when a waiting record is to be tried again, or is to raise an alarm, Unix ms.

    None if no record waits; a time that has passed if a record is due that cannot be taken.
    """
    tries = select(func.min(QuarantineRow.next_try_time)).where(is_waiting())
    first = select(func.min(QuarantineRow.first_time)).where(
        is_waiting(), QuarantineRow.first_time > now - PATIENCE_MS
    )
    next_try, youngest = session.exec(tries).one(), session.exec(first).one()
    alarm = None if youngest is None else youngest + PATIENCE_MS
    return min((time for time in (next_try, alarm) if time is not None), default=None)


def _lasting(session: Session, since: int) -> set[tuple[str, str]]:
    query = select(QuarantineRow.peer, QuarantineRow.reason).distinct()
    return set(session.exec(query.where(is_waiting(), QuarantineRow.first_time <= since)))


def _raised(session: Session) -> set[tuple[str, str]]:
    prefix = _alarm(WAITING, "")
    alarms = [alarm for alarm in list_alarms(session) if alarm.reason.startswith(prefix)]
    return {(alarm.institute, alarm.reason.removeprefix(prefix)) for alarm in alarms}


def _raise(session: WriteSession, peer: str, state: str, reason: str, now: int) -> None:
    said = f"records from {peer} are {state} here ({reason}); next: {next_step(state, reason)}"
    message = f"{said}; comity-node quarantine lists them"
    raise_alarm(session, peer, _alarm(state, reason), message, now)


def _alarm(state: str, reason: str) -> str:
    return f"{state.upper()}_{reason}"
