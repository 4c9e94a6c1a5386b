"""What this node has seen of others' logs, as its own people ask for it."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, select

from comity.node.database.clock import to_timestamp
from comity.node.database.tables import SplitViewRow, WitnessedLogRow
from comity.v1 import audit_service_pb2 as pb

MAX_LISTED: Final = 100
"""Pieces of evidence in one answer: each is at most 128 KiB, and far smaller as a rule."""


def witnessed_logs(session: Session) -> list[WitnessedLogRow]:
    """Return what is held of others' logs, by institute."""
    return list(session.exec(select(WitnessedLogRow).order_by(WitnessedLogRow.institute)))


def split_views(session: Session, institute: str = "") -> list[SplitViewRow]:
    """Return evidence against one institute's log, or against any: the oldest MAX_LISTED."""
    query = select(SplitViewRow).order_by(SplitViewRow.found_time, SplitViewRow.digest)
    if institute:
        query = query.where(SplitViewRow.institute == institute)
    return list(session.exec(query.limit(MAX_LISTED)))


def list_witnessed_logs(
    session: Session, request: pb.ListWitnessedLogsRequest, now: int
) -> pb.ListWitnessedLogsResponse:
    """Return the newest checkpoints of others' logs; none where nothing of a log is held now."""
    logs = [
        pb.WitnessedLog(
            institute=row.institute,
            checkpoint=row.note,
            witnessed_time=to_timestamp(row.witnessed_time) if row.witnessed_time else None,
            halted=row.halted,
        )
        for row in witnessed_logs(session)
    ]
    return pb.ListWitnessedLogsResponse(logs=logs)


def list_split_views(
    session: Session, request: pb.ListSplitViewsRequest, now: int
) -> pb.ListSplitViewsResponse:
    """Return the evidence of logs that contradicted themselves."""
    institute = request.institute
    # no institute's id holds U+0000, and PostgreSQL refuses to look for it
    rows = [] if "\x00" in institute else split_views(session, institute)
    found = [
        pb.SplitView(
            institute=row.institute, evidence=row.evidence, found_time=to_timestamp(row.found_time)
        )
        for row in rows
    ]
    return pb.ListSplitViewsResponse(split_views=found)
