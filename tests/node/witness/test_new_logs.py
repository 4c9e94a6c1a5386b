"""A log that took the place of another: its peers follow the root, and old evidence still holds."""

from __future__ import annotations

import pytest

from comity.node.database.tables import LogHeadRow, SightingRow, SplitViewRow, WitnessedLogRow
from comity.node.log.head import halt_signing
from comity.node.log.proofs import newest_checkpoint, prove_inclusion
from comity.node.trust.new_log import make_new_log
from comity.node.witness.consistency import take_newest_checkpoint
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.gossip import checkpoints_to_share, take_shared_checkpoints
from comity.node.witness.new_logs import LOG_REPLACED
from comity.record.checkpoint import Checkpoint
from comity.record.errors import Forbidden, UnknownKey
from comity.record.log import FIRST_LOG, LogName, check_logged, leaf, newest_log
from comity.record.note import Note
from comity.record.record import Record
from comity.record.tlog_proof import TlogProof
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.log_histories import History
from tests.support.root_signers import RootSigners
from tests.support.witnesses import CA, FR, UK, history, reasons, waiting


class Replaced:
    """Ca, which closed its log after it lost entries, as uk sees it, and what there was before."""

    def __init__(self, three: list[Institute]) -> None:
        self.uk, self.ca, self.fr = three
        self.signers = RootSigners()
        self.uk.node.add_peer(self.signers.found(self.ca.node))
        self.record = self.publish()
        self.proof = self.proved(self.record)
        self.before = history(self.ca)
        self.seen()

    def publish(self) -> Record:
        """Publish a card and sign the log."""
        record = self.ca.publish(card())
        self.ca.node.signer.sign()
        return record

    def proved(self, record: Record) -> TlogProof:
        """Return the proof that ca's log gives for a record."""
        with self.ca.node.store.read() as session:
            return prove_inclusion(session, record.record_id)

    def shown(self) -> bytes:
        """Return the checkpoint that ca shows."""
        with self.ca.node.store.read() as session:
            return newest_checkpoint(session).note

    def seen(self) -> None:
        """Let uk witness what ca shows."""
        held = self.uk.rows(WitnessedLogRow, institute=CA, log_number=self.number)
        log = LogName(CA, self.number)
        take_newest_checkpoint(self.uk.node, log, held[0].size if held else 0, self.shown(), [])

    @property
    def number(self) -> int:
        """The number of ca's newest log, as uk knows it."""
        bundle = self.uk.node.find_bundle(CA)
        assert bundle is not None
        return newest_log(CA, bundle.log_keys)

    def halt(self) -> None:
        """Let ca learn that entries are lost."""
        with self.ca.node.store.write() as session:
            halt_signing(session, "LOG_ROLLED_BACK", "a peer holds more", self.ca.node.clock())

    def replace(self) -> None:
        """Let ca name a new log in its root, and sign it."""
        self.halt()
        make_new_log(self.ca.node)
        self.signers.renew(self.ca.node)
        self.ca.node.signer.sign()

    def follow(self) -> None:
        """Let uk follow ca's root."""
        root = self.ca.node.own.root
        assert root is not None
        self.uk.node.follow(CA, [root.document])


@pytest.fixture
def replaced(three: list[Institute]) -> Replaced:
    """Return ca, whose first log uk has witnessed."""
    return Replaced(three)


def held(found: Replaced) -> list[tuple[bool, int]]:
    """Return of each of ca's logs that uk holds whether it is the first, and its size."""
    return [
        (row.log_number == FIRST_LOG, row.size)
        for row in found.uk.rows(WitnessedLogRow, institute=CA)
    ]


def test_a_peer_that_follows_the_root_witnesses_the_new_log_beside_the_closed_one(
    replaced: Replaced,
) -> None:
    replaced.replace()
    with pytest.raises(UnknownKey):
        add_checkpoint(replaced.uk.node, replaced.shown(), 0, [])
    replaced.follow()
    replaced.seen()
    assert sorted(held(replaced)) == [(False, 3), (True, 2)]
    assert reasons(replaced.uk, CA) == [LOG_REPLACED]
    assert replaced.uk.rows(SplitViewRow) == []
    [shared] = checkpoints_to_share(replaced.uk.node)
    assert Checkpoint.parse(Note.parse(shared).text).size == 3


def test_what_was_logged_before_still_verifies_and_has_the_same_place_in_the_new_log(
    replaced: Replaced,
) -> None:
    replaced.replace()
    envelope, bundle = replaced.record.envelope, replaced.ca.node.bundle
    body = leaf(envelope, bundle.keys_by_id[envelope.keyid])
    new = replaced.proved(replaced.record)
    assert new.index == replaced.proof.index
    origins = [check_logged(body, p, CA, bundle.log_keys).origin for p in (replaced.proof, new)]
    assert origins[0] == f"log.{CA}"
    assert origins[1] != origins[0]


def test_a_closed_log_is_cosigned_no_more_and_asked_for_no_proof(replaced: Replaced) -> None:
    replaced.replace()
    replaced.follow()
    replaced.seen()
    former = History(replaced.before.signer, "abcdefgh")
    with pytest.raises(Forbidden, match="is closed"):
        add_checkpoint(replaced.uk.node, former.note(8).to_bytes(), 2, former.proof(2, 8))
    take_shared_checkpoints(replaced.uk.node, FR, [former.note(8).to_bytes()])
    assert waiting(replaced.uk) == []
    assert replaced.uk.rows(SightingRow) == []


def test_a_closed_log_that_showed_two_histories_is_still_convicted(replaced: Replaced) -> None:
    replaced.replace()
    replaced.follow()
    former = History(replaced.before.signer, "xy")
    take_shared_checkpoints(replaced.uk.node, FR, [former.note(2).to_bytes()])
    assert reasons(replaced.uk, CA) == ["SPLIT_VIEW"]
    replaced.seen()
    assert len(replaced.uk.rows(SplitViewRow)) == 1


def test_a_root_that_names_no_new_log_leaves_a_halted_log_halted(replaced: Replaced) -> None:
    replaced.halt()
    replaced.signers.renew(replaced.ca.node)
    [head] = replaced.ca.rows(LogHeadRow)
    assert (head.log_number, head.halted) == (FIRST_LOG, "a peer holds more")
    assert not replaced.ca.node.signer.sign()


def test_a_key_of_a_new_log_is_made_once_until_it_is_published(replaced: Replaced) -> None:
    replaced.halt()
    names = {make_new_log(replaced.ca.node) for _ in range(2)}
    assert len(names) == 1
    assert len(replaced.ca.node.own.keychain.log) == 2
    # nothing is signed by a key that no root lists
    assert not replaced.ca.node.signer.sign()
    assert UK not in names.pop()
