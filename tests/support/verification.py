"""Evidence in a folder, and what verifying it says: for tests that spoil it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from comity.client.exports.checking import verify_path
from comity.client.exports.writing import export_record
from comity.client.verify.steps import Outcome, Verification
from comity.client.verify.trust import Trust
from comity.record.note import Note, SignatureLine
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from tests.support.changed_copies import flip_bit
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog


def evidence_in(folder: Path, memory_log: MemoryLog) -> Path:
    """Write the evidence of a card at index 6 of 11 into a new folder, and return that."""
    opened = memory_log.append(card())
    export_record(opened, memory_log.key.key, folder, memory_log.evidence(opened))
    return folder


def verify(
    path: Path, trust: Trust, policy: LogPolicy | None = None, days: int = 0
) -> Verification:
    """Take all steps, so many days after the record was issued."""
    return verify_path(path, trust, NOW + timedelta(days=days), policy)


def outcomes(verification: Verification) -> dict[str, Outcome]:
    """Return how each step ended."""
    return {step.name: step.outcome for step in verification.steps}


def reasons(verification: Verification) -> dict[str, str]:
    """Return the reason of each step that has one."""
    return {step.name: step.reason for step in verification.steps if step.reason}


def detail(verification: Verification, name: str) -> str:
    """Return what a step tells."""
    [step] = [step for step in verification.steps if step.name == name]
    return step.detail


def policy_of(memory_log: MemoryLog, threshold: str) -> LogPolicy:
    """Return a policy that asks for any, all or so many of the logbook's witnesses."""
    witnesses = [f"witness {name} {key.verifier}" for name, key in memory_log.witnesses.items()]
    group = f"group some {threshold} {' '.join(memory_log.witnesses)}"
    lines = [f"log {memory_log.signer.verifier}", *witnesses, group, "quorum some"]
    return LogPolicy.parse("\n".join(lines))


def replace_proof(folder: Path, proof: TlogProof) -> None:
    """Put another proof into the evidence, and its checkpoint beside it."""
    (folder / "inclusion.tlog-proof").write_bytes(proof.to_bytes())
    (folder / "checkpoint.txt").write_bytes(proof.checkpoint)


def proof_in(folder: Path) -> TlogProof:
    """Return the proof in an evidence folder."""
    return TlogProof.parse((folder / "inclusion.tlog-proof").read_bytes())


def flip_cosignature(_: MemoryLog, note: Note) -> Note:
    """Return a checkpoint with one bit of its first cosignature changed, and without the others."""
    signed, line = note.signatures[:2]
    bad = SignatureLine(line.name, line.keyid, flip_bit(line.signature, 30))
    return Note(note.text, (signed, bad))
