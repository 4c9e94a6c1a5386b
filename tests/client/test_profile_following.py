"""Profiles that follow their institute's root: people keep working while keys change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from comity.client import connect
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.node.home.key_files import KeyUse
from comity.record.errors import BadBundle, BadConfig, BadRoot
from comity.record.spiffe import Role
from tests.support.bad_root_chains import CHAIN_FAULTS, bad_chains
from tests.support.drafts import card
from tests.support.network import Running, make_home, run, serving
from tests.support.root_signers import RootSigners

UK, CA = "uk.aisi.example", "ca.aisi.example"


def granted(running: Running, name: str = "ada") -> Profile:
    """Return a profile as ``comity-node grant`` makes it."""
    node = running.node
    return node.home.grant(Role.ANALYST, name, node.own.root or node.bundle)


def test_a_profile_goes_on_working_when_the_record_key_is_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))

    async def story() -> None:
        async with serving(make_home(tmp_path, UK)) as running:
            root_signers = RootSigners()
            await asyncio.to_thread(root_signers.found, running.node)
            ProfileStore().login(granted(running))
            for _ in range(2):
                await asyncio.to_thread(root_signers.rotate, running.node, KeyUse.RECORD)
            record = running.sign(card())
            await asyncio.to_thread(running.node.publish, record)
            async with connect() as node:
                assert (await node.get(record.record_id)).record_id == record.record_id
                assert node.profile.root == running.node.own.root
            kept = ProfileStore().open()
            assert kept.root is not None
            assert kept.root.version == 3
            assert kept.bundle == running.node.bundle

    run(story())


def test_a_profile_without_a_root_does_not_take_other_keys_on_the_nodes_word(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with serving(make_home(tmp_path, UK)) as running:
            profile = granted(running)
            root_signers = RootSigners()
            await asyncio.to_thread(root_signers.found, running.node)
            await asyncio.to_thread(root_signers.rotate, running.node, KeyUse.RECORD)
            with pytest.raises(BadBundle) as caught:
                async with connect(profile):
                    pass
            assert "ask its operator for a new profile" in caught.value.hint

    run(story())


@pytest.mark.parametrize("fault", [fault for fault in CHAIN_FAULTS if fault != "has expired"])
def test_a_profile_follows_no_chain_that_does_not_hold(tmp_path: Path, fault: str) -> None:
    home, other = make_home(tmp_path, CA), make_home(tmp_path, UK)
    root_signers = RootSigners()
    root = root_signers.sign(root_signers.draft(home.bundle()))
    profile = home.grant(Role.ANALYST, "ada", root)
    documents = [r.document for r in bad_chains(root_signers, home.bundle(), other.bundle())[fault]]
    with pytest.raises(BadRoot):
        profile.follow(documents)


def test_a_profile_keeps_its_root_in_its_file(tmp_path: Path) -> None:
    home, root_signers = make_home(tmp_path, CA), RootSigners()
    profile = home.grant(
        Role.AUDITOR, "grace", root_signers.sign(root_signers.draft(home.bundle()))
    )
    profile.save(tmp_path / "grace.json")
    assert Profile.load(tmp_path / "grace.json") == profile


def test_a_profile_whose_root_nobody_signed_is_refused(tmp_path: Path) -> None:
    home, root_signers = make_home(tmp_path, CA), RootSigners()
    profile = home.grant(Role.AUDITOR, "grace", root_signers.draft(home.bundle()))
    profile.save(tmp_path / "grace.json")
    with pytest.raises(BadConfig, match=r"grace\.json"):
        Profile.load(tmp_path / "grace.json")
