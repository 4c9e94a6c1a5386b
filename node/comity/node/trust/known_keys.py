"""The keys that this node has served with: a home or a database that forgot them is refused.

    keys/log.used     beside the log's keys once one of them has signed

Without a root, whatever keys lie in the home make the institute's bundle. So the database remembers
which key each file holds, and a file that was exchanged is noticed. The file ``log.used`` tells a
database that is new from one that was lost: under a log key that has signed, an empty database
would begin a second history (invariant 8). Invariant: nothing is signed before both were checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from sqlmodel import Session, select

from comity.client.files import replace_file
from comity.node.database.cursors import generation
from comity.node.database.store import Store
from comity.node.database.tables import LogHeadRow, NodeRow
from comity.node.home.key_files import KeyUse, generations
from comity.node.home.keychain import Keychain
from comity.record.errors import BadConfig

LOG_USED: Final = "log.used"
_NOTE: Final = b"A log key in this folder has signed checkpoints. Keep this file with the keys.\n"


def check_known_keys(store: Store, home: Path, keychain: Keychain) -> None:
    """Check that no key file of the home was exchanged for another, and remember new files.

    A file that is missing is no fault here: another key may have taken its place since.

    Raises:
        BadConfig: a file holds another key than the one with which this node has served.
    """
    present = _keys_by_file(home, keychain)
    with store.read() as session:
        known = _node(session).known_keys

    for name, key in present.items():
        if known.get(name, key) != key:
            message = f"expected the key {known[name]}, with which this node has served, got {key}"
            hint = "put the file back from the backup of this home"
            raise BadConfig(message, field=f"{home}/{name}", hint=hint)

    # most opens find nothing new, and take no lock
    if not present.keys() <= known.keys():
        remember_keys(store, home, keychain)


def remember_keys(store: Store, home: Path, keychain: Keychain) -> None:
    """Remember which key each file of the home holds now."""
    with store.write() as session:
        row = _node(session)
        row.known_keys = {**row.known_keys, **_keys_by_file(home, keychain)}
        session.add(row)


def check_log_key(store: Store, keys: Path) -> None:
    """Check that an empty database does not begin another history under a log key that has signed.

    Raises:
        BadConfig: the key has signed, and the database knows nothing of it and was not recovered.
    """
    if not (keys / LOG_USED).exists():
        return
    with store.read() as session:
        head, epoch = session.get(LogHeadRow, 1), _node(session).epoch

    # a database that was recovered has halted its log, and says so itself
    if (head is None or not head.size) and generation(epoch) == 0:
        message = "the log key in keys/ has signed checkpoints, and this database knows of none"
        hint = "put the database back from a backup; only if there is none, run comity-node recover"
        raise BadConfig(message, field="database", hint=hint)


def note_log_key(keys: Path) -> None:
    """Note beside the keys that the log key has signed.

    Raises:
        BadConfig: the folder cannot be written.
    """
    if not (keys / LOG_USED).exists():
        replace_file(keys / LOG_USED, _NOTE)


def _node(session: Session) -> NodeRow:
    return session.exec(select(NodeRow)).one()


def _keys_by_file(home: Path, keychain: Keychain) -> dict[str, str]:
    """Return for each file of a key, below the home, a name that only its key has."""
    names = {
        KeyUse.RECORD: [key.key.keyid for key in keychain.record],
        KeyUse.LOG: [str(key.verifier) for key in keychain.log],
        KeyUse.WITNESS: [str(key.verifier) for key in keychain.witness],
        KeyUse.CA: [f"SHA256:{a.fingerprint(SHA256()).hex()}" for a in keychain.authorities],
    }
    return {
        str(file.relative_to(home)): name
        for use, keys in names.items()
        for file, name in zip(generations(home, use), keys, strict=True)
    }
