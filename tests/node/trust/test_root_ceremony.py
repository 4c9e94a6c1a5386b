"""The root's ceremony: what holders and operators type, read and are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlmodel import select

from comity.node.database.tables import LogEntryRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.record.bundle import spoken
from comity.record.keys import SigningKey
from comity.record.root import Root, first, follow
from tests.support.command_line import Run, init

UK, CA = "uk.aisi.example", "ca.aisi.example"


def make_key(run: Run, name: str) -> str:
    made = run("root", "key", f"{name}.key", "--no-passphrase", "--json")
    assert made.code == 0, made.err
    keyid: str = made.json["keyid"]
    return keyid


def sign(run: Run, file: str, *names: str) -> None:
    for name in names:
        done = run("root", "sign", file, "--key", f"{name}.key", "--yes")
        assert done.code == 0, done.err


def leaves(home: str = "uk") -> dict[str, bytes]:
    """Return the log's leaves by what they are of."""
    node = Node(Home(Path(home)))
    try:
        with node.store.read() as session:
            return dict(session.exec(select(LogEntryRow.record_id, LogEntryRow.leaf)).all())
    finally:
        node.close()


@pytest.fixture
def run(comity_node: Run) -> Run:
    """Return a runner in a folder with a home and three offline keys."""
    assert init(comity_node).code == 0
    for name in ("alice", "bob", "cyd"):
        make_key(comity_node, name)
    return comity_node


@pytest.fixture
def rooted(run: Run) -> Run:
    """Return a runner in a folder with a home whose root alice and bob have signed."""
    assert run("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2").code == 0
    sign(run, "1.root.json", "alice", "bob")
    assert run("root", "publish", "1.root.json").code == 0
    return run


def test_two_holders_sign_and_the_node_publishes(run: Run) -> None:
    made = run("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2")
    assert "1.root.json: version 1" in made.out
    assert "comity-node root sign 1.root.json" in made.err
    sign(run, "1.root.json", "alice")
    early = run("root", "publish", "1.root.json")
    assert early.code == 1
    assert "expected signatures of 2 of its own 2 keys, got 1" in early.err
    again = run("root", "sign", "1.root.json", "--key", "alice.key", "--yes")
    assert "Next:" not in again.err
    signed = run("root", "sign", "1.root.json", "--key", "bob.key", "--yes")
    assert "Next: comity-node root publish 1.root.json" in signed.err
    published = run("root", "publish", "1.root.json", "--json").json
    assert (published["version"], published["published"]) == (1, True)
    root = first(Root.parse(Path("1.root.json").read_bytes()))
    assert published["digest"] == root.digest


def test_a_signed_file_can_be_read_by_those_who_could_before(run: Run) -> None:
    run("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2")
    Path("1.root.json").chmod(0o644)
    sign(run, "1.root.json", "alice")
    assert Path("1.root.json").stat().st_mode & 0o777 == 0o644


def test_a_published_root_is_a_leaf_of_the_log(rooted: Run) -> None:
    root = Root.parse(Path("1.root.json").read_bytes())
    assert leaves() == {root.digest: root.leaf()}
    again = rooted("root", "publish", "1.root.json")
    assert "was published before" in again.out
    assert len(leaves()) == 1
    assert rooted("status", "--json").json["logSize"] == 1


def test_bundle_gives_out_the_root_once_there_is_one(rooted: Run) -> None:
    given = rooted("bundle")
    root = Root.parse(given.out.encode())
    assert given.out.encode() == Path("1.root.json").read_bytes()
    assert spoken(root.digest) in given.err
    status = rooted("status", "--json").json
    assert (status["fingerprint"], status["rootVersion"]) == (root.digest, 1)


