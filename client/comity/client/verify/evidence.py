"""Evidence that a record is in its issuer's log, as files for stock tools.

    inclusion.tlog-proof               C2SP tlog-proof, with its checkpoint
    checkpoint.txt                     the checkpoint alone, with its cosignatures
    bundle.sigstore.json               Sigstore bundle v0.3: envelope, log entry, proof
    leaf.json                          the log's entry: digest, signature, key
    trusted_root.json                  the log's key, for cosign
    log.vkey, log-key.pem              the same for tools of C2SP and for openssl
    witnesses.vkey                     keys of the known witnesses that cosigned
    <issuer>.bundle.json               the issuer's trust bundle; not trusted for lying there
    <issuer>.root.json                 its root, if it has one: until when the bundle holds

Invariants:

- Evidence that does not hold is never written.
- A cosignature that its witness did not make is never written. The server of a proof could
  otherwise spoil the proof with one.
- If there is no proof, the keys are written, and the files about the place in the log are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from comity.client.files import BUNDLE_SUFFIX, ROOT_SUFFIX
from comity.record import log
from comity.record.bundle import TrustBundle
from comity.record.cosignature import cosignatures, verify_cosignature
from comity.record.envelope import Envelope
from comity.record.errors import BadSignature
from comity.record.keys import RecordKey
from comity.record.log import check_logged
from comity.record.note import Note, Verifier, known_lines
from comity.record.root import Root
from comity.record.sigstore import SigstoreBundle
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import trusted_root

PROOF_FILE: Final = "inclusion.tlog-proof"
CHECKPOINT_FILE: Final = "checkpoint.txt"
SIGSTORE_FILE: Final = "bundle.sigstore.json"
LEAF_FILE: Final = "leaf.json"
TRUSTED_ROOT_FILE: Final = "trusted_root.json"
LOG_KEY_FILE: Final = "log.vkey"
LOG_PEM_FILE: Final = "log-key.pem"
WITNESS_KEY_FILE: Final = "witnesses.vkey"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An issuer's bundle, and a proof that was checked under its keys, if there is one.

    ``log_keys`` begin with the key that signed the proof's checkpoint. ``witnesses`` are the known
    witnesses that cosigned it. ``bundle`` is the profile of ``root``, if there is one.
    """

    bundle: TrustBundle
    log_keys: tuple[Verifier, ...]
    proof: TlogProof | None = None
    witnesses: tuple[Verifier, ...] = ()
    root: Root | None = None

    @classmethod
    def without_proof(cls, issuer: TrustBundle) -> Evidence:
        """Return the evidence for a record without a proof: the issuer's keys.

        Raises:
            BadNote: the bundle lists a key that is no verifier key (C2SP signed-note).
        """
        return cls(issuer, tuple(map(Verifier.parse, issuer.log_keys)))

    @classmethod
    def of(
        cls,
        envelope: Envelope,
        key: RecordKey,
        issuer: TrustBundle,
        proof: TlogProof,
        witnesses: Iterable[Verifier],
    ) -> Evidence:
        """Check a proof, and leave out forged cosignatures of the known ``witnesses``.

        Raises:
            InvalidInput: the proof does not hold; as ``check_logged``.
        """
        # RFC 6962, section 2.1.1: the leaf leads to a root that a key of the issuer's log signed
        check_logged(log.leaf(envelope, key), proof, issuer.institute, issuer.log_keys)

        # C2SP tlog-cosignature: each known witness either made its line, or the line goes
        known = tuple(witnesses)
        note = _without_forged(Note.parse(proof.checkpoint), known)
        listed = map(Verifier.parse, issuer.log_keys)
        signers = tuple(verifier for _, verifier in known_lines(note, listed))
        cosigners = tuple(found.witness for found in cosignatures(note, known))

        # C2SP tlog-proof: the extra data is the server's, and nothing vouches for it
        shown = replace(proof, checkpoint=note.to_bytes(), extra=None)
        return cls(issuer, signers, shown, cosigners)

    def files(self, envelope: Envelope, key: RecordKey) -> dict[str, bytes]:
        """Return the files by name. ``key`` is the record key that signed ``envelope``."""
        files = {f"{self.bundle.institute}{BUNDLE_SUFFIX}": self.bundle.to_json()}
        if self.root:
            files[f"{self.bundle.institute}{ROOT_SUFFIX}"] = self.root.document

        # the key that signed the checkpoint, in the forms of cosign, C2SP tools and openssl
        if self.log_keys:
            newest = self.log_keys[0]
            files |= {
                TRUSTED_ROOT_FILE: trusted_root([newest]),
                LOG_KEY_FILE: _lines([newest]),
                LOG_PEM_FILE: log_key_pem(newest),
            }

        if self.witnesses:
            files[WITNESS_KEY_FILE] = _lines(self.witnesses)
        if self.proof:
            files |= self._proof_files(envelope, key, self.proof)
        return files

    def _proof_files(
        self, envelope: Envelope, key: RecordKey, proof: TlogProof
    ) -> dict[str, bytes]:
        bundle = SigstoreBundle.make(envelope, key, proof, self.log_keys[0])
        return {
            PROOF_FILE: proof.to_bytes(),
            CHECKPOINT_FILE: proof.checkpoint,
            SIGSTORE_FILE: bundle.to_json(),
            LEAF_FILE: bundle.leaf,
        }


def log_key_pem(log_key: Verifier) -> bytes:
    """Return a log's Ed25519 key as SubjectPublicKeyInfo in PEM, for openssl."""
    public = ed25519.Ed25519PublicKey.from_public_bytes(log_key.public)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _without_forged(note: Note, witnesses: Iterable[Verifier]) -> Note:
    forged = set()
    for line, witness in known_lines(note, witnesses):
        try:
            verify_cosignature(note.text, line, witness)
        except BadSignature:
            forged.add(line)
    return replace(note, signatures=tuple(s for s in note.signatures if s not in forged))


def _lines(keys: Sequence[Verifier]) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()
