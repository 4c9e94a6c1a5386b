"""A log that shows each of its witnesses a history of its own, and what these hold of it."""

from __future__ import annotations

from pathlib import Path

from comity.node.database.tables import WitnessedLogRow
from comity.record.note import Verifier
from tests.support.log_histories import ForkingLog, History
from tests.support.network import Running, make_home
from tests.support.witnesses import reasons

CA = "ca.aisi.example"


def note_verifiers(*keys: tuple[str, ...]) -> list[Verifier]:
    """Return the verifiers of keys as bundles list them."""
    return [Verifier.parse(key) for some in keys for key in some]


def is_split(one: Running) -> bool:
    """True if an institute has raised one alarm about ca, for two histories of its log."""
    return reasons(one, CA) == ["SPLIT_VIEW"]


def witnessed_row(one: Running, institute: str = CA) -> WitnessedLogRow | None:
    """Return what an institute holds of a log; None if it has seen none of it."""
    return next(iter(one.rows(WitnessedLogRow, institute=institute)), None)


def holds_checkpoint(one: Running, size: int, institute: str = CA) -> bool:
    """True if an institute holds a checkpoint of this size of a log."""
    row = witnessed_row(one, institute)
    return row is not None and row.size == size


def forked_log(root: Path, **leaves: str) -> ForkingLog:
    """Return ca, whose log has a history for each of uk and fr."""
    home = make_home(root, CA)
    [signer] = home.keychain().log
    return ForkingLog(home, {f"{k}.aisi.example": History(signer, v) for k, v in leaves.items()})
