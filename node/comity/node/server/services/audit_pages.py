"""The ledger, as auditors read it: releases, receipts and quarantine, newest first.

Invariant: a page token holds the time of the first page, and later entries stay out of the list, so
that pages do not shift while the ledger grows.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, select

from comity.node.database.cursors import make_page_token, read_page_token
from comity.node.database.tables import (
    PartRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
    RecordRow,
    ReleaseRow,
    RulingRow,
)
from comity.node.records.search import find_record
from comity.node.server.services.audit_messages import (
    quarantined_to_proto,
    receipt_to_proto,
    release_to_proto,
)
from comity.record.limits import Limit
from comity.v1 import audit_service_pb2 as pb

MAX_AUDIT_PAGE: Final = Limit("MAX_AUDIT_PAGE", 1000, "entries")
MAX_RECEIPTS_PAGE: Final = Limit("MAX_RECEIPTS_PAGE", 100, "receipts")
"""Receipts are up to 20 KiB each."""


def list_releases(
    session: Session, request: pb.ListReleasesRequest, now: int
) -> pb.ListReleasesResponse:
    """Return a page of releases.

    Raises:
        LimitExceeded: page_size is over MAX_AUDIT_PAGE.
        BadCursor: not a page token of this list.
        InvalidInput, NotFound: record_id, as in ``find_record``.
    """
    size = _page_size(request.page_size, 100, MAX_AUDIT_PAGE)
    until, skip = read_page_token(request.page_token, now, 0)

    query = (
        sa.select(ReleaseRow, PartRow, RecordRow.record_id, RulingRow)
        .join(PartRow, PartRow.part_id == ReleaseRow.part_id)
        .join(RecordRow, RecordRow.record_seq == PartRow.record_seq)
        .join(RulingRow, RulingRow.ruling_id == ReleaseRow.ruling_id)
        .options(sa.orm.defer(PartRow.disclosure))
        .where(ReleaseRow.release_time <= until)
    )
    if request.peer:
        query = query.where(ReleaseRow.peer == request.peer)
    if request.record_id:
        record = find_record(session, request.record_id)
        query = query.where(_offers_of(session, record.record_seq))

    newest = (
        ReleaseRow.release_time.desc(),
        ReleaseRow.offer_number.desc(),
        ReleaseRow.peer,
    )
    rows = session.execute(query.order_by(*newest).offset(skip).limit(size + 1)).all()

    receipts = _Receipts(session)
    releases = [
        release_to_proto(
            release, part, record_id, ruling, receipts.time_of(release.peer, release.offer_number)
        )
        for release, part, record_id, ruling in rows[:size]
    ]
    token = make_page_token(until, skip + size) if len(rows) > size else ""
    return pb.ListReleasesResponse(releases=releases, next_page_token=token)


def _offers_of(session: Session, record_seq: int) -> sa.ColumnElement[bool]:
    """Return the condition for the releases of a record's parts to any peer."""
    given = (ReleaseRow.part_id == PartRow.part_id) & (ReleaseRow.peer == PeerRow.institute)
    # an outer join, so that SQLite looks up each part for each peer, and walks through no queue
    query = (
        sa.select(PeerRow.institute, ReleaseRow.offer_number)
        .select_from(PeerRow)
        .join(PartRow, PartRow.record_seq == record_seq)
        .outerjoin(ReleaseRow, given)
    )

    offers: dict[str, list[int]] = {}
    for peer, number in session.connection().execute(query):
        if number is not None:
            offers.setdefault(peer, []).append(number)

    # each is a look-up in the primary key, (peer, offer number)
    found = (
        (ReleaseRow.peer == peer) & ReleaseRow.offer_number.in_(numbers)
        for peer, numbers in offers.items()
    )
    return sa.or_(sa.false(), *found)


def list_receipts(
    session: Session, request: pb.ListReceiptsRequest, now: int
) -> pb.ListReceiptsResponse:
    """Return a page of the receipts that peers signed.

    Raises:
        LimitExceeded: page_size is over MAX_RECEIPTS_PAGE.
        BadCursor: not a page token of this list.
    """
    size = _page_size(request.page_size, 20, MAX_RECEIPTS_PAGE)
    until, skip = read_page_token(request.page_token, now, 0)
    query = select(ReceiptRow).where(~ReceiptRow.ours, ReceiptRow.receipt_time <= until)
    newest = query.order_by(ReceiptRow.receipt_id.desc())
    rows = _page(session, newest, ReceiptRow, request.peer, skip, size)
    receipts = [receipt_to_proto(row) for row in rows[:size]]
    token = make_page_token(until, skip + size) if len(rows) > size else ""
    return pb.ListReceiptsResponse(receipts=receipts, next_page_token=token)


def list_quarantine(
    session: Session, request: pb.ListQuarantineRequest, now: int
) -> pb.ListQuarantineResponse:
    """Return a page of what was refused from peers.

    Raises:
        LimitExceeded: page_size is over MAX_AUDIT_PAGE.
        BadCursor: not a page token of this list.
    """
    size = _page_size(request.page_size, 100, MAX_AUDIT_PAGE)
    until, skip = read_page_token(request.page_token, now, 0)
    query = select(QuarantineRow).where(QuarantineRow.quarantine_time <= until)
    newest = query.order_by(QuarantineRow.quarantine_time.desc(), QuarantineRow.record_id)
    rows = _page(session, newest, QuarantineRow, request.peer, skip, size)
    records = [quarantined_to_proto(row) for row in rows[:size]]
    token = make_page_token(until, skip + size) if len(rows) > size else ""
    return pb.ListQuarantineResponse(records=records, next_page_token=token)


Row = TypeVar("Row", bound=SQLModel)


class _Receipts:
    """Looks up when a peer's receipt for an offer came; each receipt covers a run of offers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, list[tuple[int, int]]] = {}

    def time_of(self, peer: str, offer_number: int) -> int | None:
        """Return when the receipt came that covers an offer; None while it waits."""
        if peer not in self._known:
            query = (
                select(ReceiptRow.last_offer, ReceiptRow.receipt_time)
                .where(ReceiptRow.peer == peer, ~ReceiptRow.ours)
                .order_by(ReceiptRow.last_offer)
            )
            self._known[peer] = list(self._session.exec(query))
        return next((time for last, time in self._known[peer] if last >= offer_number), None)


def _page(
    session: Session, query: Any, table: type[Row], peer: str, skip: int, size: int
) -> list[Row]:
    """Return one row more than the page holds, which says whether there is a next page."""
    if peer:
        query = query.where(table.peer == peer)  # type: ignore[attr-defined]
    return list(session.exec(query.offset(skip).limit(size + 1)))


def _page_size(asked: int, default: int, most: Limit) -> int:
    most.check(asked, "page_size")
    return asked or default
