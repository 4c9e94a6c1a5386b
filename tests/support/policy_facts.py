"""Peers, parts of records and policies over which tests of policies range."""

from __future__ import annotations

from hypothesis import strategies as st

from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus, Standing
from comity.policies.preset import load_preset, preset_names
from comity.record.handling import Tlp
from comity.record.kind import Kind

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"

PRESETS = {name: Policy.parse(load_preset(name)) for name in preset_names()}

HEAD = '@id("a") permit (principal, action, resource)'

PEER = PeerFacts(CA, PeerStatus.MEMBER)

CARD = PartFacts(
    kind=Kind.MODEL_CARD,
    issuer=UK,
    section="",
    tlp=Tlp.GREEN,
    releasable_to=None,
    onward=False,
    purposes=frozenset(),
    tags=frozenset(),
    domains=frozenset(),
    severity=0,
    own=True,
)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)

names = st.frozensets(st.sampled_from(["a", "b", "c"]) | words, max_size=3)

counts = st.dictionaries(st.sampled_from(Kind), st.integers(0, 2**53 - 1), max_size=3)

peers = st.builds(
    PeerFacts,
    institute=st.sampled_from([UK, CA, JP]),
    status=st.sampled_from(PeerStatus),
    groups=names,
    clearances=names,
    purposes=names,
    standing=st.builds(Standing, counts, counts, counts, counts),
)

parts = st.builds(
    PartFacts,
    kind=st.sampled_from(Kind),
    issuer=st.sampled_from([UK, CA, JP]),
    section=st.sampled_from(["", "?", "risks"]),
    tlp=st.sampled_from(Tlp),
    releasable_to=st.none() | st.frozensets(st.sampled_from([UK, CA, JP]), max_size=3),
    onward=st.booleans(),
    purposes=names,
    tags=names,
    domains=names,
    severity=st.integers(0, 4),
    own=st.booleans(),
    withdrawn=st.booleans(),
)


def handling_admits(peer: PeerFacts, part: PartFacts) -> bool:
    """Decide as the baseline does, in the words of the specification and not of its rules."""
    if peer.status not in (PeerStatus.MEMBER, PeerStatus.PROBATION) or part.withdrawn:
        return False
    if part.issuer == peer.institute or not (part.own or part.onward):
        return False
    if part.purposes and not part.purposes & peer.purposes:
        return False
    if part.releasable_to is not None and peer.institute not in part.releasable_to:
        return False

    # TLP 2.0: CLEAR for everyone, GREEN for the community, above that by list only
    if part.tlp is Tlp.CLEAR:
        return True
    if part.tlp is Tlp.GREEN:
        return peer.status is PeerStatus.MEMBER
    return part.releasable_to is not None
