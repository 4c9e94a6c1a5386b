"""Pinning peers by root or bundle: what the operator compares, and when nothing has to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.node.database.alarms import raise_alarm
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.record.bundle import spoken
from comity.record.root import Root
from tests.support.command_line import Run, init
from tests.support.root_signers import RootSigners

UK, CA = "uk.aisi.example", "ca.aisi.example"


class Canada:
    """An institute next door, whose files lie in the operator's folder."""

    def __init__(self, folder: Path) -> None:
        self._node = Node(Home(folder / "ca"))
        self.root_signers = RootSigners()
        Path("bundle.json").write_bytes(self._node.bundle.to_json())
        Path("1.json").write_bytes(self.root_signers.found(self._node).document)

    def renew(self) -> None:
        """Publish another version and hand it over."""
        root = self.root_signers.renew(self._node)
        Path(f"{root.version}.json").write_bytes(root.document)

    def close(self) -> None:
        """Close the database."""
        self._node.close()


@pytest.fixture
def run(comity_node: Run) -> Run:
    assert init(comity_node).code == 0
    assert init(comity_node, CA, "ca", 7001).code == 0
    return comity_node


@pytest.fixture
def canada(run: Run, tmp_path: Path) -> Iterator[Canada]:
    canada = Canada(tmp_path)
    yield canada
    canada.close()


def test_a_root_is_pinned_by_its_digest(run: Run, canada: Canada) -> None:
    root = Root.parse(Path("1.json").read_bytes())
    other = spoken(root.profile.fingerprint)
    assert "expected fingerprint" in run("peers", "add", "1.json", "--fingerprint", other).err
    pinned = run("peers", "add", "1.json", "--fingerprint", spoken(root.digest), "--json")
    assert pinned.json["rootVersion"] == 1
    assert pinned.json["fingerprint"] == root.digest


def test_what_people_compare_is_shown_of_a_peer_by_its_name(run: Run, canada: Canada) -> None:
    bundle = run("peers", "add", "bundle.json", "--yes")
    profile = Root.parse(Path("1.json").read_bytes()).profile
    # how wide the column of names is does not matter
    shown = " ".join(bundle.out.split())
    assert f"bundle fingerprint {spoken(profile.fingerprint)}" in shown
    run("peers", "add", "1.json", "--yes")
    canada.renew()
    run("peers", "add", "2.json")
    digest = Root.parse(Path("2.json").read_bytes()).digest
    shown = " ".join(run("peers", "show", CA).out.split())
    assert f"root fingerprint {spoken(digest)}" in shown
    assert run("peers", "list", "--json").json[0]["fingerprint"] == digest
    asked = run("peers", "add", "1.json", "--older", answer="n\n")
    assert f"replaces     {spoken(digest)}" in asked.err


def test_who_pins_a_root_is_shown_what_and_asked(run: Run, canada: Canada) -> None:
    asked = run("peers", "add", "1.json", answer="n\n")
    assert asked.code == 1
    root = Root.parse(Path("1.json").read_bytes())
    assert spoken(root.digest) in asked.err
    assert "version 1, 2 of 2 keys sign" in asked.err
    assert run("peers", "list", "--json").json == []


def test_a_newer_root_is_followed_without_asking(run: Run, canada: Canada) -> None:
    run("peers", "add", "1.json", "--yes")
    canada.renew()
    followed = run("peers", "add", "2.json", "--json")
    assert followed.json["rootVersion"] == 2
    assert run("peers", "add", "2.json", "--json").json["rootVersion"] == 2
    assert "root version" in run("peers", "show", CA).out


def test_a_root_that_does_not_follow_is_asked_for_with_the_reason(run: Run, canada: Canada) -> None:
    run("peers", "add", "1.json", "--yes")
    canada.renew()
    canada.renew()
    skipped = run("peers", "add", "3.json", answer="n\n")
    assert skipped.code == 1
    assert "does not follow from version 1" in skipped.err
    assert "expected version 2, got 3" in skipped.err
    run("peers", "add", "2.json")
    run("peers", "add", "3.json")
    back = run("peers", "add", "1.json", "--older", answer="n\n")
    assert "does not follow from version 3" in back.err
    assert run("peers", "list", "--json").json[0]["rootVersion"] == 3


def test_a_new_chain_begins_where_the_operator_has_compared(run: Run, canada: Canada) -> None:
    run("peers", "add", "1.json", "--yes")
    anew = RootSigners()
    bundle = Root.parse(Path("1.json").read_bytes()).profile
    root = anew.sign(anew.draft(bundle))
    Path("anew.json").write_bytes(root.document)
    assert run("peers", "add", "anew.json", answer="n\n").code == 1
    pinned = run("peers", "add", "anew.json", "--fingerprint", root.digest, "--json")
    assert pinned.json["rootVersion"] == 1
    canada.renew()
    assert run("peers", "add", "2.json", answer="n\n").code == 1


