"""Steps on the log: is a record in its issuer's log, and which witnesses saw it there?

(a) proof           the proof is well formed, and its checkpoint is the file beside it
(b) checkpoint      a key of the issuer's log, from a bundle at hand, signed it
(c) cosignatures    those of witnesses whose keys are at hand verify
(d) policy          the policy's log and its quorum of witnesses signed it, if there is a policy
(e) inclusion       the record's leaf leads to the checkpoint's root
(f) sigstore        the Sigstore bundle holds the same envelope, entry and proof
(g) log key         the keys that stock tools read from the evidence are keys at hand

Invariants: a key never counts because it lies beside the evidence; it must be at hand otherwise.
A witness of the issuer itself counts only if a policy names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from comity.client.verify.evidence import (
    CHECKPOINT_FILE,
    LEAF_FILE,
    LOG_KEY_FILE,
    LOG_PEM_FILE,
    PROOF_FILE,
    SIGSTORE_FILE,
    TRUSTED_ROOT_FILE,
    log_key_pem,
)
from comity.client.verify.steps import Verification, Walk
from comity.client.verify.trust import Trust
from comity.record import log
from comity.record.bundle import Keyring
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.cosignature import cosignatures
from comity.record.errors import BadCheckpoint, BadEvidence, UnknownKey, Unproven
from comity.record.limits import MAX_CLOCK_SKEW_SECONDS
from comity.record.merkle import leaf_hash, verify_inclusion
from comity.record.note import KEYID_BYTES, Note, Verifier
from comity.record.sigstore import SigstoreBundle, log_id
from comity.record.times import format_time
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import read_trusted_root

LOG_FILES: Final = frozenset({PROOF_FILE, CHECKPOINT_FILE, SIGSTORE_FILE})
"""Evidence has all of these files, or none."""

_POLICY_SPEC: Final = "C2SP tlog-policy"


class LogSteps:
    """Takes the steps on the log after those on the record.

    ``files`` holds the files of the export by their names; ``policy`` None means no policy.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        verification: Verification,
        trust: Trust,
        now: datetime,
        policy: LogPolicy | None,
    ) -> None:
        self._files, self._trust, self._now, self._policy = files, trust, now, policy
        self._envelope = verification.record.envelope
        statement = verification.statement
        self._institute = statement.issuer.institute if statement else ""

        # each is replaced by the step that reads it, and read only by steps that need that one
        self._proof = TlogProof(0, (), b"")
        self._checkpoint = Checkpoint("", 0, b"")
        self._note = Note("", ())

        self.index: int | None = None
        """The record's place in the log, from 0, once it is proved."""
        self.witnessed_time: datetime | None = None
        """The newest time (UTC) at which a known witness cosigned the checkpoint."""

    def take(self, walk: Walk) -> None:
        """Take steps (a) to (f) if there is evidence, and (g) if keys for stock tools lie in it."""
        if self._files.keys() & LOG_FILES:
            walk.take("proof", "C2SP tlog-proof", self._check_proof)
            spec = "C2SP tlog-checkpoint, signed-note"
            walk.take("checkpoint", spec, self._check_checkpoint, "issuer", "proof")

            spec = "C2SP tlog-cosignature"
            walk.take("cosignatures", spec, self._check_cosignatures, "checkpoint")
            self._take_policy(walk)

            spec = "RFC 6962, section 2.1.1; Rekor v2 hashedrekord 0.0.2"
            walk.take("inclusion", spec, self._check_inclusion, "signature", "checkpoint")
            walk.take("sigstore", "Sigstore bundle v0.3", self._check_sigstore, "inclusion")
        elif self._policy:
            walk.take("policy", _POLICY_SPEC, self._miss_checkpoint)

        # keys for stock tools are exported also where there is no proof
        if TRUSTED_ROOT_FILE in self._files:
            walk.take(
                "log key", "Sigstore trusted_root v0.1; signed-note", self._check_log_key, "issuer"
            )

    def _take_policy(self, walk: Walk) -> None:
        if self._policy:
            walk.take("policy", _POLICY_SPEC, self._check_policy, "checkpoint")
        else:
            walk.skip("policy", _POLICY_SPEC, "none given: --policy FILE")

    def _check_proof(self) -> str:
        # (a) two checkpoints would let a tool that reads one of the files see another log
        self._proof = TlogProof.parse(self._file(PROOF_FILE))
        if self._proof.checkpoint != self._file(CHECKPOINT_FILE):
            raise BadEvidence(f"expected the checkpoint of {PROOF_FILE}", field=CHECKPOINT_FILE)
        return f"of entry {self._proof.index}"

    def _check_checkpoint(self) -> str:
        # (b) C2SP tlog-checkpoint: the log's own signature
        found, note = open_checkpoint(self._proof.checkpoint, self._log_keys())
        self._checkpoint, self._note = found, note
        return f"{found.origin} with {found.size} entries"

    def _check_cosignatures(self) -> str:
        # (c) C2SP tlog-cosignature: a cosignature that does not verify fails the step
        found = cosignatures(self._note, self._trust.witnesses(self._institute))
        for cosignature in found:
            self._witnessed(cosignature.witness.name, cosignature.time)
        told = [f"{one.witness.name} at {format_time(one.time)}" for one in found]
        if told:
            return "; ".join(told)
        # "ok" must not read as if somebody had cosigned
        asked = "the policy below asks for some" if self._policy else "none asked for: no --policy"
        return f"none by a witness whose key is at hand, and {asked}"

    def _check_policy(self) -> str:
        if self._policy is None:
            raise AssertionError("a step that reads the policy needs one")

        # (d) C2SP tlog-policy
        found = self._policy.check(self._note)
        for name, time in found.items():
            self._witnessed(name, time)
        return f"quorum {self._policy.quorum}: {', '.join(sorted(found)) or 'needs no witness'}"

    def _check_inclusion(self) -> str:
        # (e) the leaf is made anew of the envelope and the key at hand, not read from the evidence
        _, key = Keyring(self._trust.bundles).find(self._envelope.keyid)
        proof, checkpoint = self._proof, self._checkpoint
        leaf = leaf_hash(log.leaf(self._envelope, key))

        # RFC 6962, section 2.1.1
        verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
        self.index = proof.index
        return f"entry {proof.index} of {checkpoint.size}"

    def _check_sigstore(self) -> str:
        # (f) a stock tool must see what the steps before have seen
        bundle = SigstoreBundle.from_json(self._file(SIGSTORE_FILE))
        if bundle.envelope != self._envelope or bundle.proof != self._proof:
            message = "expected the same envelope and proof as in the other files"
            raise BadEvidence(message, field=SIGSTORE_FILE)

        # the bundle verifies as a Sigstore client would verify it, under the keys at hand
        log_key = self._signer(bundle.log_id)
        _, key = Keyring(self._trust.bundles).find(self._envelope.keyid)
        bundle.verify(key, log_key)

        if self._file(LEAF_FILE) != bundle.leaf:
            raise BadEvidence(f"expected the entry of {SIGSTORE_FILE}", field=LEAF_FILE)
        return "the same envelope, entry and proof"

    def _check_log_key(self) -> str:
        # (g) one file for each kind of tool: cosign, C2SP tools, openssl
        known = self._log_keys()
        named = read_trusted_root(self._file(TRUSTED_ROOT_FILE))
        told = {
            TRUSTED_ROOT_FILE: all(key in known for key in named),
            LOG_KEY_FILE: self._file(LOG_KEY_FILE) in [f"{key}\n".encode() for key in known],
            LOG_PEM_FILE: self._file(LOG_PEM_FILE) in map(log_key_pem, known),
        }

        for name, same in told.items():
            if not same:
                message = f"expected a key of {self._origin} that is at hand, got another"
                raise UnknownKey(message, field=name)
        return f"a key of {self._origin} that is at hand"

    def _miss_checkpoint(self) -> str:
        raise Unproven(f"expected {CHECKPOINT_FILE} (comity export --evidence), got none")

    def _witnessed(self, name: str, time: datetime) -> None:
        """Note the time of a cosignature, which must not lie ahead of this clock."""
        latest = self._now + timedelta(seconds=MAX_CLOCK_SKEW_SECONDS)
        if time > latest:
            message = f"expected a time before {format_time(latest)}, got {format_time(time)}"
            raise BadCheckpoint(message, field=f"cosignature of {name}")
        self.witnessed_time = max(time, self.witnessed_time or time)

    @property
    def _origin(self) -> str:
        return log.origin(self._institute)

    def _signer(self, found: bytes) -> Verifier:
        """Return the log's key at hand that has the Sigstore log id ``found`` (32 bytes)."""
        # C2SP signed-note: a signature line names its key by the first 4 bytes of that id
        if found[:KEYID_BYTES] not in {line.keyid for line in self._note.signatures}:
            message = f"expected a key that signed the checkpoint, got {found.hex()}"
            raise BadEvidence(message, field="logId.keyId")

        for key in self._log_keys():
            if log_id(key) == found:
                return key
        message = f"expected a key of {self._origin} that is at hand, got {found.hex()}"
        raise UnknownKey(message, field="logId.keyId")

    def _log_keys(self) -> list[Verifier]:
        keys = self._trust.log_keys(self._institute)
        if not keys:
            message = f"expected keys of {self._origin} in the bundle of {self._institute}"
            raise UnknownKey(f"{message}, got none", field="logKeys")
        return keys

    def _file(self, name: str) -> bytes:
        data = self._files.get(name)
        if data is None:
            raise BadEvidence("expected this file beside the others", field=name)
        return data
