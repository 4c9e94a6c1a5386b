"""Institutes that witness each other's logs: what tests show them, and what they then hold."""

from __future__ import annotations

from comity.node.database.alarms import list_alarms
from comity.node.database.tables import WitnessedLogRow
from comity.node.trust.new_log import begin_listed_log, make_new_log
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.gossip import take_shared_checkpoints, unchecked_sightings
from comity.node.witness.halting import resume_witnessing
from comity.record.limits import MAX_PEERS
from comity.record.note import SignatureLine, Verifier
from tests.support.institutes import Institute
from tests.support.log_histories import History
from tests.support.network import Running

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
TRUE, FALSE = "abcdefghij", "abcdeXghij"
"""Two histories that part at the sixth leaf."""


def history(one: Institute, leaves: str = TRUE) -> History:
    """Return leaves that an institute's own log key signs."""
    return History(one.node.own.log_signers()[0], leaves)


def witness_keys(one: Institute) -> list[Verifier]:
    """Return the verifiers of an institute's witness keys."""
    return [Verifier.parse(key) for key in one.node.bundle.witness_keys]


def take(
    uk: Institute, log: History, size: int, old: int = 0, proof: list[bytes] | None = None
) -> list[SignatureLine]:
    """Bring uk a checkpoint, with the proof that is asked for unless another one is given."""
    proof = log.proof(old, size) if proof is None else proof
    return add_checkpoint(uk.node, log.note(size).to_bytes(), old, proof)


def held(uk: Institute, institute: str = CA) -> WitnessedLogRow:
    """Return what uk holds of an institute's log."""
    [row] = uk.rows(WitnessedLogRow, institute=institute)
    return row  # type: ignore[no-any-return]


def reasons(one: Institute | Running, about: str) -> list[str]:
    """Return why alarms were raised about an institute."""
    with one.node.store.read() as session:
        return [alarm.reason for alarm in list_alarms(session, about)]


def with_new_log(one: Institute | Running) -> None:
    """Begin a new log in place of a halted one, without a root."""
    make_new_log(one.node)
    assert begin_listed_log(one.node)


def resumed(uk: Institute, *, anew: bool = False, institute: str = CA) -> None:
    """Resume witnessing of an institute's log at uk."""
    with uk.node.store.write() as session:
        resume_witnessing(session, institute, anew=anew)


def told(uk: Institute, log: History, *sizes: int, teller: str = FR) -> None:
    """Tell uk of checkpoints."""
    take_shared_checkpoints(uk.node, teller, [log.note(size).to_bytes() for size in sizes])


def waiting(uk: Institute, institute: str = CA) -> list[int]:
    """Return the sizes of the sightings that were not checked so far."""
    with uk.node.store.read() as session:
        return [row.size for row in unchecked_sightings(session, institute, MAX_PEERS)]
