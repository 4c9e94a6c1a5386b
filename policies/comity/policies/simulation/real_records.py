"""Real records, one by one, with their embargoes, subjects and substance from a node's database.

The records of a scenario file are made up: each is about a subject of its own and has substance.
The subjects and texts of real records are known, so they count towards standing as in a node: each
subject once, and only by records that have substance.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from pydantic import model_validator

from comity.policies.simulation.issuing import IssuedRecords


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of records, in the order of their issue; records are numbered from 0.

    ``subjects`` numbers the subject of each record among the issuer's subjects of that kind.
    ``texts`` holds for each record, and for its header and each section, the number of characters
    that count towards substance. ``substance`` is the number that makes a record count.
    """

    subjects: tuple[int, ...]
    texts: tuple[tuple[int, ...], ...]
    substance: int

    def using(self, first: int, last: int, counted: Set[int]) -> list[int]:
        """Return the records from ``first`` to before ``last`` that would count if given whole.

        ``counted`` are the subjects that count already.
        """
        return [
            number
            for number in range(first, last)
            if self.subjects[number] not in counted and sum(self.texts[number]) >= self.substance
        ]

    def count(self, there: Sequence[int], first: int, counted: Set[int]) -> set[int]:
        """Return the subjects of records from ``first`` on that count now and did not before.

        ``there`` is the number of records, for each part, that have arrived.
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
    """Real records that are alike; ``on`` lists the days on which they were issued, in order.

    ``embargo`` is the first day on which the header and each section may be given.
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
