"""One institute's view of another: terms, standing, and what has been released and delivered.

Invariants: of each line of records, and of each part of them, what has been released is a first
part of what there is, as in a node, where the oldest go first; so counts say it all. What was
delivered was released, and no section was released without its header.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from comity.policies.facts import PartFacts, PeerFacts, Standing, earned
from comity.policies.simulation.real_records import Contents
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.record.content import Kind


@dataclass(eq=False, slots=True)
class Line:
    """Records of one institute that no policy can tell apart, in the order of issue.

    ``parts`` are the header's facts, then the sections'; ``relayed`` the same as others pass them
    on. ``due`` is how many have fallen due by each day from day 1, and ``embargo`` the first day on
    which each part may be given. ``issued`` is how many there are, ``ready`` of how many each part
    may be given. Without ``contents`` each record is about a subject of its own and has substance.
    """

    number: int
    issuer: str
    parts: tuple[PartFacts, ...]
    relayed: tuple[PartFacts, ...]
    due: list[int]
    embargo: tuple[int, ...]
    contents: Contents | None = None
    issued: int = 0
    ready: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.ready = [0] * len(self.parts)

    @property
    def kind(self) -> Kind:
        """The kind of the records."""
        return self.parts[0].kind

    def issue(self, day: int) -> list[int]:
        """Issue what is due by a day; return of how many records each part became ready."""
        self.issued = self.due[day - 1]
        before = self.ready
        self.ready = [self.issued if day >= first else 0 for first in self.embargo]
        return [now - then for now, then in zip(self.ready, before, strict=True)]

    def day_of(self, number: int) -> int:
        """Return the day on which the line's record of that number, from 1, could be given."""
        return max(bisect_left(self.due, number) + 1, self.embargo[0])


class Tie:
    """What ``giver`` knows of ``receiver`` and has done for it."""

    def __init__(
        self,
        giver: str,
        receiver: PeerFacts,
        decisions: RememberedDecisions,
        handling: RememberedDecisions,
        weights: dict[Kind, int],
    ) -> None:
        self.giver, self.facts = giver, receiver
        self.receiver = receiver.institute
        self.decisions, self.handling = decisions, handling
        self.released: dict[int, list[int]] = {}
        self.delivered: dict[int, list[int]] = {}
        self.last_release: dict[Kind, int] = {}
        """The last day on which own records of a kind were released."""
        self.waits = False
        """Whether some of the giver's own records, or sections of them, are not released."""
        self._subjects: dict[str, set[int]] = {"received": set(), "given": set()}
        self._weights = weights
        self._counts = {name: Counter[Kind]() for name in _COLUMNS}
        self._standing: Standing | None = None
        self._cases: dict[int, list[int]] = {}
        self._relayed_cases: dict[int, list[int]] = {}
        self._entitled: dict[int, list[bool]] = {}

    def follow(self, decisions: RememberedDecisions) -> None:
        """Go by other decisions from now on."""
        self.decisions = decisions
        self._cases.clear()
        self._relayed_cases.clear()

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
        if not n:
            return
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
            cases = known[line.number] = [self.decisions.case(self.facts, p) for p in parts]
        return cases

    def entitled(self, line: Line) -> list[bool]:
        """Return which parts of the giver's own line handling alone would let the receiver have."""
        entitled = self._entitled.get(line.number)
        if entitled is None:
            cases = (self.handling.case(self.facts, part) for part in line.parts)
            allowed = [self.handling.decision(case, Standing()).allowed for case in cases]
            entitled = self._entitled[line.number] = [one and allowed[0] for one in allowed]
        return entitled

    def release_own(self, line: Line) -> tuple[int, int]:
        """Release what policy allows of the giver's own line.

        Returns how many records, and how many of them count as given.
        """
        done = self.released.setdefault(line.number, [0] * len(line.parts))
        released = counted = 0
        while done != line.ready:
            lowest, before = min(done), self.standing
            new, _ = self.grant(line, before, done[0])
            done[0] += new
            self._release_sections(done, self.cases(line), before, line.ready)
            more = new
            if line.contents is not None:
                sure = _with_embargoed(done, line.ready)
                more = self._count_subjects("given", line.contents, sure, lowest)
            self.count("given", line.kind, more)
            released, counted = released + new, counted + more
            # where less was used up than was reckoned with, the rest follows
            if line.contents is None or not new:
                break
        self.waits = self.waits or done != line.ready
        return released, counted

    def grant(self, line: Line, standing: Standing, first: int) -> tuple[int, int]:
        """Return how many of an own line's records, after ``first``, a standing lets go.

        And how many of these are reckoned to use it up. As in a node, those that use none go along
        as long as the next one is allowed.
        """
        waiting, case = line.ready[0] - first, self.cases(line)[0]
        if line.contents is None:
            granted = self.decisions.allowance(case, standing, waiting)
            return granted, granted
        if not waiting or not self.decisions.decision(case, standing).allowed:
            return 0, 0
        using = line.contents.using(first, line.ready[0], self._subjects["given"])
        granted = self.decisions.allowance(case, standing, len(using))
        if granted == len(using) and self.decisions.decision(case, standing, granted).allowed:
            return waiting, granted
        return using[granted - 1] + 1 - first, granted

    def usable(self, line: Line, first: int) -> int:
        """Return how many of an own line's records, after ``first``, would count if given."""
        if line.contents is None:
            return line.ready[0] - first
        counted = self._subjects["given"]
        using = line.contents.using(first, line.ready[0], counted)
        return len({line.contents.subjects[number] for number in using})

    def receive(self, line: Line, before: list[int], held: list[int]) -> int:
        """Count what the giver now holds of a line of the receiver's; return what is new."""
        if line.contents is None:
            new = held[0] - before[0]
        else:
            new = self._count_subjects("received", line.contents, held, min(before))
        self.count("received", line.kind, new)
        return new

    def _count_subjects(self, column: str, contents: Contents, there: list[int], first: int) -> int:
        counted = self._subjects[column]
        more = contents.count(there, first, counted)
        counted |= more
        return len(more)

    def release_relayed(self, line: Line, held: list[int]) -> bool:
        """Release what policy allows of a line of a third institute; return whether any."""
        done = self.released.setdefault(line.number, [0] * len(line.parts))
        if done == held:
            return False
        before, cases = list(done), self.cases(line, own=False)
        if self.decisions.decision(cases[0], self.standing).allowed:
            done[0] = held[0]
        self._release_sections(done, cases, self.standing, held)
        return done != before

    def _release_sections(
        self, done: list[int], cases: list[int], standing: Standing, held: list[int]
    ) -> None:
        for part in range(1, len(done)):
            there = min(done[0], held[part])
            if done[part] < there and self.decisions.decision(cases[part], standing).allowed:
                done[part] = there


def _with_embargoed(done: list[int], ready: list[int]) -> list[int]:
    """Return what counts of each part: under embargo, as much as of the header, as in a node."""
    return [done[0] if due < done[0] else part for part, due in zip(done, ready, strict=True)]


_COLUMNS = ("received", "given", "received_ever", "given_ever")
