"""Who signed a record: unknown keys, keys of others, and signatures that another party changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from comity.record.bundle import Keyring
from comity.record.envelope import RECEIPT_TYPE, STATEMENT_TYPE, Envelope, pae
from comity.record.errors import BadSignature, MalformedEnvelope, UnknownKey, WrongIssuer
from comity.record.keys import SigningKey
from comity.record.record import Record, open_record
from tests.support.drafts import card
from tests.support.records import UK, bundle_of


def test_a_key_in_no_bundle_is_unknown(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    other = SigningKey.generate()
    with pytest.raises(UnknownKey, match=r"claims to be of uk\.aisi\.example"):
        open_record(record, Keyring([bundle_of("ca.aisi.example", other)]).find)


def test_a_key_in_no_bundle_is_unknown_also_where_the_payload_is_garbage() -> None:
    envelope = Envelope(STATEMENT_TYPE, b"{}", "SHA256:" + 43 * "A", b"sig")
    with pytest.raises(UnknownKey):
        open_record(Record(envelope, ()), Keyring([]).find)


def test_a_good_signature_by_another_institutes_key_is_refused(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    with pytest.raises(WrongIssuer, match=r"ca\.aisi\.example"):
        open_record(record, Keyring([bundle_of("ca.aisi.example", signing_key)]).find)


def test_listing_anothers_key_takes_nothing_from_its_owner(signing_key: SigningKey) -> None:
    record = card().sign(UK, signing_key)
    bundles = [bundle_of("ca.aisi.example", signing_key), bundle_of(UK.institute, signing_key)]
    assert open_record(record, Keyring(bundles).find).statement.issuer == UK
    assert open_record(record, Keyring(bundles[::-1]).find).statement.issuer == UK


def test_a_signature_by_another_key_under_the_same_keyid_is_refused(
    signing_key: SigningKey,
) -> None:
    forged = card().sign(UK, SigningKey.generate()).envelope
    renamed = Envelope(forged.payload_type, forged.payload, signing_key.key.keyid, forged.signature)
    with pytest.raises(BadSignature):
        open_record(Record(renamed), Keyring([bundle_of(UK.institute, signing_key)]).find)


def test_a_receipt_cannot_be_taken_for_a_record(signing_key: SigningKey) -> None:
    payload = card().sign(UK, signing_key).envelope.payload
    receipt = Record(Envelope.sign(RECEIPT_TYPE, payload, signing_key))
    with pytest.raises(MalformedEnvelope, match=r"in-toto"):
        open_record(receipt, Keyring([bundle_of(UK.institute, signing_key)]).find)


def test_a_signature_that_a_relay_made_of_the_issuers_is_refused(signing_key: SigningKey) -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    find = Keyring([bundle_of(UK.institute, signing_key)]).find
    for _ in range(8):  # half of what a key makes is the higher form
        record = card().sign(UK, signing_key)
        open_record(record, find)
        r, s = decode_dss_signature(record.envelope.signature)
        other = replace(record.envelope, signature=encode_dss_signature(r, order - s))
        signing_key.key.verify(other.signature, pae(other.payload_type, other.payload))
        with pytest.raises(BadSignature, match="lower"):
            open_record(replace(record, envelope=other), find)


@pytest.mark.parametrize("count", [0, 2])
def test_an_envelope_needs_exactly_one_signature(signing_key: SigningKey, count: int) -> None:
    value = card().sign(UK, signing_key).envelope.to_json()
    value["signatures"] *= count
    with pytest.raises(MalformedEnvelope, match="exactly 1 signature"):
        Envelope.from_value(value)
