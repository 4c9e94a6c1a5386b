"""The receiving side of replication: a batch from a peer goes through intake and is signed for.

Invariants: the records of a batch, its cursor and this node's receipt are committed together, so
that nothing is lost or asked for twice after a crash at any point (invariant 2); a bad record is
quarantined and named in the receipt, and never stalls the stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from comity.node.database.clock import to_datetime
from comity.node.database.rows import last_number
from comity.node.database.tables import PartRow, PeerRow, QuarantineRow
from comity.node.log.travelling_proofs import keep_proof
from comity.node.records.admission import Intake
from comity.node.records.examination import ExaminedRecord, Examiner
from comity.node.records.quarantine import Refusal, keep_refusals, waiting_records
from comity.node.replication.batches import Batch
from comity.node.replication.own_receipts import (
    keep_own_receipt,
    note_seconded,
    sign_anew,
    unsent_receipts,
)
from comity.node.trust.site import Site
from comity.record.envelope import Envelope
from comity.record.errors import BadCursor, InvalidInput, UnknownKey
from comity.record.limits import MAX_CURSOR_CHARS
from comity.record.receipt import Receipt, Rejected
from comity.record.revocation import revoked_from
from comity.record.wire import record_from_bytes


@dataclass(frozen=True, slots=True)
class TakenBatch:
    """A batch that was taken: our signed receipt, and the numbers of new and of refused records.

    It is ``idle`` if the peer had given everything that was stored before.
    """

    receipt: Envelope
    new: int
    rejected: int
    idle: bool


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
            keep_refusals(session, peer, refusals, now)
            receipt = self._sign(peer, batch, stored, refusals)
            keep_own_receipt(session, peer, batch.cursor, receipt, now, idle=idle)

            # the cursor is committed with what it stands for
            row.cursor, row.contact_time, row.last_error = batch.cursor, now, ""
            session.add(row)
            session.flush()

        return TakenBatch(receipt, admitted.new, len(refusals), idle)

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

    def retry(self) -> int:
        """Take quarantined records whose key is known now; return how many were taken.

        Call this when a bundle was pinned: the peers that offered them will not offer them again.
        """
        keyring = self._site.keyring()
        with self._site.store.read() as session:
            waiting = waiting_records(session)

        taken = 0
        for peer, record_id in waiting:
            with self._site.store.read() as session:
                row = session.get(QuarantineRow, (peer, record_id))
            if row is None or row.record is None:
                continue  # another process took it meanwhile

            record = record_from_bytes(row.record)
            try:
                examined = self._examiner.examine(record, peer, keyring)
            except UnknownKey:
                continue  # the usual case, for which no other writer has to wait
            except InvalidInput as error:
                self._refuse(peer, Refusal(record, error))
                continue
            taken += self._take_waiting(peer, examined)
        return taken

    def _take_waiting(self, peer: str, examined: ExaminedRecord) -> bool:
        with self._site.store.write() as session:
            row = session.get(QuarantineRow, (peer, examined.opened.record_id))
            if row is None:
                return False  # another process took it
            refusals = self._intake.admit(session, [examined]).refusals
            if refusals:
                keep_refusals(session, peer, refusals, self._site.clock())
                return False
            session.delete(row)
            session.flush()
        return True

    def _refuse(self, peer: str, refusal: Refusal) -> None:
        with self._site.store.write() as session:
            keep_refusals(session, peer, [refusal], self._site.clock())

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

    def _sign(self, peer: str, batch: Batch, stored: set[str], refusals: list[Refusal]) -> Envelope:
        reasons = {r.record.record_id: r.error.reason for r in refusals}
        receipt = Receipt(
            receiver=self._site.institute,
            sender=peer,
            time=to_datetime(self._site.clock()),
            previous_cursor=batch.previous_cursor,
            cursor=batch.cursor,
            stored=tuple(sorted(stored)),
            rejected=tuple(
                Rejected(record=record_id, reason=reason)
                for record_id, reason in sorted(reasons.items())
                if record_id not in stored
            ),
        )
        return receipt.sign(self._site.own.record_key)


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
