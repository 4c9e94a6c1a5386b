"""Chains of root versions in the database, of this institute and of peers that have a root.

Invariants: a chain has every version from the pinned one on, and grows only by a version that
follows the last (TUF client workflow, section 5.3). Each published version of this institute's root
is a leaf of its log, appended in the transaction that stores the version, so that revocations are
logged as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import RootVersionRow
from comity.node.log import tree
from comity.record.errors import BadRoot, Conflict
from comity.record.limits import MAX_PEERS, MAX_ROOT_VERSION
from comity.record.root import Root, first, follow

PAGE_BYTES: Final = 4 << 20
"""Size of the roots in one answer: far below MAX_MESSAGE_BYTES, and one root always fits."""

PAGE_ROOTS: Final = 64
"""Number of roots in one answer: enough for years of rotations."""


def newest_root(session: Session, institute: str) -> Root | None:
    """Return the newest stored version of an institute's root; None if there is none."""
    query = select(RootVersionRow.document).where(RootVersionRow.institute == institute)
    document = session.exec(query.order_by(RootVersionRow.version.desc()).limit(1)).first()
    return None if document is None else _parse(document)


def newest_version(session: Session, institute: str) -> int:
    """Return the number of the newest stored version of an institute's root; 0 if there is none."""
    query = select(RootVersionRow.version).where(RootVersionRow.institute == institute)
    found = session.exec(query.order_by(RootVersionRow.version.desc()).limit(1)).first()
    return found or 0


def list_roots(session: Session, institute: str) -> list[tuple[Root, int]]:
    """Return all stored versions, oldest first, each with the time in ms when it was stored."""
    query = select(RootVersionRow).where(RootVersionRow.institute == institute)
    rows = session.exec(query.order_by(RootVersionRow.version))
    return [(_parse(row.document), row.accepted_time) for row in rows]


def page_after(session: Session, institute: str, version: int) -> list[bytes]:
    """Return the documents of the versions after ``version``, in order, as many as fit a page."""
    newer = RootVersionRow.version > min(version, MAX_ROOT_VERSION)
    after = (RootVersionRow.institute == institute, newer)
    query = select(RootVersionRow.document).where(*after).order_by(RootVersionRow.version)

    page: list[bytes] = []
    for document in session.exec(query.limit(PAGE_ROOTS)):
        if page and sum(map(len, page)) + len(document) > PAGE_BYTES:
            break
        page.append(document)
    return page


def keep_chain(session: WriteSession, chain: Sequence[Root], now: int) -> None:
    """Add versions, which the caller has checked, to an institute's chain."""
    for root in chain:
        session.add(
            RootVersionRow(
                institute=root.institute,
                version=root.version,
                document=root.document,
                accepted_time=now,
            )
        )
    session.flush()


def forget_chain(session: WriteSession, institute: str) -> None:
    """Delete an institute's chain, as it is pinned by another root or by a bundle."""
    which = RootVersionRow.institute == institute
    session.connection().execute(delete(RootVersionRow).where(which))


def publish_root(session: WriteSession, root: Root, institute: str, now: int) -> bool:
    """Store and log a version of this institute's own root; False if it was published before.

    Raises:
        BadRoot: it does not follow the last version, is not the first, or too few keys signed it.
        ExpiredRoot: it has expired.
        Conflict: another root with that version number was published.
    """
    # publishing the same bytes again is no error, and other bytes would fork the chain
    current = newest_root(session, institute)
    if current is not None and current.version == root.version:
        if current.digest != root.digest:
            message = f"another version {root.version} of the root was published before"
            raise Conflict(message, field="root", hint="comity-node root next prepares the next")
        return False

    check_next(current, root, institute)
    root.check_fresh(to_datetime(now))

    keep_chain(session, [root], now)
    tree.append(session, [tree.Entry(root.digest, root.leaf())])
    return True


def follow_chain(current: Root, documents: Sequence[bytes], now: int) -> list[Root]:
    """Return the versions that follow ``current``, each checked against the one before.

    Raises:
        InvalidInput: a document is not a root, or does not follow the version before.
        ExpiredRoot: the last version has expired.
    """
    # TUF client workflow, sections 5.3.4 and 5.3.5: signatures and version number
    chain: list[Root] = []
    for document in documents:
        chain.append(follow(chain[-1] if chain else current, Root.parse(document)))

    # 5.3.6 and 5.3.10: only the last version has to be in time
    if chain:
        chain[-1].check_fresh(to_datetime(now))
    return chain


def check_next(current: Root | None, root: Root, institute: str) -> None:
    """Check that a root follows ``current``, or is the first version if ``current`` is None.

    Raises:
        BadRoot: it does not follow, is not the first, or belongs to another institute.
    """
    if root.institute != institute:
        message = f"expected a root of {institute}, got one of {root.institute}"
        raise BadRoot(message, field="signed.profile.institute")
    if current is not None:
        follow(current, root)
        return

    if root.version != 1:
        raise BadRoot(f"expected version 1, got {root.version}", field="signed.version")
    first(root)


@lru_cache(maxsize=2 * MAX_PEERS)
def _parse(document: bytes) -> Root:
    return Root.parse(document)
