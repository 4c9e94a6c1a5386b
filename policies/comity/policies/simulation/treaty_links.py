"""Decisions of a scenario's policies, linked for the treaties that are in force on a day.

Invariant: pairs whose givers have the same policy and the same treaties, or none, share their
remembered decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comity.policies.evaluator import Policy
from comity.policies.simulation.members import Agreement
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.policies.treaty import Treaty


class LinkedDecisions:
    """Decisions of policies, by name, between institutes that have treaties."""

    def __init__(self, policies: Mapping[str, Policy], treaties: Sequence[Agreement]) -> None:
        self._policies = policies
        self._treaties = [(number, one) for number, one in enumerate(treaties, start=1)]
        self._known: dict[tuple[str, tuple[Treaty, ...]], RememberedDecisions] = {}
        self.days = {day for one in treaties for day in (one.first, (one.last or 0) + 1)}
        """Days on which a treaty comes into force or has ended."""

    def between(self, policy: str, giver: str, receiver: str, day: int) -> RememberedDecisions:
        """Return the decisions of a giver's policy about a receiver on a day."""
        treaties = self._in_force(giver, receiver, day)
        # a policy without a template ignores treaties
        if not self._policies[policy].has_templates:
            treaties = ()
        known = self._known.get((policy, treaties))
        if known is None:
            linked = self._policies[policy].with_treaties(treaties)
            known = self._known[policy, treaties] = RememberedDecisions(linked)
        return known

    def _in_force(self, giver: str, receiver: str, day: int) -> tuple[Treaty, ...]:
        return tuple(
            one.treaty(receiver, number)
            for number, one in self._treaties
            if {giver, receiver} == {*one.parties} and one.active(day)
        )
