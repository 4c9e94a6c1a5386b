"""Chains of root versions that must be refused."""

from __future__ import annotations

from comity.record.bundle import TrustBundle
from comity.record.root import Root
from tests.support.root_signers import RootSigners

CHAIN_FAULTS = [
    "another institute's",
    "by nobody",
    "by the new keys only",
    "by the old keys only",
    "by too few",
    "goes back",
    "has expired",
    "repeats",
    "skips a version",
    "skips the second step",
]
"""Faults of a chain that follows version 1; see ``bad_chains``."""


def bad_chains(signers: RootSigners, ca: TrustBundle, uk: TrustBundle) -> dict[str, list[Root]]:
    """Return by fault the versions after version 1 of a chain that must be refused."""
    others = RootSigners()
    good, strange = signers.sign(signers.draft(ca, 2)), others.draft(ca, 2)
    given_way = Root.draft(ca, [k.key for k in others.keys], 2, strange.expires, 2)

    return {
        "skips a version": [signers.sign(signers.draft(ca, 3))],
        "skips the second step": [good, signers.sign(signers.draft(ca, 4))],
        "goes back": [good, signers.sign(signers.draft(ca, 1))],
        "repeats": [good, good],
        "by the old keys only": [signers.sign(given_way)],
        "by the new keys only": [others.sign(strange)],
        "by too few": [signers.draft(ca, 2).sign(signers.keys[0])],
        "by nobody": [signers.draft(ca, 2)],
        "has expired": [signers.sign(signers.draft(ca, 2, days=-1))],
        "another institute's": [signers.sign(signers.draft(uk, 2))],
    }
