"""Peers: the institutes whose bundles are pinned, and the terms agreed with each.

Invariants: bundles are never merged; each is looked up by its institute's own id. A removed peer
keeps its row, its queue and its receipts, as evidence of what it was given. This institute is never
its own peer. No authorities of two institutes share a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.x509 import Certificate
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.database.text import find_row
from comity.policies.facts import PeerStatus
from comity.record.bundle import TrustBundle
from comity.record.errors import Conflict, InvalidInput, NotFound
from comity.record.limits import MAX_NAME_CHARS, MAX_PEERS, MAX_TAGS


@dataclass(frozen=True, slots=True)
class AgreedTerms:
    """Words that policies read about a peer: what was agreed, and how the operator files the peer.

    ``purposes`` are the uses that the peer is bound to. ``groups`` and ``clearances`` are words of
    the operator's choice. None means no change of the present words.
    """

    purposes: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    clearances: Sequence[str] | None = None

    def apply(self, row: PeerRow) -> None:
        """Write the terms into a peer's row, each list sorted and without repetition.

        Raises:
            LimitExceeded: a list has more than MAX_TAGS words.
            InvalidInput: a word has 0 or more than MAX_NAME_CHARS characters, or an unprintable
                one.
        """
        for name in ("purposes", "groups", "clearances"):
            words = getattr(self, name)
            if words is not None:
                setattr(row, name, _words(words, name))


def pinned_peers(session: Session) -> list[PeerRow]:
    """Return every peer that is not removed, ordered by institute id."""
    query = select(PeerRow).where(PeerRow.status != PeerStatus.REMOVED)
    return list(session.exec(query.order_by(PeerRow.institute)))


def former_peers(session: Session) -> list[PeerRow]:
    """Return every removed peer, ordered by institute id."""
    query = select(PeerRow).where(PeerRow.status == PeerStatus.REMOVED)
    return list(session.exec(query.order_by(PeerRow.institute)))


def get_peer(session: Session, institute: str) -> PeerRow:
    """Return a peer, even a removed one.

    Raises:
        NotFound: there never was such a peer.
    """
    row = find_row(session, PeerRow, institute)
    if row is None:
        hint = "comity-node peers list shows the peers"
        raise NotFound(f"no peer {institute!r:.100}", field="peer", hint=hint)
    return row


def bundle_of(row: PeerRow) -> TrustBundle:
    """Return a peer's pinned trust bundle."""
    return _parse(row.bundle)


def add_peer(
    session: WriteSession,
    bundle: TrustBundle,
    now: int,
    *,
    own_institute: str,
    status: PeerStatus | None = None,
    terms: AgreedTerms = AgreedTerms(),
) -> PeerRow:
    """Pin a peer's bundle, or replace the pinned one.

    The caller has compared the fingerprint out of band. ``status`` None leaves the status of a
    pinned peer as it is, also if it is suspended, and makes a new peer a member.

    Raises:
        Conflict: the bundle is this institute's own.
        LimitExceeded: there would be more than MAX_PEERS peers, or as ``AgreedTerms.apply``.
        InvalidInput: status is not probation or member, or as ``AgreedTerms.apply``.
    """
    if bundle.institute == own_institute:
        raise Conflict(f"{own_institute} is this institute itself", field="bundle.institute")
    if status not in (None, PeerStatus.MEMBER, PeerStatus.PROBATION):
        raise InvalidInput(f"expected probation or member, got {status}", field="status")

    # a removed peer that is added again keeps its row, and so its queue and receipts
    row = session.get(PeerRow, bundle.institute)
    if row is None:
        _check_room(session)
        row = PeerRow(
            institute=bundle.institute, bundle="", fingerprint="", status="", added_time=now
        )

    row.bundle, row.fingerprint = bundle.to_json().decode(), bundle.fingerprint
    # a new file must not end a probation or a suspension by the way
    if status is not None or row.status in ("", PeerStatus.REMOVED):
        row.status = str(status or PeerStatus.MEMBER)
    terms.apply(row)
    session.add(row)
    session.flush()
    return row


def change_peer(
    session: WriteSession, institute: str, status: PeerStatus | None, terms: AgreedTerms
) -> PeerRow:
    """Change a peer's status or terms; the status REMOVED removes the peer.

    ``status`` None means no change of the present status.

    Raises:
        NotFound: there is no such peer, or it was removed and has to be added again.
        LimitExceeded, InvalidInput: as ``AgreedTerms.apply``.
    """
    row = get_peer(session, institute)
    if row.status == PeerStatus.REMOVED:
        hint = "pin its bundle again with comity-node peers add"
        raise NotFound(f"{institute} was removed", field="peer", hint=hint)

    if status is not None:
        row.status = str(status)
    terms.apply(row)
    session.add(row)
    session.flush()
    return row


def check_authorities(bundle: TrustBundle, others: Iterable[TrustBundle]) -> None:
    """Check that no authority of a bundle has the name of another institute's authority.

    TLS finds an authority by its name and tries only one. A second authority of that name would
    make certificates by the first one fail.

    Raises:
        Conflict: the name of an authority is taken.
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
    # names that differ only in case and white space are equal (RFC 5280, section 7.1)
    return tuple(
        (attribute.oid.dotted_string, " ".join(str(attribute.value).casefold().split()))
        for attribute in authority.subject
    )


def _check_room(session: Session) -> None:
    # removed peers count, since their rows stay
    count = len(session.exec(select(PeerRow.institute)).all())
    MAX_PEERS.check(count + 1, "peers")


def _words(words: Sequence[str], field: str) -> list[str]:
    MAX_TAGS.check(len(words), field)
    for word in words:
        if not 0 < len(word) <= MAX_NAME_CHARS:
            message = f"expected 1 to {MAX_NAME_CHARS} characters, got {len(word)}"
            raise InvalidInput(message, field=field)
        if not word.isprintable():
            raise InvalidInput(f"expected printable text, got {word!r:.100}", field=field)
    return sorted(set(words))


@lru_cache(maxsize=MAX_PEERS)
def _parse(text: str) -> TrustBundle:
    return TrustBundle.from_json(text.encode())
