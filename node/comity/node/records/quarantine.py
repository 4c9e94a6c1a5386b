"""Quarantine: records of peers that were not taken, with the reason, bounded for each peer.

An entry is in one of two states. A record is *waiting* if time, or a later root of its issuer, can
make it acceptable (``InvalidInput.curable``): its bytes are kept, and ``Inbox.retry`` takes it
without the sender's help. Every other record is *refused*, and its bytes are not kept. A record
that has waited for MAX_WAITING_DAYS is refused for good.

Invariants: a waiting record is never pushed out; if there is no room for it, it is refused at once,
and the receipt says so; a peer that sends too many bad records pushes out only its own oldest
refusals (invariant 10).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.orm import defer
from sqlmodel import Session, select

from comity.node.database.clock import to_milliseconds
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import REFUSED, WAITING, QuarantineRow
from comity.node.database.text import storable_message
from comity.node.policy.standing.counted_subjects import rejected_seq
from comity.node.policy.standing.entries import update_entries
from comity.node.policy.standing.rule import DAY_MS
from comity.record.errors import InvalidInput, NotYet, UnknownKey
from comity.record.kind import Kind
from comity.record.limits import MAX_PAYLOAD_BYTES, Limit
from comity.record.record import Record
from comity.record.wire import record_from_bytes, record_to_bytes

MAX_ENTRIES: Final = 1000
"""Refusals kept of one peer because of unknown keys, and as many for all other reasons."""

MAX_WAITING_RECORDS: Final = Limit("MAX_WAITING_RECORDS", 1000, "records")
"""Records of one peer that wait: four full batches, sent while a root was on its way."""

MAX_WAITING_BYTES: Final = Limit("MAX_WAITING_BYTES", 64 << 20, "bytes")
"""Bytes of them: a peer within it costs less than a minute of good records would."""

MAX_WAITING_DAYS: Final = Limit("MAX_WAITING_DAYS", 90, "days")
"""Days for which a record waits: time to pin its issuer, and no store for strangers' records."""

RETRY_MS: Final = 3_600_000
"""Time after which an unknown key is looked up again, though a new root does so at once."""

