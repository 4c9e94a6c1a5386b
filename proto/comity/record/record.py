"""A record as it travels: an envelope and the disclosures that came with it.

A record file (``*.record.json``) is

    {"envelope": {DSSE JSON}, "disclosures": ["<base64url>", …]}

``open_record`` performs the checks that need only the record and a key, in this order:
(1) sizes and form of the envelope, (2) the signature, (3) the statement, (4) each disclosure
against its digest and name, (5) the content models. The caller decides which key may speak for
which institute, and whether a record is new. Invariant: an ``OpenedRecord`` passed all five checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from comity.record import ijson
from comity.record.content import check_content
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import (
    BadDisclosure,
    InvalidInput,
    IssuedInFuture,
    MalformedJson,
    UnknownKey,
    WrongIssuer,
)
from comity.record.keys import RecordKey
from comity.record.limits import (
    MAX_CLOCK_SKEW_SECONDS,
    MAX_RECORD_BYTES,
    MAX_SECTIONS,
    MAX_TLOG_PROOF_BYTES,
)
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.times import format_time

FindKey = Callable[[str], tuple[frozenset[str], RecordKey]]
"""Takes a keyid; returns the institutes whose trust bundles list the key, and the key.

Raises UnknownKey if no bundle lists it."""


@dataclass(frozen=True, slots=True)
class Record:
    """An envelope and zero or more disclosures, unverified.

    ``inclusion`` is a proof that the record stands in its issuer's log (C2SP tlog-proof), or empty.
    It travels between nodes and is in no record file.
    """

    envelope: Envelope
    disclosures: tuple[bytes, ...] = ()
    inclusion: bytes = b""

    @property
    def record_id(self) -> str:
        """SHA-256 of the payload, lower-case hex."""
        return self.envelope.record_id

    def to_json(self) -> bytes:
        """Return the contents of a record file."""
        value = {
            "envelope": self.envelope.to_json(),
            "disclosures": [d.decode("ascii") for d in self.disclosures],
        }
        return ijson.canonical(value) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Read a record file, or a bare DSSE envelope (a record without disclosures).

        Raises:
            MalformedJson, MalformedEnvelope: as ``Envelope.from_json``.
        """
        value = ijson.loads(data, field="record")
        if not isinstance(value, dict) or "envelope" not in value:
            return cls(Envelope.from_value(value))

        disclosures = value.get("disclosures", [])
        if not isinstance(disclosures, list) or not all(isinstance(d, str) for d in disclosures):
            raise MalformedJson("expected a list of texts", field="disclosures")
        # RFC 9901, section 4.2.1: base64url, so a record file has no other letters here
        if not all(d.isascii() for d in disclosures):
            raise MalformedJson("expected base64url, got other letters", field="disclosures")
        encoded = tuple(d.encode() for d in disclosures)
        return cls(Envelope.from_value(value["envelope"]), encoded)

    def check_size(self) -> None:
        """Check the sizes, which bound the work of all later checks.

        Raises:
            LimitExceeded: more than MAX_SECTIONS disclosures; payload and disclosures together over
                MAX_RECORD_BYTES; or a proof over MAX_TLOG_PROOF_BYTES.
        """
        MAX_SECTIONS.check(len(self.disclosures), "disclosures")
        size = len(self.envelope.payload) + sum(map(len, self.disclosures))
        MAX_RECORD_BYTES.check(size, "record")
        MAX_TLOG_PROOF_BYTES.check(len(self.inclusion), "inclusion")


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record that passed every check of ``open_record``.

    ``disclosures`` and ``contents`` are keyed by section index. ``contents`` holds content models
    (``comity.record.content``), and plain JSON values for sections without a model.
    """

    record: Record
    statement: Statement
    disclosures: Mapping[int, Disclosure]
    contents: Mapping[int, Any]

    @property
    def record_id(self) -> str:
        """SHA-256 of the payload, lower-case hex."""
        return self.record.record_id


def open_record(record: Record, find_key: FindKey) -> OpenedRecord:
    """Check a record and read it; ``find_key`` knows the trusted keys and their institutes.

    Raises:
        LimitExceeded, MalformedEnvelope: check (1) failed.
        UnknownKey, BadSignature: check (2) failed.
        MalformedJson, MalformedStatement, BadHandling, WrongIssuer: check (3) failed.
        BadDisclosure: check (4) failed.
        BadContent: check (5) failed.
    """
    # (1) sizes and form, before any work that they bound
    record.check_size()
    record.envelope.check_form(STATEMENT_TYPE)

    # (2) the signature over the exact bytes, before they are parsed (DSSE v1, protocol.md)
    institutes, key = _find_signer(record.envelope, find_key)
    record.envelope.verify(key)

    # (3) the key must be listed by the issuer's own bundle
    statement = Statement.from_payload(record.envelope.payload)
    if statement.issuer.institute not in institutes:
        owners = ", ".join(sorted(institutes))
        message = f"expected an issuer of {owners}, whose key signed, got {statement.issuer}"
        raise WrongIssuer(message, field="predicate.issuer")

    # (4) disclosures, (5) contents
    disclosures = match_disclosures(statement, record.disclosures)
    contents = {
        index: check_content(statement.kind, disclosure.name, disclosure.value)
        for index, disclosure in disclosures.items()
    }
    return OpenedRecord(record, statement, disclosures, contents)


def _find_signer(envelope: Envelope, find_key: FindKey) -> tuple[frozenset[str], RecordKey]:
    try:
        return find_key(envelope.keyid)
    except UnknownKey as error:
        try:
            claimed = Statement.from_payload(envelope.payload).issuer.institute
        except InvalidInput:
            raise error from None
        # the name is not verified, but an operator needs it to find the missing bundle
        message = f"{error.message}, in a record that claims to be of {claimed}"
        raise UnknownKey(message, field=error.field, hint=error.hint) from error


def match_disclosures(statement: Statement, encoded: Sequence[bytes]) -> dict[int, Disclosure]:
    """Return the disclosures by the index of the section that commits to them.

    Raises:
        BadDisclosure: one matches no digest, comes twice, or has another name than in the header.
    """
    sections = statement.predicate.sections
    by_digest = {section.digest.sha256: index for index, section in enumerate(sections)}
    found: dict[int, Disclosure] = {}

    for position, text in enumerate(encoded):
        field = f"disclosures[{position}]"
        disclosure = Disclosure.parse(text, field=field)

        # RFC 9901, section 7.1: a disclosure without a digest, or given twice, is refused
        index = by_digest.get(disclosure.digest)
        if index is None:
            message = f"matches no digest in the header, got {disclosure.digest}"
            raise BadDisclosure(message, field=field)
        if index in found:
            raise BadDisclosure(f"section {index} is disclosed twice", field=field)

        name = sections[index].name
        if name is not None and name != disclosure.name:
            message = f"expected the name {name!r} of the header, got {disclosure.name!r:.80}"
            raise BadDisclosure(message, field=field)

        found[index] = disclosure
    return found


def check_issue_time(statement: Statement, now: datetime) -> None:
    """Check that a record was not issued ahead of ``now`` (an aware datetime).

    Raises:
        IssuedInFuture: its issueTime is more than MAX_CLOCK_SKEW_SECONDS ahead.
    """
    issued, skew = statement.predicate.issue_time, timedelta(seconds=MAX_CLOCK_SKEW_SECONDS)
    if issued > now + skew:
        message = (
            f"expected at most {MAX_CLOCK_SKEW_SECONDS} s after {format_time(now)} by this clock, "
            f"got {format_time(issued)}"
        )
        raise IssuedInFuture(message, time=issued - skew, field="predicate.issueTime")
