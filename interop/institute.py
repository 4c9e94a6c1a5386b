"""An institute with keys, a log of some hundred records, a witness, and one record's evidence.

Everything is written as files, in the forms that ``comity`` gives out; every run has new keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.client.drafts.draft import Draft
from comity.record import log
from comity.record.bundle import PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.keys import SigningKey
from comity.record.merkle import Node, inclusion_proof, leaf_hash, node_hash, root
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, NoteSigner, Verifier
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from comity.record.tile import ENTRIES, TILE_WIDTH, Tile, encode_entries, tiles_of
from comity.record.tlog_proof import TlogProof

NAME: Final = "uk.aisi.example"
ISSUER: Final = SpiffeId(NAME, Role.OPERATOR, "bo")
RECORDS: Final = 700
"""Two full tiles and a partial one, and a second level of tiles."""

INDEX: Final = 300
"""Where the record stands whose evidence is shown: in a full tile that is not the first."""

_DRAFT: Final = {
    "kind": "model-card",
    "subject": {
        "name": "pkg:generic/example/model@1",
        "model": {"provider": "Example", "model": "model", "version": "1"},
    },
    "title": {"en": "A card", "fr": "Une fiche"},
    "summary": {"en": "A sample, with “quotes” and an ünusual letter."},
    "handling": {"tlp": "CLEAR"},
    "sections": {
        "limitations": [{"statement": "Forgets.", "severity": "moderate"}],
        "risks": [{"domain": "nist-ai-600-1:cbrn", "scenario": "Uplift.", "severity": "high"}],
    },
}


class Log:
    """A log in memory: its leaves, the hashes of its perfect subtrees, and what they prove."""

    def __init__(self, signer: NoteSigner, leaves: Sequence[bytes]) -> None:
        self.signer = signer
        self.leaves = leaves
        self._levels = [[leaf_hash(leaf) for leaf in leaves]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(*pair) for pair in pairs])

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hashes of perfect subtrees."""
        return [self._levels[level][index] for level, index in nodes]

    def checkpoint(self, size: int = RECORDS) -> Note:
        """Return the signed checkpoint of the first ``size`` leaves."""
        checkpoint = Checkpoint(self.signer.name, size, root(size, self.read))
        return sign_checkpoint(checkpoint, self.signer)

    def proof(self, checkpoint: Note, index: int = INDEX, size: int = RECORDS) -> TlogProof:
        """Return the proof that a leaf stands under a checkpoint."""
        hashes = tuple(inclusion_proof(index, size, self.read))
        return TlogProof(index, hashes, checkpoint.to_bytes())

    def write(self, folder: Path) -> None:
        """Write the tiles, as a static web server would serve them (C2SP tlog-tiles)."""
        size = len(self.leaves)
        for tile in tiles_of(size):
            _write(folder / tile.path, b"".join(self.read(tile.nodes)))
        for start in range(0, size, TILE_WIDTH):
            entries = self.leaves[start : start + TILE_WIDTH]
            tile = Tile(ENTRIES, start // TILE_WIDTH, len(entries))
            _write(folder / tile.path, encode_entries(entries))


@dataclass(frozen=True)
class Institute:
    """Keys, records and log."""

    key: SigningKey
    records: Sequence[Record]
    log: Log
    witness: NoteSigner

    @classmethod
    def make(cls) -> Institute:
        """Make the keys, sign the records, and log them."""
        key, sample = SigningKey.generate(), draft()
        records = [sample.sign(ISSUER, key) for _ in range(RECORDS)]
        leaves = [log.leaf(record.envelope, key.key) for record in records]
        return cls(key, records, Log(note_signer(f"log.{NAME}", LOG_KEY), leaves), witness_of("fr"))

    @property
    def record(self) -> Record:
        """The record whose evidence is shown."""
        return self.records[INDEX]

    @property
    def log_key(self) -> Verifier:
        """The key that the log's checkpoints are checked with."""
        return self.log.signer.verifier

    @property
    def bundle(self) -> TrustBundle:
        """What others pin of the institute: it has no node, so no certificates."""
        key = PublicRecordKey(keyid=self.key.key.keyid, public_key=self.key.key.pem)
        return TrustBundle(
            institute=NAME,
            names={"en": NAME},
            address="127.0.0.1:1",
            spiffe=SpiffeBundle(keys=()),
            record_keys=(key,),
            log_keys=(str(self.log_key),),
        )

    @cached_property
    def checkpoint(self) -> Note:
        """The log's checkpoint, cosigned by the witness."""
        return cosigned(self.log.checkpoint(), self.witness)


def draft() -> Draft:
    """Return what the records say; signed again, it is another record."""
    return Draft.parse(_DRAFT)


def note_signer(name: str, kind: int) -> NoteSigner:
    """Return a new key of a log or witness."""
    return NoteSigner(name, kind, Ed25519PrivateKey.generate())


def witness_of(country: str) -> NoteSigner:
    """Return a new key of an institute's witness."""
    return note_signer(f"witness.{country}.aisi.example", WITNESS_KEY)


def cosigned(checkpoint: Note, witness: NoteSigner) -> Note:
    """Return a checkpoint with one cosignature more."""
    line = cosign(checkpoint.text, witness, datetime.now(UTC))
    return Note(checkpoint.text, (*checkpoint.signatures, line))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
