"""Proofs that travel with records of revoked keys, so that peers still take these records.

Invariants: a proof is kept only after it was checked under the issuer's own bundle; it travels
without cosignatures, which its receiver does not need, so that a batch fits into a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlmodel import Session

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import InclusionRow
from comity.node.log.proofs import prove_inclusion
from comity.record.bundle import TrustBundle
from comity.record.errors import NotFound
from comity.record.note import Note, Verifier
from comity.record.tlog_proof import TlogProof


def keep_proof(session: WriteSession, record_id: str, proof: TlogProof) -> None:
    """Keep a proof that was checked, without its extra data, which nobody has signed."""
    proof = replace(proof, extra=None)
    row = InclusionRow(record_id=record_id, log_index=proof.index, proof=proof.to_bytes())
    session.merge(row)
    session.flush()


def travelling_proof(session: Session, record_id: str, bundle: TrustBundle, own: str) -> bytes:
    """Return the proof to send with a record of ``bundle``'s institute; empty if none is held.

    ``own`` is this institute, whose records are proved by its own log as it is now.
    """
    if bundle.institute == own:
        try:
            proof = prove_inclusion(session, record_id)
        except NotFound:
            return b""
    else:
        kept = session.get(InclusionRow, record_id)
        if kept is None:
            return b""
        proof = TlogProof.parse(kept.proof)

    # cosignatures could make a batch too large for a message
    checkpoint = _bare(proof.checkpoint, bundle.log_keys)
    return replace(proof, checkpoint=checkpoint, extra=None).to_bytes()


def _bare(checkpoint: bytes, log_keys: Iterable[str]) -> bytes:
    """Return a checkpoint with nothing but the signatures of its log."""
    known = {(key.name, key.keyid) for key in map(Verifier.parse, log_keys)}
    note = Note.parse(checkpoint)
    own = tuple(line for line in note.signatures if (line.name, line.keyid) in known)
    return replace(note, signatures=own).to_bytes() if own else checkpoint
