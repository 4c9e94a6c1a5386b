"""The network on this machine: a home for each institute, below ``.demo/``.

    network.json              process ids
    <short>/home/             the node's home: settings, keys, SQLite file
    <short>/node.log          what the node said
    uk/root/                  the holders' keys and the versions of the root, see ``ceremony``
    profiles/<short>-<role>.json
    audit/                    what the auditor exported

Invariant: homes are made and introduced as their operators would, with nothing shared but bundles
and a root.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from comity.node.home.folder import Home
from comity.node.home.new_home import create_home
from comity.node.home.settings import SETTINGS_FILE
from comity.node.node import Node
from comity.node.trust.peers import AgreedTerms, change_peer
from comity.node.trust.pins import Pin, bundle_of_pin, pin_peer
from comity.policies.facts import PeerStatus
from comity.record.bundle import TrustBundle
from comity.record.spiffe import Role
from demo import terms
from demo.institutes import INSTITUTES, Institute

FOLDER: Final = Path(".demo")
PEOPLE: Final = {Role.OPERATOR: "olga", Role.ANALYST: "ada", Role.AUDITOR: "noor"}
_RETRY: Final = ("retry_max_seconds = 60", "retry_max_seconds = 2")
"""All nodes start together: whoever finds a peer not yet up should not wait for long."""


@dataclass(frozen=True, slots=True)
class Member:
    """One institute's place on this machine."""

    institute: Institute
    folder: Path
    address: str

    @property
    def home(self) -> Path:
        """Folder of the node's home."""
        return self.folder / self.institute.short / "home"

    @property
    def log(self) -> Path:
        """File that the node's output goes to."""
        return self.folder / self.institute.short / "node.log"

    def open_home(self) -> Home:
        """Return the node's home."""
        return Home(self.home)

    def profile(self, role: Role) -> Path:
        """File of a person's profile."""
        return self.folder / "profiles" / f"{self.institute.short}-{role}.json"


def make_members(folder: Path) -> list[Member]:
    """Choose an address for each institute: free ports of the loopback interface."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in INSTITUTES]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    return [
        Member(institute, folder, f"127.0.0.1:{port}")
        for institute, port in zip(INSTITUTES, ports, strict=True)
    ]


def make_home(member: Member) -> None:
    """Make a home with keys, and a profile for each of the institute's people."""
    member.home.parent.mkdir(mode=0o700)
    member.profile(Role.OPERATOR).parent.mkdir(mode=0o700, exist_ok=True)
    create_home(
        member.home,
        institute=member.institute.id,
        names=member.institute.names,
        address=member.address,
        listen=member.address,
    )
    settings = member.home / SETTINGS_FILE
    settings.write_text(settings.read_text().replace(*_RETRY))
    grant_profiles(member)


def grant_profiles(member: Member, bundle: TrustBundle | None = None) -> None:
    """Make a profile for each of the institute's people, in place of one that was there.

    ``bundle`` is the institute's, by default that of a home without a root.
    """
    for role, name in PEOPLE.items():
        member.profile(role).unlink(missing_ok=True)
        member.open_home().grant(role, name, bundle).save(member.profile(role))


def introduce(member: Member, pins: Sequence[Pin]) -> Node:
    """Set a node's policy and pin the others' bundles or roots, on the terms that were agreed.

    Returns the opened node, for the caller to publish with, and to close.
    """
    node = Node(member.open_home())
    node.set_policy(terms.policy_text(node.institute))
    with node.store.write() as session:
        for pin in pins:
            own, peer = node.institute, bundle_of_pin(pin).institute
            if peer != own:
                bound, member_ = AgreedTerms(terms.purposes(peer)), PeerStatus.MEMBER
                now = node.clock()
                pin_peer(session, pin, now, own_institute=own, status=member_, terms=bound)
                change_peer(session, peer, terms.status(own, peer), AgreedTerms())
    return node
