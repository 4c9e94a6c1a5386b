"""One institute's view of another: terms, standing, and what has been released and delivered.

Invariants: of each line of records, and of each part of them, what has been released is a first
part of what there is, as in a node, where the oldest go first; so counts say it all. What was
delivered was released, and no section was released without its header.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from comity.policies.facts import PartFacts, PeerFacts, Standing, earned
from comity.policies.simulation.verdicts import Verdicts
from comity.record.content import Kind


@dataclass(eq=False, slots=True)
class Line:
    """Records of one institute that no policy can tell apart, in the order of issue.

    ``parts`` are the header's facts, then the sections'; ``relayed`` the same as others pass them
    on. ``schedule`` is how many become due on each day from day 1, ``issued`` how many there are.
    """

    number: int
    issuer: str
    parts: tuple[PartFacts, ...]
    relayed: tuple[PartFacts, ...]
    schedule: list[int]
    issued: int = 0

    @property
    def kind(self) -> Kind:
        """The kind of the records."""
        return self.parts[0].kind

    def day_of(self, number: int) -> int:
        """Return the day on which the line's record of that number, from 1, became due."""
        return next(d for d, n in enumerate(accumulate(self.schedule), start=1) if n >= number)


class Tie:
    """What ``giver`` knows of ``receiver`` and has done for it."""

    def __init__(
        self,
        giver: str,
        receiver: PeerFacts,
        verdicts: Verdicts,
        handling: Verdicts,
        weights: dict[Kind, int],
    ) -> None:
        self.giver, self.facts = giver, receiver
        self.receiver = receiver.institute
        self.verdicts, self.handling = verdicts, handling
        self.released: dict[int, list[int]] = {}
        self.delivered: dict[int, list[int]] = {}
        self.last_release: dict[Kind, int] = {}
        """The last day on which own records of a kind were released."""
        self.waits = False
        """Whether some of the giver's own records, or sections of them, are not released."""
        self._weights = weights
        self._counts = {name: Counter[Kind]() for name in _COLUMNS}
        self._standing: Standing | None = None
        self._cases: dict[int, list[int]] = {}
        self._relayed_cases: dict[int, list[int]] = {}
        self._entitled: dict[int, list[bool]] = {}

    @property
    def standing(self) -> Standing:
        """The receiver's standing with the giver."""
        if self._standing is None:
            counts = {name: dict(counter) for name, counter in self._counts.items()}
            credit = earned(counts["received"], self._weights) if self._weights else {}
            self._standing = Standing(**counts, credit=credit, weights=self._weights)
        return self._standing

    def count(self, column: str, kind: Kind, n: int) -> None:
        """Add to ``received`` or ``given``, in the window and since ever."""
        self._counts[column][kind] += n
        self._counts[f"{column}_ever"][kind] += n
        self._standing = None

    def expire(self, column: str, kind: Kind, n: int) -> None:
        """Take from a counter what has left the window."""
        self._counts[column][kind] -= n
        self._standing = None

    def cases(self, line: Line, *, own: bool = True) -> list[int]:
        """Return the questions that a line's parts put to the giver's policy."""
        known = self._cases if own else self._relayed_cases
        cases = known.get(line.number)
        if cases is None:
            parts = line.parts if own else line.relayed
            cases = known[line.number] = [self.verdicts.case(self.facts, p) for p in parts]
        return cases

    def entitled(self, line: Line) -> list[bool]:
        """Return which parts of the giver's own line handling alone would let the receiver have."""
        entitled = self._entitled.get(line.number)
        if entitled is None:
            cases = (self.handling.case(self.facts, part) for part in line.parts)
            allowed = [self.handling.verdict(case, Standing()).allowed for case in cases]
            entitled = self._entitled[line.number] = [one and allowed[0] for one in allowed]
        return entitled

    def release_own(self, line: Line) -> int:
        """Release what policy allows of the giver's own line; return how many records."""
        done = self.released.get(line.number)
        if done is None:
            done = self.released[line.number] = [0] * len(line.parts)
        if min(done) == line.issued:
            return 0
        cases, before = self.cases(line), self.standing
        new = self.verdicts.allowance(cases[0], before, line.issued - done[0])
        done[0] += new
        if len(done) > 1:
            self._release_sections(done, cases, before, [done[0]] * len(done))
        self.waits = self.waits or min(done) < line.issued
        if new:
            self.count("given", line.kind, new)
        return new

    def release_relayed(self, line: Line, held: list[int]) -> bool:
        """Release what policy allows of a line of a third institute; return whether any."""
        done = self.released.setdefault(line.number, [0] * len(line.parts))
        if done == held:
            return False
        before, cases = list(done), self.cases(line, own=False)
        if self.verdicts.verdict(cases[0], self.standing).allowed:
            done[0] = held[0]
        self._release_sections(done, cases, self.standing, held)
        return done != before

    def _release_sections(
        self, done: list[int], cases: list[int], standing: Standing, held: list[int]
    ) -> None:
        for part in range(1, len(done)):
            there = min(done[0], held[part])
            if done[part] < there and self.verdicts.verdict(cases[part], standing).allowed:
                done[part] = there


_COLUMNS = ("received", "given", "received_ever", "given_ever")
