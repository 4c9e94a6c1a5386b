"""Checkpoints of other institutes' logs, read and verified before anything is done with them.

Invariants: a checkpoint is read only if a log key in the institute's own pinned bundle signed it;
no line under it is kept in the name of its log, or of this institute, unless that line verifies.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from comity.node.database.tables import WitnessedLogRow
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.cosignature import verify_cosignature, witness_name
from comity.record.errors import BadSignature, NotFound
from comity.record.limits import MAX_CHECKPOINT_BYTES
from comity.record.log import LogName, is_log_of, newest_log, parse_origin
from comity.record.note import Note, NoteSigner, SignatureLine, Verifier, known_lines, verify


@dataclass(frozen=True, slots=True)
class SeenCheckpoint:
    """A checkpoint that an institute's ``log`` signed, and the note with its signatures.

    ``closed`` is True if the bundle of the log's institute lists a newer one.
    Signature lines in the name of the log, or of this institute, were verified; all other lines
    are as they came. ``cosigned_time`` is the latest time at which this institute cosigned it;
    None means never.
    """

    log: LogName
    closed: bool
    checkpoint: Checkpoint
    note: Note
    cosigned_time: datetime | None

    @property
    def institute(self) -> str:
        """The institute whose log it is."""
        return self.log.institute

    @property
    def root(self) -> str:
        """The root, 64 hex digits."""
        return self.checkpoint.root.hex()


def log_keys(bundle: TrustBundle) -> list[Verifier]:
    """Return the keys of a bundle that bear the name of one of the institute's logs."""
    keys = [Verifier.parse(key) for key in bundle.log_keys]
    return [key for key in keys if is_log_of(bundle.institute, key.name)]


def open_seen_checkpoint(site: Site, data: bytes) -> SeenCheckpoint:
    """Read a checkpoint of another institute's log, steps (1) and (2) of ``cosigning``.

    Raises:
        LimitExceeded: over MAX_CHECKPOINT_BYTES, or a size over MAX_TREE_SIZE.
        BadNote, BadCheckpoint: it is malformed.
        NotFound: it is of no pinned institute, or of this one, which is not its own witness.
        BadSignature: a signature by the log's key does not verify.
        UnknownKey: the log's key signed nothing.
    """
    MAX_CHECKPOINT_BYTES.check(len(data), "checkpoint")

    # (1) the origin line names the log, and with it the institute
    claimed = Checkpoint.parse(Note.parse(data).text).origin
    log = parse_origin(claimed)
    pinned = log is not None and log.institute != site.institute
    bundle = site.find_bundle(log.institute) if log and pinned else None
    if log is None or bundle is None:
        raise NotFound(f"no pinned institute has the log {claimed!r:.100}", field="checkpoint")

    # (2) the log's own key signed it
    keys = log_keys(bundle)
    checkpoint, note = open_checkpoint(data, keys)

    # anyone can add lines to a note: a line in the log's name by a key that we do not know may be
    # known to our peers, who would then refuse the checkpoint when we share it
    ours = _own_cosignatures(site, note)
    verified, names = {*verify(note, keys), *ours}, (claimed, witness_name(site.institute))
    lines = tuple(s for s in note.signatures if s in verified or s.name not in names)

    time = max(ours.values(), default=None)
    closed = log.number < newest_log(log.institute, bundle.log_keys)
    return SeenCheckpoint(log, closed, checkpoint, Note(note.text, lines), time)


def has_lines_of(note: Note, signers: Iterable[NoteSigner]) -> bool:
    """True if a note has a line in the name of each of these witness keys; nothing is verified."""
    lines = {(line.name, line.keyid) for line in note.signatures}
    return all((s.name, s.verifier.keyid) in lines for s in signers)


def is_held(row: WitnessedLogRow, seen: SeenCheckpoint) -> bool:
    """True if the held note has the same text and the same signatures of the log.

    Cosignatures may differ. If they counted as news, two witnesses would wake each other for ever,
    and anyone can add lines to a note.
    """
    if not row.note:
        return False
    before, origin = Note.parse(row.note), seen.checkpoint.origin
    held_lines, seen_lines = (
        {line for line in note.signatures if line.name == origin} for note in (before, seen.note)
    )
    return before.text == seen.note.text and held_lines == seen_lines


def _own_cosignatures(site: Site, note: Note) -> dict[SignatureLine, datetime]:
    """Return the lines that this institute's witness keys made, each with its time."""
    name = witness_name(site.institute)
    if name not in {line.name for line in note.signatures}:
        return {}

    own = [signer.verifier for signer in site.own.witness_signers()]
    found: dict[SignatureLine, datetime] = {}
    for line, key in known_lines(note, own):
        # a line in our name that we did not make proves nothing, and is left out
        with suppress(BadSignature):
            found[line] = verify_cosignature(note.text, line, key)
    return found
