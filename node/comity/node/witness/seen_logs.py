"""What this node has seen of other institutes' logs, for its own people.

Invariant: nothing here is ever shown to a peer; peers tell each other by ``gossip`` alone.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, select

from comity.node.database.tables import SplitViewRow, WitnessedLogRow
from comity.node.database.text import is_storable

MAX_LISTED: Final = 100
"""Pieces of evidence in one answer: each is at most 128 KiB, and far smaller as a rule."""


def witnessed_logs(session: Session) -> list[WitnessedLogRow]:
    """Return what is held of other institutes' logs, by institute."""
    return list(session.exec(select(WitnessedLogRow).order_by(WitnessedLogRow.institute)))


def split_views(session: Session, institute: str = "") -> list[SplitViewRow]:
    """Return evidence against one institute's log, or against any: the oldest MAX_LISTED."""
    if not is_storable(institute):
        return []
    query = select(SplitViewRow).order_by(SplitViewRow.found_time, SplitViewRow.digest)
    if institute:
        query = query.where(SplitViewRow.institute == institute)
    return list(session.exec(query.limit(MAX_LISTED)))
