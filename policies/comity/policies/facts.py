"""Facts about a peer and about a part of a record: all that a decision is made from.

Invariants: facts are pure data and compare by value. A part's facts hold everything that a policy
can see of the part and nothing that identifies it (no title, no id, no time), so parts with equal
facts form one handling class and share one decision. An embargo is a time and therefore no fact:
the node asks the policy about a part only once its embargo has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from comity.record import ijson
from comity.record.errors import InvalidInput
from comity.record.handling import Tlp
from comity.record.kind import Kind
from comity.record.models import Flag, Integer, describe

JSON_CONFIG: Final = ConfigDict(
    alias_generator=to_camel, extra="forbid", validate_by_name=False, validate_by_alias=True
)
"""Facts and treaties are written in JSON with camelCase keys, and no other spelling is read."""


class PeerStatus(StrEnum):
    """Status of a peer, as the operator sets it."""

    PROBATION = "probation"
    MEMBER = "member"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class Action(StrEnum):
    """An action on a part.

    REPLICATE appends the part to the peer's queue. QUERY answers a peer's search with it. RECALL
    tells the peer that the part has been withdrawn.
    """

    REPLICATE = "replicate"
    QUERY = "query"
    RECALL = "recall"


Counts = Mapping[Kind, Annotated[Integer, Field(ge=0, le=2**53 - 1)]]
"""Number of records by kind; a kind that is missing counts 0."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A peer's reciprocity as this node knows it, in records (not sections) by kind.

    ``received`` counts the records that the peer issued and this node holds, ``given`` the records
    that this institute issued and gave the peer; a relayed record counts for its issuer alone.
    ``credit`` is what the peer's records of other kinds are worth towards a kind, see ``earned``.
    ``rejected`` counts the records that the peer sent and this node refused. These four count
    within the operator's window. ``received_ever`` and ``given_ever`` count since the beginning;
    where a kind counts more within the window, that higher count is used for both. ``weights`` are
    the weights from which ``credit`` was computed.
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
        """Return the standing as it will be once ``n`` more records of a kind are given."""
        ever = self.ever(self.given, self.given_ever)
        return replace(self, given=_added(self.given, kind, n), given_ever=_added(ever, kind, n))

    def after_receiving(self, kind: Kind, n: int = 1) -> Standing:
        """Return the standing as it will be once ``n`` more records of a kind are received."""
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
    """Return the credit towards each kind: the weighted sum of the records of all other kinds.

    The weight of a kind is what one record of it is worth towards every other kind, 0 if missing.
    """
    worth = {kind: weights.get(kind, 0) * count for kind, count in received.items()}
    total = sum(worth.values())
    # the records of a kind itself count as received and must not count again as credit
    return {kind: total - worth.get(kind, 0) for kind in Kind}


def _added(counts: Counts, kind: Kind, n: int) -> Counts:
    return {**counts, kind: counts.get(kind, 0) + n}


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """A peer as a policy sees it.

    The operator chooses the words in ``groups`` and ``clearances``. ``purposes`` are the uses to
    which the peer has bound itself.
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
    ``releasable_to`` is None if the issuer gave no list; an empty list means nobody.
    ``severity`` is the rank of the gravest severity, 0 (none stated) to 4 (critical). ``own`` is
    True if this institute issued the record; a record of another issuer would be relayed.
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
        """Return the JCS form (RFC 8785), which is the identity of a handling class."""
        listed = self.releasable_to

        # sets are sorted, so that equal facts have equal bytes
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
        """Return the facts that ``to_json`` wrote.

        Raises:
            MalformedJson: not I-JSON (RFC 7493).
            InvalidInput: a field is missing, unknown or malformed; names the field.

        """
        try:
            return _PART.validate_python(ijson.loads(data, field="part"))
        except ValidationError as error:
            path, message = describe(error)
            raise InvalidInput(message, field="part" + path) from error


_PART: Final = TypeAdapter(PartFacts)
