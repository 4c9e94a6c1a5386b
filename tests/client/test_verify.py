"""Offline verification: what is said of a good record, and of each way of spoiling one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from comity.client.verify.record_steps import verify_record
from comity.client.verify.record_view import SectionStatus
from comity.client.verify.steps import Outcome, Verdict, Verification
from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.section import Disclosure
from tests.support.drafts import card
from tests.support.records import NOW, UK, bundle_of, resigned


def outcomes(verification: Verification) -> dict[str, Outcome]:
    return {step.name: step.outcome for step in verification.steps}


def failed(verification: Verification) -> dict[str, str]:
    steps = (step for step in verification.steps if step.outcome is Outcome.FAILED)
    return {step.name: step.reason for step in steps}


def verify(record: Record, *keys: SigningKey) -> Verification:
    return verify_record(record, [bundle_of(UK.institute, *keys)], NOW)


def without_signature_of(record: Record) -> Record:
    """Flip one bit in the middle of the signature's last number."""
    envelope = record.envelope
    signature = bytearray(envelope.signature)
    signature[-5] ^= 1
    altered = Envelope(envelope.payload_type, envelope.payload, envelope.keyid, bytes(signature))
    return Record(altered, record.disclosures)


def test_a_good_record_passes_eight_numbered_steps(signing_key: SigningKey) -> None:
    verification = verify(card().sign(UK, signing_key, NOW), signing_key)
    assert verification.verdict is Verdict.VALID
    assert [step.number for step in verification.steps] == list(range(1, 9))
    assert set(outcomes(verification).values()) == {Outcome.OK}
    assert verification.institutes == (UK.institute,)
    assert signing_key.key.keyid in verification.steps[1].detail


def test_a_withheld_section_is_withheld_and_not_wrong(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    shorter = Record(record.envelope, record.disclosures[:1])
    verification = verify(shorter, signing_key)
    assert verification.verdict is Verdict.VALID
    present = Disclosure.parse(record.disclosures[0]).name
    assert {s.name: s.status for s in verification.sections} == {
        name: SectionStatus.PRESENT if name == present else SectionStatus.WITHHELD
        for name in ("limitations", "risks")
    }
    assert [s.content is None for s in verification.sections] == [
        s.status is SectionStatus.WITHHELD for s in verification.sections
    ]


def test_a_broken_disclosure_is_named_while_the_signature_stands(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    good, bad = record.disclosures
    name = Disclosure.parse(bad).name
    forged = Disclosure.make(name, [{"statement": "Nothing."}]).encoded
    verification = verify(Record(record.envelope, (good, forged)), signing_key)
    assert verification.verdict is Verdict.INVALID
    assert failed(verification) == {"disclosures": "BAD_DISCLOSURE"}
    assert outcomes(verification)["signature"] is Outcome.OK
    [broken] = [s for s in verification.sections if s.status is SectionStatus.BROKEN]
    assert (broken.name, broken.content) == (name, None)
    assert f"disclosures[1]: section {name}" in verification.steps[6].detail


def test_a_disclosure_that_cannot_be_read_is_named_by_its_place(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    verification = verify(
        Record(record.envelope, (*record.disclosures, b"not base64!")), signing_key
    )
    assert failed(verification) == {"disclosures": "BAD_DISCLOSURE"}
    assert "disclosures[2]: expected base64url" in verification.steps[6].detail
    assert {s.status for s in verification.sections} == {SectionStatus.PRESENT}


def test_content_against_its_model_breaks_only_its_own_section(signing_key: SigningKey) -> None:
    bad = Disclosure.make("risks", [{"domain": "cbrn"}])
    good = Disclosure.make("limitations", [{"statement": "Forgets."}])
    sections = [
        {"mediaType": "application/json", "digest": {"sha256": d.digest}, "name": d.name}
        for d in (bad, good)
    ]
    signed = resigned(card().sign(UK, signing_key, NOW), signing_key, sections=sections)
    verification = verify(Record(signed.envelope, (bad.encoded, good.encoded)), signing_key)
    assert failed(verification) == {"content": "BAD_CONTENT"}
    assert [s.status for s in verification.sections] == [
        SectionStatus.BROKEN,
        SectionStatus.PRESENT,
    ]
    assert "risks[0].scenario" in verification.sections[0].problem


def test_a_bad_signature_makes_a_record_invalid(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    verification = verify(without_signature_of(record), signing_key)
    assert verification.verdict is Verdict.INVALID
    assert failed(verification) == {"signature": "BAD_SIGNATURE"}


def test_without_the_key_a_record_is_unverifiable_and_not_invalid(
    signing_key: SigningKey,
) -> None:
    verification = verify(card().sign(UK, signing_key, NOW))
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert outcomes(verification)["key"] is Outcome.UNKNOWN
    skipped = [name for name, o in outcomes(verification).items() if o is Outcome.SKIPPED]
    assert skipped == ["signature", "issuer"]


def test_a_fault_without_the_key_is_still_a_fault(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    verification = verify(Record(record.envelope, (b"AAAA", *record.disclosures)))
    assert verification.verdict is Verdict.INVALID


def test_a_key_of_another_institute_is_the_wrong_issuer(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    verification = verify_record(record, [bundle_of("ca.aisi.example", signing_key)], NOW)
    assert failed(verification) == {"issuer": "WRONG_ISSUER"}
    assert verification.institutes == ("ca.aisi.example",)


def test_a_record_from_the_future_is_invalid(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW + timedelta(hours=1))
    assert failed(verify(record, signing_key)) == {"issue time": "ISSUED_IN_FUTURE"}


@pytest.mark.parametrize("payload", [b"{}", b"not json", b'{"predicate": {"sections": 7}}'])
def test_a_signed_payload_that_is_no_statement_has_no_view(
    signing_key: SigningKey, payload: bytes
) -> None:
    envelope = Envelope.sign("application/vnd.in-toto+json", payload, signing_key)
    verification = verify(Record(envelope), signing_key)
    assert verification.verdict is Verdict.INVALID
    assert verification.view is None
    assert outcomes(verification)["signature"] is Outcome.OK
    assert outcomes(verification)["content"] is Outcome.SKIPPED


def test_a_receipt_is_refused_before_anything_is_read(signing_key: SigningKey) -> None:
    envelope = Envelope.sign(RECEIPT_TYPE, b"{}", signing_key)
    verification = verify(Record(envelope), signing_key)
    assert failed(verification) == {"envelope": "MALFORMED_ENVELOPE"}
    assert set(outcomes(verification).values()) == {Outcome.FAILED, Outcome.SKIPPED}


def test_every_flipped_bit_of_a_payload_makes_the_record_invalid(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key, NOW)
    payload = record.envelope.payload
    for position in range(0, len(payload), max(1, len(payload) // 64)):
        altered = bytearray(payload)
        altered[position] ^= 1
        envelope = Envelope(
            record.envelope.payload_type,
            bytes(altered),
            record.envelope.keyid,
            record.envelope.signature,
        )
        assert verify(Record(envelope, record.disclosures), signing_key).verdict is Verdict.INVALID
