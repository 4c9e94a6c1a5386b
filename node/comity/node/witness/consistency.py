"""Checks that a log is consistent with every checkpoint that it signed.

The log itself is asked, over its own channel. Invariants: a failure that may be another's fault
(of the connection, of a proof that a third node brought) halts nothing and is tried again; a log is
halted for what can only be its own fault, which is a newer checkpoint without a proof that it
continues the older one, a checkpoint smaller than one it signed before, or no proof for a
checkpoint that it signed; SPLIT_VIEW is raised only with evidence that was checked, and a fault
that cannot be proved to third parties is raised under another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comity.node.database.alarms import clear_alarm
from comity.node.database.tables import SightingRow
from comity.node.log.head import LOG_ROLLED_BACK, LOG_UNPROVEN
from comity.node.trust.site import Site
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.gossip import mark_checked
from comity.node.witness.halting import (
    halt_for_split_view,
    halt_witnessing,
    witnessed_log,
)
from comity.node.witness.seen_checkpoints import (
    SeenCheckpoint,
    has_lines_of,
    is_held,
    log_keys,
    open_seen_checkpoint,
)
from comity.record.checkpoint import Checkpoint
from comity.record.errors import BadCheckpoint, Conflict
from comity.record.log import LogName, origin, parse_origin
from comity.record.merkle import HASH_BYTES, consistency_proof, root, verify_consistency
from comity.record.merkle import Node as Place
from comity.record.note import Note, SignatureLine
from comity.record.split_view import SplitView
from comity.record.tile import Tile, reader, tile_of

Tiles = Mapping[Tile, bytes]


def take_newest_checkpoint(
    site: Site, log: LogName, asked: int, data: bytes, proof: Sequence[bytes]
) -> tuple[SeenCheckpoint, list[SignatureLine]]:
    """Take the checkpoint that ``log`` answered with when asked to continue ``asked`` leaves.

    Returns it with our cosignatures; these are none if the log shows them already.

    Raises: as ``add_checkpoint``; also
        BadCheckpoint: it is of another log.
        Conflict: it is smaller than ``asked``, and the log was halted for that.
    """
    seen = open_seen_checkpoint(site, data)
    if seen.log != log:
        message = f"expected a checkpoint of {origin(*log)}, got one of {origin(*seen.log)}"
        raise BadCheckpoint(message, field="checkpoint.origin")

    # a log never shrinks (invariant 8)
    if seen.checkpoint.size < asked:
        message = f"signed {asked} leaves and now shows {seen.checkpoint.size}"
        halt_log(site, log, LOG_ROLLED_BACK, message)
        raise Conflict(f"the log of {log.institute} {message}", field="checkpoint.size")

    # nothing is new, and the log has our cosignatures: cosigning again would only change their time
    with site.store.read() as session:
        held = witnessed_log(session, *log)
    if is_held(held, seen) and has_lines_of(seen.note, site.own.witness_signers()):
        return seen, []

    return seen, add_checkpoint(site, data, asked, proof)


def needed_tiles(old: int, new: int) -> list[Tile]:
    """Return the tiles that prove how a tree of ``new`` leaves begins with its first ``old``.

    They are some 30 at most (C2SP tlog-tiles), and none unless 0 < ``old`` < ``new``.
    """
    if not 0 < old < new:
        return []

    # run both computations on hashes of zeros, only to learn which hashes they read
    places: list[Place] = []

    def collect(wanted: Sequence[Place]) -> list[bytes]:
        places.extend(wanted)
        return [bytes(HASH_BYTES)] * len(wanted)

    root(old, collect)
    consistency_proof(old, new, collect)

    return list(dict.fromkeys(tile_of(place, new) for place in places))


def check_sighting(site: Site, sighting: SightingRow, held: Note, tiles: Tiles) -> None:
    """Check a sighting against the held checkpoint of its log, by tiles that the log showed.

    The log is halted, with the evidence kept, if the two contradict each other.

    Raises:
        InvalidInput, NotFound: the log does not prove how the checkpoint fits.
    """
    institute = sighting.institute
    evidence = find_evidence(site, institute, Note.parse(sighting.note), held, tiles)
    if evidence is not None:
        halt_split_log(site, evidence)
        return
    with site.store.write() as session:
        mark_checked(session, sighting)
        clear_alarm(session, institute, LOG_UNPROVEN)


def find_evidence(
    site: Site, institute: str, one: Note, other: Note, tiles: Tiles
) -> SplitView | None:
    """Return checked evidence if two checkpoints of a log contradict each other.

    None means that the larger tree begins with the smaller one.

    Raises:
        BadTile, BadProof, NotFound: the tiles do not lead to the root of the larger checkpoint.
        BadSplitView, UnknownKey: the log's bundle has changed, and its keys prove nothing now.
    """
    pair = (Checkpoint.parse(one.text), Checkpoint.parse(other.text))
    smaller, larger = sorted(pair, key=lambda checkpoint: checkpoint.size)

    if smaller.size == larger.size:
        found, evidence = larger.root, SplitView.of(one, other)
    else:
        found, proof = _prove_beginning(smaller.size, larger, tiles)
        evidence = SplitView.of(one, other, found, proof)
    if found == smaller.root:
        return None

    # third parties will check it in the same way
    bundle = site.find_bundle(institute)
    evidence.check(log_keys(bundle) if bundle else ())
    return evidence


def halt_log(site: Site, log: LogName, reason: str, message: str) -> None:
    """Halt a log, unless it is halted, for a fault that cannot be proved to third parties."""
    with site.store.write() as session:
        row = witnessed_log(session, *log)
        if not row.halted:
            halt_witnessing(session, row, reason, f"the log {message}", site.clock())


def halt_split_log(site: Site, evidence: SplitView) -> None:
    """Halt a log, unless it is halted, for contradicting itself; keep the evidence.

    Raises:
        BadCheckpoint: the evidence is against no institute's log.
    """
    smaller, larger = (
        Checkpoint.parse(Note.parse(n).text) for n in (evidence.smaller, evidence.larger)
    )
    log = parse_origin(larger.origin)
    if log is None:
        raise BadCheckpoint(f"expected an institute's log, got {larger.origin!r:.100}")

    message = (
        f"its tree of {larger.size} leaves does not begin with the {smaller.size} that it signed"
    )
    with site.store.write() as session:
        row = witnessed_log(session, *log)
        if not row.halted:
            halt_for_split_view(session, row, evidence, message, site.clock())


def _prove_beginning(size: int, larger: Checkpoint, tiles: Tiles) -> tuple[bytes, list[bytes]]:
    """Return the root of a tree's first ``size`` leaves, and the checked proof that it is so."""
    read = reader(lambda wanted: [tiles.get(tile, b"") for tile in wanted], larger.size)
    found = root(size, read)
    proof = consistency_proof(size, larger.size, read)
    verify_consistency(size, larger.size, found, larger.root, proof)
    return found, proof
