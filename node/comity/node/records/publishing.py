"""Publishing: own records are checked against what is held, admitted, and looked over.

Invariant: an own record that is refused is neither in the store nor in the log (invariants 4, 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import LogEntryRow
from comity.node.log.head import check_takes_records
from comity.node.records.admission import Intake
from comity.node.records.examination import ExaminedRecord
from comity.node.records.relations import check_new_content, check_relations, warnings_about


@dataclass(frozen=True, slots=True)
class Published:
    """An own record that is stored and logged; ``log_index`` is the number of its leaf, from 0.

    ``warnings`` say what its author may not have meant, such as a peer that is not known.
    """

    record_id: str
    log_index: int
    already_stored: bool
    warnings: tuple[str, ...] = ()


def publish_records(
    session: WriteSession,
    intake: Intake,
    arrivals: Sequence[ExaminedRecord],
    now: int,
    *,
    again: bool,
) -> list[Published]:
    """Store and log own records, all or none; ``now`` is in Unix milliseconds.

    Raises:
        LogHalted: the log takes no record.
        Conflict: without ``again``, a record says the same as one that stands.
        InvalidInput: of the class that names the reason.
    """
    # what a halted log takes could not be proved, and its place may be taken already (invariant 8)
    check_takes_records(session)
    ids = [arrival.opened.record_id for arrival in arrivals]
    query = select(LogEntryRow.record_id, LogEntryRow.log_index)
    query = query.where(LogEntryRow.record_id.in_(ids))
    before = dict(session.exec(query).all())

    # (1) what the records say of others, before anything is stored
    fresh = [each.opened for each in arrivals if each.opened.record_id not in before]
    for opened in fresh:
        check_relations(session, opened)
        if not again:
            check_new_content(session, opened)

    # (2) store and log; a refusal takes back the other records too
    refusals = intake.admit(session, arrivals).refusals
    if refusals:
        raise refusals[0].error
    after = dict(session.exec(query).all())

    # (3) look over what is stored, so that records published together may name each other
    told = {opened.record_id: tuple(warnings_about(session, opened, now)) for opened in fresh}
    return [Published(i, after[i], i in before, told.get(i, ())) for i in ids]
