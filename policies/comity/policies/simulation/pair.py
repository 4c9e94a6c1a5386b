"""A giver and a receiver: terms, standing, and the records released and delivered between them.

Invariants: the oldest records of a line go first, as in a node, so a number for each part says
which have been released; only what was released is delivered; no section is released without its
header.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from comity.policies.facts import PartFacts, PeerFacts, Standing, earned
from comity.policies.simulation.real_records import Contents
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.record.kind import Kind


@dataclass(eq=False, slots=True)
class Line:
    """Records of one institute that no policy can tell apart, in the order of issue.

    ``parts`` are the facts of the header and then of the sections; ``relayed`` are the same facts
    when another institute passes the records on. ``due`` is the number of records due by each day,
    from day 1. ``embargo`` is the first day on which each part may be given. ``issued`` is the
    number of records so far, and ``ready`` how many of these may be given, for each part. Without
    ``contents`` each record is about a subject of its own and has substance.
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
        """Issue the records due by a day; return for each part how many became ready."""
        self.issued = self.due[day - 1]
        before = self.ready
        self.ready = [self.issued if day >= first else 0 for first in self.embargo]
        return [now - then for now, then in zip(self.ready, before, strict=True)]

    def day_of(self, number: int) -> int:
        """Return the first day on which record ``number``, from 1, could be given."""
        return max(bisect_left(self.due, number) + 1, self.embargo[0])


class Pair:
    """A giver and a receiver, as the giver sees them.

    ``decisions`` are those of the giver's policy, ``handling`` those of handling alone.
    """

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

        # by number of a line: how many records, for each part
        self.released: dict[int, list[int]] = {}
        self.delivered: dict[int, list[int]] = {}
        self.last_release: dict[Kind, int] = {}
        """The last day on which own records of a kind were released."""
        self.waits = False
        """True if some of the giver's own records, or sections of them, are not released."""

        # subjects that count, and the counts that make up the standing
        self._subjects: dict[str, set[int]] = {"received": set(), "given": set()}
        self._weights = weights
        self._counts = {name: Counter[Kind]() for name in _COLUMNS}
        self._standing: Standing | None = None

        # answers that stay the same while the policy does, by number of a line
        self._cases: dict[int, list[int]] = {}
        self._relayed_cases: dict[int, list[int]] = {}
        self._entitled: dict[int, list[bool]] = {}

    def follow(self, decisions: RememberedDecisions) -> None:
        """Use other decisions from now on: the policy has been linked for other treaties."""
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
        """Add to ``received`` or ``given``, within the window and since the beginning."""
        if not n:
            return
        self._counts[column][kind] += n
        self._counts[f"{column}_ever"][kind] += n
        self._standing = None

    def expire(self, column: str, kind: Kind, n: int) -> None:
        """Subtract records that have left the window."""
        self._counts[column][kind] -= n
        self._standing = None

    def cases(self, line: Line, *, own: bool = True) -> list[int]:
        """Return the case numbers of a line's parts, for ``decisions``."""
        known = self._cases if own else self._relayed_cases
        cases = known.get(line.number)
        if cases is None:
            parts = line.parts if own else line.relayed
            cases = known[line.number] = [self.decisions.case(self.facts, p) for p in parts]
        return cases

    def entitled(self, line: Line) -> list[bool]:
        """Return for each part of the giver's own line whether handling alone would allow it."""
        entitled = self._entitled.get(line.number)
        if entitled is None:
            cases = (self.handling.case(self.facts, part) for part in line.parts)
            allowed = [self.handling.decision(case, Standing()).allowed for case in cases]
            entitled = self._entitled[line.number] = [one and allowed[0] for one in allowed]
        return entitled

    def release_own(self, line: Line) -> tuple[int, int]:
        """Release the parts of the giver's own line that the policy allows.

        Returns the number of records released, and how many of them count as given.
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
            # some records may not have counted after all, so that standing allows more of them
            if line.contents is None or not new:
                break

        self.waits = self.waits or done != line.ready
        return released, counted

    def grant(self, line: Line, standing: Standing, first: int) -> tuple[int, int]:
        """Return how many records of an own line, after ``first``, may be given at a standing.

        The second number is how many of these are expected to count as given. As in a node, records
        that do not count go along while the next record is allowed.
        """
        waiting, case = line.ready[0] - first, self.cases(line)[0]
        # made-up records all count
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
        """Return how many records of an own line, after ``first``, would count if given."""
        if line.contents is None:
            return line.ready[0] - first
        counted = self._subjects["given"]
        using = line.contents.using(first, line.ready[0], counted)
        return len({line.contents.subjects[number] for number in using})

    def receive(self, line: Line, before: list[int], held: list[int]) -> int:
        """Count what the giver now holds of the receiver's line; return how much counts anew."""
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
        """Release the parts that the policy allows of a third institute's line; True if any."""
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
        # a section is released only as far as its header is, and as far as its embargo has ended
        for part in range(1, len(done)):
            there = min(done[0], held[part])
            if done[part] < there and self.decisions.decision(cases[part], standing).allowed:
                done[part] = there


def _with_embargoed(done: list[int], ready: list[int]) -> list[int]:
    """Return for each part how many count: under embargo as many as of the header, as in a node."""
    return [done[0] if due < done[0] else part for part, due in zip(done, ready, strict=True)]


_COLUMNS = ("received", "given", "received_ever", "given_ever")
