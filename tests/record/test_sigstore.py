"""Sigstore bundles and trusted roots: read back as written, and nothing else is read.

The files in vectors/sigstore were accepted by cosign 3.1.3 and @sigstore/verify 4.1.3; ``make
interop`` shows them to both again.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.record import log
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.errors import (
    BadCheckpoint,
    BadEvidence,
    BadNote,
    BadProof,
    BadSignature,
    ComityError,
    LimitExceeded,
    MalformedEnvelope,
    MalformedJson,
    UnknownKey,
)
from comity.record.keys import RecordKey, SigningKey
from comity.record.limits import MAX_BUNDLE_BYTES, MAX_SIGSTORE_BYTES
from comity.record.merkle import leaf_hash
from comity.record.note import LOG_KEY, NoteSigner, Verifier
from comity.record.sigstore import SigstoreBundle, log_id
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import read_trusted_root
from tests.support.changed_copies import JsonPath, changed_json, flipped_base64, to
from tests.support.drafts import card
from tests.support.paths import VECTORS
from tests.support.records import NOW, UK

SIGSTORE = VECTORS / "sigstore"
BUNDLE = (SIGSTORE / "record.sigstore.json").read_bytes()
LOG = Verifier.parse((SIGSTORE / "log.vkey").read_text().strip())
KEY = RecordKey.from_pem((SIGSTORE / "public-key.pem").read_text())

ENTRY = ("verificationMaterial", "tlogEntries", 0)
PROOF = (*ENTRY, "inclusionProof")


def log_signer(name: str = "log.uk.aisi.example") -> NoteSigner:
    return NoteSigner(name, LOG_KEY, Ed25519PrivateKey.generate())


def alone_in(signer: NoteSigner, envelope: Envelope, key: RecordKey) -> TlogProof:
    """Return the proof of a record that is the only one in a log."""
    root = leaf_hash(log.leaf(envelope, key))
    return TlogProof(0, (), sign_checkpoint(Checkpoint(signer.name, 1, root), signer).to_bytes())


def test_the_bundle_that_stock_tools_accept_is_read_verified_and_written_again() -> None:
    bundle = SigstoreBundle.from_json(BUNDLE)
    checkpoint = bundle.verify(KEY, LOG)
    assert (checkpoint.origin, checkpoint.size, bundle.proof.index) == (LOG.name, 11, 6)
    assert bundle.envelope.keyid == KEY.keyid
    assert bundle.to_json() == BUNDLE


def test_a_log_id_begins_with_the_key_id_of_its_notes() -> None:
    assert log_id(LOG)[:4] == LOG.keyid
    assert len(log_id(LOG)) == 32


def test_a_new_record_alone_in_its_log_makes_a_bundle(signing_key: SigningKey) -> None:
    envelope, signer = card().sign(UK, signing_key, NOW).envelope, log_signer()
    proof = replace(alone_in(signer, envelope, signing_key.key), extra=b"left out")
    bundle = SigstoreBundle.make(envelope, signing_key.key, proof, signer.verifier)
    assert SigstoreBundle.from_json(bundle.to_json()) == bundle
    assert bundle.proof == replace(proof, extra=None)


def test_no_bundle_is_made_that_would_not_verify(signing_key: SigningKey) -> None:
    envelope, signer = card().sign(UK, signing_key, NOW).envelope, log_signer()
    proof = alone_in(signer, envelope, signing_key.key)
    other = card().sign(UK, signing_key, NOW).envelope
    with pytest.raises(BadProof):
        SigstoreBundle.make(other, signing_key.key, proof, signer.verifier)
    with pytest.raises(UnknownKey):
        SigstoreBundle.make(envelope, signing_key.key, proof, log_signer().verifier)
    with pytest.raises(BadSignature):
        SigstoreBundle.make(envelope, SigningKey.generate().key, proof, signer.verifier)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (("dsseEnvelope", "signatures", 0, "sig"), BadSignature),
        (("dsseEnvelope", "payload"), BadSignature),
        ((*ENTRY, "canonicalizedBody"), BadEvidence),
        ((*ENTRY, "logId", "keyId"), BadEvidence),
        ((*PROOF, "hashes", 0), BadProof),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else "",
)
def test_one_flipped_bit_is_noticed(path: JsonPath, error: type[ComityError]) -> None:
    bundle = SigstoreBundle.from_json(changed_json(BUNDLE, path, flipped_base64))
    with pytest.raises(error):
        bundle.verify(KEY, LOG)


def test_another_index_is_noticed() -> None:
    data = changed_json(
        changed_json(BUNDLE, (*ENTRY, "logIndex"), to("7")), (*PROOF, "logIndex"), to("7")
    )
    with pytest.raises(BadProof):
        SigstoreBundle.from_json(data).verify(KEY, LOG)


def test_another_log_key_or_record_key_is_noticed() -> None:
    bundle = SigstoreBundle.from_json(BUNDLE)
    with pytest.raises(BadEvidence, match=r"logId\.keyId"):
        bundle.verify(KEY, log_signer().verifier)
    with pytest.raises(BadSignature):
        bundle.verify(SigningKey.generate().key, LOG)


MALFORMED: list[tuple[JsonPath, Any, str]] = [
    (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.2", "mediaType"),
    (("mediaType",), None, "mediaType"),
    (("messageSignature",), {}, "messageSignature: unknown field"),
    (("verificationMaterial",), None, "verificationMaterial: required field is missing"),
    (("verificationMaterial", "certificate"), {}, "certificate: unknown field"),
    (("verificationMaterial", "publicKey", "hint"), "", "publicKey.hint"),
    (("verificationMaterial", "publicKey", "hint"), "SHA256:another", "publicKey.hint"),
    (("verificationMaterial", "tlogEntries"), [], "tlogEntries"),
    ((*ENTRY, "inclusionProof"), None, "inclusionProof: required field is missing"),
    ((*ENTRY, "inclusionPromise"), {}, "inclusionPromise: unknown field"),
    ((*ENTRY, "integratedTime"), "1700000000", "integratedTime: unknown field"),
    ((*ENTRY, "kindVersion", "version"), "0.0.1", "kindVersion.version"),
    ((*ENTRY, "kindVersion", "kind"), "dsse", "kindVersion.kind"),
    ((*ENTRY, "canonicalizedBody"), "not base64", "canonicalizedBody"),
    ((*ENTRY, "canonicalizedBody"), "", "canonicalizedBody"),
    ((*ENTRY, "logId", "keyId"), "AAAA", "logId.keyId: expected 32 bytes"),
    ((*ENTRY, "logIndex"), 6, "logIndex"),
    ((*ENTRY, "logIndex"), "7", "inclusionProof.logIndex: expected 7, got '6'"),
    ((*ENTRY, "logIndex"), "06", "logIndex: expected a decimal"),
    ((*ENTRY, "logIndex"), "-1", "logIndex: expected a decimal"),
    ((*ENTRY, "logIndex"), str(2**53 + 1), "logIndex: expected a decimal number of at most 2.53"),
    ((*ENTRY, "logIndex"), "9" * 5000, "logIndex: expected a decimal"),
    ((*PROOF, "treeSize"), "12", "inclusionProof.treeSize: expected 11"),
    ((*PROOF, "treeSize"), str(2**63), "treeSize: expected a decimal number of at most 2.53"),
    ((*PROOF, "rootHash"), base64.b64encode(bytes(32)).decode(), "inclusionProof.rootHash"),
    ((*PROOF, "rootHash"), "====", "rootHash: expected standard base64"),
    ((*PROOF, "hashes"), None, "hashes: required field is missing"),
    ((*PROOF, "hashes", 1), "AAAA", r"hashes\[1\]: expected 32 bytes"),
    ((*PROOF, "checkpoint"), None, "checkpoint: required field is missing"),
    (("dsseEnvelope", "extra"), 1, "dsseEnvelope: expected standard base64, and no fields"),
]


@pytest.mark.parametrize(("path", "value", "message"), MALFORMED)
def test_a_malformed_bundle_is_refused_with_the_field(
    path: JsonPath, value: Any, message: str
) -> None:
    with pytest.raises(BadEvidence, match=message) as refusal:
        SigstoreBundle.from_json(changed_json(BUNDLE, path, to(value)))
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("extra", ["\n", " ", "====", "="])
def test_base64_of_a_second_spelling_is_refused(extra: str) -> None:
    data = changed_json(BUNDLE, (*ENTRY, "logId", "keyId"), lambda text: text + extra)
    with pytest.raises(BadEvidence, match="standard base64"):
        SigstoreBundle.from_json(data)


def test_an_envelope_in_base64_of_a_second_spelling_is_refused() -> None:
    respell = changed_json(
        BUNDLE, ("dsseEnvelope", "signatures", 0, "sig"), lambda text: text.rstrip("=")
    )
    assert respell != BUNDLE
    with pytest.raises(BadEvidence, match="dsseEnvelope: expected standard base64"):
        SigstoreBundle.from_json(respell)


@pytest.mark.parametrize("count", [0, 2])
def test_other_than_one_signature_is_refused(count: int) -> None:
    data = changed_json(
        BUNDLE, ("dsseEnvelope", "signatures"), lambda signatures: signatures * count
    )
    with pytest.raises(MalformedEnvelope, match=f"exactly 1 signature, got {count}"):
        SigstoreBundle.from_json(data)


def test_a_second_log_entry_is_refused() -> None:
    data = changed_json(
        BUNDLE, ("verificationMaterial", "tlogEntries"), lambda entries: entries * 2
    )
    with pytest.raises(BadEvidence, match="tlogEntries"):
        SigstoreBundle.from_json(data)


def test_a_receipt_is_no_record() -> None:
    with pytest.raises(MalformedEnvelope, match="payloadType"):
        SigstoreBundle.from_json(
            changed_json(BUNDLE, ("dsseEnvelope", "payloadType"), to(RECEIPT_TYPE))
        )


@pytest.mark.parametrize(
    ("note", "error"),
    [("", BadNote), ("log\n1\n", BadNote), ("log\n1\nAAAA\n\n— log AAAAAAA=\n", BadCheckpoint)],
)
def test_what_is_no_checkpoint_is_refused(note: str, error: type[ComityError]) -> None:
    with pytest.raises(error):
        SigstoreBundle.from_json(changed_json(BUNDLE, (*PROOF, "checkpoint", "envelope"), to(note)))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"\xff", b'{"mediaType": 1, "mediaType": 1}']
)
def test_what_is_no_bundle_at_all_is_refused(data: bytes) -> None:
    for read in (SigstoreBundle.from_json, read_trusted_root):
        with pytest.raises((MalformedJson, BadEvidence)):
            read(data)


def test_oversize_files_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(LimitExceeded, match="MAX_SIGSTORE_BYTES"):
        SigstoreBundle.from_json(b"{" * (MAX_SIGSTORE_BYTES + 1))
    with pytest.raises(LimitExceeded, match="MAX_BUNDLE_BYTES"):
        read_trusted_root(b"{" * (MAX_BUNDLE_BYTES + 1))
