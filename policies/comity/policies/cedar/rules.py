"""The rules of a policy: parsed, and checked one by one against what Comity requires of them.

Invariants of a checked rule: its id is unique in the policy; it fits the schema; it does not name
the action recall, nor a part or treaty by id; if it is a template, it has the one form that can be
linked for a treaty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import cedarpy

from comity.policies.cedar import engine, reasons
from comity.policies.cedar.schema_fault import misfit
from comity.policies.cedar.source import RuleText, read_rules, refuse
from comity.record.errors import BadPolicy
from comity.record.limits import MAX_TEMPLATES

BASELINE_PREFIX: Final = "baseline-"

_RULE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RECALL: Final = ("Action", "::", '"recall"')
_NEEDLESS: Final = "a treaty gives; what forbids needs no treaty"
_STANDING: Final = (("Var", "context"), ("attr", "standing"))
_GIVING: Final = ("given", "givenEver")
_UNNAMED: Final = ("Part", "Treaty")
_SLOTS: Final = (
    {"op": "==", "slot": "?principal"},
    {"op": "in", "slot": "?resource"},
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``source`` is its text and place, ``parsed`` is its form in Cedar's JSON.

    ``rule_id`` and ``reason`` are its annotations ``@id`` and ``@reason``, empty if missing. A rule
    that ``is_template`` decides nothing until it is linked for a treaty.
    """

    rule_id: str
    reason: str
    is_template: bool
    source: RuleText = field(repr=False)
    parsed: dict[str, Any] = field(repr=False)

    @property
    def is_permit(self) -> bool:
        """True if the rule permits, False if it forbids."""
        return bool(self.parsed["effect"] == "permit")

    @property
    def is_baseline(self) -> bool:
        """True if the rule is one of the baseline's."""
        return self.rule_id.startswith(BASELINE_PREFIX)

    @property
    def line(self) -> int:
        """Line on which the rule begins, annotations included, counted from 1."""
        return self.source.text.count("\n", 0, self.source.start) + 1

    @property
    def reads_standing(self) -> bool:
        """True if the rule reads a peer's standing; the request's context holds nothing else."""
        return any(pair in _STANDING for pair in pairs(self.parsed))

    @property
    def reads_giving(self) -> bool:
        """True if the rule may read how much a peer was given.

        It may if it names that count; any string that is spelt like it counts as well.
        """
        return any(word in _GIVING for pair in pairs(self.parsed) for word in pair)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Parse the rules of a text without checking more than Cedar's grammar; see ``read_rules``."""
    return tuple(_parsed(source) for source in read_rules(text))


def check_rules(text: str) -> tuple[Rule, ...]:
    """Parse an institute's policy and check each of its rules.

    Raises:
        BadPolicy: see ``Policy.parse``.

    """
    rules = parse_rules(text)
    _check_schema(text, rules)

    # each rule by itself
    seen: set[str] = set()
    for rule in rules:
        _check_id(rule)
        _check_reason(rule)
        _check_named(rule)
        if rule.is_template:
            _check_template(rule)
        if rule.rule_id in seen:
            raise _refuse(rule, f"expected each @id once, got {rule.rule_id!r} again")
        seen.add(rule.rule_id)

    # each template is linked once for each treaty, so their number bounds the work
    templates = [rule for rule in rules if rule.is_template]
    if len(templates) > MAX_TEMPLATES:
        message = f"expected at most {MAX_TEMPLATES} rules with ?principal (MAX_TEMPLATES)"
        raise _refuse(templates[MAX_TEMPLATES], f"{message}, got {len(templates)}")
    return rules


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key and value in a JSON value, at any depth."""
    # a list instead of recursion: rules are as deep as their chains of operators are long
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _parsed(source: RuleText) -> Rule:
    try:
        found = json.loads(cedarpy.policies_to_json_str(source.prefix(len(source.tokens))))
    except RecursionError as error:
        message = "expected a shorter chain of operators"
        raise refuse(source.text, source.start, message, "split the rule, or use a set") from error
    is_template = bool(found["templates"])
    parsed = found["templates" if is_template else "staticPolicies"]["policy0"]
    notes = parsed.get("annotations", {})
    return Rule(notes.get("id") or "", notes.get("reason") or "", is_template, source, parsed)


def _refuse(rule: Rule, message: str, *words: str, hint: str = "") -> BadPolicy:
    return refuse(rule.source.text, rule.source.find(*words), message, hint)


def _check_schema(text: str, rules: tuple[Rule, ...]) -> None:
    errors = cedarpy.validate_policies(text, engine.cedar_schema()).errors
    if errors:
        raise misfit(
            rules[min(int(error.policy_id.removeprefix("policy")) for error in errors)].source
        )


def _check_id(rule: Rule) -> None:
    if not _RULE_ID.fullmatch(rule.rule_id):
        message = (
            'expected @id("...") of 1 to 128 letters, digits, "-", "_" and "." before the rule, '
            f"got {rule.rule_id!r:.80}"
        )
        raise _refuse(rule, message)
    if rule.rule_id.startswith(BASELINE_PREFIX):
        message = f'expected an @id that does not begin with "{BASELINE_PREFIX}"'
        raise _refuse(rule, f"{message}, got {rule.rule_id!r}")


def _check_reason(rule: Rule) -> None:
    for name in reasons.unknown_placeholders(rule.reason):
        known = ", ".join(sorted(reasons.PLACEHOLDERS))
        raise _refuse(rule, f"expected one of {known}, got {{{name}}}", "reason")


def _check_named(rule: Rule) -> None:
    if '"recall"' in json.dumps(rule.parsed["action"]):
        hint = "a recall goes to everyone that was given the record; the baseline decides it"
        raise _refuse(rule, "expected no rule about recall", *_RECALL, hint=hint)
    for key, value in pairs(rule.parsed):
        if key in ("entity", "__entity") and value["type"] in _UNNAMED:
            kind = value["type"]
            hint = "say what the part must be like, in a when clause"
            if kind == "Treaty":
                hint = "write a rule with ?principal and ?resource: it is linked for each treaty"
            message = f"expected no {kind} by name, got {kind}::{json.dumps(value['id']):.80}"
            raise _refuse(rule, message, kind, "::", hint=hint)


def _check_template(rule: Rule) -> None:
    if not rule.is_permit:
        message = "expected a permit with ?principal and ?resource, got a forbid"
        raise _refuse(rule, message, "forbid", hint=_NEEDLESS)
    for name, form in zip(("principal", "resource"), _SLOTS, strict=True):
        if rule.parsed[name] != form:
            expected = f"{name} {form['op']} {form['slot']}"
            hint = "permit (principal == ?principal, action ..., resource in ?resource)"
            message = f"expected a template's scope to say {expected}, got something else"
            raise _refuse(rule, message, name, hint=hint)
