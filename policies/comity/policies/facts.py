"""What a decision is made from: facts about a peer and about a part of a record.

Invariants: facts are pure data and compare by value; a part's facts hold everything that a policy
can see of it and nothing that is its own alone (no title, no id, no time), so that parts with equal
facts, one handling class, share one decision. Embargo is a time and therefore not here: a part
under embargo is not put to the policy at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from comity.record import ijson
from comity.record.content import Kind
from comity.record.errors import InvalidInput
from comity.record.handling import Tlp
from comity.record.models import Flag, Integer, describe

JSON_CONFIG: Final = ConfigDict(
    alias_generator=to_camel, extra="forbid", validate_by_name=False, validate_by_alias=True
)
"""How facts and treaties are spelt in JSON: as camelCase and not otherwise."""


class PeerStatus(StrEnum):
    """Where an institute stands with this one."""

    PROBATION = "probation"
    MEMBER = "member"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class Action(StrEnum):
    """What would be done with the part.

    REPLICATE appends it to the peer's queue, QUERY answers a peer's search with it, RECALL tells
    the peer that it has been withdrawn.
    """

    REPLICATE = "replicate"
    QUERY = "query"
    RECALL = "recall"


Counts = Mapping[Kind, Annotated[Integer, Field(ge=0, le=2**53 - 1)]]
"""Records by kind; a kind that is missing counts 0."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What this node knows of a peer's reciprocity, in records (not sections) by kind.

    ``received`` counts what the peer issued itself and gave us, ``given`` what we issued ourselves
    and gave the peer: a record that is relayed counts for who issued it alone. ``credit`` is
    what the peer's records of other kinds are worth towards a kind, see ``earned``; ``rejected`` is
    what the peer sent and intake refused. All four count within the operator's window;
    ``received_ever`` and ``given_ever`` count since the beginning, and a kind that counts more in
    the window counts that much here too. ``weights`` is what ``credit`` was weighted with.
    """

    __pydantic_config__ = JSON_CONFIG

    received: Counts = field(default_factory=dict)
    given: Counts = field(default_factory=dict)
    credit: Counts = field(default_factory=dict)
    rejected: Counts = field(default_factory=dict)
    received_ever: Counts = field(default_factory=dict)
    given_ever: Counts = field(default_factory=dict)
    weights: Counts = field(default_factory=dict)

    def after_giving(self, kind: Kind, n: int = 1) -> Standing:
        """Return the standing as it will be once ``n`` more records of that kind are given."""
        ever = self.ever(self.given, self.given_ever)
        return replace(self, given=_added(self.given, kind, n), given_ever=_added(ever, kind, n))

    def after_receiving(self, kind: Kind, n: int = 1) -> Standing:
        """Return the standing as it will be once ``n`` more of that kind are received."""
        ever = self.ever(self.received, self.received_ever)
        worth = earned({kind: n}, self.weights)
        return replace(
            self,
            received=_added(self.received, kind, n),
            received_ever=_added(ever, kind, n),
            credit={other: self.credit.get(other, 0) + worth[other] for other in Kind},
        )

    @staticmethod
    def ever(within: Counts, since_ever: Counts) -> Counts:
        """Return the counts since the beginning, which are never below those in the window."""
        return {k: max(within.get(k, 0), since_ever.get(k, 0)) for k in {*within, *since_ever}}


def earned(received: Counts, weights: Counts) -> Counts:
    """Return the credit for each kind: the weighted sum of what was received of all others.

    A weight is what one record of its kind is worth towards every other kind; none is worth 0.
    """
    worth = {kind: weights.get(kind, 0) * count for kind, count in received.items()}
    total = sum(worth.values())
    return {kind: total - worth.get(kind, 0) for kind in Kind}


def _added(counts: Counts, kind: Kind, n: int) -> Counts:
    return {**counts, kind: counts.get(kind, 0) + n}


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """A peer as a policy sees it.

    ``groups`` and ``clearances`` are the operator's own words; ``purposes`` are the uses that the
    peer is bound to.
    """

    __pydantic_config__ = JSON_CONFIG

    institute: str
    status: PeerStatus
    groups: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    standing: Standing = Standing()


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A record's header, or one of its sections, as a policy sees it.

    ``section`` is empty for the header and ``?`` for a section that the header does not name.
    ``releasable_to`` is None when the issuer gave no list, which differs from an empty one.
    ``severity`` is the rank of the gravest severity, 0 (none stated) to 4 (critical). ``own`` says
    that this institute is the issuer; otherwise the record would be relayed.
    """

    __pydantic_config__ = JSON_CONFIG

    kind: Kind
    issuer: str
    section: str
    tlp: Tlp
    releasable_to: frozenset[str] | None
    onward: Flag
    purposes: frozenset[str]
    tags: frozenset[str]
    domains: frozenset[str]
    severity: Annotated[Integer, Field(ge=0, le=4)]
    own: Flag
    withdrawn: Flag = False

    def to_json(self) -> bytes:
        """Return the JCS form, sets in order: the identity of a handling class."""
        listed = self.releasable_to
        return ijson.canonical(
            {
                "kind": self.kind.value,
                "issuer": self.issuer,
                "section": self.section,
                "tlp": self.tlp.value,
                "releasableTo": None if listed is None else sorted(listed),
                "onward": self.onward,
                "purposes": sorted(self.purposes),
                "tags": sorted(self.tags),
                "domains": sorted(self.domains),
                "severity": self.severity,
                "own": self.own,
                "withdrawn": self.withdrawn,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> PartFacts:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedJson: not I-JSON.
            InvalidInput: a field is missing, unknown or malformed; names it.

        """
        try:
            return _PART.validate_python(ijson.loads(data, field="part"))
        except ValidationError as error:
            path, message = describe(error)
            raise InvalidInput(message, field="part" + path) from error


_PART: Final = TypeAdapter(PartFacts)
