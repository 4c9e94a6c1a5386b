"""Pinning a peer by a trust bundle or a root, and following the root from there.

A pin is the file that a peer gave and whose fingerprint the operator has compared. The profile of a
pinned root is kept as the peer's bundle, and newer versions replace it without another comparison
if they follow from it (TUF client workflow, section 5.3). A peer pinned by a bundle keeps that
bundle until the operator pins another file.

Invariant: a chain begins only with a root whose fingerprint was compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlmodel import Session

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.clock import to_datetime
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.trust.peers import AgreedTerms, add_peer, bundle_of, check_authorities, get_peer
from comity.node.trust.root_chains import follow_chain, forget_chain, keep_chain, newest_root
from comity.policies.facts import PeerStatus
from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.errors import BadRoot, Conflict, ExpiredRoot
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root, first, follow

Pin = TrustBundle | Root

ROOT_REFUSED: Final = "ROOT_REFUSED"
ROOT_EXPIRED: Final = "ROOT_EXPIRED"


def read_pin(data: bytes) -> Pin:
    """Read a peer's file, a root or a trust bundle.

    Raises:
        LimitExceeded, MalformedJson, BadRoot, BadBundle: as ``Root.parse`` and
            ``TrustBundle.from_json``.
    """
    MAX_ROOT_BYTES.check(len(data), "bundle")

    # only a root has the field ``signed``
    value = ijson.loads(data, field="bundle")
    is_root = isinstance(value, dict) and "signed" in value
    return Root.parse(data) if is_root else TrustBundle.from_json(data)


def bundle_of_pin(pin: Pin) -> TrustBundle:
    """Return a bundle as it is, and the profile of a root."""
    return pin.profile if isinstance(pin, Root) else pin


def fingerprint_of(pin: Pin) -> str:
    """Return the fingerprint that operators compare by voice; of a root, its digest."""
    return pin.digest if isinstance(pin, Root) else pin.fingerprint


def compared_fingerprint(session: Session, row: PeerRow) -> str:
    """Return ``fingerprint_of`` the pin of a peer that is pinned."""
    root = newest_root(session, row.institute)
    return root.digest if root else row.fingerprint


def known_bundle(session: Session, institute: str, own_institute: str) -> TrustBundle | None:
    """Return the bundle that tells which keys an institute has revoked; None if there is none.

    For this institute it is the profile of its root, since without a root no key is revoked. For
    a peer it is the pinned bundle, even if the peer was removed.
    """
    if institute == own_institute:
        root = newest_root(session, institute)
        return root.profile if root else None
    row = session.get(PeerRow, institute)
    return bundle_of(row) if row else None


def why_compare(session: Session, pin: Pin) -> str:
    """Return the reason to compare a pin's fingerprint; empty if no comparison is needed.

    None is needed for the root version that is pinned already, and for the one that follows it.
    """
    # trust is transitive only along signed versions of a root; a bundle is signed by nobody
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


def why_older(session: Session, pin: Pin) -> str:
    """Return why a pin is a step back from what is pinned; empty if it is none.

    A step back may bring back keys that the peer has revoked, and ends following its root.
    """
    row = session.get(PeerRow, bundle_of_pin(pin).institute)
    if row is None or row.status == PeerStatus.REMOVED:
        return ""

    current = newest_root(session, row.institute)
    if current is not None and not isinstance(pin, Root):
        return f"version {current.version} of its root is pinned, and this is a trust bundle"
    if current is not None and isinstance(pin, Root) and pin.version < current.version:
        return f"version {current.version} of its root is pinned, and this is version {pin.version}"

    # without a root, only the number that SPIFFE gives each bundle tells their order
    pinned = bundle_of(row).spiffe.spiffe_sequence
    offered = bundle_of_pin(pin).spiffe.spiffe_sequence
    if not isinstance(pin, Root) and offered < pinned:
        return f"its bundle number {pinned} is pinned, and this is number {offered}"
    return ""


def check_not_older(session: Session, pin: Pin) -> None:
    """Check that a pin is no step back.

    Raises:
        Conflict: ``why_older`` gives a reason.
    """
    reason = why_older(session, pin)
    if reason:
        hint = "ask the peer for its newest file; --older pins this one all the same"
        raise Conflict(f"this file is older: {reason}", field="FILE", hint=hint)


def pin_peer(
    session: WriteSession,
    pin: Pin,
    now: int,
    *,
    own_institute: str,
    status: PeerStatus | None,
    terms: AgreedTerms,
    older: bool = False,
) -> PeerRow:
    """Pin a peer; if ``why_compare`` gives a reason, the caller has compared the fingerprint.

    ``status`` None leaves the status of a pinned peer as it is, and makes a new peer a member.
    ``older`` says that the operator wants a pin for which ``why_older`` gives a reason.

    Raises:
        Conflict: the pin is a step back, and ``older`` is false.
        BadRoot: too few of the root's own keys signed it.
        ExpiredRoot: the root has expired.
        Conflict, LimitExceeded, InvalidInput: as ``add_peer``.
    """
    # (1) the root is signed by its own keys and is not expired
    if isinstance(pin, Root):
        first(pin).check_fresh(to_datetime(now))

    if not older:
        check_not_older(session, pin)
    leads_on = not why_compare(session, pin)
    current = newest_root(session, bundle_of_pin(pin).institute)
    row = add_peer(
        session, bundle_of_pin(pin), now, own_institute=own_institute, status=status, terms=terms
    )

    # (3) the root extends the chain if it follows from it, and otherwise begins another
    if not leads_on:
        forget_chain(session, row.institute)
    if isinstance(pin, Root) and not (leads_on and current and current.version == pin.version):
        keep_chain(session, [pin], now)

    # (4) the alarms were about the root that was pinned before
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
    """Follow a peer's root along newer versions (TUF client workflow, section 5.3).

    ``documents`` are the versions after the pinned one, in order; ``others`` are all other bundles
    in force. Returns the newest version that the node then has. None means that the peer is
    removed, or was pinned by a bundle.

    Raises:
        InvalidInput, ExpiredRoot: as ``follow_chain``.
        Conflict: as ``check_authorities``, with the bundles of ``others``.
    """
    row, current = get_peer(session, peer), newest_root(session, peer)
    if row.status == PeerStatus.REMOVED or current is None:
        return None

    # 5.3.3 to 5.3.6: each version follows the one before
    chain = follow_chain(current, documents, now)
    if not chain:
        return current

    newest = chain[-1]
    check_authorities(newest.profile, others)

    # 5.3.7 and 5.3.8: the newest version is trusted, and the chain is kept
    keep_chain(session, chain, now)
    row.bundle, row.fingerprint = newest.profile.to_json().decode(), newest.profile.fingerprint
    session.add(row)
    session.flush()
    return newest


def watch_expiry(session: WriteSession, root: Root, now: int) -> None:
    """Raise an alarm while a peer's root is expired, and clear the alarm once it is not."""
    try:
        root.check_fresh(to_datetime(now))
    except ExpiredRoot as error:
        raise_alarm(session, root.institute, ROOT_EXPIRED, f"{error}; {error.hint}", now)
    else:
        if any(alarm.reason == ROOT_EXPIRED for alarm in list_alarms(session, root.institute)):
            clear_alarm(session, root.institute, ROOT_EXPIRED)
