"""Records whose envelope or payload is wrong in exactly one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.limits import (
    MAX_JSON_DEPTH,
    MAX_PAYLOAD_BYTES,
    MAX_SECTIONS,
)
from comity.record.record import Record
from comity.record.spiffe import SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2
from tests.support.drafts import card
from tests.vectors.forger import TAG, Defect, Forger, registering

DEFECTS: Final[dict[str, Defect]] = {}
_defect = registering(DEFECTS)


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
