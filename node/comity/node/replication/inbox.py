"""The receiving side of replication: a batch from a peer goes through intake and is signed for.

Invariants: the records of a batch, its cursor and this node's receipt are committed together, so
that nothing is lost or asked for twice after a crash at any point (invariant 2); a bad record is
quarantined and named in the receipt, and never stalls the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comity.node.database.rows import last_number
from comity.node.database.tables import PartRow, PeerRow
from comity.node.log.travelling_proofs import keep_proof
from comity.node.records.admission import Intake
from comity.node.records.examination import ExaminedRecord, Examiner
from comity.node.records.quarantine import Refusal, keep_refusals
from comity.node.records.quarantine_alarms import alarm_refusals
from comity.node.replication.batches import Batch
from comity.node.replication.own_receipts import (
    RecordOutcomes,
    keep_own_receipt,
    note_seconded,
    sign_anew,
    sign_receipt,
    unsent_receipts,
)
from comity.node.replication.quota import count_taken, quota_end
from comity.node.trust.site import Site
from comity.record.envelope import Envelope
from comity.record.errors import BadCursor, InvalidInput
from comity.record.limits import MAX_CURSOR_CHARS
from comity.record.revocation import revoked_from


@dataclass(frozen=True, slots=True)
class TakenBatch:
    """A batch that was taken: our signed receipt, and how many of its records were new.

    ``refused`` and ``waiting`` are the reasons of the records that were not stored, by record id.
    It is ``idle`` if the peer had given everything that was stored before.
    """

    receipt: Envelope
    new: int
    refused: Mapping[str, str]
    waiting: Mapping[str, str]
    idle: bool

    @property
    def not_stored(self) -> int:
        """How many records were not stored."""
        return len(self.refused) + len(self.waiting)


class Inbox:
    """Takes batches for one institute."""

    def __init__(self, site: Site, examiner: Examiner, intake: Intake) -> None:
        self._site = site
        self._examiner = examiner
        self._intake = intake

    def take(self, peer: str, batch: Batch) -> TakenBatch:
        """Store the good records of a batch, quarantine the others, and sign for both.

        Raises:
            LimitExceeded: a cursor is over MAX_CURSOR_CHARS.
            BadCursor: no offers, a cursor that is not printable ASCII, or not the batch that
                follows the last one.
        """
        _check_form(batch)
        examined, refusals = self._examine(peer, batch)

        with self._site.store.write() as session:
            row = session.get_one(PeerRow, peer)
            _check_follows(batch, row)

            # what is good is stored, together with the proofs of what a revoked key signed
            parts = last_number(session, PartRow.part_id)
            admitted = self._intake.admit(session, examined)
            refusals += admitted.refusals
            stored = {record.opened.record_id for record in admitted.records}
            is_seconded = (
                note_seconded(session, peer, stored) if admitted.new < len(stored) else False
            )
            idle = parts == last_number(session, PartRow.part_id) and not is_seconded
            for record in admitted.records:
                if record.proof is not None:
                    keep_proof(session, record.opened.record_id, record.proof)

            # the rest is quarantined, and both are signed for
            now = self._site.clock()
            kept = keep_refusals(session, peer, refusals, now)
            reasons = {r.record.record_id: r.error.reason for r in refusals}
            not_stored = {i: reason for i, reason in reasons.items() if i not in stored}
            waiting = {i: reason for i, reason in not_stored.items() if i in kept}
            refused = {i: reason for i, reason in not_stored.items() if i not in kept}
            alarm_refusals(session, peer, refused.values(), now)
            told = RecordOutcomes(stored, refused, waiting)
            receipt = sign_receipt(self._site, peer, batch.previous_cursor, batch.cursor, told)
            keep_own_receipt(session, peer, batch.cursor, receipt, now, idle=idle)

            count_taken(session, row, batch, self._site.home.settings.replication, now)

            # the cursor is committed with what it stands for
            row.cursor, row.contact_time, row.last_error = batch.cursor, now, ""
            session.add(row)
            session.flush()

        return TakenBatch(receipt, admitted.new, refused, waiting, idle)

    def paused_until(self, peer: str) -> int | None:
        """Return until when a peer's quota lets nothing more be taken, Unix ms; None if it does."""
        with self._site.store.read() as session:
            row = session.get_one(PeerRow, peer)
        return quota_end(row, self._site.home.settings.replication, self._site.clock())

    def unsent(self, peer: str, receipted_cursor: str) -> list[Envelope]:
        """Return our receipts that a peer does not hold; see ``unsent_receipts``.

        Receipts that a key signed which was revoked since are signed anew: no peer takes them.
        """
        with self._site.store.read() as session:
            row = session.get_one(PeerRow, peer)
            receipts = unsent_receipts(session, row, receipted_cursor)

        bundle, key = self._site.own.bundle, self._site.own.record_key
        revoked = [r for r in receipts if revoked_from(bundle, r.keyid) is not None]
        if not revoked:
            return receipts

        with self._site.store.write() as session:
            for receipt in revoked:
                sign_anew(session, peer, receipt, key)
            return unsent_receipts(session, row, receipted_cursor)

    def _examine(self, peer: str, batch: Batch) -> tuple[list[ExaminedRecord], list[Refusal]]:
        """Examine each record outside the write lock: signatures are the slowest part of intake."""
        keyring = self._site.keyring()
        examined: list[ExaminedRecord] = []
        refusals = list(batch.refused)
        for record in batch.records:
            try:
                examined.append(self._examiner.examine(record, peer, keyring))
            except InvalidInput as error:
                refusals.append(Refusal(record, error))
        return examined, refusals


def _check_form(batch: Batch) -> None:
    """Check what a batch says of itself, before any of its records is examined."""
    if not (batch.records or batch.refused):
        raise BadCursor("expected at least one offer in a batch", field="batch.offers")
    if not batch.cursor:
        raise BadCursor("expected the cursor after the last offer, got none", field="batch.cursor")
    _check_cursor(batch.cursor, "batch.cursor")
    _check_cursor(batch.previous_cursor, "batch.previous_cursor")


def _check_cursor(cursor: str, field: str) -> None:
    MAX_CURSOR_CHARS.check(len(cursor), field)
    if not (cursor.isascii() and cursor.isprintable()):
        raise BadCursor(f"expected printable ASCII, got {cursor!r:.80}", field=field)


def _check_follows(batch: Batch, row: PeerRow) -> None:
    # an empty cursor and the sender's cursor for offer 0 are the same place
    if row.cursor and batch.previous_cursor != row.cursor:
        message = f"expected the batch after {row.cursor}, got the one after "
        raise BadCursor(f"{message}{batch.previous_cursor!r:.80}", field="batch.previous_cursor")
