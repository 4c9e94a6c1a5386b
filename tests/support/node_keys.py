"""Keys of a node, as tests look at them, and a root that one holder signs by commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlmodel import select

from comity.node.database.tables import LogEntryRow
from comity.node.home.folder import Home
from comity.node.home.key_files import KeyUse
from comity.node.log.proofs import prove_inclusion
from comity.node.node import Node
from comity.node.trust.key_status import KeyState, KeyStatus, list_keys
from comity.record.record import Record
from tests.support.command_line import Ended, Run, init
from tests.support.drafts import card

UK = "uk.aisi.example"


def publish(node: Node, name: str) -> Record:
    """Publish a card; return the record."""
    record = card(name).sign(node.home.node_id, node.key)
    node.publish(record)
    return record


def states(node: Node, use: KeyUse) -> list[KeyState]:
    """Return the states of a node's keys of a sort, in order."""
    return [key.state for key in list_keys(node) if key.use == use]


def keys(node: Node, use: KeyUse) -> list[KeyStatus]:
    """Return a node's keys of a sort, in order."""
    return [key for key in list_keys(node) if key.use == use]


def with_proof(node: Node, record: Record) -> Record:
    """Sign the log, and return a record with its proof of inclusion."""
    node.signer.sign()
    with node.store.read() as session:
        return replace(record, inclusion=prove_inclusion(session, record.record_id).to_bytes())


def rooted(run: Run) -> Run:
    """Make a home with a root that one holder, alice, signs."""
    assert init(run).code == 0
    step(run, "root", "key", "alice.key", "--no-passphrase")
    step(run, "root", "init", "alice.key.pub", "--threshold", "1")
    step(run, "root", "sign", "1.root.json", "--key", "alice.key", "--yes")
    step(run, "root", "publish", "1.root.json")
    return run


def step(run: Run, *words: str) -> Ended:
    """Run a command that must succeed."""
    done = run(*words)
    assert done.code == 0, done.err
    return done


def make_offline_key(run: Run, name: str) -> str:
    """Make NAME.key without a passphrase; return its key id."""
    made = run("root", "key", f"{name}.key", "--no-passphrase", "--json")
    assert made.code == 0, made.err
    keyid: str = made.json["keyid"]
    return keyid


def sign_root(run: Run, file: str, *names: str) -> None:
    """Sign a version of a root with NAME.key of each name."""
    for name in names:
        done = run("root", "sign", file, "--key", f"{name}.key", "--yes")
        assert done.code == 0, done.err


def log_leaves(home: str = "uk") -> dict[str, bytes]:
    """Return the log's leaves by what they are of."""
    node = Node(Home(Path(home)))
    try:
        with node.store.read() as session:
            return dict(session.exec(select(LogEntryRow.record_id, LogEntryRow.leaf)).all())
    finally:
        node.close()
