"""Findings about a valid policy: rules that match nothing, are moot because of others, or fail.

For each rule, the analysis searches a case that the rule matches and that no forbid matches. If a
forbid matches the case that was found, the next case must avoid that forbid too. Invariants: equal
policies give equal findings; a finding is ``certain`` only if the search was exhaustive; a rule for
which a case was found is never reported as having no effect, and a rule is reported as failing only
if the engine was seen to fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from comity.policies.analysis.case_space import is_count
from comity.policies.analysis.matching_case import Search, find_failure, find_witness
from comity.policies.analysis.truth_tables import Question, matching, parse_set
from comity.policies.cedar.rules import Rule
from comity.policies.evaluator import Policy, baseline_rules

MAX_ROUNDS: Final = 16
"""Most cases that are searched for one rule, each avoiding the forbids of those before."""


class Problem(StrEnum):
    """Kind of a finding."""

    NEVER_MATCHES = "never-matches"
    MOOT = "moot"
    SHADOWED = "shadowed"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """A rule that has no effect, or that can fail and then denies everything.

    ``line`` is the line on which the rule begins, from 1. ``rules`` are the ids of the forbids that
    leave the rule without effect, empty if it never matches or if it fails. ``certain`` is False if
    only a sample of all cases was tried.
    """

    rule_id: str
    line: int
    problem: Problem
    rules: tuple[str, ...]
    certain: bool
    sentence: str


def analyse(policy: Policy) -> list[RuleFinding]:
    """Return the findings, in the order of the rules.

    A permit is moot if the baseline forbids everything that it permits, and shadowed if it takes
    the policy's own forbids as well. A forbid is moot if the baseline forbids as much without it. A
    rule fails if a number becomes too large at counts up to LARGE_COUNT.
    """
    baseline = _Forbids([rule for rule in baseline_rules() if not rule.is_permit])
    own = [rule for rule in policy.rules if not rule.is_permit]
    everything = _Forbids([*baseline.rules, *own])

    found: list[RuleFinding | None] = []
    for rule in policy.rules:
        in_vain = _examine(rule, baseline)
        # forbids are compared with the baseline alone: two of a policy may well overlap
        if in_vain is None and rule.is_permit:
            in_vain = _examine(rule, everything)
        found += [in_vain, _failure(rule)]
    return [finding for finding in found if finding is not None]


class _Forbids:
    """Several forbids, put to the engine together."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        named: dict[str, Any] = {str(i): rule.parsed for i, rule in enumerate(rules)}
        self._handle = parse_set(named)

    def matching(self, question: Question) -> list[Rule]:
        """Return the forbids that match, or none if one of them fails."""
        names = matching(self._handle, [question])[0] or frozenset()
        return [self.rules[int(name)] for name in sorted(names, key=int)]


def _examine(rule: Rule, forbids: _Forbids) -> RuleFinding | None:
    search = find_witness(rule, [])
    before: list[Rule] = []
    for _ in range(MAX_ROUNDS):
        if search.witness is None:
            return _finding(rule, before, search)
        fresh = [forbid for forbid in forbids.matching(search.witness) if forbid not in before]
        # the case stands: the rule decides it
        if not fresh:
            return None
        before += fresh
        search = find_witness(rule, before)
    return None


def _finding(rule: Rule, before: list[Rule], search: Search) -> RuleFinding:
    ids = tuple(sorted(forbid.rule_id for forbid in before))
    verb = "permits" if rule.is_permit else "forbids"
    own = any(not forbid.is_baseline for forbid in before)

    if not before:
        problem, sentence = Problem.NEVER_MATCHES, "can never match: no case meets its conditions"
        unsure = "no case was found that meets its conditions"
    else:
        problem = Problem.SHADOWED if own else Problem.MOOT
        word, who = ("shadowed", "other rules forbid") if own else ("moot", "the baseline forbids")
        sentence = f"is {word}: {who} all that it {verb}, by {', '.join(ids)}"
        unsure = f"no case was found that it {verb} and that {', '.join(ids)} would not forbid"

    said = f"{rule.rule_id} {sentence}" if search.exact else f"{rule.rule_id}: {unsure}"
    return RuleFinding(rule.rule_id, rule.line, problem, ids, search.exact, said)


def _failure(rule: Rule) -> RuleFinding | None:
    values = find_failure(rule)
    if values is None:
        return None
    counts = [f"{'.'.join(path)} is {values[path]}" for path in sorted(values) if is_count(path)]
    where = f" where {' and '.join(counts)}" if counts else ""
    sentence = (
        f"{rule.rule_id} can fail{where}: a number does not fit into 64 bits, and where a rule "
        "fails nothing is given"
    )
    return RuleFinding(rule.rule_id, rule.line, Problem.FAILS, (), True, sentence)
