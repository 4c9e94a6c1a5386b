"""Quarantine: records that were refused from peers, with the reason, bounded for each peer.

A record's bytes are kept only if it may become acceptable later, by the pinning of a peer whose
bundle lists its key. Invariants: a refused record never enters the store; if it is refused again,
its entry counts that; a peer that sends too many bad records pushes out only its own oldest entries
(invariant 10).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import QuarantineRow
from comity.node.database.text import storable_message
from comity.node.policy.standing.counted_subjects import rejected_seq
from comity.node.policy.standing.entries import update_entries
from comity.record.content import Kind
from comity.record.errors import InvalidInput, UnknownKey
from comity.record.limits import MAX_PAYLOAD_BYTES
from comity.record.record import Record
from comity.record.wire import record_from_bytes, record_to_bytes

MAX_ENTRIES: Final = 1000
"""Entries kept for one peer because of unknown keys, and as many for all other reasons."""

MAX_KEPT_BYTES: Final = 64 << 10
"""A larger record of an unknown key is not kept: the issuer's peers will have it."""

_PREDICATE_TYPE: Final = re.compile(rb'"predicateType"\s*:\s*"urn:comity:([a-z-]{1,32}):v1"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that intake refused, and the error that says why."""

    record: Record
    error: InvalidInput


def keep_refusals(session: WriteSession, peer: str, refusals: list[Refusal], now: int) -> None:
    """Put a peer's refused records into quarantine, and count them towards its standing."""
    for refusal in refusals:
        record_id = refusal.record.record_id
        row = session.get(QuarantineRow, (peer, record_id))
        if row is None:
            row = QuarantineRow(
                peer=peer, record_id=record_id, reason="", message="", quarantine_time=now, count=0
            )

        row.kind = claimed_kind(refusal.record.envelope.payload)
        row.reason = refusal.error.reason
        row.message = storable_message(str(refusal.error))
        row.quarantine_time, row.count = now, row.count + 1
        row.record = _kept(refusal, row.record)
        session.add(row)
        session.flush()

    # an entry that was pushed out counts no more
    if refusals:
        gone = _make_room(session, peer)
        named = {refusal.record.record_id for refusal in refusals}
        update_entries(session, "rejected", peer, map(rejected_seq, gone | named), now)


def is_waiting() -> ColumnElement[bool]:
    """Return the condition that an entry's record waits for a bundle that lists its key."""
    return QuarantineRow.record.is_not(None)


def waiting_records(session: Session) -> list[tuple[str, str]]:
    """Return pairs of peer and id, for the records whose key was unknown, oldest first."""
    query = select(QuarantineRow.peer, QuarantineRow.record_id).where(is_waiting())
    return list(session.exec(query.order_by(QuarantineRow.quarantine_time)))


def _kept(refusal: Refusal, before: bytes | None) -> bytes | None:
    """Return the record to keep, with sections of it that came before; None to keep nothing."""
    if not isinstance(refusal.error, UnknownKey):
        return None

    record = refusal.record
    if before is not None:
        known = record_from_bytes(before).disclosures
        merged = dict.fromkeys((*known, *record.disclosures))
        record = replace(record, disclosures=tuple(merged))

    data = record_to_bytes(record)
    return data if len(data) <= MAX_KEPT_BYTES else before


def claimed_kind(payload: bytes) -> str:
    """Return the kind that a payload claims, without a parse; empty if none is found or known."""
    match = _PREDICATE_TYPE.search(payload, 0, MAX_PAYLOAD_BYTES)
    kind = match[1].decode() if match else ""
    return kind if kind in set(Kind) else ""


def _make_room(session: WriteSession, peer: str) -> set[str]:
    """Drop a peer's oldest entries over MAX_ENTRIES; return their record ids.

    Entries of unknown keys are bounded apart. They cost the sender nothing, so they must not push
    out entries that count towards its standing.
    """
    surplus: set[str] = set()
    unknown = QuarantineRow.reason == UnknownKey.reason
    for which in (unknown, ~unknown):
        query = (
            select(QuarantineRow.record_id)
            .where(QuarantineRow.peer == peer, which)
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
