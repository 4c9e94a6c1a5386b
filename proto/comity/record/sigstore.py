"""Sigstore bundles: a record and its proof of inclusion, in the format that cosign reads.

A bundle (``*.sigstore.json``, protobuf-specs sigstore_bundle.proto, v0.3) holds the envelope, its
keyid as a hint, and one entry of the institute's log as Rekor v2 writes it:

    canonicalizedBody   the leaf: JCS of a hashedrekord 0.0.2 (``comity.record.log``)
    logId.keyId         SHA-256(name || 0x0A || 0x01 || public key) of the log's key, all 32 bytes
    inclusionProof      index, size, root, hashes, and the signed checkpoint that says so

``comity.record.trusted_root`` lists the logs to trust. Invariants: a bundle that is written is read
back the same, and nothing else is accepted: no unknown field, no second signature or entry, one
spelling of every value; size and root are those of the checkpoint. Reading verifies no signature;
``verify`` does.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from comity.record import ijson, log
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.encoding import encode_base64
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import BadEvidence
from comity.record.keys import RecordKey
from comity.record.limits import MAX_SIGSTORE_BYTES
from comity.record.merkle import leaf_hash, verify_inclusion
from comity.record.models import Model
from comity.record.note import LOG_KEY, Note, Verifier
from comity.record.sigstore_json import (
    Base64Text,
    DecimalText,
    HashText,
    LogId,
    check_same,
    parse_file,
)
from comity.record.tlog_proof import TlogProof

BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


class _KindVersion(Model):
    kind: Literal["hashedrekord"]
    version: Literal["0.0.2"]


class _Checkpoint(Model):
    envelope: str


class _InclusionProof(Model):
    log_index: DecimalText
    root_hash: HashText
    tree_size: DecimalText
    hashes: tuple[HashText, ...]
    checkpoint: _Checkpoint


class _Entry(Model):
    log_index: DecimalText
    log_id: LogId
    kind_version: _KindVersion
    inclusion_proof: _InclusionProof
    canonicalized_body: Base64Text


class _Hint(Model):
    hint: str


class _Material(Model):
    public_key: _Hint
    tlog_entries: Annotated[tuple[_Entry, ...], Field(min_length=1, max_length=1)]


class _Bundle(Model):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SigstoreBundle:
    """An envelope and its entry in a log.

    ``leaf`` holds the bytes of the entry, ``log_id`` 32 bytes. ``proof`` has no extra data, since
    a bundle has no field for it.
    """

    envelope: Envelope
    leaf: bytes
    log_id: bytes
    proof: TlogProof

    @classmethod
    def make(
        cls, envelope: Envelope, key: RecordKey, proof: TlogProof, log_key: Verifier
    ) -> SigstoreBundle:
        """Make the bundle of a record; extra data of the proof is left out.

        Raises:
            InvalidInput: the bundle would not verify; see ``verify``.
        """
        leaf = log.leaf(envelope, key)
        bundle = cls(envelope, leaf, log_id(log_key), replace(proof, extra=None))
        bundle.verify(key, log_key)
        return bundle

    def verify(self, key: RecordKey, log_key: Verifier) -> Checkpoint:
        """Check signature, leaf, checkpoint and inclusion; return the checkpoint.

        Raises:
            BadSignature: the envelope's or the checkpoint's signature does not verify.
            BadEvidence: the leaf is of another record or key, or the entry of another log.
            BadNote, BadCheckpoint, UnknownKey: not a checkpoint that the log signed.
            BadProof: the hashes do not lead from the leaf to the checkpoint's root.
        """
        # the record's signature, and that the leaf is made of it
        self.envelope.verify(key)
        if self.leaf != log.leaf(self.envelope, key):
            message = f"expected the leaf of this envelope under key {key.keyid}"
            raise BadEvidence(message, field="canonicalizedBody")

        if self.log_id != log_id(log_key):
            message = f"expected {log_id(log_key).hex()} of {log_key.name}, got {self.log_id.hex()}"
            raise BadEvidence(message, field="logId.keyId")

        # the log's signature, and that the leaf is in its tree (RFC 6962, section 2.1.1)
        proof = self.proof
        checkpoint, _ = open_checkpoint(proof.checkpoint, [log_key])
        leaf = leaf_hash(self.leaf)
        verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
        return checkpoint

    def to_json(self) -> bytes:
        """Return the contents of a bundle file."""
        # the innermost message first; field names and base64 as in ProtoJSON
        checkpoint = _unverified(self.proof.checkpoint)
        proof = {
            "logIndex": str(self.proof.index),
            "treeSize": str(checkpoint.size),
            "rootHash": encode_base64(checkpoint.root),
            "hashes": [encode_base64(value) for value in self.proof.hashes],
            "checkpoint": {"envelope": self.proof.checkpoint.decode()},
        }

        entry = {
            "logIndex": str(self.proof.index),
            "logId": {"keyId": encode_base64(self.log_id)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "canonicalizedBody": encode_base64(self.leaf),
            "inclusionProof": proof,
        }

        hint = {"hint": self.envelope.keyid}
        bundle = {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": hint, "tlogEntries": [entry]},
            "dsseEnvelope": self.envelope.to_json(),
        }
        return ijson.canonical(bundle) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> SigstoreBundle:
        """Read a bundle file.

        Raises:
            LimitExceeded: over MAX_SIGSTORE_BYTES, or a part over its own limit.
            MalformedJson: not I-JSON.
            MalformedEnvelope: not a DSSE envelope of a record.
            BadNote, BadCheckpoint: the proof's checkpoint is not one.
            BadEvidence: a field is missing, unknown, malformed, or contradicts another; names it.
        """
        bundle = parse_file(_Bundle, data, MAX_SIGSTORE_BYTES)
        [entry] = bundle.verification_material.tlog_entries
        proof = entry.inclusion_proof

        # DSSE lets readers ignore unknown fields; here a bundle has one spelling
        envelope = Envelope.from_value(bundle.dsse_envelope)
        envelope.check_form(STATEMENT_TYPE)
        if envelope.to_json() != bundle.dsse_envelope:
            message = "expected standard base64, and no fields beyond DSSE's"
            raise BadEvidence(message, field="dsseEnvelope")

        # a bundle repeats what the checkpoint says, and the index: the copies must agree
        note = proof.checkpoint.envelope.encode()
        checkpoint = _unverified(note)
        hint = bundle.verification_material.public_key.hint
        check_same("verificationMaterial.publicKey.hint", envelope.keyid, hint)
        check_same("inclusionProof.logIndex", entry.log_index, proof.log_index)
        check_same("inclusionProof.treeSize", str(checkpoint.size), proof.tree_size)
        check_same("inclusionProof.rootHash", encode_base64(checkpoint.root), proof.root_hash)

        return cls(
            envelope=envelope,
            leaf=base64.b64decode(entry.canonicalized_body),
            log_id=base64.b64decode(entry.log_id.key_id),
            proof=TlogProof(int(entry.log_index), tuple(map(base64.b64decode, proof.hashes)), note),
        )


def log_id(log_key: Verifier) -> bytes:
    """Return a log's id (32 bytes); its first 4 bytes are the key id in the log's signed notes."""
    typed = bytes([LOG_KEY]) + log_key.public
    return hashlib.sha256(log_key.name.encode() + b"\n" + typed).digest()


def _unverified(checkpoint: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(checkpoint).text)
