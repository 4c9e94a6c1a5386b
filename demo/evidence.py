"""An auditor's evidence that another institute's record stands in its log, checked offline.

    bundles/<institute>.bundle.json   the keys that the auditor's institute has pinned
    bundles/<institute>.root.json     and the root by which it has
    witnesses.policy                  C2SP tlog-policy: a quorum of the issuer's peers
    <name>/                           the record and its evidence, as ``comity export`` writes them
    <name>-elsewhere/                 a forgery, which claims another place in the log
    <name>-unwitnessed/               honest, but with one cosignature less than the quorum

Invariant: what checks reads these files, and asks no node.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from comity.client.connection.node_client import NodeClient
from comity.client.connection.results import Result
from comity.client.exports.checking import verify_path
from comity.client.exports.writing import SUMS_FILE, export_record
from comity.client.files import BUNDLE_SUFFIX, ROOT_SUFFIX
from comity.client.verify.evidence import PROOF_FILE, Evidence
from comity.client.verify.steps import Outcome as StepOutcome
from comity.client.verify.steps import Step, Verdict, Verification
from comity.client.verify.trust import Trust, load_trust
from comity.record.log import origin
from comity.record.note import Note
from comity.record.record import OpenedRecord
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from demo.outcome import Outcome

QUORUM: Final = 7
"""Of the ten institutes other than the issuer."""

ELSEWHERE: Final = "-elsewhere"
UNWITNESSED: Final = "-unwitnessed"

COPIES: Final = {
    ELSEWHERE: (Verdict.INVALID, "inclusion"),
    UNWITNESSED: (Verdict.UNVERIFIABLE, "policy"),
}
"""What each copy must be found to be, and by which step."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What an auditor has: a record, and ``folder``, where it and its evidence were written."""

    result: Result
    folder: Path

    @property
    def bundles(self) -> Path:
        """Folder of the bundles."""
        return self.folder.with_name("bundles")

    @property
    def policy(self) -> Path:
        """File of the policy."""
        return self.folder.with_name("witnesses.policy")

    def copy(self, suffix: str) -> Path:
        """Folder of one of COPIES."""
        return self.folder.with_name(self.folder.name + suffix)


async def collect(node: NodeClient, record_id: str, folder: Path) -> Exhibit:
    """Export a record, its evidence and what it takes to check them, and copies to be refused.

    Raises:
        NotFound: the node has no such record, or its issuer no proof of it.
        InvalidInput: the proof does not hold.
    """
    await node.refresh_bundles()
    trust = Trust(node.bundles, node.roots)
    exhibit = Exhibit(await node.get(record_id), folder)
    issuer = exhibit.result.opened.statement.issuer.institute
    _write_trust(exhibit, trust, issuer)
    proof = await node.log.inclusion(record_id)
    _export(exhibit.result.opened, trust, proof, folder)
    few = _cosigned(proof, issuer, QUORUM - 1)
    _export(exhibit.result.opened, trust, few, exhibit.copy(UNWITNESSED))
    _forge(folder, exhibit.copy(ELSEWHERE))
    return exhibit


def examine(exhibit: Exhibit) -> dict[str, Verification]:
    """Check all folders as ``comity verify --bundle --policy`` does; by suffix, "" the true one."""
    trust = load_trust([exhibit.bundles])
    policy = LogPolicy.parse(exhibit.policy.read_text())
    now = datetime.now(UTC)
    return {s: verify_path(exhibit.copy(s), trust, now, policy) for s in ("", *COPIES)}


def compare_found(found: Mapping[str, Verification]) -> Outcome:
    """Compare with what must be found: every step good, and each copy caught by its own step."""
    return Outcome.of([*_steps(found[""]), *_caught(found)])


def is_good(step: Step) -> bool:
    """True if a step passed, or is the one about withdrawal, which cannot be taken offline."""
    return step.outcome is StepOutcome.OK or step.name == "withdrawal"


def first_fault(verification: Verification) -> str:
    """Return the name of the first step that did not pass; empty if all did."""
    faults = (step.name for step in verification.steps if not is_good(step))
    return next(faults, "")


def _steps(exported: Verification) -> Iterator[str]:
    for step in exported.steps:
        fine = is_good(step)
        yield "" if fine else f"evidence: step {step.number}, {step.name}: {step.detail}"


def _caught(found: Mapping[str, Verification]) -> Iterator[str]:
    for suffix, must in COPIES.items():
        does = found[suffix].verdict, first_fault(found[suffix])
        said = (f"{verdict} by {step or 'no step'}" for verdict, step in (does, must))
        yield "" if does == must else f"evidence{suffix} is {', expected '.join(said)}"


def _write_trust(exhibit: Exhibit, trust: Trust, issuer: str) -> None:
    exhibit.bundles.mkdir(parents=True)
    for bundle in trust.bundles:
        (exhibit.bundles / f"{bundle.institute}{BUNDLE_SUFFIX}").write_bytes(bundle.to_json())
    for root in trust.roots:
        (exhibit.bundles / f"{root.institute}{ROOT_SUFFIX}").write_bytes(root.document)
    others = {b.institute.partition(".")[0]: b for b in trust.bundles if b.institute != issuer}
    lines = [
        *(f"log {key}" for key in trust.log_keys(issuer)),
        *(f"witness {name} {bundle.witness_keys[0]}" for name, bundle in others.items()),
        f"group peers {QUORUM} {' '.join(others)}",
        "quorum peers",
    ]
    exhibit.policy.write_text("".join(f"{line}\n" for line in lines))


def _export(opened: OpenedRecord, trust: Trust, proof: TlogProof, folder: Path) -> None:
    envelope, issuer = opened.record.envelope, opened.statement.issuer.institute
    bundle = next(bundle for bundle in trust.bundles if bundle.institute == issuer)
    key = bundle.keys_by_id[envelope.keyid]
    evidence = Evidence.of(envelope, key, bundle, proof, trust.witnesses(issuer))
    export_record(opened, key, folder, replace(evidence, root=trust.root(issuer)))


def _cosigned(proof: TlogProof, issuer: str, count: int) -> TlogProof:
    """Return a proof whose checkpoint has ``count`` cosignatures."""
    note = Note.parse(proof.checkpoint)
    signed = [line for line in note.signatures if line.name == origin(issuer)]
    cosigned = [line for line in note.signatures if line.name != origin(issuer)]
    fewer = Note(note.text, (*signed, *cosigned[:count]))
    return replace(proof, checkpoint=fewer.to_bytes())


def _forge(folder: Path, forged: Path) -> None:
    """Copy evidence and let it claim another place in the log; its sums are made to agree."""
    shutil.copytree(folder, forged)
    proof = TlogProof.parse((forged / PROOF_FILE).read_bytes())
    moved = replace(proof, index=proof.index - 1 if proof.index else 1).to_bytes()
    sums = (forged / SUMS_FILE).read_text()
    before, after = (hashlib.sha256(data).hexdigest() for data in (proof.to_bytes(), moved))
    (forged / PROOF_FILE).write_bytes(moved)
    (forged / SUMS_FILE).write_text(sums.replace(before, after))
