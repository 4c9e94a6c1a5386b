"""Handling: the issuer's signed release conditions, of a record or of one section.

Invariants: a section's handling is never looser than its record's, in any dimension; content
marked RED or AMBER+STRICT may not be passed on (TLP 2.0, section 4), so ``onward`` is false with
these labels. This module defines what handling means; ``baseline.cedar`` in policies enforces it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from comity.record.errors import BadHandling
from comity.record.limits import MAX_NAME_CHARS, MAX_PEERS, MAX_TAGS
from comity.record.models import Flag, Model
from comity.record.spiffe import check_institute
from comity.record.times import UtcTime

Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS)]


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 labels, strictest first."""

    RED = "RED"
    AMBER_STRICT = "AMBER+STRICT"
    AMBER = "AMBER"
    GREEN = "GREEN"
    CLEAR = "CLEAR"

    @property
    def strictness(self) -> int:
        """The strictness, from 4 for RED down to 0 for CLEAR."""
        return len(_STRICTEST_FIRST) - 1 - _STRICTEST_FIRST.index(self)


_STRICTEST_FIRST: Final = tuple(Tlp)
_NEVER_ONWARD: Final = frozenset({Tlp.RED, Tlp.AMBER_STRICT})


class Handling(Model):
    """Release conditions.

    ``releasable_to`` lists institute ids. If it is None, the label alone decides: GREEN and CLEAR
    may go to every institute, RED, AMBER+STRICT and AMBER to none. An empty list means none at all,
    whatever the label. ``onward`` allows a receiver to pass the record on, under the same handling.
    Before ``embargo`` (UTC, RFC 3339) no peer is given the record. If ``purposes`` is not empty, it
    lists the only allowed uses, and a peer must be bound to one of them.
    """

    tlp: Tlp
    releasable_to: Annotated[tuple[Name, ...], Field(max_length=MAX_PEERS)] | None = None
    onward: Flag = False
    embargo: UtcTime | None = None
    purposes: Annotated[tuple[Name, ...], Field(max_length=MAX_TAGS)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Handling:
        for institute in self.releasable_to or ():
            check_institute(institute)
        # TLP 2.0, section 4: RED and AMBER+STRICT do not leave the receiving organisation
        if self.onward and self.tlp in _NEVER_ONWARD:
            message = f"expected false with TLP:{self.tlp}, got true"
            raise BadHandling(message, field="handling.onward")
        return self

    def names(self, institute: str) -> bool:
        """True if the list, or without a list the label, lets the institute have the record."""
        if self.releasable_to is None:
            return self.tlp in (Tlp.GREEN, Tlp.CLEAR)
        return institute in self.releasable_to

    def check_within(self, record: Handling, field: str) -> None:
        """Check that this handling of a section is in no dimension looser than its record's.

        Raises:
            BadHandling: it is looser; names the first such dimension.
        """
        looser = self._looser_than(record)
        if looser:
            expected, got = looser[1], looser[2]
            message = f"expected a section no looser than its record ({expected}), got {got}"
            raise BadHandling(message, field=f"{field}.{looser[0]}")

    def _looser_than(self, record: Handling) -> tuple[str, object, object] | None:
        """Return the first dimension that is looser, with the record's and the section's value."""
        # no list, no embargo and no purposes are the loosest of their dimension
        if self.tlp.strictness < record.tlp.strictness:
            return "tlp", f"TLP:{record.tlp}", f"TLP:{self.tlp}"

        if record.releasable_to is not None and (
            self.releasable_to is None or not set(self.releasable_to) <= set(record.releasable_to)
        ):
            return "releasableTo", list(record.releasable_to), self.releasable_to
        if self.onward and not record.onward:
            return "onward", False, True
        if record.embargo and (self.embargo is None or self.embargo < record.embargo):
            return "embargo", _iso(record.embargo), _iso(self.embargo)
        if record.purposes and not (self.purposes and set(self.purposes) <= set(record.purposes)):
            return "purposes", list(record.purposes), list(self.purposes)
        return None


def _iso(time: datetime | None) -> str:
    return time.isoformat() if time else "none"
