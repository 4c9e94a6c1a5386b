"""Keys that live and die: listed, staged, in force, retired, revoked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from comity.node.home import Home
from comity.node.keychain import Sort, make_key
from comity.node.keys import KeyStatus, State, list_keys, note_id
from comity.node.node import Node
from comity.node.tlog.proofs import inclusion, newest_checkpoint
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, RevokedKey
from comity.record.note import Note
from comity.record.record import Record, open_record
from comity.record.revocation import check_revocation
from comity.record.root import Root
from tests.commanding import Ended, Run, init
from tests.holders import Holders
from tests.network import card, make_home

UK = "uk.aisi.example"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(make_home(tmp_path, UK))
    yield node
    node.close()


@pytest.fixture
def holders(node: Node) -> Holders:
    holders = Holders()
    holders.found(node)
    return holders


def publish(node: Node, name: str) -> Record:
    record = card(name).sign(node.home.node_id, node.key)
    node.publish(record)
    return record


def states(node: Node, sort: Sort) -> list[State]:
    return [key.state for key in list_keys(node) if key.sort == sort]


def keys(node: Node, sort: Sort) -> list[KeyStatus]:
    return [key for key in list_keys(node) if key.sort == sort]


def with_proof(node: Node, record: Record) -> Record:
    node.signer.sign()
    with node.store.read() as session:
        return replace(record, inclusion=inclusion(session, record.record_id).to_bytes())


# --- rotation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", [Sort.RECORD, Sort.LOG, Sort.WITNESS])
def test_a_new_key_is_staged_until_a_root_lists_it(
    node: Node, holders: Holders, sort: Sort
) -> None:
    before = node.bundle
    make_key(node.home.path, UK, sort)
    assert states(node, sort) == [State.CURRENT, State.STAGED]
    assert node.bundle == before
    holders.renew(node)
    after = states(node, sort)
    assert after[1] is State.CURRENT
    # a log or witness signs with all keys that are listed
    assert after[0] is (State.RETIRED if sort is Sort.RECORD else State.CURRENT)


def test_records_of_a_retired_key_stay_good_and_new_ones_have_the_new_key(
    node: Node, holders: Holders
) -> None:
    old = publish(node, "old")
    holders.rotate(node, Sort.RECORD)
    new = publish(node, "new")
    assert old.envelope.keyid != new.envelope.keyid
    keyring = node.keyring()
    for record in (old, new):
        open_record(record, keyring.find)
    assert [key.revoked_from for key in node.bundle.record_keys] == [None, None]


def test_another_process_uses_a_published_key_without_a_restart(
    node: Node, holders: Holders
) -> None:
    other = Node(Home(node.home.path))
    try:
        before = other.key.key.keyid
        holders.rotate(node, Sort.RECORD)
        assert other.key.key.keyid == node.key.key.keyid != before
        assert other.bundle == node.bundle
    finally:
        other.close()


def test_checkpoints_carry_every_log_key_that_is_listed(node: Node, holders: Holders) -> None:
    [old] = node.own.log_signers()
    holders.rotate(node, Sort.LOG)
    node.signer.sign()
    assert signers(node) == [str(s.verifier) for s in node.own.log_signers()]
    assert len(signers(node)) == 2
    holders.revoke(node, Sort.LOG, note_id(str(old.verifier)))
    node.signer.sign()
    assert signers(node) == [str(node.own.log_signers()[0].verifier)]
    assert states(node, Sort.LOG) == [State.CURRENT, State.REVOKED]


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
    listed = {key["state"] for key in run("keys", "list", "--json").json if key["sort"] == "ca"}
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


# --- revocation ----------------------------------------------------------------------------------


def test_a_revoked_key_speaks_for_what_was_logged_before(node: Node, holders: Holders) -> None:
    old = with_proof(node, publish(node, "old"))
    late = publish(node, "late")
    index = inclusion_index(node, old) + 1
    holders.rotate(node, Sort.RECORD)
    holders.revoke(node, Sort.RECORD, old.envelope.keyid, index)
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
        return inclusion(session, record.record_id).index


def test_a_proof_of_another_record_or_log_shows_nothing(
    node: Node, holders: Holders, tmp_path: Path
) -> None:
    old, other = publish(node, "old"), with_proof(node, publish(node, "other"))
    keyring = node.keyring()
    holders.rotate(node, Sort.RECORD)
    holders.revoke(node, Sort.RECORD, old.envelope.keyid, 9)
    eve = Node(make_home(tmp_path / "eve", UK))
    try:
        # eve has stolen the record key, and keeps a log of her own
        with eve.store.write() as session:
            eve.intake.admit(session, [eve.intake.examine(other, UK, keyring)])
        forged = with_proof(eve, other).inclusion
    finally:
        eve.close()
    for proof in (other.inclusion, forged, b"c2sp.org/tlog-proof@v1\n", b"\xff"):
        with pytest.raises(RevokedKey, match="expected a record that was logged before index 9"):
            check_revocation(replace(old, inclusion=proof), node.bundle)
    with pytest.raises(RevokedKey):
        check_revocation(replace(other, inclusion=forged), node.bundle)
    assert check_revocation(other, node.bundle)


def test_nothing_is_published_with_a_revoked_key(node: Node, holders: Holders) -> None:
    lost = node.key
    holders.rotate(node, Sort.RECORD)
    holders.revoke(node, Sort.RECORD, lost.key.keyid, 2)
    stolen = card("stolen").sign(node.home.node_id, lost)
    with pytest.raises(RevokedKey):
        node.publish(stolen)
    assert states(node, Sort.RECORD) == [State.REVOKED, State.CURRENT]


@pytest.mark.parametrize("sort", [Sort.RECORD, Sort.LOG, Sort.WITNESS, Sort.CA])
def test_the_last_key_of_a_sort_is_not_revoked(node: Node, holders: Holders, sort: Sort) -> None:
    [only] = keys(node, sort)
    with pytest.raises(BadConfig, match=f"expected a {sort} key here to take its place") as caught:
        holders.revoke(node, sort, only.keyid)
    assert f"keys rotate {sort}" in caught.value.hint
    assert states(node, sort) == [State.CURRENT]


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


def profile(run: Run) -> TrustBundle:
    """Return the bundle that the published root holds."""
    return Root.parse(run("bundle").out.encode()).profile
