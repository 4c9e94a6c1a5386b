"""Step (3) of a look: does a checkpoint begin the tree of a larger one that the log also signed?

If not, the log has shown two histories: a split view. Invariant: both checkpoints were signed by
the log, so the evidence of a split view convinces anyone who knows its keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from comity.client.monitor.report import LogFinding
from comity.client.monitor.state import LogState
from comity.record.checkpoint import Checkpoint
from comity.record.errors import UnknownKey
from comity.record.merkle import consistency_proof, root
from comity.record.note import Note, Verifier
from comity.record.split_view import SplitView


class ShownCheckpoint(NamedTuple):
    """A checkpoint that a log showed, as a signed note, and the words that name it in a report.

    ``note`` is empty if the log showed none.
    """

    told: str
    note: bytes

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says. The signature is not checked here."""
        return Checkpoint.parse(Note.parse(self.note).text)

    @property
    def size(self) -> int:
        """Number of entries, 0 if the log showed no checkpoint."""
        return self.checkpoint.size if self.note else 0


def compare(
    state: LogState, smaller: ShownCheckpoint, larger: ShownCheckpoint, log_keys: Sequence[Verifier]
) -> Iterator[LogFinding]:
    """Yield SPLIT_VIEW unless ``smaller`` begins the tree of ``larger``.

    The entries of ``state`` must lead to the root of ``larger``. A checkpoint that is signed with a
    key that the log's bundle does not list any more contradicts all the same, but only those who
    still know the key can check the evidence.
    """
    before, after = smaller.checkpoint, larger.checkpoint
    found = root(before.size, state.read)
    if found == before.root:
        return

    # RFC 6962, section 2.1.2: the proof leads from the root that the entries have at that size
    same = before.size == after.size
    proof = [] if same else consistency_proof(before.size, after.size, state.read)
    notes = Note.parse(smaller.note), Note.parse(larger.note)
    view = SplitView.of(*notes, b"" if same else found, proof)

    message = f"{smaller.told}, of {before.size} entries, does not begin {larger.told}"
    try:
        view.check(log_keys)
    except UnknownKey:
        message += "; one is signed with a key that its bundle does not list any more"
    yield LogFinding("SPLIT_VIEW", message, state.keep_evidence(view.to_json()))


def leads_to(state: LogState, shown: ShownCheckpoint) -> bool:
    """Return True if the entries that ``state`` remembers lead to the root of a checkpoint."""
    checkpoint = shown.checkpoint
    whole = state.count >= checkpoint.size
    return whole and root(checkpoint.size, state.read) == checkpoint.root
