"""Versions of a root that are not published, and files that are not overwritten."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from comity.record.root import Root
from tests.support.command_line import Run, init
from tests.support.node_keys import log_leaves, sign_root

CA = "ca.aisi.example"


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
    sign_root(rooted, "ca.json", "alice", "bob")
    assert rooted("--home", "ca", "root", "publish", "ca.json").code == 0
    assert rooted("root", "publish", "ca.json").code == 1
    assert list(log_leaves()) == [Root.parse(Path("1.root.json").read_bytes()).digest]


def test_a_version_that_skips_is_not_published(rooted: Run) -> None:
    one = Root.parse(Path("1.root.json").read_bytes())
    three = Root.draft(one.profile, one.keys.values(), 2, one.expires, version=3)
    Path("3.root.json").write_bytes(three.document)
    sign_root(rooted, "3.root.json", "alice", "bob")
    refused = rooted("root", "publish", "3.root.json")
    assert refused.code == 1
    assert "expected version 2, got 3" in refused.err


def test_two_versions_of_one_number_are_not_both_published(rooted: Run) -> None:
    rooted("root", "next", "--expires-days", "30")
    sign_root(rooted, "2.root.json", "alice", "bob")
    Path("other.json").write_bytes(Path("2.root.json").read_bytes())
    rooted("root", "next", "--expires-days", "60")
    sign_root(rooted, "2.root.json", "alice", "bob")
    assert rooted("root", "publish", "other.json").code == 0
    assert "another version 2" in rooted("root", "publish", "2.root.json").err


def test_an_expired_version_is_not_published(rooted: Run) -> None:
    one = Root.parse(Path("1.root.json").read_bytes())
    late = one.expires.replace(year=2024)
    expired = Root.draft(one.profile, one.keys.values(), 2, late, version=2)
    Path("2.root.json").write_bytes(expired.document)
    sign_root(rooted, "2.root.json", "alice", "bob")
    refused = rooted("root", "publish", "2.root.json", "--json")
    assert json.loads(refused.err)["error"]["reason"] == "EXPIRED_ROOT"


def test_a_root_that_the_node_could_not_work_under_is_not_published(unrooted: Run) -> None:
    unrooted("root", "init", "alice.key.pub", "--threshold", "1")
    # made after the root was prepared, on a machine that then lost the first
    unrooted("keys", "rotate", "record", "--output", "other.json")
    Path("uk/keys/record.key").unlink()
    sign_root(unrooted, "1.root.json", "alice")
    refused = unrooted("root", "publish", "1.root.json")
    assert refused.code == 1
    assert "no record key in force is here" in refused.err


def test_a_key_is_never_overwritten(unrooted: Run) -> None:
    before = hashlib.sha256(Path("alice.key").read_bytes()).digest()
    again = unrooted("root", "key", "alice.key", "--no-passphrase")
    assert again.code == 1
    assert hashlib.sha256(Path("alice.key").read_bytes()).digest() == before


def test_what_is_not_there_is_told(unrooted: Run) -> None:
    assert "has no root" in unrooted("root", "show").err
    assert "root init prepares the first" in unrooted("root", "next").err
    assert (
        "expected 1 to 1, got 2"
        in unrooted("root", "init", "alice.key.pub", "--threshold", "2").err
    )
    days = unrooted("root", "init", "alice.key.pub", "--threshold", "1", "--expires-days", "0")
    assert "expected 1 to 3650 days, got 0" in days.err
    bad = unrooted("root", "init", "uk/comity.toml", "--threshold", "1")
    assert "expected a public key in PEM" in bad.err
