"""The network of a scenario, played day by day on a virtual clock.

On each day the institutes that are up issue the records that are due, including those that fell due
while they were down. Then records are released and delivered among them until nothing moves any
more, as nodes do within seconds. A record counts as given when it is released and as received when
it is delivered. A relayed record counts as received from its issuer, and as given by nobody.
Invariants: nothing is released that the real evaluator denies under the giver's policy; equal
scenarios give equal networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from comity.policies.evaluator import Policy
from comity.policies.simulation.members import Institute
from comity.policies.simulation.pair import Line, Pair
from comity.policies.simulation.peer_pairs import peer_pairs
from comity.policies.simulation.real_records import KnownRecords
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.treaty_links import LinkedDecisions
from comity.record.kind import Kind

Share = tuple[int, int]
"""Number of parts held, and of parts that handling alone would allow."""


class Network:
    """Institutes, the records that they hold, and what they know of each other.

    ``day`` is the last day played, 0 before the first.
    """

    def __init__(self, scenario: Scenario, policies: Mapping[str, Policy]) -> None:
        """Set up the network; ``policies`` holds every policy that an institute names."""
        self.scenario = scenario
        self.day = 0

        # the institutes and what they will issue
        self.institutes = {one.id: one for one in scenario.institutes()}
        self.lines: dict[str, list[Line]] = {name: [] for name in self.institutes}
        for one in self.institutes.values():
            self._add_lines(one)
        self._by_number = list(self.all_lines())
        self._onward = [line for line in self._by_number if line.parts[0].onward]

        # the pairs of peers
        self._decisions = LinkedDecisions(policies, scenario.treaty)
        self.pairs = peer_pairs(scenario, self._decisions)
        self._from, self._to = self._by_end()

        # what each holds, and the share of what it could hold
        self.held: dict[str, dict[int, list[int]]] = {name: {} for name in self.institutes}
        self.history: list[dict[str, Share]] = []
        self._shares: dict[str, Share] = dict.fromkeys(self.institutes, (0, 0))

        # what leaves the window, by day, and the pairs between which something may move
        self._leaving: dict[int, list[tuple[Pair, str, Kind, int]]] = {}
        self._moved: dict[tuple[str, str], Pair] = {}

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
        # (1) who is up, and which treaties are in force
        self.day += 1
        self._up = {n for n, one in self.institutes.items() if not one.is_down(self.day)}
        if self.day in self._decisions.days:
            self._link()

        # (2) what leaves the window, and what is issued or catches up
        for pair, column, kind, n in self._leaving.pop(self.day, ()):
            pair.expire(column, kind, n)
            self._touch(pair)
        for name in self.institutes:
            if name in self._up:
                if self.day > 1 and self.institutes[name].is_down(self.day - 1):
                    self._touch(*self._from[name], *self._to[name])
                self._issue(name)

        # (3) releases and deliveries
        self._settle()
        self.history.append(dict(self._shares))

    def _link(self) -> None:
        """Link the policies for the treaties that are in force on this day."""
        for (giver, receiver), pair in self.pairs.items():
            policy = self.institutes[giver].policy
            decisions = self._decisions.between(policy, giver, receiver, self.day)
            if decisions is not pair.decisions:
                pair.follow(decisions)
                self._touch(pair)

    # --- issuing ---------------------------------------------------------------------------

    def _add_lines(self, one: Institute) -> None:
        for position, issues in enumerate(one.issues):
            parts = issues.parts(one.id)
            relayed = tuple(replace(part, own=False) for part in parts)
            seed = f"{self.scenario.seed}/{one.id}/{position}"
            due = list(accumulate(issues.schedule(self.scenario.days, seed)))
            number = sum(map(len, self.lines.values()))

            # made-up records have no embargo
            embargo, contents = (1,) * len(parts), None
            if isinstance(issues, KnownRecords):
                embargo, contents = issues.embargo, issues.contents
            line = Line(number, one.id, parts, relayed, due, embargo, contents)
            self.lines[one.id].append(line)

    def _issue(self, name: str) -> None:
        """Issue the records that are due by now."""
        for line in self.lines[name]:
            new = line.issue(self.day)
            if not any(new):
                continue
            for pair in self._from[name]:
                entitled = sum(n for n, may in zip(new, pair.entitled(line), strict=True) if may)
                if entitled:
                    held, allowed = self._shares[pair.receiver]
                    self._shares[pair.receiver] = held, allowed + entitled
                    self._touch(pair)

    # --- releasing and delivering ----------------------------------------------------------------

    def _settle(self) -> None:
        """Release and deliver until nothing moves any more."""
        while self._moved or self._relay():
            touched = list(self._moved.values())
            self._moved.clear()
            for pair in touched:
                if pair.giver in self._up:
                    self._release(pair)
            for pair in touched:
                if pair.giver in self._up and pair.receiver in self._up:
                    self._deliver(pair)

    def _release(self, pair: Pair) -> None:
        pair.waits = False
        for line in self.lines[pair.giver]:
            new, counted = pair.release_own(line)
            if new:
                pair.last_release[line.kind] = self.day
            if counted:
                self._leave_later(pair, "given", line.kind, counted)

    def _deliver(self, pair: Pair) -> None:
        for number, released in pair.released.items():
            if pair.delivered.get(number) != released:
                pair.delivered[number] = list(released)
                self._store(pair.receiver, self._by_number[number], released)

    def _store(self, receiver: str, line: Line, parts: list[int]) -> None:
        """Store the new parts of a line; a record that came before is stored only once."""
        held = self.held[receiver].setdefault(line.number, [0] * len(line.parts))
        source = self.pairs[receiver, line.issuer]
        entitled = self.pairs[line.issuer, receiver].entitled(line)

        # coverage counts only parts that handling alone would allow
        before, gained = list(held), 0
        for part, count in enumerate(parts):
            if count > held[part]:
                gained += (count - held[part]) * entitled[part]
                held[part] = count
        had, allowed = self._shares[receiver]
        self._shares[receiver] = had + gained, allowed

        # the issuer's standing with the receiver, whoever passed the records on
        new = source.receive(line, before, held)
        if new:
            self._leave_later(source, "received", line.kind, new)
            if source.waits and source.decisions.policy.depends_on_standing:
                self._touch(source)

    def _relay(self) -> bool:
        """Pass on the records that their issuers allow passing on; True if anything moved.

        A receiver that has everything is skipped: relaying counts for nobody, so nothing is lost.
        """
        moved = False
        up = [name for name in self.institutes if name in self._up]
        for line in self._onward:
            holders = [name for name in up if line.number in self.held[name]]
            whole = line.ready
            for receiver in up if holders else ():
                # only a peer of the issuer has the keys to verify its records
                known = (receiver, line.issuer) in self.pairs
                if known and self.held[receiver].get(line.number) != whole:
                    moved |= any(self._pass_on(line, giver, receiver) for giver in holders)
        return moved

    def _pass_on(self, line: Line, giver: str, receiver: str) -> bool:
        """Give a receiver the parts that it lacks of a third institute's line; True if any."""
        offered, there = self.held[giver][line.number], self.held[receiver].get(line.number)
        pair = self.pairs.get((giver, receiver))
        if pair is None or offered == there:
            return False
        if there and all(have >= more for have, more in zip(there, offered, strict=True)):
            return False
        if not pair.release_relayed(line, offered):
            return False
        self._deliver(pair)
        return True

    # --- what has to be looked at again ----------------------------------------------------------

    def _touch(self, *pairs: Pair) -> None:
        for pair in pairs:
            self._moved[pair.giver, pair.receiver] = pair

    def _leave_later(self, pair: Pair, column: str, kind: Kind, n: int) -> None:
        day = self.day + self.scenario.window_days
        if day <= self.scenario.days:
            self._leaving.setdefault(day, []).append((pair, column, kind, n))

    def _by_end(self) -> tuple[dict[str, list[Pair]], dict[str, list[Pair]]]:
        givers: dict[str, list[Pair]] = {name: [] for name in self.institutes}
        receivers: dict[str, list[Pair]] = {name: [] for name in self.institutes}
        for (giver, receiver), pair in self.pairs.items():
            givers[giver].append(pair)
            receivers[receiver].append(pair)
        return givers, receivers
