"""One institute's root: two people hold its offline keys, and sign what their operator prepares.

    <short>/root/alice.key, bob.key    the holders' keys; no node ever sees them
    <short>/root/1.root.json, …        the versions that both have signed

Invariant: every version is signed by both, and published as an operator would: at the home, beside
the running node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from comity.client.files import ROOT_SUFFIX
from comity.node.home.key_files import KeyUse, make_key
from comity.node.node import Node
from comity.node.trust.root_ceremony import (
    DEFAULT_ROOT_DAYS,
    RootRequest,
    prepare_first,
    prepare_next,
    publish_signed_root,
)
from comity.node.trust.root_changes import describe_changes
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.root import Root
from demo.network import Member
from demo.outcome import Outcome

HOLDERS: Final = ("alice", "bob")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A published change of the record key: what it changed, and the key that signs now."""

    root: Root
    changes: list[str]
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Followed:
    """What a peer's node has pinned, and the key under which it took the card that came after."""

    bundle: TrustBundle
    keyid: str


def found_root(member: Member) -> Root:
    """Make the holders' keys, and publish the first version of the root."""
    folder = _folder(member)
    folder.mkdir(mode=0o700)
    keys = [SigningKey.generate() for _ in HOLDERS]
    for holder, key in zip(HOLDERS, keys, strict=True):
        key.save(folder / f"{holder}.key")
    with closing(Node(member.open_home())) as node:
        public = [key.key for key in keys]
        return _publish(node, member, prepare_first(node, public, len(HOLDERS), DEFAULT_ROOT_DAYS))


def rotate_record_key(member: Member) -> Rotation:
    """Make a new record key, and publish the next version of the root, which lists it."""
    with closing(Node(member.open_home())) as node:
        before = node.own.root
        make_key(node.home.path, node.institute, KeyUse.RECORD)
        root = _publish(node, member, prepare_next(node, None, RootRequest()))
        return Rotation(root, describe_changes(before, root), node.key)


def compare_followed(rotation: Rotation, followed: Mapping[str, Followed]) -> Outcome:
    """Compare what peers have pinned with what was published, and who signed with the new key."""
    return Outcome.of(_faults(rotation, followed))


def _faults(rotation: Rotation, followed: Mapping[str, Followed]) -> Iterator[str]:
    profile, keyid = rotation.root.profile, rotation.key.key.keyid
    for peer, found in followed.items():
        fine = found.bundle.fingerprint == profile.fingerprint
        yield "" if fine else f"{peer} did not follow the root of {profile.institute}"
        fine = found.keyid == keyid
        yield "" if fine else f"{peer} took the last card under {found.keyid}, expected {keyid}"


def _publish(node: Node, member: Member, root: Root) -> Root:
    for holder in HOLDERS:
        root = root.sign(SigningKey.load(_folder(member) / f"{holder}.key"))
    (_folder(member) / f"{root.version}{ROOT_SUFFIX}").write_bytes(root.document)
    publish_signed_root(node, root)
    return root


def _folder(member: Member) -> Path:
    return member.home.with_name("root")
