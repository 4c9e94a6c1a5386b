"""Recovery: an operator's explicit act after the database was restored from an older backup.

    (1) the database begins a new life: a new epoch, later than any that is known
    (2) the log's signer halts for good, unless every leaf that was signed is still there
    (3) cosigning of every log that was witnessed halts: later checkpoints may have been cosigned
    (4) an alarm says what happened, until an operator clears it
    (5) the mark is written anew

(1) to (4) are one transaction. Peers' cursors are then refused as EPOCH_CHANGED, and peers begin
again: they get whatever policy allows, and store each record once (invariant 5). Nothing brings
back rows that only the lost part of the database held. Peers keep the records that they have, and
``reconcile`` shows the receipts that this side lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, func, select

from comity.node.database.alarms import raise_alarm
from comity.node.database.clock import to_datetime
from comity.node.database.cursors import new_epoch
from comity.node.database.progress_mark import Mark, Progress
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import NodeRow, WitnessedLogRow
from comity.node.log.head import halt_signing, log_head
from comity.node.log.tree import tree_size
from comity.node.witness.halting import RESTORED, halt_all_witnessing
from comity.record.errors import BadConfig, Conflict
from comity.record.log import FIRST_LOG, next_log


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state that recovery found, and its acts; ``marked`` is None if no mark could be read.

    ``witnessed_halted`` is the number of logs that are not cosigned any more.
    """

    found: Progress
    marked: Progress | None
    epoch: str
    log_halted: bool
    witnessed_halted: int


def last_mark(mark: Mark) -> Progress | None:
    """Return the state that is marked; None if there is no mark that can be read."""
    try:
        return mark.read()
    except BadConfig:
        return None


def recover_database(store: Store, mark: Mark, now: int) -> Recovered:
    """Make a database usable that is behind its mark, or has none. ``now`` is Unix time in ms.

    The steps are those of the module. After an error the recovery can be run again.

    Raises:
        BadConfig: the mark cannot be written.
        Conflict: the database is as far as its mark; nothing has changed.
    """
    marked = last_mark(mark)
    with store.read() as session:
        found = Progress.of(session)
    check_behind(found, marked)

    with store.write() as session:
        # (1) a new epoch
        state = session.exec(select(NodeRow)).one()
        state.epoch = new_epoch(found.epoch, *([marked.epoch] if marked else []))
        session.add(state)

        # (2) keys that were made until now may have signed for another log
        head = log_head(session)
        head.used_number = next_log(to_datetime(now), marked.log if marked else FIRST_LOG)
        session.add(head)
        session.flush()

        # the signer halts unless it can prove that no signed leaf is lost (invariant 8)
        lost = _lost_leaves(session, marked)
        if lost:
            halt_signing(session, RESTORED, lost, now)
        # by an earlier recovery too, which this one does not take back
        halted = bool(log_head(session).halted)

        # (3) cosigning halts
        witnessed = _halt_witnessing(session, state.institute, now)

        # (4) an alarm
        raise_alarm(session, state.institute, RESTORED, _message(found, marked), now)
        epoch = state.epoch

    # (5) the mark
    mark.reset(store)
    return Recovered(found, marked, epoch, halted, witnessed)


def check_behind(found: Progress, marked: Progress | None) -> None:
    """Check that a database needs to be recovered: it is behind its mark, or has none.

    Raises:
        Conflict: it is as far as it was.
    """
    if found == marked:
        hint = "comity-node status shows the state of the node and its log"
        raise Conflict("the database is as far as it was: nothing to recover", hint=hint)


def _lost_leaves(session: Session, marked: Progress | None) -> str:
    """Describe the leaves that were signed and are lost; empty if none are."""
    size = tree_size(session)
    if marked is None:
        return f"restored from a backup: more than its {size} leaves may have been signed"
    if log_head(session).log_number != marked.log:
        return "restored from a backup: it is of another log than the one that was signed last"
    if size < marked.signed:
        return f"restored from a backup: the log has {size} leaves, but {marked.signed} were signed"
    return ""


def _halt_witnessing(session: WriteSession, institute: str, now: int) -> int:
    query = select(func.count()).where(WitnessedLogRow.halted == "")
    count = session.exec(query).one()
    if count:
        message = "restored from a backup: more may have been cosigned than the database knows of"
        halt_all_witnessing(session, institute, message, now)
    return count


def _message(found: Progress, marked: Progress | None) -> str:
    reached = f"{marked.commits} had been reached" if marked else "no mark was left"
    return (
        f"the database was recovered at commit {found.commits}, where {reached}; what was "
        "published, given or witnessed in between is forgotten here"
    )
