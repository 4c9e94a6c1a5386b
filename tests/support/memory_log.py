"""A log in memory, with its key, its witnesses, and the evidence of a record in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.client.drafts.draft import Draft
from comity.client.verify.evidence import Evidence
from comity.client.verify.trust import Trust
from comity.record import log, merkle
from comity.record.bundle import Keyring, TrustBundle
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.keys import SigningKey
from comity.record.merkle import Node, leaf_hash
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, NoteSigner
from comity.record.record import OpenedRecord, open_record
from comity.record.spiffe import SpiffeId
from comity.record.tlog_proof import TlogProof
from tests.support.records import bundle_of

NOW = datetime(2026, 5, 21, 9, tzinfo=UTC)


class MemoryLog:
    """An institute's keys and log; ``witnesses`` are institutes that cosign its checkpoints."""

    def __init__(self, institute: str, key: SigningKey, *witnesses: str) -> None:
        self.institute, self.key = institute, key
        self.issuer = SpiffeId.parse(f"spiffe://{institute}/node")
        self.signer = note_signer(log.origin(institute), LOG_KEY)
        self.witnesses = {name: note_signer(f"witness.{name}", WITNESS_KEY) for name in witnesses}
        self.leaves = [b"another institute's business %d" % number for number in range(6)]
        self.cosigned = NOW

    @property
    def bundle(self) -> TrustBundle:
        """The issuer's bundle."""
        bundle = bundle_of(self.institute, self.key)
        return bundle.model_copy(update={"log_keys": (str(self.signer.verifier),)})

    @property
    def trust(self) -> Trust:
        """The bundles of the issuer and of all witnesses."""
        return Trust((self.bundle, *(self.witness_bundle(name) for name in self.witnesses)))

    def witness_bundle(self, name: str) -> TrustBundle:
        """Return the bundle of a witness's institute."""
        key = str(self.witnesses[name].verifier)
        return bundle_of(name).model_copy(update={"witness_keys": (key,)})

    def append(self, draft: Draft) -> OpenedRecord:
        """Sign a draft and log it, with more entries after it."""
        record = draft.sign(self.issuer, self.key, NOW)
        self.leaves.append(log.leaf(record.envelope, self.key.key))
        self.leaves += [b"and more %d" % len(self.leaves)] * 4
        return open_record(record, Keyring([self.bundle]).find)

    def prove(self, opened: OpenedRecord) -> TlogProof:
        """Return the proof of a record that was logged, under a cosigned checkpoint."""
        index = self.leaves.index(log.leaf(opened.record.envelope, self.key.key))
        size = len(self.leaves)
        hashes = merkle.inclusion_proof(index, size, self.read)
        return TlogProof(index, tuple(hashes), self.checkpoint(size))

    def checkpoint(self, size: int) -> bytes:
        """Return the checkpoint of the first ``size`` leaves, signed and cosigned."""
        found = Checkpoint(self.signer.name, size, merkle.root(size, self.read))
        note = sign_checkpoint(found, self.signer)
        lines = [cosign(note.text, signer, self.cosigned) for signer in self.witnesses.values()]
        return Note(note.text, (*note.signatures, *lines)).to_bytes()

    def evidence(self, opened: OpenedRecord) -> Evidence:
        """Return the evidence of a record that was logged."""
        witnesses = [signer.verifier for signer in self.witnesses.values()]
        envelope = opened.record.envelope
        return Evidence.of(envelope, self.key.key, self.bundle, self.prove(opened), witnesses)

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return hashes of nodes of the tree."""
        return [self._hash(level, index) for level, index in nodes]

    def _hash(self, level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(self.leaves[index])
        left, right = self._hash(level - 1, 2 * index), self._hash(level - 1, 2 * index + 1)
        return merkle.node_hash(left, right)


def note_signer(name: str, kind: int) -> NoteSigner:
    """Return a new key of that name."""
    return NoteSigner(name, kind, Ed25519PrivateKey.generate())
