"""Peers: whose bundles are pinned, and what was agreed with them.

Invariants: bundles are never merged (each is looked up by its institute's own id); a removed peer
keeps its row, its queue and its receipts, since what it was given must stay on record; this
institute is never its own peer; no two institutes' authorities share a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cryptography.x509 import Certificate
from sqlmodel import Session, col, select

from comity.node.standing import load_standing
from comity.node.tables import PeerRow
from comity.policies.facts import PeerFacts, PeerStatus
from comity.record.bundle import TrustBundle
from comity.record.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from comity.record.limits import MAX_NAME_CHARS, MAX_PEERS, MAX_TAGS


def pinned_peers(session: Session) -> list[PeerRow]:
    """Return every peer that is not removed, by institute id."""
    query = select(PeerRow).where(PeerRow.status != PeerStatus.REMOVED)
    return list(session.exec(query.order_by(PeerRow.institute)))


def get_peer(session: Session, institute: str) -> PeerRow:
    """Return a peer, also a removed one.

    Raises:
        NotFound: there never was such a peer.
    """
    # no name holds U+0000, and PostgreSQL refuses to look for it
    row = None if "\x00" in institute else session.get(PeerRow, institute)
    if row is None:
        hint = "comity-node peers list shows the peers"
        raise NotFound(f"no peer {institute!r:.100}", field="peer", hint=hint)
    return row


def bundle_of(row: PeerRow) -> TrustBundle:
    """Return a peer's pinned trust bundle."""
    return _parse(row.bundle)


def facts_of(session: Session, row: PeerRow) -> PeerFacts:
    """Return what policy may know of a peer."""
    return PeerFacts(
        institute=row.institute,
        status=PeerStatus(row.status),
        purposes=frozenset(json.loads(row.purposes)),
        standing=load_standing(session, row.institute),
    )


def add_peer(
    session: Session,
    bundle: TrustBundle,
    now: int,
    *,
    own_institute: str,
    status: PeerStatus = PeerStatus.MEMBER,
    purposes: Sequence[str] = (),
) -> PeerRow:
    """Pin a peer's bundle in ``Store.write``, or replace the pinned one and its terms.

    The caller has compared the fingerprint out of band.

    Raises:
        Conflict: the bundle is this institute's own.
        LimitExceeded: more than MAX_PEERS.
        InvalidInput: status is not probation or member, or a purpose is not a short text.
    """
    if bundle.institute == own_institute:
        raise Conflict(f"{own_institute} is this institute itself", field="bundle.institute")
    if status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
        raise InvalidInput(f"expected probation or member, got {status}", field="status")
    row = session.get(PeerRow, bundle.institute)
    if row is None:
        _check_room(session)
        row = PeerRow(
            institute=bundle.institute, bundle="", fingerprint="", status="", added_time=now
        )
    row.bundle, row.fingerprint = bundle.to_json().decode(), bundle.fingerprint
    row.status, row.purposes = str(status), _purposes(purposes)
    session.add(row)
    session.flush()
    return row


def set_status(session: Session, institute: str, status: PeerStatus) -> PeerRow:
    """Change a peer's status in ``Store.write``; REMOVED drops it.

    Raises:
        NotFound: no such peer, or a removed one (add it again).
    """
    row = get_peer(session, institute)
    if row.status == PeerStatus.REMOVED:
        hint = "pin its bundle again with comity-node peers add"
        raise NotFound(f"{institute} was removed", field="peer", hint=hint)
    row.status = str(status)
    session.add(row)
    session.flush()
    return row


def check_authorities(bundle: TrustBundle, others: Iterable[TrustBundle]) -> None:
    """Check that no authority of a bundle goes by the name of another institute's.

    TLS looks an authority up by its name and tries one only: a namesake would lock out everyone
    whom the other has certified.

    Raises:
        Conflict: one does.
    """
    for other in others:
        if other.institute == bundle.institute:
            continue
        taken = {_name_of(authority) for authority in other.authorities}
        for position, authority in enumerate(bundle.authorities):
            if _name_of(authority) in taken:
                name = authority.subject.rfc4514_string()
                message = f"expected a name of its own, got {name!r:.100} of {other.institute}"
                raise Conflict(message, field=f"spiffe.keys[{position}].x5c")


def _name_of(authority: Certificate) -> tuple[tuple[str, str], ...]:
    # as TLS compares names: case, and the amount of white space, do not count
    return tuple(
        (attribute.oid.dotted_string, " ".join(str(attribute.value).casefold().split()))
        for attribute in authority.subject
    )


def _check_room(session: Session) -> None:
    count = len(session.exec(select(col(PeerRow.institute))).all())
    if count >= MAX_PEERS:
        raise LimitExceeded("MAX_PEERS", MAX_PEERS, count + 1, "peers", field="peers")


def _purposes(purposes: Sequence[str]) -> str:
    if len(purposes) > MAX_TAGS:
        raise LimitExceeded("MAX_TAGS", MAX_TAGS, len(purposes), "purposes", field="purposes")
    for purpose in purposes:
        if not 0 < len(purpose) <= MAX_NAME_CHARS:
            message = f"expected 1 to {MAX_NAME_CHARS} characters, got {len(purpose)}"
            raise InvalidInput(message, field="purposes")
    return json.dumps(sorted(set(purposes)), ensure_ascii=False)


@lru_cache(maxsize=MAX_PEERS)
def _parse(text: str) -> TrustBundle:
    return TrustBundle.from_json(text.encode())
