"""Records that exist, one by one, as a node's database has them: under which embargo, about what.

A scenario file makes records up: each is about a subject of its own and has substance. Of records
that exist it is known what they are about and how much they say, so they count towards standing as
in a node: a subject once, and only by records that have substance.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from pydantic import model_validator

from comity.policies.simulation.issuing import IssuedRecords


@dataclass(frozen=True, slots=True)
class Contents:
    """What records say, in the order of their issue; a record's number counts from 0.

    ``subjects`` tells apart what they are about, among the issuer's of their kind. ``texts`` holds
    of each record, for its header and its sections, the characters that count towards substance,
    and ``substance`` is how many of them make it count.
    """

    subjects: tuple[int, ...]
    texts: tuple[tuple[int, ...], ...]
    substance: int

    def using(self, first: int, last: int, counted: Set[int]) -> list[int]:
        """Return the records from ``first`` to before ``last`` that would count, given whole.

        ``counted`` are subjects that count already.
        """
        return [
            number
            for number in range(first, last)
            if self.subjects[number] not in counted and sum(self.texts[number]) >= self.substance
        ]

    def count(self, there: Sequence[int], first: int, counted: Set[int]) -> set[int]:
        """Return the subjects that count now, of records from ``first`` on, and did not before.

        ``there`` says of each part how many records' are there, the first of them.
        """
        return {
            self.subjects[number]
            for number in range(first, there[0])
            if self.subjects[number] not in counted and self._reached(number, there)
        }

    def _reached(self, number: int, there: Sequence[int]) -> bool:
        found = (size for size, n in zip(self.texts[number], there, strict=True) if number < n)
        return sum(found) >= self.substance


class KnownRecords(IssuedRecords):
    """Records that exist and are alike; ``on``, in order, says when each was issued.

    ``embargo`` is, of the header and of each section, the first day on which it may be given.
    """

    embargo: tuple[int, ...]
    contents: Contents

    @model_validator(mode="after")
    def _complete(self) -> KnownRecords:
        count, parts = len(self.on or ()), 1 + len(self.sections)
        sizes = {len(self.embargo), *map(len, self.contents.texts)}
        if len(self.contents.subjects) != count or sizes != {parts}:
            raise ValueError(f"expected contents of {count} records of {parts} parts")
        return self
