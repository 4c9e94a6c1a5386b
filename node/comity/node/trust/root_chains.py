"""Chains of roots in the database: this institute's own, and those of peers that have one.

Invariants: a chain is kept whole from where it was pinned, and only ever grows by a version that
follows the last; each published version of this institute's root is a leaf of its log, appended in
the transaction that keeps it, so that revocations are themselves logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.store import WriteSession
from comity.node.database.tables import RootVersionRow
from comity.node.log import tree
from comity.record.errors import BadRoot, Conflict
from comity.record.limits import MAX_PEERS, MAX_ROOT_VERSION
from comity.record.root import Root, first, follow

PAGE_BYTES: Final = 4 << 20
"""Roots in one answer, together: far below the message limit, and one always fits."""

PAGE_ROOTS: Final = 64
"""Roots in one answer: years of rotations."""


def newest_root(session: Session, institute: str) -> Root | None:
    """Return the newest version that is held of an institute's root; None where none is."""
    query = select(RootVersionRow.document).where(RootVersionRow.institute == institute)
    document = session.exec(query.order_by(RootVersionRow.version.desc()).limit(1)).first()
    return None if document is None else _parse(document)


def newest_version(session: Session, institute: str) -> int:
    """Return the newest version that is held of an institute's root; 0 where none is."""
    query = select(RootVersionRow.version).where(RootVersionRow.institute == institute)
    found = session.exec(query.order_by(RootVersionRow.version.desc()).limit(1)).first()
    return found or 0


def list_roots(session: Session, institute: str) -> list[tuple[Root, int]]:
    """Return all versions that are held, oldest first, each with when it came to be held."""
    query = select(RootVersionRow).where(RootVersionRow.institute == institute)
    rows = session.exec(query.order_by(RootVersionRow.version))
    return [(_parse(row.document), row.accepted_time) for row in rows]


def page_after(session: Session, institute: str, version: int) -> list[bytes]:
    """Return the files of the versions after one, in order: as many as fit into an answer."""
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
    """Add versions that were checked to an institute's chain."""
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
    """Drop an institute's chain: it is pinned anew, or without a root."""
    which = RootVersionRow.institute == institute
    session.connection().execute(delete(RootVersionRow).where(which))


def publish_root(session: WriteSession, root: Root, institute: str, now: int) -> bool:
    """Publish a version of this institute's own root; False if it was published before.

    Raises:
        BadRoot: it does not follow the last version, is not the first, or is not signed by enough.
        ExpiredRoot: its time is over.
        Conflict: another one of that version was published.
    """
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
    """Return the versions that lead on from ``current``, each checked against the one before.

    Raises:
        InvalidInput: one of them is no root, or does not follow.
        ExpiredRoot: the time of the last one is over; that of those before it does not matter.
    """
    chain: list[Root] = []
    for document in documents:
        chain.append(follow(chain[-1] if chain else current, Root.parse(document)))
    if chain:
        chain[-1].check_fresh(to_datetime(now))
    return chain


def check_next(current: Root | None, root: Root, institute: str) -> None:
    """Check that a root is the one after ``current``; or, where that is None, the first.

    Raises:
        BadRoot: it is not, or not this institute's.
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
