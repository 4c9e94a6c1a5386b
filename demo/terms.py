"""What the sample institutes have agreed: policies, purposes, and where trust is limited.

Everyone pins everyone's keys. Everyone is a member to everyone else, with two exceptions, and an
institute is bound to the same purposes towards all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from demo.institutes import INSTITUTES

IDS: Final = tuple(institute.id for institute in INSTITUTES)

SAFETY_TESTING: Final = "safety-testing"
_TESTERS: Final = ("ca", "jp", "sg", "uk", "us")
_FOLDER: Final = Path(__file__).with_name("policies")
_PRESETS: Final = {"fr": "balanced"}
_OWN: Final = ("eu", "jp")

ROOTED: Final = "uk.aisi.example"
"""Has a root, which the others have pinned; of everyone else they have pinned the bundle."""

ROOT_VERSIONS: Final = 2
"""How often it is published: when it is founded, and when a key changes."""

STATUSES: Final = {
    ("kr.aisi.example", "au.aisi.example"): PeerStatus.PROBATION,
    ("au.aisi.example", "de.aisi.example"): PeerStatus.SUSPENDED,
    ("de.aisi.example", "au.aisi.example"): PeerStatus.SUSPENDED,
}
"""How the first sees the second, where not as a member."""


def status(at: str, of: str) -> PeerStatus:
    """Return how institute ``at`` sees institute ``of``."""
    return STATUSES.get((at, of), PeerStatus.MEMBER)


def witnesses(institute: str) -> frozenset[str]:
    """Return who pulls from an institute, and so witnesses its log."""
    suspended = PeerStatus.SUSPENDED
    return frozenset(
        peer
        for peer in IDS
        if peer != institute and suspended not in (status(peer, institute), status(institute, peer))
    )


def purposes(institute: str) -> tuple[str, ...]:
    """Return the purposes that an institute is bound to."""
    tester = institute.partition(".")[0] in _TESTERS
    return (SAFETY_TESTING,) if tester else ("policy-research",)


def policy_name(institute: str) -> str:
    """Return ``open``, ``balanced``, or the short name of an institute with its own policy."""
    short = institute.partition(".")[0]
    return short if short in _OWN else _PRESETS.get(short, "open")


def policy_text(institute: str) -> str:
    """Return the Cedar text of an institute's policy."""
    name = policy_name(institute)
    if name in _OWN:
        return (_FOLDER / f"{name}.cedar").read_text(encoding="utf-8")
    return load_preset(name)
