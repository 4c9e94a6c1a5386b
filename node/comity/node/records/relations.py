"""What a new own record says of other records, and of institutes: refused, or worth a warning.

An institute supersedes and withdraws its own records only, so a record that claims more is refused
before it is signed into the log. What may be meant as it stands, such as a name that nobody has, is
a warning.

Invariant: warnings change nothing; a record that is refused is not in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.tables import PeerRow, RecordRow, SubjectRow
from comity.node.records.held_records import held_records
from comity.node.records.writer import subject_names
from comity.record import ijson
from comity.record.errors import Conflict, MalformedStatement, WrongIssuer
from comity.record.handling import Handling
from comity.record.kind import Kind
from comity.record.record import OpenedRecord, match_disclosures
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.times import format_time

_MAX_COMPARED = 64
"""Records about one subject whose content is compared, the newest first."""


def check_relations(session: Session, record: OpenedRecord) -> None:
    """Check that a new own record supersedes and withdraws records of its own institute only.

    Raises:
        MalformedStatement: a notice of withdrawal withdraws nothing, or the record supersedes one
            of another kind.
        WrongIssuer: a record that it names is another institute's.
    """
    predicate = record.statement.predicate
    if record.statement.kind is Kind.WITHDRAWAL and not record.statement.withdraws:
        message = "expected a record with the relation withdraws, got none"
        raise MalformedStatement(message, field="predicate.references")

    named = {"predicate.references": record.statement.withdraws}
    named["predicate.supersedes"] = (predicate.supersedes,) if predicate.supersedes else ()
    for field, ids in named.items():
        query = select(RecordRow).where(RecordRow.record_id.in_(ids))
        for row in session.exec(query):
            _check_named(record, row, field)


def _check_named(record: OpenedRecord, row: RecordRow, field: str) -> None:
    own, kind = record.statement.issuer.institute, record.statement.kind
    if row.issuer != own:
        message = f"expected a record of {own} itself, got {row.record_id[:12]} of {row.issuer}"
        hint = "an institute supersedes and withdraws only what it has issued"
        raise WrongIssuer(message, field=field, hint=hint)
    if field == "predicate.supersedes" and row.kind != kind:
        message = f"expected a record of kind {kind}, got {row.record_id[:12]} of kind {row.kind}"
        raise MalformedStatement(message, field=field)


def check_new_content(session: Session, record: OpenedRecord) -> None:
    """Check that no record that stands says the same; salts, times and signatures do not count.

    Raises:
        Conflict: one does; names it.
    """
    same = _same_content(session, record)
    if same is not None:
        when = format_time(to_datetime(same.issue_time))
        message = f"the same content was published as {same.record_id} on {when}"
        raise Conflict(message, hint="add --again to publish it once more")


def warnings_about(session: Session, record: OpenedRecord, now: int) -> Iterator[str]:
    """Yield what its author may not have meant; ``now`` is in Unix milliseconds."""
    predicate = record.statement.predicate
    if not predicate.sections and record.statement.kind is not Kind.WITHDRAWAL:
        yield "it has no section, so it says nothing beyond title and summary"

    ids = {each.record for each in predicate.references}
    if predicate.supersedes:
        ids.add(predicate.supersedes)
    known = set(session.exec(select(RecordRow.record_id).where(RecordRow.record_id.in_(ids))))
    for missing in sorted(ids - known):
        yield f"it names the record {missing}, which this node does not hold"

    handlings = [predicate.handling]
    sections = range(len(predicate.sections))
    handlings += [record.statement.section_handling(index) for index in sections]
    yield from dict.fromkeys(_about_handling(session, handlings, now))


def _about_handling(session: Session, handlings: Sequence[Handling], now: int) -> Iterator[str]:
    peers = list(session.exec(select(PeerRow)))
    institutes = [peer.institute for peer in peers]
    purposes = {purpose for peer in peers for purpose in peer.purposes}

    for handling in handlings:
        for name in handling.releasable_to or ():
            if name not in institutes:
                close = get_close_matches(name, institutes, n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                yield f"it is releasable to {name}, which is no peer of this node{meant}"
        if handling.embargo and handling.embargo <= to_datetime(now):
            yield f"its embargo of {format_time(handling.embargo)} is over already"
        if handling.purposes and not purposes & set(handling.purposes):
            yield f"no peer is bound to one of its purposes: {', '.join(handling.purposes)}"


def _same_content(session: Session, record: OpenedRecord) -> RecordRow | None:
    statement = record.statement
    about = select(SubjectRow.subject_seq).where(
        SubjectRow.issuer == statement.issuer.institute,
        SubjectRow.kind == str(statement.kind),
        SubjectRow.subject.in_(subject_names(record)),
    )
    query = (
        select(RecordRow)
        .where(RecordRow.subject_seq.in_(about), RecordRow.record_id != record.record_id)
        .where(~RecordRow.superseded, ~RecordRow.withdrawn)
        .order_by(RecordRow.record_seq.desc())
        .limit(_MAX_COMPARED)
    )
    rows = list(session.exec(query))

    wanted = _content_digest(statement, record.disclosures.values())
    for row, held in zip(rows, held_records(session, rows), strict=True):
        stored = Statement.from_payload(row.payload)
        disclosures = match_disclosures(stored, held.record.disclosures)
        if _content_digest(stored, disclosures.values()) == wanted:
            return row
    return None


def _content_digest(statement: Statement, disclosures: Iterable[Disclosure]) -> bytes:
    """Return a digest over all that the author wrote."""
    predicate = statement.predicate.to_value()
    written: dict[str, Any] = {
        name: value
        for name, value in predicate.items()
        if name not in ("issuer", "issueTime", "nonce", "sections")
    }
    handlings = {
        section.digest.sha256: statement.section_handling(index).to_value()
        for index, section in enumerate(statement.predicate.sections)
    }
    sections = [[d.name, d.value, handlings[d.digest]] for d in disclosures]
    written["kind"], written["subject"] = statement.kind, statement.subject[0].to_value()
    written["sections"] = sorted(sections, key=lambda section: str(section[0]))
    return hashlib.sha256(ijson.canonical(written)).digest()
