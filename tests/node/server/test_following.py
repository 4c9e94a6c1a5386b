"""Following a root: what holds, what does not, and what becomes of records meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from comity.node.database.tables import AlarmRow, PeerRow, QuarantineRow, RecordRow, RootVersionRow
from comity.node.home.key_files import KeyUse
from comity.node.trust.root_chains import page_after
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root
from tests.support.bad_root_chains import CHAIN_FAULTS, bad_chains
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.root_signers import RootSigners, chain, held, pin_root

UK, CA = "uk.aisi.example", "ca.aisi.example"
OPEN = load_preset("open")


def test_whoever_claims_to_have_any_version_is_told_nothing(pair: list[Institute]) -> None:
    uk, ca = pair
    pin_root(ca, uk)
    with uk.node.store.read() as session:
        assert len(page_after(session, UK, 0)) == 1
        assert page_after(session, UK, 2**32 - 1) == []


def test_several_versions_are_followed_in_one_go(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    for sort in (KeyUse.RECORD, KeyUse.LOG, KeyUse.WITNESS, KeyUse.RECORD):
        root_signers.rotate(ca.node, sort)
    assert uk.node.follow(CA, chain(ca)) == 5
    assert uk.node.find_bundle(CA) == ca.node.bundle
    assert uk.node.follow(CA, []) == 5
    assert uk.rows(AlarmRow) == []


def test_records_that_waited_for_a_key_are_taken_once_it_is_known(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    root_signers.rotate(ca.node, KeyUse.RECORD)
    record = ca.publish(card())
    uk.pull(ca)
    assert [row.reason for row in uk.rows(QuarantineRow)] == ["UNKNOWN_KEY"]
    uk.node.follow(CA, chain(ca))
    assert [row.record_id for row in uk.rows(RecordRow)] == [record.record_id]
    assert uk.rows(QuarantineRow) == []


def test_expired_versions_on_the_way_do_not_matter_but_the_last_must_be_fresh(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    stale, fresh = (
        root_signers.draft(ca.node.bundle, 2, days=-1),
        root_signers.draft(ca.node.bundle, 3),
    )
    documents = [root_signers.sign(root).document for root in (stale, fresh)]
    assert uk.node.follow(CA, documents[:1]) == 1
    assert "EXPIRED_ROOT" not in uk.rows(AlarmRow)[0].message
    assert "expected a time before" in uk.rows(AlarmRow)[0].message
    assert uk.node.follow(CA, documents) == 3


def test_a_root_whose_time_is_over_raises_an_alarm_and_stops_nothing(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    clock = HandClock()
    with institutes(tmp_path, clock, new_database, UK, CA, policy=OPEN) as (uk, ca):
        root_signers = pin_root(uk, ca)
        clock.turn(366 * 86_400)
        assert uk.node.follow(CA, []) == 1
        assert [alarm.reason for alarm in uk.rows(AlarmRow)] == ["ROOT_EXPIRED"]
        record = ca.publish(card())
        uk.pull(ca)
        assert uk.rows(RecordRow)[0].record_id == record.record_id
        newer = Root.draft(
            ca.node.bundle, [k.key for k in root_signers.keys], 2, clock.time + timedelta(days=1), 2
        )
        assert uk.node.follow(CA, [root_signers.sign(newer).document]) == 2
        assert uk.rows(AlarmRow) == []


@pytest.mark.parametrize("fault", CHAIN_FAULTS)
def test_a_chain_that_does_not_hold_changes_nothing_and_raises_an_alarm(
    pair: list[Institute], fault: str
) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    documents = [
        r.document for r in bad_chains(root_signers, ca.node.bundle, uk.node.bundle)[fault]
    ]
    before = uk.rows(RootVersionRow), uk.rows(PeerRow), uk.node.find_bundle(CA)
    assert uk.node.follow(CA, documents) == 1
    assert (uk.rows(RootVersionRow), uk.rows(PeerRow), uk.node.find_bundle(CA)) == before
    [alarm] = uk.rows(AlarmRow)
    assert (alarm.institute, alarm.reason, alarm.count) == (CA, "ROOT_REFUSED", 1)


@pytest.mark.parametrize("document", [b"", b"{}", b"\xff", b" " * (MAX_ROOT_BYTES + 1)])
def test_what_is_no_root_changes_nothing_and_raises_an_alarm(
    pair: list[Institute], document: bytes
) -> None:
    uk, ca = pair
    pin_root(uk, ca)
    assert uk.node.follow(CA, [document]) == 1
    assert [alarm.reason for alarm in uk.rows(AlarmRow)] == ["ROOT_REFUSED"]


def test_an_authority_under_another_institute_name_is_not_followed(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    stolen = ca.node.bundle.model_copy(update={"spiffe": uk.node.bundle.spiffe})
    assert uk.node.follow(CA, [root_signers.sign(root_signers.draft(stolen, 2)).document]) == 1
    assert "expected a name of its own" in uk.rows(AlarmRow)[0].message


def test_a_peer_pinned_by_its_bundle_or_removed_is_not_followed(pair: list[Institute]) -> None:
    uk, ca = pair
    RootSigners().found(ca.node)
    assert uk.node.follow(CA, chain(ca, after=0)) == 0
    assert uk.rows(RootVersionRow) == []
    root_signers = RootSigners()
    uk.node.add_peer(root_signers.sign(root_signers.draft(ca.node.bundle)))
    uk.node.set_peer_status(CA, PeerStatus.REMOVED)
    assert (
        uk.node.follow(CA, [root_signers.sign(root_signers.draft(ca.node.bundle, 2)).document]) == 0
    )
    assert held(uk, CA) == 1


def test_pinning_a_bundle_over_a_root_ends_the_chain(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    uk.node.add_peer(ca.node.bundle, older=True)
    root_signers.rotate(ca.node, KeyUse.RECORD)
    assert uk.node.follow(CA, chain(ca)) == 0
    assert uk.node.find_bundle(CA) != ca.node.bundle