def test_who_signs_reads_what_changes_and_is_asked(rooted: Run) -> None:
    rooted("root", "next", "--add-key", "cyd.key.pub", "--threshold", "3")
    before = Path("2.root.json").read_bytes()
    asked = rooted("root", "sign", "2.root.json", "--key", "alice.key", answer="n\n")
    assert asked.code == 1
    assert "threshold: 2 -> 3" in asked.err
    assert "+ root key SHA256:" in asked.err
    assert "Sign version 2 as SHA256:" in asked.err
    assert Path("2.root.json").read_bytes() == before
    signed = rooted("root", "sign", "2.root.json", "--key", "alice.key", answer="y\n")
    assert "signed by 1 of 3 of its own keys, 1 of 2 of version 1's" in signed.out


def test_signing_needs_neither_a_home_nor_the_version_before(
    rooted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooted("root", "next")
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    for name in ("2.root.json", "alice.key"):
        (elsewhere / name).write_bytes(Path(name).read_bytes())
    (elsewhere / "alice.key").chmod(0o600)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("COMITY_HOME", str(elsewhere / "nowhere"))
    signed = rooted("root", "sign", "2.root.json", "--key", "alice.key", "--yes")
    assert signed.code == 0
    assert "name the version before with --before" in signed.err
    told = rooted(
        *("root", "sign", "2.root.json", "--key", "alice.key", "--yes"),
        *("--before", "../1.root.json"),
    )
    assert "1 of 2 of version 1's" in told.out


def test_a_key_with_a_passphrase_signs_only_with_it(run: Run) -> None:
    made = run("root", "key", "dan.key", answer="correct horse\n")
    assert made.code == 0, made.err
    assert b"ENCRYPTED" in Path("dan.key").read_bytes()
    assert Path("dan.key").stat().st_mode & 0o777 == 0o600
    run("root", "init", "dan.key.pub", "--threshold", "1")
    wrong = run("root", "sign", "1.root.json", "--key", "dan.key", "--yes", answer="battery\n")
    assert wrong.code == 1
    assert "passphrase" in wrong.err
    right = run(
        "root", "sign", "1.root.json", "--key", "dan.key", "--yes", answer="correct horse\n"
    )
    assert right.code == 0, right.err
    first(Root.parse(Path("1.root.json").read_bytes()))


def test_holders_give_way_to_others(rooted: Run) -> None:
    alice = SigningKey.load(Path("alice.key")).key.keyid
    changed = rooted("root", "next", "--add-key", "cyd.key.pub", "--remove-key", alice)
    assert f"- root key {alice}" in changed.out
    sign(rooted, "2.root.json", "bob", "cyd")
    early = rooted("root", "publish", "2.root.json")
    assert "expected signatures of 2 of version 1's 2 keys, got 1" in early.err
    sign(rooted, "2.root.json", "alice")
    assert rooted("root", "publish", "2.root.json").code == 0
    one, two = (Root.parse(Path(f"{n}.root.json").read_bytes()) for n in (1, 2))
    follow(one, two)
    sign(rooted, "2.root.json", "alice")
    rooted("root", "next")
    sign(rooted, "3.root.json", "bob", "cyd")
    assert rooted("root", "publish", "3.root.json").code == 0


def test_preparing_again_amends_the_file_and_drops_its_signatures(rooted: Run) -> None:
    rooted("root", "next", "--add-key", "cyd.key.pub")
    sign(rooted, "2.root.json", "alice")
    rooted("root", "next", "--threshold", "1")
    draft = Root.parse(Path("2.root.json").read_bytes())
    assert (len(draft.keys), draft.threshold, draft.signers(draft)) == (3, 1, [])


def test_a_file_that_is_no_draft_of_the_next_version_is_not_overwritten(rooted: Run) -> None:
    for content in (b"minutes of the meeting", Path("1.root.json").read_bytes()):
        Path("2.root.json").write_bytes(content)
        refused = rooted("root", "next")
        assert refused.code == 1
        assert "not overwritten" in refused.err
        assert Path("2.root.json").read_bytes() == content


def test_another_institute_root_is_not_published(rooted: Run) -> None:
    init(rooted, CA, "ca")
    rooted(
        *("--home", "ca", "root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2"),
        *("--output", "ca.json"),
    )
    sign(rooted, "ca.json", "alice", "bob")
    assert rooted("--home", "ca", "root", "publish", "ca.json").code == 0
    assert rooted("root", "publish", "ca.json").code == 1
    assert list(leaves()) == [Root.parse(Path("1.root.json").read_bytes()).digest]


def test_a_version_that_skips_is_not_published(rooted: Run) -> None:
    one = Root.parse(Path("1.root.json").read_bytes())
    three = Root.draft(one.profile, one.keys.values(), 2, one.expires, version=3)
    Path("3.root.json").write_bytes(three.document)
    sign(rooted, "3.root.json", "alice", "bob")
    refused = rooted("root", "publish", "3.root.json")
    assert refused.code == 1
    assert "expected version 2, got 3" in refused.err


def test_two_versions_of_one_number_are_not_both_published(rooted: Run) -> None:
    rooted("root", "next", "--expires-days", "30")
    sign(rooted, "2.root.json", "alice", "bob")
    Path("other.json").write_bytes(Path("2.root.json").read_bytes())
    rooted("root", "next", "--expires-days", "60")
    sign(rooted, "2.root.json", "alice", "bob")
    assert rooted("root", "publish", "other.json").code == 0
    assert "another version 2" in rooted("root", "publish", "2.root.json").err


def test_an_expired_version_is_not_published(rooted: Run) -> None:
    one = Root.parse(Path("1.root.json").read_bytes())
    late = one.expires.replace(year=2024)
    expired = Root.draft(one.profile, one.keys.values(), 2, late, version=2)
    Path("2.root.json").write_bytes(expired.document)
    sign(rooted, "2.root.json", "alice", "bob")
    refused = rooted("root", "publish", "2.root.json", "--json")
    assert json.loads(refused.err)["error"]["reason"] == "EXPIRED_ROOT"


def test_a_root_that_the_node_could_not_work_under_is_not_published(run: Run) -> None:
    run("root", "init", "alice.key.pub", "--threshold", "1")
    # made after the root was prepared, on a machine that then lost the first
    run("keys", "rotate", "record", "--output", "other.json")
    Path("uk/keys/record.key").unlink()
    sign(run, "1.root.json", "alice")
    refused = run("root", "publish", "1.root.json")
    assert refused.code == 1
    assert "no record key in force is here" in refused.err


def test_a_key_is_never_overwritten(run: Run) -> None:
    before = hashlib.sha256(Path("alice.key").read_bytes()).digest()
    again = run("root", "key", "alice.key", "--no-passphrase")
    assert again.code == 1
    assert hashlib.sha256(Path("alice.key").read_bytes()).digest() == before


def test_a_stranger_is_told_before_signing(run: Run) -> None:
    run("root", "init", "alice.key.pub", "--threshold", "1")
    refused = run("root", "sign", "1.root.json", "--key", "bob.key", "--yes")
    assert "expected a key of version 1" in refused.err


def test_what_is_not_there_is_told(run: Run) -> None:
    assert "has no root" in run("root", "show").err
    assert "root init prepares the first" in run("root", "next").err
    assert "expected 1 to 1, got 2" in run("root", "init", "alice.key.pub", "--threshold", "2").err
    days = run("root", "init", "alice.key.pub", "--threshold", "1", "--expires-days", "0")
    assert "expected 1 to 3650 days, got 0" in days.err
    bad = run("root", "init", "uk/comity.toml", "--threshold", "1")
    assert "expected a public key in PEM" in bad.err


def test_show_tells_fingerprint_expiry_and_changes(rooted: Run) -> None:
    root = Root.parse(Path("1.root.json").read_bytes())
    shown = rooted("root", "show")
    assert spoken(root.digest) in shown.out
    assert f"institute: {UK}" in shown.out
    rooted("root", "next", "--threshold", "1")
    assert rooted("root", "show", "2.root.json", "--json").json["changes"][0] == "threshold: 2 -> 1"
