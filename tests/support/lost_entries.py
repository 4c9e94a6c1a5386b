"""An institute that loses and restores its database in any order of acts, and its two peers.

A state machine for hypothesis. Whatever the order: no two checkpoints that the institute ever
signed, also in a life of its database that was lost, contradict each other; no peer holds a proof
against it; what a peer was shown to be in the log stays proved.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlmodel import select

from comity.node.database.progress_mark import Mark
from comity.node.database.store import Store
from comity.node.database.tables import LogEntryRow, SplitViewRow
from comity.node.log.head import log_head
from comity.node.log.proofs import newest_checkpoint, prove_consistency, prove_inclusion
from comity.node.node import Node
from comity.node.server.recovery import recover_database
from comity.node.trust.new_log import begin_listed_log, make_new_log
from comity.node.witness.consistency import take_newest_checkpoint
from comity.node.witness.gossip import checkpoints_to_share, take_shared_checkpoints
from comity.node.witness.halting import SPLIT_VIEW, resume_witnessing, witnessed_log
from comity.record.checkpoint import Checkpoint
from comity.record.errors import BadConfig, BadProof, ComityError, Conflict, LogHalted, NotFound
from comity.record.log import LogName, check_logged, newest_log
from comity.record.note import Note
from comity.record.tlog_proof import TlogProof
from tests.support.databases import sqlite_databases
from tests.support.drafts import guidance
from tests.support.institutes import HandClock, institutes
from tests.support.witnesses import CA, FR, UK, reasons

PEERS = st.integers(min_value=0, max_value=1)
MOST_COPIES = 3


class Acknowledged(NamedTuple):
    """A leaf, and the proof that a peer was given for it."""

    leaf: bytes
    proof: TlogProof


class LostEntries(RuleBasedStateMachine):
    """Acts of an operator of uk and of chance, in any order."""

    @initialize()
    def begin(self) -> None:
        """Make uk, and its peers ca and fr."""
        self._folder = Path(tempfile.mkdtemp(prefix="comity-lost-"))
        self._clock = HandClock()
        made = institutes(self._folder, self._clock, sqlite_databases(self._folder), UK, CA, FR)
        self._made, self._all = made, made.__enter__()
        self._uk, self._peers = self._all[0], self._all[1:]
        self._signed: defaultdict[str, list[tuple[bytes, ...]]] = defaultdict(list)
        self._acknowledged: list[Acknowledged] = []
        self._keys = set(self._uk.node.bundle.log_keys)
        self._copies: list[Path] = []
        self._number = 0

        # there is something to lose from the start
        self.publish()
        self.back_up()
        self.publish()
        self.look(0)

    def teardown(self) -> None:
        """Close all nodes."""
        if hasattr(self, "_made"):
            self._made.__exit__(None, None, None)
            shutil.rmtree(self._folder)

    @rule(signs=st.booleans())
    def publish(self, *, signs: bool = True) -> None:
        """Publish a record, which a halted log does not take, and perhaps sign the log."""
        self._number += 1
        self._clock.turn(1)
        before = self._leaves()
        try:
            self._uk.publish(guidance(f"Number {self._number}"))
        except LogHalted:
            assert self._leaves() == before

        # what was signed counts, whatever becomes of the database
        if signs and self._uk.node.signer.sign():
            origin = Checkpoint.parse(Note.parse(self._shown()).text).origin
            self._signed[origin].append(self._leaves())

    @rule(which=PEERS)
    def look(self, which: int) -> None:
        """Let a peer witness the log, and be shown that the newest leaf is in it."""
        peer = self._peers[which].node
        try:
            shown = self._shown()
        except NotFound:
            return

        bundle = peer.find_bundle(UK)
        assert bundle is not None
        log = LogName(UK, newest_log(UK, bundle.log_keys))
        with peer.store.read() as session:
            held = witnessed_log(session, *log)
        size = Checkpoint.parse(Note.parse(shown).text).size
        with self._uk.node.store.read() as session:
            proof = prove_consistency(session, held.size, size)
        try:
            take_newest_checkpoint(peer, log, held.size, shown, proof)
        except BadProof as error:
            raise AssertionError("the log does not continue what it signed") from error
        except ComityError:
            # the bundle is an older one, or the log was halted
            return
        self._be_shown(size)

    @rule(which=PEERS)
    def gossip(self, which: int) -> None:
        """Let a peer tell uk and the other peer what it has seen."""
        shared = checkpoints_to_share(self._peers[which].node)
        teller = self._peers[which].name
        take_shared_checkpoints(self._uk.node, teller, shared)
        take_shared_checkpoints(self._peers[1 - which].node, teller, shared)

    @precondition(lambda self: len(self._copies) < MOST_COPIES)
    @rule()
    def back_up(self) -> None:
        """Copy the database and the keys."""
        folder = self._folder / f"copy-{len(self._copies)}"
        shutil.copytree(self._uk.node.home.keys, folder / "keys")
        source, target = sqlite3.connect(self._database), sqlite3.connect(folder / "copy.db")
        with source, target:
            source.backup(target)
        source.close()
        target.close()
        self._copies.append(folder)

    @precondition(lambda self: self._copies)
    @rule(pick=st.integers(min_value=0), keeps_mark=st.booleans(), brings_keys=st.booleans())
    def restore(self, pick: int, *, keeps_mark: bool, brings_keys: bool) -> None:
        """Put a copy back, perhaps without the mark, perhaps with the keys as they were."""
        self._clock.turn(1)
        copy, home = self._copies[pick % len(self._copies)], self._uk.node.home
        self._uk.node.close()
        for suffix in ("-wal", "-shm"):
            self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(copy / "copy.db", self._database)
        if not keeps_mark:
            (home.state / "mark").unlink()
        if brings_keys:
            shutil.rmtree(home.keys)
            shutil.copytree(copy / "keys", home.keys)
        self._open()

    @rule(pins=st.sets(PEERS))
    def begin_new_log(self, pins: set[int]) -> None:
        """Begin a new log, which only a halted one needs; some peers pin the new bundle."""
        self._clock.turn(1)
        with self._uk.node.store.read() as session:
            halted = log_head(session).halted
        try:
            make_new_log(self._uk.node)
        except Conflict:
            assert not halted
        else:
            assert begin_listed_log(self._uk.node)
            self._keys.update(self._uk.node.bundle.log_keys)

        for which in pins:
            self._peers[which].node.add_peer(self._uk.node.bundle, older=True)

    @rule()
    def resume(self) -> None:
        """Try to have the log signed again: there is no way to."""
        try:
            with self._uk.node.store.write() as session:
                resume_witnessing(session, UK, anew=True)
        except NotFound:
            return
        raise AssertionError("expected no way to resume an institute's own log")

    @invariant()
    def no_two_signed_checkpoints_contradict_each_other(self) -> None:
        """Of any two, the larger tree begins with the smaller one."""
        for histories in getattr(self, "_signed", {}).values():
            ordered = sorted(histories, key=len)
            for smaller, larger in pairwise(ordered):
                assert larger[: len(smaller)] == smaller

    @invariant()
    def no_peer_holds_a_proof_against_the_institute(self) -> None:
        """Nor does a peer say so."""
        for peer in getattr(self, "_peers", ()):
            assert peer.rows(SplitViewRow) == []
            assert SPLIT_VIEW not in reasons(peer, UK)

    @invariant()
    def what_a_peer_was_shown_stays_proved(self) -> None:
        """The keys are those that the institute's bundles have listed."""
        for leaf, proof in getattr(self, "_acknowledged", ())[-3:]:
            check_logged(leaf, proof, UK, self._keys)

    @property
    def _database(self) -> Path:
        file = self._uk.node.store.file
        assert file is not None
        return file

    def _open(self) -> None:
        home = self._uk.node.home
        try:
            node = Node(home, self._clock)
        except BadConfig:
            store = Store(home.settings.database_url)
            recover_database(store, Mark(home.state), self._clock())
            store.close()
            node = Node(home, self._clock)
        # the list is what closes the nodes in the end
        self._all[0].node = node

    def _shown(self) -> bytes:
        with self._uk.node.store.read() as session:
            return newest_checkpoint(session).note

    def _leaves(self) -> tuple[bytes, ...]:
        with self._uk.node.store.read() as session:
            query = select(LogEntryRow.leaf).order_by(LogEntryRow.log_index)
            return tuple(session.exec(query))

    def _be_shown(self, size: int) -> None:
        if not size:
            return
        with self._uk.node.store.read() as session:
            which = LogEntryRow.log_index == size - 1
            row = session.exec(select(LogEntryRow).where(which)).one()
            proof = prove_inclusion(session, row.record_id)
        self._acknowledged.append(Acknowledged(row.leaf, proof))
