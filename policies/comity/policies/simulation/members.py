"""Tables of a scenario file: institutes, crowds, relations and treaties.

Invariant: each table makes sense by itself; ``consistency`` checks that they fit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from comity.policies.facts import PeerStatus
from comity.policies.simulation.issuing import IssuedRecords, ScenarioTable
from comity.policies.treaty import Treaty
from comity.record.errors import ComityError, InvalidInput
from comity.record.handling import Name
from comity.record.kind import Kind
from comity.record.limits import MAX_PEERS
from comity.record.models import Integer
from comity.record.spiffe import check_institute

MAX_DAYS: Final = 3_660
"""Ten years: no policy looks back for longer than a few."""

PLACE: Final = "{n}"
"""Placeholder for a member's number, from 1, in the id of a crowd."""

Day = Annotated[Integer, Field(ge=1, le=MAX_DAYS)]
Words = frozenset[str]


def _institute(name: str) -> str:
    try:
        return check_institute(name)
    except InvalidInput as error:
        raise ValueError(error.message) from error


_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

InstituteId = Annotated[str, AfterValidator(_institute)]


class Outage(ScenarioTable):
    """Days, both included, on which an institute neither publishes nor gives nor receives."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Outage:
        if self.last < self.first:
            raise ValueError(f"expected a day from {self.first} on, got {self.last}")
        return self


class PeerTerms(ScenarioTable):
    """Terms that others have set for an institute, as a policy sees them."""

    status: PeerStatus = PeerStatus.MEMBER
    groups: Words = frozenset()
    clearances: Words = frozenset()
    purposes: Words = frozenset()


class Behaviour(PeerTerms):
    """Policy, records, outages and peers of an institute.

    Without ``peers`` all others are its peers. Two are peers only if each names the other.
    """

    policy: Annotated[str, Field(min_length=1)]
    issues: tuple[IssuedRecords, ...] = ()
    down: tuple[Outage, ...] = ()
    peers: frozenset[InstituteId] | None = None

    def is_down(self, day: int) -> bool:
        """True if the institute is down on a day."""
        return any(outage.first <= day <= outage.last for outage in self.down)


class Institute(Behaviour):
    """One institute."""

    id: InstituteId


class Crowd(Behaviour):
    """Several institutes that are alike: ``{n}`` in ``id`` becomes 1 to ``count``."""

    count: Annotated[Integer, Field(ge=1, le=MAX_PEERS)]
    id: str = f"member-{PLACE}.aisi.example"

    @model_validator(mode="after")
    def _numbered(self) -> Crowd:
        if PLACE not in self.id:
            raise ValueError(f"expected an id with {PLACE} in it, got {self.id!r:.80}")
        # if the shortest and the longest id are well formed, so are all between
        for number in (1, self.count):
            _institute(self.id.replace(PLACE, str(number)))
        return self

    def members(self) -> Iterator[Institute]:
        """Yield the institutes of the crowd."""
        shared = {name: getattr(self, name) for name in Behaviour.model_fields}
        for number in range(1, self.count + 1):
            yield Institute(id=self.id.replace(PLACE, str(number)), **shared)


class Relation(PeerTerms):
    """Terms that ``by`` has set for ``of``, in place of those in the table of ``of``."""

    by: InstituteId
    of: InstituteId


class Agreement(ScenarioTable):
    """A treaty of two institutes, in force from the day ``from`` to the day ``to``, both included.

    Without ``kinds`` or ``sections`` it covers all of them. It takes effect for each party whose
    policy has a template.
    """

    id: str = ""
    parties: tuple[InstituteId, InstituteId]
    kinds: frozenset[Kind] = frozenset()
    sections: frozenset[Name] = frozenset()
    first: Day = Field(default=1, alias="from")
    last: Day | None = Field(default=None, alias="to")

    def active(self, day: int) -> bool:
        """True if the treaty is in force on a day."""
        return self.first <= day and (self.last is None or day <= self.last)

    def treaty(self, party: str, number: int) -> Treaty:
        """Return the treaty with ``party``, for a policy; ``number`` makes up a missing id."""
        name = self.id or f"treaty-{number}"
        return Treaty(name, party, self.kinds, self.sections, _EVER)

    @model_validator(mode="after")
    def _well_formed(self) -> Agreement:
        if self.parties[0] == self.parties[1]:
            raise ValueError(f"expected two parties, got {self.parties[0]} twice")
        try:
            self.treaty(self.parties[0], 1)
        except ComityError as error:
            raise ValueError(error.message) from error
        return self