def test_a_root_that_is_not_signed_or_over_is_not_pinned(run: Run, canada: Canada) -> None:
    bundle = Root.parse(Path("1.json").read_bytes()).profile
    root_signers = canada.root_signers
    for root, fault in (
        (root_signers.draft(bundle), "expected signatures of 2 of its own 2 keys, got 0"),
        (root_signers.sign(root_signers.draft(bundle, days=-1)), "expected a time before"),
    ):
        Path("bad.json").write_bytes(root.document)
        refused = run("peers", "add", "bad.json", "--fingerprint", root.digest)
        assert refused.code == 1
        assert fault in refused.err
    assert run("peers", "list", "--json").json == []


def test_a_bundle_is_pinned_as_ever_and_replaces_a_root_only_when_compared(
    run: Run, canada: Canada
) -> None:
    assert run("peers", "add", "bundle.json", "--yes", "--json").json["rootVersion"] == 0
    assert "pinned without a root" in run("peers", "show", CA).out
    run("peers", "add", "1.json", "--yes")
    asked = run("peers", "add", "bundle.json", "--older", answer="n\n")
    assert asked.code == 1
    assert "which nothing leads to" in asked.err
    assert run("peers", "list", "--json").json[0]["rootVersion"] == 1
    run("peers", "add", "bundle.json", "--yes", "--older")
    assert run("peers", "list", "--json").json[0]["rootVersion"] == 0


def test_an_alarm_about_a_peer_is_shown_until_it_is_pinned_anew(run: Run, canada: Canada) -> None:
    run("peers", "add", "1.json", "--yes")
    node = Node(Home(Path("uk")))
    with node.store.write() as session:
        raise_alarm(session, CA, "ROOT_REFUSED", "expected version 2, got 3", 1)
    node.close()
    assert f"alarm: ROOT_REFUSED: {CA}" in run("peers", "list").err
    assert "ROOT_REFUSED" in run("peers", "show", CA).out
    status = run("status")
    assert "expected version 2, got 3" in status.err
    canada.renew()
    assert run("peers", "add", "2.json", "--json").json["alarms"] == []
    assert run("status", "--json").json["alarms"] == []


@pytest.mark.parametrize("file", ["bundle.json", "1.json"])
def test_a_step_back_from_a_pinned_root_is_refused_even_with_yes(
    run: Run, canada: Canada, file: str
) -> None:
    canada.renew()
    assert run("peers", "add", "2.json", "--yes").code == 0
    ended = run("peers", "add", file, "--yes")
    assert ended.code == 1
    assert "this file is older: version 2 of its root is pinned" in ended.err
    assert run("peers", "show", CA, "--json").json["rootVersion"] == 2

    # the operator may want it, and reads what it costs
    ended = run("peers", "add", file, "--yes", "--older")
    assert ended.code == 0
    assert "warning: this file is older" in ended.err
    assert "replaces" in ended.err


def test_an_older_bundle_is_told_from_a_newer_one(run: Run) -> None:
    old = Path("old.json")
    old.write_text(run("--home", "ca", "bundle").out)
    assert run("--home", "ca", "keys", "rotate", "witness").code == 0
    Path("new.json").write_text(run("--home", "ca", "bundle").out)
    assert run("peers", "add", "old.json", "--yes").code == 0
    assert run("peers", "add", "new.json", "--yes").code == 0
    assert (
        "bundle number 2 is pinned, and this is number 1"
        in run("peers", "add", "old.json", "--yes").err
    )


def test_what_a_pin_replaces_is_shown_with_yes_and_with_a_fingerprint(
    run: Run, canada: Canada
) -> None:
    assert "fingerprint  " in run("peers", "add", "bundle.json", "--yes").err
    root = Root.parse(Path("1.json").read_bytes())
    ended = run("peers", "add", "1.json", "--fingerprint", root.digest)
    assert f"replaces     {spoken(root.profile.fingerprint)}" in ended.err


def test_a_suspended_peer_stays_suspended_when_it_is_pinned_again(run: Run, canada: Canada) -> None:
    assert run("peers", "add", "1.json", "--yes").code == 0
    assert run("peers", "suspend", CA).code == 0
    canada.renew()
    ended = run("peers", "add", "2.json")
    assert "stays suspended" in ended.err
    assert run("peers", "show", CA, "--json").json["status"] == "suspended"
    assert run("peers", "add", "2.json", "--status", "member", "--json").json["status"] == "member"
