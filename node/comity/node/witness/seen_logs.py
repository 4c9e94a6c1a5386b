"""Lists of what this node has seen of other institutes' logs, for its own operators and analysts.

Invariant: nothing here is shown to a peer; nodes share checkpoints only by ``gossip``.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, select

from comity.node.database.tables import SplitViewRow, WitnessedLogRow
from comity.node.database.text import is_storable

MAX_LISTED: Final = 100
"""Pieces of evidence in one answer; MAX_SPLIT_VIEW_BYTES bounds each, and most are smaller."""


def witnessed_logs(session: Session) -> list[WitnessedLogRow]:
    """Return the row of every other log that is or was witnessed, by institute, oldest first."""
    order = (WitnessedLogRow.institute, WitnessedLogRow.log_number)
    return list(session.exec(select(WitnessedLogRow).order_by(*order)))


def split_views(session: Session, institute: str = "") -> list[SplitViewRow]:
    """Return evidence of split views, at most MAX_LISTED pieces, the oldest first.

    An ``institute`` limits them to its log; an empty one means all logs.
    """
    if not is_storable(institute):
        return []
    query = select(SplitViewRow).order_by(SplitViewRow.found_time, SplitViewRow.digest)
    if institute:
        query = query.where(SplitViewRow.institute == institute)
    return list(session.exec(query.limit(MAX_LISTED)))
