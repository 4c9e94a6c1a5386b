"""Records that are wrong in exactly one way, signed by a key that its institute has published.

``DEFECTS`` holds them by name, with the reason, field and limit that a refusal must state. All of
them carry the tag ``forged``, so that any trace they leave behind can be found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from comity.record import ijson
from comity.record.envelope import RECEIPT_TYPE, STATEMENT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.limits import (
    MAX_DISCLOSURE_BYTES,
    MAX_DOMAINS,
    MAX_JSON_DEPTH,
    MAX_PAYLOAD_BYTES,
    MAX_RECORD_BYTES,
    MAX_SECTIONS,
)
from comity.record.record import Record
from comity.record.section import Disclosure
from comity.record.spiffe import SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2
from tests.support.drafts import card

TAG: Final = "forged"


@dataclass(frozen=True)
class Forger:
    """Signs what it likes, as ``issuer`` with ``key``."""

    issuer: SpiffeId
    key: SigningKey

    def record(self, **more: Any) -> Record:
        """Return a good record."""
        return card(tags=[TAG], **more).sign(self.issuer, self.key)

    def payload(self, old: bytes, new: bytes) -> record_pb2.Record:
        """Return a record with bytes of its payload replaced before it is signed."""
        record = self.record()
        assert old in record.envelope.payload
        return self.sign(record.envelope.payload.replace(old, new, 1), record.disclosures)

    def statement(self, change: Callable[[dict[str, Any]], object]) -> record_pb2.Record:
        """Return a record whose statement was changed before it was signed."""
        record = self.record()
        statement = json.loads(record.envelope.payload)
        change(statement)
        return self.sign(ijson.canonical(statement), record.disclosures)

    def predicate(self, **changes: Any) -> record_pb2.Record:
        """Return a record with fields of its predicate changed before it was signed."""
        return self.statement(lambda statement: statement["predicate"].update(changes))

    def section(self, encoded: bytes, name: str = "risks") -> record_pb2.Record:
        """Return a record that commits to and discloses just these bytes."""
        digest = Disclosure(encoded, name, None).digest
        sections = [{"name": name, "mediaType": "application/json", "digest": {"sha256": digest}}]
        record = self.predicate(sections=sections)
        return record_pb2.Record(envelope=record.envelope, disclosures=[encoded])

    def sign(self, payload: bytes, disclosures: tuple[bytes, ...] = ()) -> record_pb2.Record:
        """Return a record of any payload."""
        return record_to_proto(
            Record(Envelope.sign(STATEMENT_TYPE, payload, self.key), disclosures)
        )


@dataclass(frozen=True)
class Defect:
    """How to make a bad record, and how it must be refused."""

    make: Callable[[Forger], record_pb2.Record]
    reason: str
    field: str
    limit: str = ""


DEFECTS: Final[dict[str, Defect]] = {}

_Make = Callable[[Forger], record_pb2.Record]


def _defect(reason: str, field: str, limit: str = "") -> Callable[[_Make], _Make]:
    def keep(make: _Make) -> _Make:
        DEFECTS[make.__name__] = Defect(make, reason, field, limit)
        return make

    return keep


# --- the envelope ---------------------------------------------------------------------------


@_defect("MALFORMED_ENVELOPE", "signatures")
def nothing_at_all(_: Forger) -> record_pb2.Record:
    return record_pb2.Record()


@_defect("MALFORMED_ENVELOPE", "signatures")
def no_signature(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.ClearField("signatures")
    return record


@_defect("MALFORMED_ENVELOPE", "signatures")
def two_signatures(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.signatures.append(record.envelope.signatures[0])
    return record


@_defect("MALFORMED_ENVELOPE", "payloadType")
def wrong_payload_type(forger: Forger) -> record_pb2.Record:
    envelope = Envelope.sign("application/json", forger.record().envelope.payload, forger.key)
    return record_to_proto(Record(envelope))


@_defect("MALFORMED_ENVELOPE", "payloadType")
def receipt_instead_of_a_record(forger: Forger) -> record_pb2.Record:
    envelope = Envelope.sign(RECEIPT_TYPE, forger.record().envelope.payload, forger.key)
    return record_to_proto(Record(envelope))


@_defect("MALFORMED_ENVELOPE", "signatures[0].keyid")
def no_keyid(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.signatures[0].keyid = ""
    return record


@_defect("MALFORMED_ENVELOPE", "signatures[0].sig")
def oversize_signature(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.signatures[0].sig = b"0" * 81
    return record


@_defect("UNKNOWN_KEY", "signatures[0].keyid")
def unknown_keyid(forger: Forger) -> record_pb2.Record:
    return record_to_proto(Forger(forger.issuer, SigningKey.generate()).record())


@_defect("BAD_SIGNATURE", "signatures[0].sig")
def signature_by_another_key(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(Forger(forger.issuer, SigningKey.generate()).record())
    record.envelope.signatures[0].keyid = forger.key.key.keyid
    return record


@_defect("BAD_SIGNATURE", "signatures[0].sig")
def signature_that_is_not_der(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.signatures[0].sig = b"\x00" * 71
    return record


@_defect("BAD_SIGNATURE", "signatures[0].sig")
def payload_altered_after_signing(forger: Forger) -> record_pb2.Record:
    record = record_to_proto(forger.record())
    record.envelope.payload = record.envelope.payload.replace(b"GREEN", b"CLEAR")
    return record


@_defect("WRONG_ISSUER", "predicate.issuer")
def issuer_is_another_institute(forger: Forger) -> record_pb2.Record:
    other = SpiffeId.parse("spiffe://other.example/node")
    return record_to_proto(Forger(other, forger.key).record())


# --- the payload ----------------------------------------------------------------------------


@_defect("LIMIT_EXCEEDED", "payload", "MAX_PAYLOAD_BYTES")
def oversize_payload(forger: Forger) -> record_pb2.Record:
    return forger.sign(b" " * (MAX_PAYLOAD_BYTES + 1))


@_defect("MALFORMED_JSON", "payload")
def payload_is_not_json(forger: Forger) -> record_pb2.Record:
    return forger.sign(b"<statement/>")


@_defect("MALFORMED_JSON", "payload")
def payload_is_not_utf8(forger: Forger) -> record_pb2.Record:
    return forger.payload(b"Card of", b"\xff\xfe")


@_defect("MALFORMED_JSON", "payload")
def duplicate_key(forger: Forger) -> record_pb2.Record:
    return forger.payload(b'"summary":', b'"title":{"en":"Another"},"summary":')


@_defect("MALFORMED_JSON", "payload")
def not_a_number(forger: Forger) -> record_pb2.Record:
    return forger.payload(b'["forged"]', b"[NaN]")


@_defect("MALFORMED_JSON", "payload")
def integer_beyond_a_double(forger: Forger) -> record_pb2.Record:
    return forger.payload(b'["forged"]', b"[9007199254740993]")


@_defect("MALFORMED_JSON", "payload")
def nul_in_the_title(forger: Forger) -> record_pb2.Record:
    return forger.payload(b"Card of", b"Card\\u0000of")


@_defect("MALFORMED_JSON", "payload")
def lone_surrogate_in_the_title(forger: Forger) -> record_pb2.Record:
    return forger.payload(b"Card of", b"Card\\ud800of")


@_defect("LIMIT_EXCEEDED", "payload", "MAX_JSON_DEPTH")
def deep_json(forger: Forger) -> record_pb2.Record:
    deep = b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH
    return forger.payload(b'["forged"]', deep)


@_defect("LIMIT_EXCEEDED", "payload", "MAX_JSON_DEPTH")
def very_deep_json(forger: Forger) -> record_pb2.Record:
    return forger.sign(b"[" * 500_000)


@_defect("LIMIT_EXCEEDED", "payload", "MAX_JSON_DEPTH")
def deep_and_wide_json(forger: Forger) -> record_pb2.Record:
    wide = b'"\\u0041"' + b',""' * 300_000
    return forger.sign(b"[" * 900 + wide + b"]" * 900)


@_defect("MALFORMED_STATEMENT", "annotations")
def field_that_in_toto_does_not_know(forger: Forger) -> record_pb2.Record:
    return forger.statement(lambda statement: statement.update(annotations={}))


@_defect("MALFORMED_STATEMENT", "predicateType")
def unknown_kind(forger: Forger) -> record_pb2.Record:
    return forger.payload(b"urn:comity:model-card:v1", b"urn:comity:poem:v1")


@_defect("MALFORMED_STATEMENT", "subject[0].digest.sha256")
def digest_of_another_model(forger: Forger) -> record_pb2.Record:
    return forger.statement(lambda s: s["subject"][0]["digest"].update(sha256="0" * 64))


@_defect("ISSUED_IN_FUTURE", "predicate.issueTime")
def issued_tomorrow(forger: Forger) -> record_pb2.Record:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return record_to_proto(card(tags=[TAG]).sign(forger.issuer, forger.key, tomorrow))


@_defect("LIMIT_EXCEEDED", "predicate.sections", "MAX_SECTIONS")
def too_many_sections(forger: Forger) -> record_pb2.Record:
    return forger.predicate(
        sections=[
            {"mediaType": "application/json", "digest": {"sha256": f"{i:064x}"}}
            for i in range(MAX_SECTIONS + 1)
        ]
    )


# --- handling -------------------------------------------------------------------------------


@_defect("BAD_HANDLING", "handling.onward")
def red_and_onward(forger: Forger) -> record_pb2.Record:
    return forger.predicate(handling={"tlp": "RED", "onward": True})


@_defect("BAD_HANDLING", "predicate.sections[0].annotations.handling.tlp")
def section_looser_than_its_record(forger: Forger) -> record_pb2.Record:
    def loosen(statement: dict[str, Any]) -> None:
        statement["predicate"]["sections"][0]["annotations"] = {"handling": {"tlp": "CLEAR"}}

    return forger.statement(loosen)


# --- disclosures ----------------------------------------------------------------------------


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_of_another_record(forger: Forger) -> record_pb2.Record:
    return record_to_proto(Record(forger.record().envelope, forger.record().disclosures))


@_defect("BAD_DISCLOSURE", "disclosures[1]")
def disclosure_sent_twice(forger: Forger) -> record_pb2.Record:
    record = forger.record()
    return record_to_proto(Record(record.envelope, (record.disclosures[0],) * 2))


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_under_another_name(forger: Forger) -> record_pb2.Record:
    return forger.section(Disclosure.make("limitations", []).encoded, name="risks")


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_that_is_not_base64url(forger: Forger) -> record_pb2.Record:
    return forger.section(b"not base64!")


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_with_a_short_salt(forger: Forger) -> record_pb2.Record:
    return forger.section(b"WyJzYWx0Iiwicmlza3MiLFtdXQ")


@_defect("LIMIT_EXCEEDED", "disclosures[0]", "MAX_DISCLOSURE_BYTES")
def oversize_disclosure(forger: Forger) -> record_pb2.Record:
    return forger.section(b"A" * (MAX_DISCLOSURE_BYTES + 1))


@_defect("LIMIT_EXCEEDED", "disclosures", "MAX_SECTIONS")
def too_many_disclosures(forger: Forger) -> record_pb2.Record:
    return record_to_proto(Record(forger.record().envelope, (b"A",) * (MAX_SECTIONS + 1)))


@_defect("LIMIT_EXCEEDED", "record", "MAX_RECORD_BYTES")
def oversize_record(forger: Forger) -> record_pb2.Record:
    half = b"A" * (MAX_RECORD_BYTES // 2)
    return record_to_proto(Record(forger.record().envelope, (half, half)))


# --- content --------------------------------------------------------------------------------


@_defect("BAD_CONTENT", "sections.risks[0].severity")
def content_against_its_model(forger: Forger) -> record_pb2.Record:
    risk = {"domain": "cbrn", "scenario": "Uplift.", "severity": "enormous"}
    return forger.section(Disclosure.make("risks", [risk]).encoded)


@_defect("LIMIT_EXCEEDED", "sections.risks", "MAX_DOMAINS")
def too_many_domains(forger: Forger) -> record_pb2.Record:
    risks = [{"domain": f"d{i}", "scenario": "x"} for i in range(MAX_DOMAINS + 1)]
    return forger.section(Disclosure.make("risks", risks).encoded)
