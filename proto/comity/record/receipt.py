"""Receipts: a receiver's signed statement of what became of the records of one batch.

A receipt is a DSSE envelope of payload type ``application/vnd.comity.receipt+json``, signed with
the receiver's record key, over the JCS form of

    {"receiver": "uk.aisi.example", "sender": "ca.aisi.example", "time": "…Z",
     "previousCursor": "…", "cursor": "…",
     "stored": ["<record id>", …], "rejected": [{"record": "<record id>", "reason": "…"}, …],
     "waiting": [{"record": "<record id>", "reason": "…"}, …]}

A record is waiting if the receiver keeps it, and takes it once it becomes acceptable. What became
of it then is told in a receipt for no offers: its two cursors are equal.

Invariant: every record of the batch stands in exactly one of ``stored``, ``rejected`` and
``waiting``; a record that the receiver held already counts as stored.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from comity.record import ijson
from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.errors import BadReceipt
from comity.record.handling import Name
from comity.record.keys import SigningKey
from comity.record.limits import MAX_BATCH_RECORDS, MAX_CURSOR_CHARS
from comity.record.models import Model, Sha256, describe
from comity.record.record import FindKey
from comity.record.times import UtcTime

CursorText = Annotated[str, StringConstraints(max_length=MAX_CURSOR_CHARS)]


class Rejected(Model):
    """A record that was not stored, and the ``reason`` of the error that says why."""

    record: Sha256
    reason: Name


class Receipt(Model):
    """The content of a receipt. Cursors are the sender's; "" stands before the first offer."""

    receiver: Name
    sender: Name
    time: UtcTime
    previous_cursor: CursorText
    cursor: CursorText
    stored: Annotated[tuple[Sha256, ...], Field(max_length=MAX_BATCH_RECORDS)]
    rejected: Annotated[tuple[Rejected, ...], Field(max_length=MAX_BATCH_RECORDS)]
    # earlier versions kept no record waiting, and their receipts are kept for ever
    waiting: Annotated[tuple[Rejected, ...], Field(max_length=MAX_BATCH_RECORDS)] = ()

    @property
    def record_ids(self) -> list[str]:
        """Ids of all records of the batch, sorted."""
        others = (item.record for item in (*self.rejected, *self.waiting))
        return sorted([*self.stored, *others])

    @property
    def covers_offers(self) -> bool:
        """False for a receipt that only tells what became of records that waited."""
        return self.previous_cursor != self.cursor

    def sign(self, key: SigningKey) -> Envelope:
        """Return the signed receipt."""
        return Envelope.sign(RECEIPT_TYPE, ijson.canonical(self.to_value()), key)


def open_receipt(envelope: Envelope, find_key: FindKey) -> Receipt:
    """Check a receipt's signature and form; the caller checks that it fits the batch.

    Raises:
        MalformedEnvelope, LimitExceeded, UnknownKey, BadSignature: as for a record.
        BadReceipt: not a receipt, or signed by another institute than its receiver.
    """
    # the PAE covers the payloadType (DSSE v1), so a signed record never passes for a receipt
    envelope.check_form(RECEIPT_TYPE)
    institutes, key = find_key(envelope.keyid)
    envelope.verify(key)

    try:
        receipt = Receipt.parse(ijson.loads(envelope.payload, field="receipt"))
    except ValidationError as error:
        path, message = describe(error)
        raise BadReceipt(message, field=f"receipt{path}") from error

    # the receiver's own bundle must list the key
    if receipt.receiver not in institutes:
        owners = ", ".join(sorted(institutes))
        message = f"expected a receiver of {owners}, whose key signed, got {receipt.receiver}"
        raise BadReceipt(message, field="receipt.receiver")
    return receipt
