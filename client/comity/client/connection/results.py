"""What a node answers to its people, and how they ask.

Invariant: the record of a ``Result`` has been verified by whoever made it; everything else is the
node's word, which nobody signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from comity.client.verify.record_view import RecordView
from comity.record.envelope import Envelope
from comity.record.receipt import Receipt
from comity.record.record import OpenedRecord
from comity.record.times import format_time


class Filter(TypedDict, total=False):
    """Which records are meant: "and" between fields, "or" within one (``RecordFilter``).

    ``min_severity`` is low, moderate, high or critical; ``text`` are words that must all occur.
    """

    kinds: Sequence[str]
    issuers: Sequence[str]
    model: str
    tags: Sequence[str]
    domains: Sequence[str]
    min_severity: str
    text: str
    include_superseded: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A verified record, and what the node says of it.

    ``received_time`` is in UTC; ``superseded_by`` are record ids; ``page_token`` is where a watch
    resumes after this record, and otherwise empty. ``problem`` is empty unless the key was revoked
    since: then it says why the record is not known to be older than that.
    """

    opened: OpenedRecord
    origin: str
    received_time: datetime
    superseded_by: tuple[str, ...]
    page_token: str = ""
    problem: str = ""

    @property
    def record_id(self) -> str:
        """SHA-256 of the payload, lower-case hex."""
        return self.opened.record_id

    @property
    def view(self) -> RecordView:
        """Header and sections, each present or withheld."""
        return RecordView.of(self.opened)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form: the view's, and what the node says."""
        return {
            **self.view.to_value(),
            "origin": self.origin,
            "receivedTime": format_time(self.received_time),
            "supersededBy": list(self.superseded_by),
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results; ``next_page_token`` is empty on the last one."""

    results: tuple[Result, ...]
    next_page_token: str

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        records = [result.to_value() for result in self.results]
        return {"records": records, "nextPageToken": self.next_page_token}


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A peer's receipt as the node keeps it. ``receipt_time`` is when it came, in UTC.

    ``problem`` is empty if a key of that peer signed it, and otherwise says what is wrong;
    ``receipt`` is None where it could not be checked at all.
    """

    peer: str
    envelope: Envelope
    receipt_time: datetime
    receipt: Receipt | None
    problem: str

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, with the envelope for other tools to check."""
        return {
            "peer": self.peer,
            "receiptTime": format_time(self.receipt_time),
            "receipt": self.receipt.to_value() if self.receipt else None,
            "problem": self.problem,
            "envelope": self.envelope.to_json(),
        }


def message_value(message: Message) -> dict[str, Any]:
    """Return a wire message for JSON: camelCase, numbers as numbers, times as RFC 3339 or None."""
    return {
        field.json_name: _field_value(message, field.name) for field in message.DESCRIPTOR.fields
    }


def _field_value(message: Message, name: str) -> Any:
    value = getattr(message, name)
    if isinstance(value, Timestamp):
        return format_time(value.ToDatetime(UTC)) if message.HasField(name) else None
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [message_value(item) if isinstance(item, Message) else item for item in value]
    return value
