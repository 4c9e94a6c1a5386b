"""Changes that may turn a decision, and the words for each.

A change is data. Applied to a situation it returns a new situation, which the real evaluator then
decides. Invariant: a change alters only the fact that it names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from comity.policies.evaluator import Policy
from comity.policies.facts import Action, PartFacts, PeerFacts, PeerStatus
from comity.policies.treaty import Treaty
from comity.record.handling import Tlp
from comity.record.kind import Kind


@dataclass(frozen=True, slots=True)
class Situation:
    """A question to a policy: may this peer have all of these parts?

    ``parts`` is one header, or a section followed by its header, without which it is not released.
    """

    policy: Policy
    peer: PeerFacts
    parts: tuple[PartFacts, ...]
    action: Action = Action.REPLICATE

    def is_released(self) -> bool:
        """True if the policy allows every part."""
        decisions = self.policy.decide_many(self.peer, self.parts, self.action)
        return all(decision.allowed for decision in decisions)


class What(StrEnum):
    """Kinds of change, in the order in which changes are proposed.

    Up to TREATY it is up to the peer and this institute's operator, from LISTED on to the issuer.
    """

    RECEIVED = "received"
    GIVEN = "given"
    STATUS = "status"
    DOMAINS = "domains"
    GROUP = "group"
    CLEARANCE = "clearance"
    PURPOSE = "purpose"
    TREATY = "treaty"
    LISTED = "listed"
    LABEL = "label"
    ONWARD = "onward"
    ANY_PURPOSE = "any-purpose"


COUNTED: Final = frozenset({What.RECEIVED, What.GIVEN})
"""Changes that have an amount, in records."""

BY_ISSUER: Final = frozenset({What.LISTED, What.LABEL, What.ONWARD, What.ANY_PURPOSE})

_PROPOSED: Final = "proposed"
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT_NOUNS: Final = {
    Kind.INCIDENT: ("incident report", "incident reports"),
    Kind.DATASET: ("data set", "data sets"),
    Kind.CRITERIA: ("set of criteria", "sets of criteria"),
    Kind.GUIDANCE: ("piece of guidance", "pieces of guidance"),
    Kind.WITHDRAWAL: ("notice of withdrawal", "notices of withdrawal"),
}
"""One record and several, of kinds whose own name is no noun that can be counted."""


@dataclass(frozen=True, slots=True)
class FactChange:
    """One change.

    ``name`` is a kind of record, a status, group, clearance or purpose, a TLP label, the institute
    to be listed, or the section of a treaty (empty for all sections), depending on ``what``. It is
    empty if the parts determine the change. ``amount`` is a number of records if ``what`` is one of
    COUNTED, and otherwise 1.
    """

    what: What
    name: str
    amount: int = 1

    def apply(self, situation: Situation) -> Situation:
        """Return the situation as it would be after the change."""
        if self.what is What.TREATY:
            return replace(situation, policy=_with_treaty(situation, self.name))
        if self.what in BY_ISSUER:
            parts = tuple(self._part(part) for part in situation.parts)
            return replace(situation, parts=parts)

        # all other changes are made to the peer
        if self.what is What.DOMAINS:
            clearances = situation.peer.clearances | domains(situation)
            return replace(situation, peer=replace(situation.peer, clearances=clearances))
        return replace(situation, peer=self._peer(situation.peer))

    def phrase(self, situation: Situation) -> str:
        """Return the change as the end of a sentence that begins with "would be released".

        "1 more" means one more as standing counts: a record about a subject, such as a model, that
        does not count yet, with enough disclosed text to count.
        """
        peer, issuer = situation.peer.institute, situation.parts[0].issuer
        count, kind = self._counted(), situation.parts[0].kind
        every = ", ".join(f'"{domain}"' for domain in sorted(domains(situation)))

        return {
            What.RECEIVED: f"after {count} from {peer}",
            What.GIVEN: f"after {count} given to {peer}",
            What.STATUS: f"once {peer} is a {self.name}",
            What.DOMAINS: f"once {peer} is cleared for all domains of the part: {every}",
            What.GROUP: f'once {peer} is in the group "{self.name}"',
            What.CLEARANCE: f'once {peer} is cleared for "{self.name}"',
            What.PURPOSE: f'once {peer} is bound to the purpose "{self.name}"',
            What.TREATY: f"under a treaty with {peer} on {_scope(kind, self.name)}",
            What.LISTED: f"if {issuer}, who issued it, listed {peer}",
            What.LABEL: f"if {issuer}, who issued it, labelled it TLP:{self.name}",
            What.ONWARD: f"if {issuer}, who issued it, let it be passed on",
            What.ANY_PURPOSE: f"if {issuer}, who issued it, allowed any purpose",
        }[self.what]

    def _counted(self) -> str:
        if self.what not in COUNTED:
            return ""
        one, many = _nouns(Kind(self.name))
        return f"{self.amount} more {one if self.amount == 1 else many}"

    def _peer(self, peer: PeerFacts) -> PeerFacts:
        added = frozenset({self.name})
        match self.what:
            case What.STATUS:
                return replace(peer, status=PeerStatus(self.name))
            case What.GROUP:
                return replace(peer, groups=peer.groups | added)
            case What.CLEARANCE:
                return replace(peer, clearances=peer.clearances | added)
            case What.PURPOSE:
                return replace(peer, purposes=peer.purposes | added)

        # what remains is counted: it changes the standing
        kind, standing = Kind(self.name), peer.standing
        match self.what:
            case What.RECEIVED:
                standing = standing.after_receiving(kind, self.amount)
            case _:
                standing = standing.after_giving(kind, self.amount)
        return replace(peer, standing=standing)

    def _part(self, part: PartFacts) -> PartFacts:
        match self.what:
            case What.LISTED:
                return replace(
                    part, releasable_to=(part.releasable_to or frozenset()) | {self.name}
                )
            case What.LABEL:
                # a part that is looser already stays as it is
                return replace(part, tlp=min(part.tlp, Tlp(self.name), key=_strictness))
            case What.ONWARD:
                return replace(part, onward=True)
            case _:
                return replace(part, purposes=frozenset())


def domains(situation: Situation) -> frozenset[str]:
    """Return the domains of all parts in question."""
    return frozenset[str]().union(*(part.domains for part in situation.parts))


def _with_treaty(situation: Situation, section: str) -> Policy:
    policy, party = situation.policy, situation.peer.institute
    sections = frozenset({section} if section else ())
    kinds = frozenset({situation.parts[0].kind})
    # an id that no treaty has: two of one id could not be linked together
    taken = {treaty.treaty_id for treaty in policy.treaties}
    treaty_id = next(i for n in range(len(taken) + 1) if (i := f"{_PROPOSED}-{n}") not in taken)
    treaty = Treaty(treaty_id, party, kinds, sections, _EVER)
    return policy.with_treaties([*policy.treaties, treaty])


def _nouns(kind: Kind) -> tuple[str, str]:
    """Return what one record and several records of a kind are called."""
    plain = kind.value.replace("-", " ")
    return _COUNT_NOUNS.get(kind, (plain, f"{plain}s"))


def _strictness(tlp: Tlp) -> int:
    return tlp.strictness


def _scope(kind: Kind, section: str) -> str:
    many = _nouns(kind)[1]
    return f"the section {section} of {many}" if section else many
