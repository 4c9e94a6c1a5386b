"""The answers of a node to its people, and the filter by which they ask.

Invariant: the record of a ``Result`` was verified before the result was made. Everything else is
the node's word, which nobody signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypedDict

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from comity.client.connection.matches import Match, find_matches
from comity.client.verify.record_view import RecordView
from comity.record.envelope import Envelope
from comity.record.errors import ComityError, InvalidInput
from comity.record.receipt import Receipt, open_receipt
from comity.record.record import FindKey, OpenedRecord
from comity.record.times import format_time
from comity.record.wire import envelope_from_proto
from comity.record.withdrawal import Withdrawal
from comity.v1 import audit_service_pb2, records_service_pb2


class Filter(TypedDict, total=False):
    """A filter on records: they must match every field, and any value of a field.

    ``min_severity`` is low, moderate, high or critical. All terms of a text must occur: words,
    "phrases" and prefix*. The message ``RecordFilter`` of the wire describes each field.
    """

    kinds: Sequence[str]
    issuers: Sequence[str]
    models: Sequence[str]
    tags: Sequence[str]
    domains: Sequence[str]
    min_severity: str
    texts: Sequence[str]
    include_superseded: bool
    include_withdrawn: bool


def filter_to_proto(fields: Filter) -> records_service_pb2.RecordFilter:
    """Return the message of a filter.

    Raises:
        InvalidInput: a text stands where a list is expected.
    """
    for name, value in fields.items():
        # a text is a sequence as well, of its letters
        if name in _LISTS and isinstance(value, str | bytes):
            message = f"expected a list, got the text {value!r:.80}"
            raise InvalidInput(message, field=f"filter.{name}")
    return records_service_pb2.RecordFilter(**fields)


def search_request(
    fields: Filter, page_size: int, page_token: str, *, newest_first: bool
) -> records_service_pb2.SearchRecordsRequest:
    """Return the message that asks for a page.

    The best match of the filter's texts comes first; the newest arrival does if there are none, or
    with ``newest_first``.

    Raises: as ``filter_to_proto``.
    """
    newest, best = (
        records_service_pb2.SEARCH_ORDER_NEWEST,
        records_service_pb2.SEARCH_ORDER_RELEVANCE,
    )
    return records_service_pb2.SearchRecordsRequest(
        filter=filter_to_proto(fields),
        page_size=page_size,
        page_token=page_token,
        order=newest if newest_first else best,
    )


_LISTS: Final = frozenset({"kinds", "issuers", "models", "tags", "domains", "texts"})


@dataclass(frozen=True, slots=True)
class Result:
    """A verified record, with the node's word about it.

    ``received_time`` is in UTC, and ``superseded_by`` holds record ids. A watch resumes after this
    record from ``page_token``; the token is empty outside a watch. ``problem`` is empty unless the
    key was revoked since; then it says why the record is not known to be older. ``withdrawal`` is
    the issuer's notice, verified as well, if the issuer has withdrawn the record. ``matches`` are
    passages in which the texts of the filter occur; empty if it has none.
    """

    opened: OpenedRecord
    origin: str
    received_time: datetime
    superseded_by: tuple[str, ...]
    page_token: str = ""
    problem: str = ""
    withdrawal: Withdrawal | None = None
    matches: tuple[Match, ...] = ()

    @property
    def record_id(self) -> str:
        """SHA-256 of the payload, lower-case hex."""
        return self.opened.record_id

    @property
    def view(self) -> RecordView:
        """The header and the sections, each present or withheld."""
        return RecordView.of(self.opened)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form: that of the view, with the node's word."""
        return {
            **self.view.to_value(),
            "origin": self.origin,
            "receivedTime": format_time(self.received_time),
            "supersededBy": list(self.superseded_by),
            "withdrawal": self.withdrawal.to_value() if self.withdrawal else None,
            "problem": self.problem,
            "matches": [match.to_value() for match in self.matches],
        }


def with_matches(result: Result, fields: Filter) -> Result:
    """Return a result with the passages in which the texts of a filter occur."""
    return replace(result, matches=find_matches(result.view, fields.get("texts", ())))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results. ``next_page_token`` is empty on the last page."""

    results: tuple[Result, ...]
    next_page_token: str

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        records = [result.to_value() for result in self.results]
        return {"records": records, "nextPageToken": self.next_page_token}


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A peer's receipt as the node keeps it. It came at ``receipt_time``, in UTC.

    ``problem`` is empty if a key of that peer signed the receipt, and otherwise says what is wrong.
    ``receipt`` is None if the envelope could not be opened.
    """

    peer: str
    envelope: Envelope
    receipt_time: datetime
    receipt: Receipt | None
    problem: str

    @classmethod
    def check(cls, stored: audit_service_pb2.StoredReceipt, find_key: FindKey) -> SignedReceipt:
        """Check a receipt that the node sent against its peer's keys; never raises."""
        envelope = envelope_from_proto(stored.envelope)
        when = stored.receipt_time.ToDatetime(UTC)
        try:
            receipt = open_receipt(envelope, find_key)
        except ComityError as error:
            # the peer may have changed its keys since, and the old key is not known any more
            return cls(stored.peer, envelope, when, None, str(error))

        problem = ""
        if receipt.receiver != stored.peer:
            problem = f"expected a receipt of {stored.peer}, got one of {receipt.receiver}"
        return cls(stored.peer, envelope, when, receipt, problem)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, with the envelope so that other tools can check it."""
        return {
            "peer": self.peer,
            "receiptTime": format_time(self.receipt_time),
            "receipt": self.receipt.to_value() if self.receipt else None,
            "problem": self.problem,
            "envelope": self.envelope.to_json(),
        }


def message_value(message: Message) -> dict[str, Any]:
    """Return a message as JSON: camelCase, numbers as numbers, times in RFC 3339 or None.

    Protobuf's own JSON form writes 64-bit numbers as text and leaves empty fields out.
    """
    return {
        field.json_name: _field_value(message, field.name) for field in message.DESCRIPTOR.fields
    }


def _field_value(message: Message, name: str) -> Any:
    value = getattr(message, name)
    if isinstance(value, Timestamp):
        # an unset time reads as 1970
        return format_time(value.ToDatetime(UTC)) if message.HasField(name) else None
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [message_value(item) if isinstance(item, Message) else item for item in value]
    return value
