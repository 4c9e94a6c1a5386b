"""Schema faults: the place in a rule that does not fit the schema, and the reason.

The engine reports what is wrong with a rule but not where. So the rule is cut short, completed to a
whole rule and validated again, until the place is found. Invariant: the rule cut short just before
the reported place has none of the faults of the whole rule.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

import cedarpy

from comity.policies.cedar import engine
from comity.policies.cedar.source import RuleText, refuse
from comity.record.errors import BadPolicy

_SEAMS: Final = ("&&", "||", ",", "}", ";")
"""Tokens that follow a complete operand: cutting there hardly causes a fault by itself."""

_ENGINE_PREFIX: Final = re.compile(r"^for policy `policy\d+`[,:] ")
_OF_TYPES: Final = ("the types ", "unexpected type")
_UNSPECIFIC: Final = "unable to find an applicable action"
_IN_WORDS: Final = (
    (re.compile(r"\{(?:[^{}]|\{[^{}]*\})+\}"), "a record"),
    (re.compile(r"__cedar::internal::OpenRecord\{\}"), "a record"),
    (re.compile(r"__cedar::internal::(True|False)"), "Bool"),
    (re.compile(r"Set<__cedar::internal::AnyEntity>"), "a set of entities"),
    (re.compile(r"Set<__cedar::internal::Any>"), "a set"),
    (re.compile(r"__cedar::internal::AnyEntity"), "an entity"),
)


def misfit(rule: RuleText) -> BadPolicy:
    """Return the error for the first place in a rule at which it does not fit the schema."""
    # (1) the first operand that is at fault, by bisection
    wrong = _faults(rule, len(rule.tokens) - 1) or frozenset()
    count = _first_whole(rule, wrong)

    # (2) back from its end, token by token, for as long as the fault stays
    found = wrong
    for shorter in range(count, 0, -1):
        faults = _faults(rule, shorter)
        if faults is None:
            continue
        if not faults & wrong:
            break
        count, found = shorter, faults & wrong

    # (3) of several faults there, the most specific
    reason = min(found, key=lambda said: (said.startswith(_UNSPECIFIC), said))
    message = f"expected what the schema allows, got: {_in_words(reason)}"
    return refuse(rule.text, rule.tokens[count - 1][0], message)


def _first_whole(rule: RuleText, wrong: frozenset[str]) -> int:
    """Return how many tokens it takes to the end of the first operand that is at fault."""
    words = rule.words()
    ends = [count for count in range(1, len(words)) if words[count] in _SEAMS]

    def is_wrong(count: int) -> bool:
        return bool(wrong & (_faults(rule, count) or frozenset()))

    return ends[bisect_left(ends, True, hi=len(ends) - 1, key=is_wrong)]


def _faults(rule: RuleText, count: int) -> frozenset[str] | None:
    """Return the faults of a rule cut short after ``count`` tokens; None if it cannot end there."""
    errors = cedarpy.validate_policies(f"{rule.closed(count)};", engine.cedar_schema()).errors
    # an error that belongs to no rule is one of syntax
    if any(not error.policy_id for error in errors):
        return None
    return frozenset(_ENGINE_PREFIX.sub("", error.error) for error in errors)


def _in_words(reason: str) -> str:
    if reason.startswith(_OF_TYPES):
        for internal, words in _IN_WORDS:
            reason = internal.sub(words, reason)
    return reason