_PREDICATE_TYPE: Final = re.compile(rb'"predicateType"\s*:\s*"urn:comity:([a-z-]{1,32}):v1"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that intake refused, and the error that says why."""

    record: Record
    error: InvalidInput


def keep_refusals(
    session: WriteSession, peer: str, refusals: list[Refusal], now: int
) -> Collection[str]:
    """Put a peer's refused records into quarantine; return the ids of those that wait.

    Refused records count towards the peer's standing, waiting ones do not.
    """
    room = _Room(session, peer)
    waiting: set[str] = set()
    for refusal in refusals:
        record_id = refusal.record.record_id
        row = session.get(QuarantineRow, (peer, record_id))
        if row is None:
            row = _new_row(peer, record_id, now)

        _tell(row, refusal)
        row.quarantine_time, row.count = now, row.count + 1
        if _wait_time(row, refusal.error, now) and (data := room.take(row, refusal.record)):
            row.state, row.record = WAITING, data
            row.next_try_time = _wait_time(row, refusal.error, now)
            waiting.add(record_id)
        elif row.state != WAITING or not refusal.error.curable:
            _give_up(row)
        session.add(row)
        session.flush()

    # an entry that was pushed out counts no more
    if refusals:
        gone = _make_room(session, peer)
        named = {refusal.record.record_id for refusal in refusals}
        update_entries(session, "rejected", peer, map(rejected_seq, gone | named), now)
    return waiting


def keep_waiting(session: WriteSession, peer: str, refusal: Refusal, now: int) -> None:
    """Let a record that was tried again wait on, or refuse it for good."""
    row = session.get(QuarantineRow, (peer, refusal.record.record_id))
    if row is None or row.state != WAITING:
        return  # another process took it meanwhile

    _tell(row, refusal)
    row.next_try_time = _wait_time(row, refusal.error, now)
    if row.next_try_time is None:
        _give_up(row)
        row.quarantine_time = now
    session.add(row)
    session.flush()
    update_entries(session, "rejected", peer, [rejected_seq(row.record_id)], now)


def is_waiting() -> ColumnElement[bool]:
    """Return the condition that an entry's record waits."""
    return QuarantineRow.state == WAITING


def waiting_records(session: Session, due: int | None = None) -> list[tuple[str, str]]:
    """Return pairs of peer and id of the records that wait, oldest first.

    ``due`` restricts the answer to those that are to be tried again by that time (Unix ms).
    """
    query = select(QuarantineRow.peer, QuarantineRow.record_id).where(is_waiting())
    if due is not None:
        query = query.where(QuarantineRow.next_try_time <= due)
    return list(session.exec(query.order_by(QuarantineRow.first_time)))


def quarantined_records(session: Session, peer: str | None = None) -> list[QuarantineRow]:
    """Return what is in quarantine, without the records' bytes: by peer, state and time."""
    query = select(QuarantineRow).options(defer(QuarantineRow.record))
    if peer is not None:
        query = query.where(QuarantineRow.peer == peer)
    order = (QuarantineRow.peer, QuarantineRow.state.desc(), QuarantineRow.first_time)
    return list(session.exec(query.order_by(*order, QuarantineRow.record_id)))


def not_taken(session: Session, peer: str) -> dict[str, Counter[str]]:
    """Return how many of a peer's records are waiting and refused here, by state and reason."""
    found: dict[str, Counter[str]] = {WAITING: Counter(), REFUSED: Counter()}
    columns = (QuarantineRow.state, QuarantineRow.reason)
    query = select(*columns, func.count()).where(QuarantineRow.peer == peer).group_by(*columns)
    for state, reason, count in session.exec(query):
        found[state][reason] = count
    return found


def claimed_kind(payload: bytes) -> str:
    """Return the kind that a payload claims, without a parse; empty if none is found or known."""
    match = _PREDICATE_TYPE.search(payload, 0, MAX_PAYLOAD_BYTES)
    kind = match[1].decode() if match else ""
    return kind if kind in set(Kind) else ""


class _Room:
    """The room that is left for one peer's waiting records."""

    def __init__(self, session: Session, peer: str) -> None:
        sizes = func.coalesce(func.sum(func.length(QuarantineRow.record)), 0)
        query = select(func.count(), sizes).where(QuarantineRow.peer == peer, is_waiting())
        self._records, self._bytes = session.exec(query).one()

    def take(self, row: QuarantineRow, record: Record) -> bytes | None:
        """Return the bytes to keep, with sections that came before; None if there is no room."""
        known = len(row.record) if row.record else 0
        if row.record is not None:
            before = record_from_bytes(row.record).disclosures
            merged = dict.fromkeys((*before, *record.disclosures))
            record = replace(record, disclosures=tuple(merged))

        data = record_to_bytes(record)
        records = self._records + (row.state != WAITING)
        size = self._bytes + len(data) - known
        if records > MAX_WAITING_RECORDS or size > MAX_WAITING_BYTES:
            return None
        self._records, self._bytes = records, size
        return data


def _new_row(peer: str, record_id: str, now: int) -> QuarantineRow:
    return QuarantineRow(
        peer=peer,
        record_id=record_id,
        state=REFUSED,
        reason="",
        message="",
        first_time=now,
        quarantine_time=now,
        count=0,
    )


def _tell(row: QuarantineRow, refusal: Refusal) -> None:
    row.kind = claimed_kind(refusal.record.envelope.payload)
    row.reason, row.message = refusal.error.reason, storable_message(str(refusal.error))


def _wait_time(row: QuarantineRow, error: InvalidInput, now: int) -> int | None:
    """Return when a record is to be tried again; None if it is not worth waiting for."""
    end = row.first_time + MAX_WAITING_DAYS * DAY_MS
    if not error.curable or now >= end:
        return None
    if isinstance(error, NotYet) and error.time is not None:
        cured = to_milliseconds(error.time)
        return cured if cured < end else None
    return min(now + RETRY_MS, end)


def _give_up(row: QuarantineRow) -> None:
    row.state, row.record, row.next_try_time = REFUSED, None, None


def _make_room(session: WriteSession, peer: str) -> set[str]:
    """Drop a peer's oldest refusals over MAX_ENTRIES; return their record ids.

    Those of unknown keys are bounded apart. They cost the sender nothing, so they must not push
    out entries that count towards its standing.
    """
    surplus: set[str] = set()
    unknown = QuarantineRow.reason == UnknownKey.reason
    for which in (unknown, ~unknown):
        query = (
            select(QuarantineRow.record_id)
            .where(QuarantineRow.peer == peer, ~is_waiting(), which)
            .order_by(QuarantineRow.quarantine_time.desc(), QuarantineRow.record_id)
            .offset(MAX_ENTRIES)
        )
        surplus |= set(session.exec(query))

    if surplus:
        session.connection().execute(
            delete(QuarantineRow).where(
                QuarantineRow.peer == peer, QuarantineRow.record_id.in_(surplus)
            )
        )
    return surplus
