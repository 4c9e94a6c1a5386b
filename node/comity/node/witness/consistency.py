"""Holding a log to what it signed: what it shows when it is asked itself, over its own channel.

Whatever cannot be its fault (the line, a proof that somebody else brought) is left for the next
time. What can be nobody else's halts it: a newer checkpoint without proof that it continues the
older one, a smaller one than it signed before, no proof for a checkpoint that it signed.
Invariant: an accusation of a split view comes with evidence that was checked; one that cannot be
proved to others is raised under another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from comity.node.database.alarms import clear_alarm
from comity.node.database.tables import SightingRow
from comity.node.trust.site import Site
from comity.node.witness.cosigning import (
    Seen,
    add_checkpoint,
    carries_ours,
    is_held,
    log_keys,
    open_seen,
)
from comity.node.witness.gossip import mark_checked
from comity.node.witness.halting import LOG_ROLLED_BACK, halt, halt_split, witnessed_log
from comity.record.checkpoint import Checkpoint
from comity.record.errors import BadCheckpoint, Conflict
from comity.record.merkle import HASH_BYTES, consistency_proof, root, verify_consistency
from comity.record.merkle import Node as Place
from comity.record.note import Note, SignatureLine
from comity.record.split_view import SplitView
from comity.record.tile import Tile, reader, tile_of

LOG_UNPROVEN: Final = "LOG_UNPROVEN"
"""About a log that fails to show a proof, though it may not be its fault; it is not halted."""

Tiles = Mapping[Tile, bytes]


def take_shown(
    site: Site, institute: str, asked: int, data: bytes, proof: Sequence[bytes]
) -> tuple[Seen, list[SignatureLine]]:
    """Take what a log showed of itself, asked to continue ``asked`` leaves.

    Returns it with our cosignatures, none where it carries them already.

    Raises: as ``add_checkpoint``; also
        BadCheckpoint: of another log.
        Conflict: smaller than ``asked``, which halts the log.
    """
    seen = open_seen(site, data)
    if seen.institute != institute:
        message = f"expected a checkpoint of {institute}, got one of {seen.institute}"
        raise BadCheckpoint(message, field="checkpoint.origin")
    if seen.checkpoint.size < asked:
        message = f"signed {asked} leaves and now shows {seen.checkpoint.size}"
        accuse(site, institute, LOG_ROLLED_BACK, message)
        raise Conflict(f"the log of {institute} {message}", field="checkpoint.size")
    with site.store.read() as session:
        held = witnessed_log(session, institute)
    if is_held(held, seen) and carries_ours(seen.note, site.own.witness_signers()):
        return seen, []
    return seen, add_checkpoint(site, data, asked, proof)


def needed_tiles(old: int, new: int) -> list[Tile]:
    """Return the tiles of a tree of ``new`` leaves that tell its first ``old``, at most some 30."""
    if not 0 < old < new:
        return []
    nodes: list[Place] = []

    def note_down(wanted: Sequence[Place]) -> list[bytes]:
        nodes.extend(wanted)
        return [bytes(HASH_BYTES)] * len(wanted)

    root(old, note_down)
    consistency_proof(old, new, note_down)
    return list(dict.fromkeys(tile_of(found, new) for found in nodes))


def examine(site: Site, told: SightingRow, held: Note, tiles: Tiles) -> None:
    """Check a sighting against what is held of its log, by tiles that the log showed.

    Raises:
        InvalidInput, NotFound: the log does not prove how the checkpoint fits.
    """
    institute = told.institute
    evidence = find_evidence(site, institute, Note.parse(told.note), held, tiles)
    if evidence is not None:
        accuse_split(site, institute, evidence)
        return
    with site.store.write() as session:
        mark_checked(session, told)
        clear_alarm(session, institute, LOG_UNPROVEN)


def find_evidence(
    site: Site, institute: str, one: Note, other: Note, tiles: Tiles
) -> SplitView | None:
    """Look in a log's tiles whether the larger of two of its checkpoints begins with the other.

    Returns None if so, else evidence that was checked.

    Raises:
        BadTile, BadProof, NotFound: the tiles do not lead to the larger checkpoint's root.
        BadSplitView, UnknownKey: the log's bundle has changed, and its keys no longer prove it.
    """
    pair = (Checkpoint.parse(one.text), Checkpoint.parse(other.text))
    smaller, larger = sorted(pair, key=lambda checkpoint: checkpoint.size)
    if smaller.size == larger.size:
        found, evidence = larger.root, SplitView.of(one, other)
    else:
        found, proof = _beginning(smaller.size, larger, tiles)
        evidence = SplitView.of(one, other, found, proof)
    if found == smaller.root:
        return None
    bundle = site.find_bundle(institute)
    evidence.check(log_keys(bundle) if bundle else ())
    return evidence


def _beginning(size: int, larger: Checkpoint, tiles: Tiles) -> tuple[bytes, list[bytes]]:
    """Return the root of the first ``size`` leaves of a tree, and the proof that it begins so."""
    read = reader(lambda wanted: [tiles.get(tile, b"") for tile in wanted], larger.size)
    found = root(size, read)
    proof = consistency_proof(size, larger.size, read)
    verify_consistency(size, larger.size, found, larger.root, proof)
    return found, proof


def accuse(site: Site, institute: str, reason: str, message: str) -> None:
    """Halt a log for what cannot be proved to others."""
    with site.store.write() as session:
        row = witnessed_log(session, institute)
        if not row.halted:
            halt(session, row, reason, f"the log {message}", site.clock())


def accuse_split(site: Site, institute: str, evidence: SplitView) -> None:
    """Halt a log that contradicted itself, and keep the evidence."""
    sizes = [Checkpoint.parse(Note.parse(n).text).size for n in (evidence.smaller, evidence.larger)]
    message = f"its tree of {sizes[1]} leaves does not begin with the {sizes[0]} that it signed"
    with site.store.write() as session:
        row = witnessed_log(session, institute)
        if not row.halted:
            halt_split(session, row, evidence, message, site.clock())
