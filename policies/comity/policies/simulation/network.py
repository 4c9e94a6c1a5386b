"""The network of a scenario, played day by day on a virtual clock.

On each day: whoever is up issues what is due (and what fell due while it was down); then records
are released and delivered among those who are up until nothing moves any more, as nodes do it
within seconds. Giving counts at release, receiving at delivery; a record that a third institute
passes on counts as received from its issuer and as given by nobody. Invariants: nothing is released
that the giver's policy, put to the real evaluator, denies; equal scenarios give equal networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import accumulate

from comity.policies.evaluator import Policy
from comity.policies.facts import PeerFacts
from comity.policies.simulation.members import Institute
from comity.policies.simulation.pair import Line, Tie
from comity.policies.simulation.real_records import KnownRecords
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.treaty_links import LinkedDecisions
from comity.record.content import Kind

Share = tuple[int, int]
"""Parts held, and parts that handling alone would allow."""

_HANDLING_ALONE = '@id("all") permit (principal, action, resource);'


class Network:
    """Institutes with what they hold and what they know of each other.

    ``day`` is the last one played, 0 before the first.
    """

    def __init__(self, scenario: Scenario, policies: Mapping[str, Policy]) -> None:
        """Set up; ``policies`` holds every policy that an institute names."""
        self.scenario = scenario
        self.day = 0
        self.institutes = {one.id: one for one in scenario.institutes()}
        self.lines: dict[str, list[Line]] = {name: [] for name in self.institutes}
        for one in self.institutes.values():
            self._add_lines(one)
        self._by_number = list(self.all_lines())
        self._decisions = LinkedDecisions(policies, scenario.treaty)
        self.ties = dict(self._tied())
        self.held: dict[str, dict[int, list[int]]] = {name: {} for name in self.institutes}
        self.history: list[dict[str, Share]] = []
        self._shares: dict[str, Share] = dict.fromkeys(self.institutes, (0, 0))
        self._leaving: dict[int, list[tuple[Tie, str, Kind, int]]] = {}
        self._moved: dict[tuple[str, str], Tie] = {}
        self._from, self._to = self._by_end()
        self._onward = [line for line in self._by_number if line.parts[0].onward]

    def all_lines(self) -> Iterator[Line]:
        """Yield the lines of all institutes."""
        for lines in self.lines.values():
            yield from lines

    def play(self, on_day: Callable[[int], None] = lambda day: None) -> None:
        """Play the whole scenario; ``on_day`` is called after each day."""
        while self.day < self.scenario.days:
            self.play_day()
            on_day(self.day)

    def play_day(self) -> None:
        """Play the next day."""
        self.day += 1
        self._up = {n for n, one in self.institutes.items() if not one.is_down(self.day)}
        if self.day in self._decisions.days:
            self._link()
        for tie, column, kind, n in self._leaving.pop(self.day, ()):
            tie.expire(column, kind, n)
            self._touch(tie)
        for name in self.institutes:
            if name in self._up:
                if self.day > 1 and self.institutes[name].is_down(self.day - 1):
                    self._touch(*self._from[name], *self._to[name])
                self._issue(name)
        self._settle()
        self.history.append(dict(self._shares))

    def _tied(self) -> Iterator[tuple[tuple[str, str], Tie]]:
        handling = RememberedDecisions(_handling_alone())
        weights = dict(self.scenario.weights)
        for by in self.institutes.values():
            for of in self.institutes.values():
                if _linked(by, of):
                    facts = _facts(self.scenario, by, of)
                    decisions = self._decisions.between(by.policy, by.id, of.id, 1)
                    yield (by.id, of.id), Tie(by.id, facts, decisions, handling, weights)

    def _link(self) -> None:
        """Link policies for the treaties that are in force from this day on."""
        for (giver, receiver), tie in self.ties.items():
            policy = self.institutes[giver].policy
            decisions = self._decisions.between(policy, giver, receiver, self.day)
            if decisions is not tie.decisions:
                tie.follow(decisions)
                self._touch(tie)

    # --- issuing ---------------------------------------------------------------------------

    def _add_lines(self, one: Institute) -> None:
        for position, issues in enumerate(one.issues):
            parts = issues.parts(one.id)
            relayed = tuple(replace(part, own=False) for part in parts)
            seed = f"{self.scenario.seed}/{one.id}/{position}"
            due = list(accumulate(issues.schedule(self.scenario.days, seed)))
            number = sum(map(len, self.lines.values()))
            embargo, contents = (1,) * len(parts), None
            if isinstance(issues, KnownRecords):
                embargo, contents = issues.embargo, issues.contents
            line = Line(number, one.id, parts, relayed, due, embargo, contents)
            self.lines[one.id].append(line)

    def _issue(self, name: str) -> None:
        """Issue what is due by now."""
        for line in self.lines[name]:
            new = line.issue(self.day)
            if not any(new):
                continue
            for tie in self._from[name]:
                entitled = sum(n for n, may in zip(new, tie.entitled(line), strict=True) if may)
                if entitled:
                    held, allowed = self._shares[tie.receiver]
                    self._shares[tie.receiver] = held, allowed + entitled
                    self._touch(tie)

    # --- releasing and delivering ----------------------------------------------------------------

    def _settle(self) -> None:
        while self._moved or self._relay():
            touched = list(self._moved.values())
            self._moved.clear()
            for tie in touched:
                if tie.giver in self._up:
                    self._release(tie)
            for tie in touched:
                if tie.giver in self._up and tie.receiver in self._up:
                    self._deliver(tie)

    def _release(self, tie: Tie) -> None:
        tie.waits = False
        for line in self.lines[tie.giver]:
            new, counted = tie.release_own(line)
            if new:
                tie.last_release[line.kind] = self.day
            if counted:
                self._leave_later(tie, "given", line.kind, counted)

    def _deliver(self, tie: Tie) -> None:
        for number, released in tie.released.items():
            if tie.delivered.get(number) != released:
                tie.delivered[number] = list(released)
                self._store(tie.receiver, self._by_number[number], released)

    def _store(self, receiver: str, line: Line, parts: list[int]) -> None:
        """Take in what is new of a line; a record that came before is stored once."""
        held = self.held[receiver].setdefault(line.number, [0] * len(line.parts))
        source = self.ties[receiver, line.issuer]
        entitled = self.ties[line.issuer, receiver].entitled(line)
        before, gained = list(held), 0
        for part, count in enumerate(parts):
            if count > held[part]:
                gained += (count - held[part]) * entitled[part]
                held[part] = count
        had, allowed = self._shares[receiver]
        self._shares[receiver] = had + gained, allowed
        new = source.receive(line, before, held)
        if new:
            self._leave_later(source, "received", line.kind, new)
            if source.waits and source.decisions.policy.depends_on_standing:
                self._touch(source)

    def _relay(self) -> bool:
        """Pass on what issuers let be passed on; return whether anything moved.

        To whom it brings nothing it is not sent, which changes nothing: relaying counts for nobody.
        """
        moved = False
        up = [name for name in self.institutes if name in self._up]
        for line in self._onward:
            holders = [name for name in up if line.number in self.held[name]]
            whole = line.ready
            for receiver in up if holders else ():
                # without the issuer's keys it could not be verified
                known = (receiver, line.issuer) in self.ties
                if known and self.held[receiver].get(line.number) != whole:
                    moved |= any(self._pass_on(line, giver, receiver) for giver in holders)
        return moved

    def _pass_on(self, line: Line, giver: str, receiver: str) -> bool:
        """Give a receiver what it lacks of a third institute's line; return whether it did."""
        offered, there = self.held[giver][line.number], self.held[receiver].get(line.number)
        tie = self.ties.get((giver, receiver))
        if tie is None or offered == there:
            return False
        if there and all(have >= more for have, more in zip(there, offered, strict=True)):
            return False
        if not tie.release_relayed(line, offered):
            return False
        self._deliver(tie)
        return True

    # --- what depends on what ----------------------------------------------------------------

    def _touch(self, *ties: Tie) -> None:
        for tie in ties:
            self._moved[tie.giver, tie.receiver] = tie

    def _leave_later(self, tie: Tie, column: str, kind: Kind, n: int) -> None:
        day = self.day + self.scenario.window_days
        if day <= self.scenario.days:
            self._leaving.setdefault(day, []).append((tie, column, kind, n))

    def _by_end(self) -> tuple[dict[str, list[Tie]], dict[str, list[Tie]]]:
        givers: dict[str, list[Tie]] = {name: [] for name in self.institutes}
        receivers: dict[str, list[Tie]] = {name: [] for name in self.institutes}
        for (giver, receiver), tie in self.ties.items():
            givers[giver].append(tie)
            receivers[receiver].append(tie)
        return givers, receivers


@cache
def _handling_alone() -> Policy:
    return Policy.parse(_HANDLING_ALONE)


def _linked(one: Institute, other: Institute) -> bool:
    """Whether two institutes are each other's peers."""
    named = (one.peers is None or other.id in one.peers) and (
        other.peers is None or one.id in other.peers
    )
    return one is not other and named


def _facts(scenario: Scenario, by: Institute, of: Institute) -> PeerFacts:
    terms = scenario.terms(by.id, of)
    return PeerFacts(of.id, terms.status, terms.groups, terms.clearances, terms.purposes)
