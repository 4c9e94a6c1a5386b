"""The root's ceremony: what holders and operators type, read and are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.record.bundle import spoken
from comity.record.keys import SigningKey
from comity.record.root import Root, first, follow
from tests.support.command_line import Run
from tests.support.node_keys import log_leaves, sign_root

UK = "uk.aisi.example"


def test_two_holders_sign_and_the_node_publishes(unrooted: Run) -> None:
    made = unrooted("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2")
    assert "1.root.json: version 1" in made.out
    assert "comity-node root sign 1.root.json" in made.err
    sign_root(unrooted, "1.root.json", "alice")
    early = unrooted("root", "publish", "1.root.json")
    assert early.code == 1
    assert "expected signatures of 2 of its own 2 keys, got 1" in early.err
    again = unrooted("root", "sign", "1.root.json", "--key", "alice.key", "--yes")
    assert "Next:" not in again.err
    signed = unrooted("root", "sign", "1.root.json", "--key", "bob.key", "--yes")
    assert "Next: comity-node root publish 1.root.json" in signed.err
    published = unrooted("root", "publish", "1.root.json", "--json").json
    assert (published["version"], published["published"]) == (1, True)
    root = first(Root.parse(Path("1.root.json").read_bytes()))
    assert published["digest"] == root.digest


def test_a_signed_file_can_be_read_by_those_who_could_before(unrooted: Run) -> None:
    unrooted("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2")
    Path("1.root.json").chmod(0o644)
    sign_root(unrooted, "1.root.json", "alice")
    assert Path("1.root.json").stat().st_mode & 0o777 == 0o644


def test_a_published_root_is_a_leaf_of_the_log(rooted: Run) -> None:
    root = Root.parse(Path("1.root.json").read_bytes())
    assert log_leaves() == {root.digest: root.leaf()}
    again = rooted("root", "publish", "1.root.json")
    assert "was published before" in again.out
    assert len(log_leaves()) == 1
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


def test_a_key_is_unencrypted_only_where_that_is_said(unrooted: Run) -> None:
    for answer in ("", "\n"):
        ended = unrooted("root", "key", "dan.key", answer=answer)
        assert ended.code == 1
        assert "expected a passphrase, got none; nothing was made" in ended.err
        assert "--no-passphrase" in ended.err
        assert not Path("dan.key").exists()
    assert unrooted("root", "key", "dan.key", "--no-passphrase").code == 0


def test_a_key_with_a_passphrase_signs_only_with_it(unrooted: Run) -> None:
    made = unrooted("root", "key", "dan.key", answer="correct horse\n")
    assert made.code == 0, made.err
    assert b"ENCRYPTED" in Path("dan.key").read_bytes()
    assert Path("dan.key").stat().st_mode & 0o777 == 0o600
    unrooted("root", "init", "dan.key.pub", "--threshold", "1")
    wrong = unrooted("root", "sign", "1.root.json", "--key", "dan.key", "--yes", answer="battery\n")
    assert wrong.code == 1
    assert "passphrase" in wrong.err
    right = unrooted(
        "root", "sign", "1.root.json", "--key", "dan.key", "--yes", answer="correct horse\n"
    )
    assert right.code == 0, right.err
    first(Root.parse(Path("1.root.json").read_bytes()))


def test_holders_give_way_to_others(rooted: Run) -> None:
    alice = SigningKey.load(Path("alice.key")).key.keyid
    changed = rooted("root", "next", "--add-key", "cyd.key.pub", "--remove-key", alice)
    assert f"- root key {alice}" in changed.out
    sign_root(rooted, "2.root.json", "bob", "cyd")
    early = rooted("root", "publish", "2.root.json")
    assert "expected signatures of 2 of version 1's 2 keys, got 1" in early.err
    sign_root(rooted, "2.root.json", "alice")
    assert rooted("root", "publish", "2.root.json").code == 0
    one, two = (Root.parse(Path(f"{n}.root.json").read_bytes()) for n in (1, 2))
    follow(one, two)
    sign_root(rooted, "2.root.json", "alice")
    rooted("root", "next")
    sign_root(rooted, "3.root.json", "bob", "cyd")
    assert rooted("root", "publish", "3.root.json").code == 0


def test_preparing_again_amends_the_file_and_drops_its_signatures(rooted: Run) -> None:
    rooted("root", "next", "--add-key", "cyd.key.pub")
    sign_root(rooted, "2.root.json", "alice")
    rooted("root", "next", "--threshold", "1")
    draft = Root.parse(Path("2.root.json").read_bytes())
    assert (len(draft.keys), draft.threshold, draft.signers(draft)) == (3, 1, [])


def test_a_stranger_is_told_before_signing(unrooted: Run) -> None:
    unrooted("root", "init", "alice.key.pub", "--threshold", "1")
    refused = unrooted("root", "sign", "1.root.json", "--key", "bob.key", "--yes")
    assert "expected a key of version 1" in refused.err


def test_show_tells_fingerprint_expiry_and_changes(rooted: Run) -> None:
    root = Root.parse(Path("1.root.json").read_bytes())
    shown = rooted("root", "show")
    assert spoken(root.digest) in shown.out
    assert f"institute: {UK}" in shown.out
    rooted("root", "next", "--threshold", "1")
    assert rooted("root", "show", "2.root.json", "--json").json["changes"][0] == "threshold: 2 -> 1"
