"""The record format: envelopes, statements, disclosures, handling, keys, and their limits."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    encode_dss_signature,
)

from comity.record import ijson
from comity.record.bundle import Keyring
from comity.record.envelope import STATEMENT_TYPE, Envelope, pae
from comity.record.errors import (
    BadContent,
    BadDisclosure,
    BadSignature,
    IssuedInFuture,
    LimitExceeded,
    MalformedJson,
    MalformedStatement,
)
from comity.record.keys import RecordKey, SigningKey
from comity.record.limits import MAX_DISCLOSURE_BYTES, MAX_JSON_DEPTH, MAX_PAYLOAD_BYTES
from comity.record.record import Record, check_issue_time, open_record
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.wire import record_from_proto, record_to_proto
from tests.support.drafts import card
from tests.support.records import NOW, UK, bundle_of, resigned


def test_pae_is_that_of_the_dsse_specification() -> None:
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_signature_of_the_dsse_specification_verifies() -> None:
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    key = RecordKey.of(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
    text = (
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    pair = base64.b64decode(text)
    der = encode_dss_signature(int.from_bytes(pair[:32], "big"), int.from_bytes(pair[32:], "big"))
    Envelope("http://example.com/HelloWorld", b"hello world", key.keyid, der).verify(key)
    with pytest.raises(BadSignature):
        Envelope("http://example.com/HelloWorlD", b"hello world", key.keyid, der).verify(key)


def test_disclosure_of_rfc_9901_is_read_and_hashed_as_it_stands_there() -> None:
    text = b"WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    disclosure = Disclosure.parse(text)
    assert (disclosure.name, disclosure.value) == ("family_name", "Möbius")
    digest = base64.urlsafe_b64encode(bytes.fromhex(disclosure.digest)).rstrip(b"=")
    assert digest == b"X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"


def test_a_signed_draft_opens_with_its_sections_typed(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    opened = open_record(record, Keyring([bundle_of(UK.institute, signing_key)]).find)
    assert opened.statement.issuer == UK
    assert opened.statement.predicate.issue_time == NOW
    assert opened.record_id == hashlib.sha256(record.envelope.payload).hexdigest()
    assert {d.name for d in opened.disclosures.values()} == {"limitations", "risks"}
    for index, disclosure in opened.disclosures.items():
        header = opened.statement.predicate.sections[index]
        assert header.digest.sha256 == hashlib.sha256(disclosure.encoded).hexdigest()


def test_a_record_survives_file_and_wire_byte_for_byte(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    assert Record.from_json(record.to_json()) == record
    assert record_from_proto(record_to_proto(record)) == record


def test_two_signings_of_one_draft_share_no_digest(signing_key: SigningKey) -> None:
    first, second = card().sign(UK, signing_key, NOW), card().sign(UK, signing_key, NOW)
    assert first.record_id != second.record_id
    assert not {*first.disclosures} & {*second.disclosures}


def test_without_its_disclosures_a_record_still_verifies(signing_key: SigningKey) -> None:
    record = Record(card().sign(UK, signing_key).envelope)
    opened = open_record(record, Keyring([bundle_of(UK.institute, signing_key)]).find)
    assert opened.contents == {}


def test_every_flipped_bit_of_a_disclosure_is_noticed(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    find = Keyring([bundle_of(UK.institute, signing_key)]).find
    original, rest = record.disclosures[0], record.disclosures[1:]
    for position in range(len(original)):
        altered = bytearray(original)
        altered[position] ^= 1
        with pytest.raises((BadDisclosure, MalformedJson)):
            open_record(Record(record.envelope, (bytes(altered), *rest)), find)


def test_a_disclosure_of_another_record_is_refused(signing_key: SigningKey) -> None:
    one, other = card().sign(UK, signing_key), card().sign(UK, signing_key)
    mixed = Record(one.envelope, other.disclosures)
    with pytest.raises(BadDisclosure, match="matches no digest"):
        open_record(mixed, Keyring([bundle_of(UK.institute, signing_key)]).find)


def test_a_section_disclosed_twice_is_refused(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    doubled = Record(record.envelope, (*record.disclosures, record.disclosures[0]))
    with pytest.raises(BadDisclosure, match="twice"):
        open_record(doubled, Keyring([bundle_of(UK.institute, signing_key)]).find)


def test_a_section_named_otherwise_than_in_the_header_is_refused(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    sections = json.loads(record.envelope.payload)["predicate"]["sections"]
    for section in sections:
        section["name"] = "details"
    with pytest.raises(BadDisclosure, match="'details'"):
        open_record(
            resigned(record, signing_key, sections=sections),
            Keyring([bundle_of(UK.institute, signing_key)]).find,
        )


def test_content_against_its_model_is_refused_with_the_path(signing_key: SigningKey) -> None:
    disclosure = Disclosure.make("risks", [{"domain": "cbrn", "scenario": "x", "severity": "huge"}])
    sections = [{"mediaType": "application/json", "digest": {"sha256": disclosure.digest}}]
    record = resigned(card().sign(UK, signing_key), signing_key, sections=sections)
    with pytest.raises(BadContent) as caught:
        open_record(
            Record(record.envelope, (disclosure.encoded,)),
            Keyring([bundle_of(UK.institute, signing_key)]).find,
        )
    assert caught.value.field == "sections.risks[0].severity"


def test_an_envelope_in_url_safe_base64_is_read(signing_key: SigningKey) -> None:
    envelope = card().sign(UK, signing_key).envelope
    value = envelope.to_json()
    value["payload"] = base64.urlsafe_b64encode(envelope.payload).decode().rstrip("=")
    assert Envelope.from_value(value) == envelope


def test_the_payload_limit_names_itself(signing_key: SigningKey) -> None:
    envelope = Envelope.sign(STATEMENT_TYPE, b" " * (MAX_PAYLOAD_BYTES + 1), signing_key)
    with pytest.raises(LimitExceeded) as caught:
        envelope.check_form(STATEMENT_TYPE)
    assert (caught.value.limit, caught.value.field) == ("MAX_PAYLOAD_BYTES", "payload")


def test_the_disclosure_limit_is_checked_before_decoding() -> None:
    with pytest.raises(LimitExceeded, match="MAX_DISCLOSURE_BYTES"):
        Disclosure.parse(b"!" * (MAX_DISCLOSURE_BYTES + 1))


def test_more_than_64_sections_are_refused(signing_key: SigningKey) -> None:
    sections = [
        {"mediaType": "application/json", "digest": {"sha256": f"{i:064x}"}} for i in range(65)
    ]
    record = resigned(card().sign(UK, signing_key), signing_key, sections=sections)
    with pytest.raises(LimitExceeded, match="MAX_SECTIONS"):
        Statement.from_payload(record.envelope.payload)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": 9007199254740992}', "2\\^53"),
        (b'{"a": NaN}', "finite"),
        (b'{"a": 1e999}', "finite"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\u0000"}', "U\\+0000"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": ', "JSON"),
        (b"[" * 100_000, "levels|JSON"),
    ],
)
def test_what_is_not_i_json_is_refused(text: bytes, fault: str) -> None:
    with pytest.raises((MalformedJson, LimitExceeded), match=fault):
        ijson.loads(text)


def test_nesting_is_allowed_up_to_its_limit() -> None:
    deepest = b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH
    assert ijson.loads(deepest)
    with pytest.raises(LimitExceeded, match="MAX_JSON_DEPTH"):
        ijson.loads(b"[" + deepest + b"]")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "_type"),
        ({"annotations": {}}, "annotations"),
        ({"predicateType": "urn:comity:poem:v1"}, "predicateType"),
        ({"subject": []}, "subject"),
        ({"subject": [{"name": "x", "digest": {"sha256": "0" * 64}}]}, "subject[0].digest.sha256"),
    ],
)
def test_a_malformed_statement_is_refused_by_field(
    signing_key: SigningKey, change: dict[str, Any], field: str
) -> None:
    statement = json.loads(card().sign(UK, signing_key).envelope.payload) | change
    with pytest.raises(MalformedStatement) as caught:
        Statement.from_payload(ijson.canonical(statement))
    assert caught.value.field == field


def test_an_issue_time_ahead_of_the_clock_is_refused(signing_key: SigningKey) -> None:
    statement = Statement.from_payload(card().sign(UK, signing_key, NOW).envelope.payload)
    check_issue_time(statement, NOW - timedelta(seconds=300))
    with pytest.raises(IssuedInFuture):
        check_issue_time(statement, NOW - timedelta(seconds=301))
