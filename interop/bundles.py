"""Sigstore bundles, shown to cosign and to the verifier of the sigstore package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from comity.record.keys import SigningKey
from comity.record.note import LOG_KEY, Note
from interop.evidence import Evidence, with_other_root
from interop.institute import INDEX, note_signer
from interop.tools import Report, built, node
from tests.support.changed_copies import flipped_base64, to

ENTRIES: Final = ("verificationMaterial", "tlogEntries")
PROOF: Final = (*ENTRIES, 0, "inclusionProof")
BODY: Final = (*ENTRIES, 0, "canonicalizedBody")
SIGNATURES: Final = ("dsseEnvelope", "signatures")
VECTORS: Final = Path(__file__).parent.parent / "tests" / "vectors" / "sigstore"

_NO_MATCH: Final = "accepted signatures do not match threshold"
_BAD_SIGNATURE: Final = "SIGNATURE_ERROR"
_OTHER_ROOT: Final = "calculated root"


@dataclass(frozen=True)
class Altered:
    """A bundle that must be rejected, and what either verifier says of it."""

    what: str
    bundle: Path
    cosign: str
    sigstore: str


def check_bundles(report: Report, evidence: Evidence) -> None:
    """Show the bundle and its altered copies, first by its key alone and then with its log."""
    _check_cosign(report, evidence)
    _check_sigstore(report, evidence)


def _check_cosign(report: Report, evidence: Evidence) -> None:
    report.heading("A Sigstore bundle, shown to cosign")
    cosign = built("cosign", "github.com/sigstore/cosign/v3", "verify-blob-attestation")
    key, stranger = _keys(evidence)
    bundle, digest = evidence.bundle("record"), evidence.statement.subject[0].digest.sha256
    alone: tuple[str | Path, ...] = ("--insecure-ignore-tlog",)

    def shown(
        bundle: Path,
        *rest: str | Path,
        key: Path = key,
        digest: str = digest,
        kind: str = evidence.statement.predicate_type,
    ) -> tuple[str | Path, ...]:
        claim = ("--type", kind, "--digest", digest, "--digestAlg", "sha256")
        return ("--bundle", bundle, "--key", key, *claim, *rest)

    report.accepts(cosign, "the record, by its key", *shown(bundle, *alone))
    for case in _altered_signatures(evidence):
        report.rejects(cosign, case.what, case.cosign, *shown(case.bundle, *alone))
    report.rejects(cosign, "another key", _NO_MATCH, *shown(bundle, *alone, key=stranger))
    other = shown(bundle, *alone, digest="00" * 32)
    report.rejects(cosign, "another subject", "does not match any digest", *other)
    other = shown(bundle, *alone, kind="urn:comity:incident:v1")
    report.rejects(cosign, "another kind", "invalid predicate type", *other)

    root, other_root = _roots(evidence)
    logged: tuple[str | Path, ...] = ("--trusted-root", root)
    report.accepts(cosign, "the record, in its log", *shown(bundle, *logged))
    vector = shown(VECTORS / "record.sigstore.json", key=VECTORS / "public-key.pem")
    report.accepts(
        cosign, "the vector of the tests", *vector, "--trusted-root", VECTORS / "trusted_root.json"
    )
    for case in _altered_entries(evidence):
        report.rejects(cosign, case.what, case.cosign, *shown(case.bundle, *logged))
    other = shown(bundle, "--trusted-root", other_root)
    report.rejects(cosign, "a log that is not trusted", "not enough verified log entries", *other)


def _check_sigstore(report: Report, evidence: Evidence) -> None:
    report.heading("The same bundle, shown to the verifier of the sigstore package")
    verify = node("@sigstore/verify", "verify.cjs")
    key, stranger = _keys(evidence)
    bundle = evidence.bundle("record")
    report.accepts(verify, "the record, by its key", bundle, key)
    for case in _altered_signatures(evidence):
        report.rejects(verify, case.what, case.sigstore, case.bundle, key)
    report.rejects(verify, "another key", _BAD_SIGNATURE, bundle, stranger)

    root, other_root = _roots(evidence)
    report.accepts(verify, "the record, in its log", bundle, key, root)
    vector = (VECTORS / "record.sigstore.json", VECTORS / "public-key.pem")
    report.accepts(verify, "the vector of the tests", *vector, VECTORS / "trusted_root.json")
    for case in (*_altered_entries(evidence), _altered_leaf(evidence)):
        report.rejects(verify, case.what, case.sigstore, case.bundle, key, root)
    reason = "invalid checkpoint signature"
    report.rejects(verify, "a log that is not trusted", reason, bundle, key, other_root)


def _keys(evidence: Evidence) -> tuple[Path, Path]:
    key = evidence.file("key.pem", evidence.institute.key.key.pem)
    return key, evidence.file("stranger.pem", SigningKey.generate().key.pem)


def _roots(evidence: Evidence) -> tuple[Path, Path]:
    log_key = evidence.institute.log_key
    stranger = note_signer(log_key.name, LOG_KEY).verifier
    return evidence.root("trusted_root", log_key), evidence.root("other_root", stranger)


def _altered_signatures(evidence: Evidence) -> Iterator[Altered]:
    """Yield bundles that no verifier may accept, whether or not it looks at the log."""
    signature = evidence.bundle("signature", ((*SIGNATURES, 0, "sig"), flipped_base64))
    yield Altered("an altered signature", signature, _NO_MATCH, _BAD_SIGNATURE)
    payload = evidence.bundle("payload", (("dsseEnvelope", "payload"), flipped_base64))
    yield Altered("an altered payload", payload, _NO_MATCH, _BAD_SIGNATURE)
    twice = evidence.bundle("twice", (SIGNATURES, lambda signatures: signatures * 2))
    yield Altered("two signatures", twice, "exactly one signature is required", "invalid bundle")


def _altered_entries(evidence: Evidence) -> Iterator[Altered]:
    """Yield bundles of a good signature, whose log does not hold the record as they say."""
    institute = evidence.institute
    entry = evidence.bundle("no-entry", (ENTRIES, to([])))
    few = "not enough verified log entries"
    yield Altered("no log entry", entry, few, "expected 1 tlog entries, got 0")

    index = to(str(INDEX + 1))
    moved = evidence.bundle(
        "index", ((*ENTRIES, 0, "logIndex"), index), ((*PROOF, "logIndex"), index)
    )
    yield Altered("another index", moved, _OTHER_ROOT, _OTHER_ROOT)
    sibling = evidence.bundle("hash", ((*PROOF, "hashes", 0), flipped_base64))
    yield Altered("an altered hash", sibling, _OTHER_ROOT, _OTHER_ROOT)
    shorter = evidence.bundle("short", ((*PROOF, "hashes"), lambda hashes: hashes[1:]))
    yield Altered("a hash too few", shorter, "wrong proof size", "invalid hash count")

    forged = evidence.bundle_under("forged", with_other_root(institute.checkpoint))
    invalid = "invalid checkpoint signature"
    yield Altered("another root", forged, "invalid signature for key", invalid)
    earlier = evidence.bundle_under("earlier", institute.log.checkpoint(INDEX + 1))
    yield Altered("an earlier checkpoint", earlier, "wrong proof size", "invalid hash count")
    impostor = replace(institute.log.signer, private=note_signer("other", LOG_KEY).private)
    text = institute.checkpoint.text
    strange = evidence.bundle_under("strange", Note(text, (impostor.sign(text),)))
    yield Altered("a checkpoint by another key", strange, "no verifiable signatures", invalid)


def _altered_leaf(evidence: Evidence) -> Altered:
    """Return a bundle with another leaf, which cosign makes anew instead of looking at it."""
    bundle = evidence.bundle("leaf", (BODY, flipped_base64))
    return Altered("an altered leaf", bundle, "", _OTHER_ROOT)
