"""Facts: all that policy may know of a peer and of a part, read from rows and records.

Invariant: nothing per record (title, time, embargo) is a fact, so that parts can share a handling
class.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from comity.node.database.tables import PeerRow
from comity.node.policy.standing.rule import load_standing
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus
from comity.record.content import domains_and_severity
from comity.record.handling import Handling
from comity.record.record import OpenedRecord

UNNAMED: Final = "?"
"""The name by which policy knows a section that its header does not name."""


def facts_of(session: Session, row: PeerRow) -> PeerFacts:
    """Return what policy may know of a peer, including its standing."""
    return PeerFacts(
        institute=row.institute,
        status=PeerStatus(row.status),
        groups=frozenset(row.groups),
        clearances=frozenset(row.clearances),
        purposes=frozenset(row.purposes),
        standing=load_standing(session, row.institute),
    )


def header_facts(opened: OpenedRecord, own_institute: str) -> PartFacts:
    """Return what policy may know of a record's header."""
    return _facts(opened, opened.statement.predicate.handling, own_institute, "", frozenset(), 0)


def section_facts(opened: OpenedRecord, index: int, own_institute: str) -> PartFacts:
    """Return what policy may know of a disclosed section."""
    domains, severity = domains_and_severity(opened.contents[index])
    name = opened.statement.predicate.sections[index].name or UNNAMED
    handling = opened.statement.section_handling(index)
    return _facts(opened, handling, own_institute, name, domains, severity)


def _facts(
    opened: OpenedRecord,
    handling: Handling,
    own_institute: str,
    section: str,
    domains: frozenset[str],
    severity: int,
) -> PartFacts:
    # None means no list, and an empty list means nobody
    listed = handling.releasable_to
    issuer = opened.statement.issuer.institute
    return PartFacts(
        kind=opened.statement.kind,
        issuer=issuer,
        section=section,
        tlp=handling.tlp,
        releasable_to=None if listed is None else frozenset(listed),
        onward=handling.onward,
        purposes=frozenset(handling.purposes),
        tags=frozenset(opened.statement.predicate.tags),
        domains=domains,
        severity=severity,
        own=issuer == own_institute,
    )
