"""Keys that live: listed, staged, in force, retired."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from comity.node.home.folder import Home
from comity.node.home.key_files import KeyUse, make_key
from comity.node.log.proofs import newest_checkpoint
from comity.node.node import Node
from comity.node.trust.key_status import KeyState, note_id
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig
from comity.record.note import Note
from comity.record.record import open_record
from comity.record.root import Root
from tests.support.command_line import Run, init
from tests.support.node_keys import UK, publish, rooted, states, step
from tests.support.root_signers import RootSigners


@pytest.mark.parametrize("use", [KeyUse.RECORD, KeyUse.LOG, KeyUse.WITNESS])
def test_a_new_key_is_staged_until_a_root_lists_it(
    node: Node, root_signers: RootSigners, use: KeyUse
) -> None:
    before = node.bundle
    make_key(node.home.path, UK, use)
    assert states(node, use) == [KeyState.CURRENT, KeyState.STAGED]
    assert node.bundle == before
    root_signers.renew(node)
    after = states(node, use)
    assert after[1] is KeyState.CURRENT
    # a log or witness signs with all keys that are listed
    assert after[0] is (KeyState.RETIRED if use is KeyUse.RECORD else KeyState.CURRENT)


def test_records_of_a_retired_key_stay_good_and_new_ones_have_the_new_key(
    node: Node, root_signers: RootSigners
) -> None:
    old = publish(node, "old")
    root_signers.rotate(node, KeyUse.RECORD)
    new = publish(node, "new")
    assert old.envelope.keyid != new.envelope.keyid
    keyring = node.keyring()
    for record in (old, new):
        open_record(record, keyring.find)
    assert [key.revoked_from for key in node.bundle.record_keys] == [None, None]


def test_another_process_uses_a_published_key_without_a_restart(
    node: Node, root_signers: RootSigners
) -> None:
    other = Node(Home(node.home.path))
    try:
        before = other.key.key.keyid
        root_signers.rotate(node, KeyUse.RECORD)
        assert other.key.key.keyid == node.key.key.keyid != before
        assert other.bundle == node.bundle
    finally:
        other.close()


def test_checkpoints_carry_every_log_key_that_is_listed(
    node: Node, root_signers: RootSigners
) -> None:
    [old] = node.own.log_signers()
    root_signers.rotate(node, KeyUse.LOG)
    node.signer.sign()
    assert signers(node) == [str(s.verifier) for s in node.own.log_signers()]
    assert len(signers(node)) == 2
    root_signers.revoke(node, KeyUse.LOG, note_id(str(old.verifier)))
    node.signer.sign()
    assert signers(node) == [str(node.own.log_signers()[0].verifier)]
    assert states(node, KeyUse.LOG) == [KeyState.CURRENT, KeyState.REVOKED]


def signers(node: Node) -> list[str]:
    """Return the log keys that signed the newest checkpoint."""
    with node.store.read() as session:
        note = Note.parse(newest_checkpoint(session).note)
    known = {(s.verifier.name, s.verifier.keyid): str(s.verifier) for s in node.own.keychain.log}
    return [known[line.name, line.keyid] for line in note.signatures]


def test_a_new_authority_certifies_the_node_only_once_it_is_told_to(
    comity_node: Run, tmp_path: Path
) -> None:
    run = rooted(comity_node)
    home = Home(tmp_path / "uk")
    before = home.node_identity()
    assert step(run, "keys", "rotate", "ca").code == 0
    early = run("keys", "rotate", "ca", "--finish")
    assert "has to be published first" in early.err
    step(run, "root", "sign", "2.root.json", "--key", "alice.key", "--yes")
    step(run, "root", "publish", "2.root.json")
    assert home.node_identity() == before
    listed = {key["state"] for key in run("keys", "list", "--json").json if key["use"] == "ca"}
    assert listed == {"current", "staged"}
    old = str(run("keys", "list", "--json").json[3]["keyid"])
    assert "--finish" in run("keys", "revoke", old).err
    assert "grant" in step(run, "keys", "rotate", "ca", "--finish").err
    leaf = x509.load_pem_x509_certificate(home.node_identity()[0])
    leaf.verify_directly_issued_by(profile(run).authorities[1])
    assert run("grant", "analyst/ada").code == 0
    step(run, "keys", "revoke", old)
    step(run, "root", "sign", "3.root.json", "--key", "alice.key", "--yes")
    step(run, "root", "publish", "3.root.json")
    assert len(profile(run).authorities) == 1


def test_without_a_root_a_new_key_is_in_force_at_once_and_peers_are_to_be_told(
    comity_node: Run,
) -> None:
    assert init(comity_node).code == 0
    before = TrustBundle.from_json(comity_node("bundle").out.encode())
    rotated = comity_node("keys", "rotate", "record")
    assert "pin it by hand" in rotated.err
    after = TrustBundle.from_json(comity_node("bundle").out.encode())
    assert len(after.record_keys) == 2
    assert set(before.keys_by_id) < set(after.keys_by_id)
    found = [key["state"] for key in comity_node("keys", "list", "--json").json]
    assert found[:2] == ["retired", "current"]


def test_rotating_again_before_publishing_keeps_the_staged_key(comity_node: Run) -> None:
    run = rooted(comity_node)
    for _ in range(2):
        step(run, "keys", "rotate", "record")
    draft = Root.parse(Path("2.root.json").read_bytes())
    assert len(draft.profile.record_keys) == 2
    assert draft.profile.spiffe.spiffe_sequence == 2
    assert len(list(Path("uk/keys").glob("record*.key"))) == 2


@pytest.mark.parametrize("has_root", [False, True])
def test_a_key_whose_file_is_lost_gives_way_to_a_new_one(
    comity_node: Run, *, has_root: bool
) -> None:
    if has_root:
        rooted(comity_node)
    else:
        init(comity_node)
    Path("uk/keys/record.key").unlink()
    node = Node(Home(Path("uk")))
    with pytest.raises(BadConfig, match="no record key in force is here") as caught:
        node.own.check()
    node.close()
    assert "comity-node keys rotate record" in caught.value.hint
    step(comity_node, "keys", "rotate", "record")
    if has_root:
        step(comity_node, "root", "sign", "2.root.json", "--key", "alice.key", "--yes")
        step(comity_node, "root", "publish", "2.root.json")
    states_ = [k["state"] for k in comity_node("keys", "list", "--json").json]
    assert states_[: 1 + has_root] == ["retired", "current"][not has_root :]


def test_the_end_of_a_root_is_told_a_month_ahead(comity_node: Run) -> None:
    run = rooted(comity_node)
    assert "the root ends" not in run("status").err
    step(run, "root", "next", "--expires-days", "20")
    step(run, "root", "sign", "2.root.json", "--key", "alice.key", "--yes")
    step(run, "root", "publish", "2.root.json")
    assert "warning: the root ends" in run("status").err


def test_a_missing_sort_or_root_is_told(comity_node: Run) -> None:
    assert init(comity_node).code == 0
    assert comity_node("keys", "rotate", "nothing").code == 64
    keyid = comity_node("keys", "list", "--json").json[0]["keyid"]
    assert "has no root" in comity_node("keys", "revoke", keyid).err
    assert "need no finish" in comity_node("keys", "rotate", "log", "--finish").err


def test_a_verifier_key_is_told_by_name_and_id_whatever_its_base64_holds() -> None:
    assert (
        note_id("log.uk.aisi.example+13246643+AeD+CD77/BSR+z==") == "log.uk.aisi.example+13246643"
    )


def profile(run: Run) -> TrustBundle:
    """Return the bundle that the published root holds."""
    return Root.parse(run("bundle").out.encode()).profile
