"""The quota of a peer: how many records and bytes are taken from it on a day, UTC.

Over it nothing is refused and nothing lost: the batch that reaches the quota is the last one taken
that day, and the rest stays in the sender's queue until the day ends. Invariants: what was taken is
counted in the transaction that takes it, whether good or bad; the sender is told until when.
"""

from __future__ import annotations

from typing import Final

from comity.node.database.alarms import clear_alarm, raise_alarm
from comity.node.database.clock import to_datetime
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import PeerRow
from comity.node.home.setting_tables import ReplicationSettings
from comity.node.policy.standing.rule import DAY_MS
from comity.node.replication.batches import Batch
from comity.node.trust.peers import get_peer
from comity.record.record import Record
from comity.record.times import format_time

QUOTA_REACHED: Final = "QUOTA_REACHED"
"""Reason of the alarm that a peer's quota is used up."""


def count_taken(
    session: WriteSession, row: PeerRow, batch: Batch, settings: ReplicationSettings, now: int
) -> None:
    """Count a batch towards its sender's quota; raise the alarm if that is used up now."""
    day = now // DAY_MS
    if row.quota_day != day:
        row.quota_day, row.quota_records, row.quota_bytes = day, 0, 0
        clear_alarm(session, row.institute, QUOTA_REACHED)

    records = (*batch.records, *(refusal.record for refusal in batch.refused))
    row.quota_records += len(records)
    row.quota_bytes += sum(map(_size, records))
    row.quota_until = until = quota_end(row, settings, now)
    session.add(row)
    session.flush()

    if until is not None:
        told = f"nothing more is taken from {row.institute} until {format_time(to_datetime(until))}"
        most = f"{settings.peer_records_per_day} records or {settings.peer_bytes_per_day} bytes"
        message = f"{told}: it gave {most} on one day; [replication] in comity.toml sets the quota"
        raise_alarm(session, row.institute, QUOTA_REACHED, message, now)


def quota_end(row: PeerRow, settings: ReplicationSettings, now: int) -> int | None:
    """Return until when nothing is taken from a peer, Unix ms; None while its quota lasts."""
    day = now // DAY_MS
    is_used_up = (
        row.quota_records >= settings.peer_records_per_day
        or row.quota_bytes >= settings.peer_bytes_per_day
    )
    return (day + 1) * DAY_MS if row.quota_day == day and is_used_up else None


def note_paused(store: Store, peer: str, until: int, now: int) -> None:
    """Note until when a peer says that it takes nothing; two days from now at the latest."""
    with store.write() as session:
        row = get_peer(session, peer)
        row.paused_until = min(until, now + 2 * DAY_MS)
        session.add(row)
        session.flush()


def _size(record: Record) -> int:
    parts = (record.envelope.payload, *record.disclosures, record.inclusion)
    return sum(map(len, parts))
