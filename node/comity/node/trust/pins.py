"""Pinning: what is believed of a peer, by a trust bundle or by a root, and what follows from it.

A pin is the file that a peer gave and whose fingerprint the operator has compared. Of a root, what
is kept as the peer's bundle is its profile, and newer versions that follow replace it without a
new comparison; a peer that was pinned by a bundle stays as it is until the operator pins another.
Invariant: a chain begins only with a root whose fingerprint was compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlmodel import Session

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.clock import to_datetime
from comity.node.database.store import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.trust.peers import AgreedTerms, add_peer, bundle_of, check_authorities, get_peer
from comity.node.trust.root_chains import follow_chain, forget_chain, keep_chain, newest_root
from comity.policies.facts import PeerStatus
from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.errors import BadRoot, ExpiredRoot
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root, first, follow

Pin = TrustBundle | Root

ROOT_REFUSED: Final = "ROOT_REFUSED"
ROOT_EXPIRED: Final = "ROOT_EXPIRED"


def read_pin(data: bytes) -> Pin:
    """Read what a peer gave: a root, or a trust bundle.

    Raises:
        LimitExceeded, MalformedJson, BadRoot, BadBundle: as ``Root.parse`` and
            ``TrustBundle.from_json``.
    """
    MAX_ROOT_BYTES.check(len(data), "bundle")
    value = ijson.loads(data, field="bundle")
    is_root = isinstance(value, dict) and "signed" in value
    return Root.parse(data) if is_root else TrustBundle.from_json(data)


def bundle_of_pin(pin: Pin) -> TrustBundle:
    """Return the bundle itself, or a root's profile."""
    return pin.profile if isinstance(pin, Root) else pin


def fingerprint_of(pin: Pin) -> str:
    """Return what is compared by voice: of a bundle its fingerprint, of a root its digest."""
    return pin.digest if isinstance(pin, Root) else pin.fingerprint


def compared_fingerprint(session: Session, row: PeerRow) -> str:
    """Return what is compared by voice with a pinned peer: as ``fingerprint_of`` its pin."""
    root = newest_root(session, row.institute)
    return root.digest if root else row.fingerprint


def known_bundle(session: Session, institute: str, own_institute: str) -> TrustBundle | None:
    """Return what is known of an institute that may have revoked keys; None where nothing is.

    Of this institute that is its root's profile: without a root nothing is revoked.
    """
    if institute == own_institute:
        root = newest_root(session, institute)
        return root.profile if root else None
    row = session.get(PeerRow, institute)
    return bundle_of(row) if row else None


def why_compare(session: Session, pin: Pin) -> str:
    """Say why a pin's fingerprint has to be compared; empty where it follows from what is pinned.

    It follows if it is the version that is held, or the one after it.
    """
    if not isinstance(pin, Root):
        return "it is a trust bundle, which nothing leads to"
    row, current = session.get(PeerRow, pin.institute), newest_root(session, pin.institute)
    if row is None or row.status == PeerStatus.REMOVED or current is None:
        return "no root of this peer is pinned"
    if pin.digest == current.digest:
        return ""
    try:
        follow(current, pin)
    except BadRoot as error:
        return f"it does not follow from version {current.version}, which is pinned: {error}"
    return ""


def pin_peer(
    session: WriteSession,
    pin: Pin,
    now: int,
    *,
    own_institute: str,
    status: PeerStatus,
    terms: AgreedTerms,
) -> PeerRow:
    """Pin a peer; where ``why_compare`` says so, the caller has compared the fingerprint.

    Raises:
        BadRoot, ExpiredRoot: a root that is not signed by enough of its own keys, or is over.
        Conflict, LimitExceeded, InvalidInput: as ``peers.add_peer``.
    """
    if isinstance(pin, Root):
        first(pin).check_fresh(to_datetime(now))
    leads_on = not why_compare(session, pin)
    current = newest_root(session, bundle_of_pin(pin).institute)
    row = add_peer(
        session, bundle_of_pin(pin), now, own_institute=own_institute, status=status, terms=terms
    )
    if not leads_on:
        forget_chain(session, row.institute)
    if isinstance(pin, Root) and not (leads_on and current and current.version == pin.version):
        keep_chain(session, [pin], now)
    for reason in (ROOT_REFUSED, ROOT_EXPIRED):
        clear_alarm(session, row.institute, reason)
    return row


def follow_peer_root(
    session: WriteSession,
    peer: str,
    documents: Sequence[bytes],
    others: Iterable[TrustBundle],
    now: int,
) -> Root | None:
    """Follow a peer's root; return the newest version that is held now.

    None where the peer is removed or was pinned without a root.

    Raises:
        InvalidInput, ExpiredRoot: as ``roots.follow_chain``.
        Conflict: as ``peers.check_authorities``, for ``others``' bundles.
    """
    row, current = get_peer(session, peer), newest_root(session, peer)
    if row.status == PeerStatus.REMOVED or current is None:
        return None
    chain = follow_chain(current, documents, now)
    if not chain:
        return current
    newest = chain[-1]
    check_authorities(newest.profile, others)
    keep_chain(session, chain, now)
    row.bundle, row.fingerprint = newest.profile.to_json().decode(), newest.profile.fingerprint
    session.add(row)
    session.flush()
    return newest


def watch_expiry(session: WriteSession, root: Root, now: int) -> None:
    """Raise an alarm if a peer's root is over, and clear it once it no longer is."""
    try:
        root.check_fresh(to_datetime(now))
    except ExpiredRoot as error:
        raise_alarm(session, root.institute, ROOT_EXPIRED, f"{error}; {error.hint}", now)
    else:
        if any(alarm.reason == ROOT_EXPIRED for alarm in list_alarms(session, root.institute)):
            clear_alarm(session, root.institute, ROOT_EXPIRED)
