"""Revocation: what a revoked key still speaks for, and what it takes with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comity.node.home.folder import Home
from comity.node.home.key_files import KeyUse
from comity.node.log.proofs import prove_inclusion
from comity.node.node import Node
from comity.node.trust.key_status import KeyState, note_id
from comity.record.errors import BadConfig, RevokedKey
from comity.record.record import Record
from comity.record.revocation import check_revocation
from tests.support.command_line import Run
from tests.support.drafts import card
from tests.support.network import make_home
from tests.support.node_keys import UK, keys, publish, rooted, states, step, with_proof
from tests.support.root_signers import RootSigners


def test_a_revoked_key_speaks_for_what_was_logged_before(
    node: Node, root_signers: RootSigners
) -> None:
    old = with_proof(node, publish(node, "old"))
    late = publish(node, "late")
    index = inclusion_index(node, old) + 1
    root_signers.rotate(node, KeyUse.RECORD)
    root_signers.revoke(node, KeyUse.RECORD, old.envelope.keyid, index)
    bundle = node.bundle
    found = check_revocation(old, bundle)
    assert found is not None
    assert found.index == index - 1
    with pytest.raises(RevokedKey, match="got no proof"):
        check_revocation(replace(old, inclusion=b""), bundle)
    with pytest.raises(RevokedKey, match=f"got index {index}"):
        check_revocation(with_proof(node, late), bundle)
    assert check_revocation(publish(node, "new"), bundle) is None


def inclusion_index(node: Node, record: Record) -> int:
    """Return a record's place in the log."""
    node.signer.sign()
    with node.store.read() as session:
        return prove_inclusion(session, record.record_id).index


def test_a_proof_of_another_record_or_log_shows_nothing(
    node: Node, root_signers: RootSigners, tmp_path: Path
) -> None:
    old, other = publish(node, "old"), with_proof(node, publish(node, "other"))
    keyring = node.keyring()
    root_signers.rotate(node, KeyUse.RECORD)
    root_signers.revoke(node, KeyUse.RECORD, old.envelope.keyid, 9)
    eve = Node(make_home(tmp_path / "eve", UK))
    try:
        # eve has stolen the record key, and keeps a log of her own
        with eve.store.write() as session:
            eve.intake.admit(session, [eve.examiner.examine(other, UK, keyring)])
        forged = with_proof(eve, other).inclusion
    finally:
        eve.close()
    for proof in (other.inclusion, forged, b"c2sp.org/tlog-proof@v1\n", b"\xff"):
        with pytest.raises(RevokedKey, match="expected a record that was logged before index 9"):
            check_revocation(replace(old, inclusion=proof), node.bundle)
    with pytest.raises(RevokedKey):
        check_revocation(replace(other, inclusion=forged), node.bundle)
    assert check_revocation(other, node.bundle)


def test_nothing_is_published_with_a_revoked_key(node: Node, root_signers: RootSigners) -> None:
    lost = node.key
    root_signers.rotate(node, KeyUse.RECORD)
    root_signers.revoke(node, KeyUse.RECORD, lost.key.keyid, 2)
    stolen = card("stolen").sign(node.home.node_id, lost)
    with pytest.raises(RevokedKey):
        node.publish(stolen)
    assert states(node, KeyUse.RECORD) == [KeyState.REVOKED, KeyState.CURRENT]


@pytest.mark.parametrize("use", [KeyUse.RECORD, KeyUse.LOG, KeyUse.WITNESS])
def test_a_revoked_key_never_comes_back(node: Node, root_signers: RootSigners, use: KeyUse) -> None:
    old = keys(node, use)[0].keyid
    root_signers.rotate(node, use)
    new = keys(node, use)[1].keyid
    root_signers.revoke(node, use, new)
    root_signers.renew(node)
    state_of = {key.keyid: key.state for key in keys(node, use)}
    assert state_of == {old: KeyState.CURRENT, new: KeyState.REVOKED}


@pytest.mark.parametrize("use", [KeyUse.RECORD, KeyUse.LOG, KeyUse.WITNESS, KeyUse.CA])
def test_the_last_key_of_a_sort_is_not_revoked(
    node: Node, root_signers: RootSigners, use: KeyUse
) -> None:
    [only] = keys(node, use)
    with pytest.raises(BadConfig, match=f"expected a {use} key here to take its place") as caught:
        root_signers.revoke(node, use, only.keyid)
    assert f"keys rotate {use}" in caught.value.hint
    assert states(node, use) == [KeyState.CURRENT]


def test_revoking_tells_which_records_it_takes_with_it(comity_node: Run, tmp_path: Path) -> None:
    run = rooted(comity_node)
    old = run("keys", "list", "--json").json[0]["keyid"]
    node = Node(Home(tmp_path / "uk"))
    for name in ("one", "two", "three"):
        publish(node, name)
    node.close()
    step(run, "keys", "rotate", "record")
    # leaf 0 is the root
    revoked = step(run, "keys", "revoke", old[:20], "--from-index", "2")
    assert "revoked from index 2" in revoked.out
    assert f"2 records that {old} signed" in revoked.err
    step(run, "root", "sign", "2.root.json", "--key", "alice.key", "--yes")
    published = step(run, "root", "publish", "2.root.json", "--json").json
    assert published["revokedRecords"] == [{"keyid": old, "records": 2}]
    assert "revoked from index 2" in run("keys", "list").out


def test_a_revocation_reaches_as_far_as_the_log_and_never_less_far_than_before(
    comity_node: Run,
) -> None:
    run = rooted(comity_node)
    old = run("keys", "list", "--json").json[0]["keyid"]
    step(run, "keys", "rotate", "record")
    assert (
        "expected 0 to 1, the log's size, got 2"
        in run("keys", "revoke", old, "--from-index", "2").err
    )
    assert "expected 0 to 1" in run("keys", "revoke", old, "--from-index", "-1").err
    step(run, "keys", "revoke", old, "--from-index", "0")
    # a draft that nobody has published can be put right
    assert "revoked from index 1" in step(run, "keys", "revoke", old).out
    step(run, "keys", "revoke", old, "--from-index", "0")
    step(run, "root", "sign", "2.root.json", "--key", "alice.key", "--yes")
    step(run, "root", "publish", "2.root.json")
    raised = run("keys", "revoke", old)
    assert "expected an index of at most 0" in raised.err
    assert run("keys", "revoke", "SHA256:nothing").code == 1
    log = run("keys", "list", "--json").json[2]["keyid"]
    assert "but for a record key" in run("keys", "revoke", log, "--from-index", "0").err


def test_a_note_key_is_named_by_its_name_and_id_whatever_its_base64_holds() -> None:
    key = "log.uk.aisi.example+c16aaba8+AbfC0neY8MRLeJzEtnnldDAPnukt0Rk1NzjxRqE9u+Jk"
    assert note_id(key) == "log.uk.aisi.example+c16aaba8"
