"""The one evaluator: facts about a peer and a part in, a verdict out.

Release, preview, explanation, query and simulation all ask ``Policy.decide_many``, so that they
cannot disagree. Invariants: the baseline takes part in every decision and no policy can undo it;
what no rule permits is denied; a rule that fails while it is evaluated denies, whatever the others
say; recall is decided by the baseline alone; equal facts give equal verdicts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import cedarpy

from comity.policies import engine, wording
from comity.policies.facts import Action, PartFacts, PeerFacts
from comity.policies.source import Rule, read_rules, refuse
from comity.record.errors import LimitExceeded
from comity.record.limits import MAX_POLICY_BYTES

BASELINE_PREFIX: Final = "baseline-"

_RULE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NUMBER: Final = re.compile(r"`policy(\d+)`")
_ENGINE_PREFIX: Final = re.compile(r"^for policy `policy\d+`[,:] ")
_QUOTED: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and why.

    ``rules`` are the ids of the rules that decided, in the order of the text with the baseline
    first: the permits when allowed, the forbids when one of them decided, none when no rule permits
    or a rule failed. ``message`` is a sentence for the operator; it names lists and standing and is
    not for the peer.
    """

    allowed: bool
    rules: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class _RuleText:
    """What a rule calls itself and says of itself."""

    rule_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """An institute's policy together with the baseline, parsed once and reused.

    ``digest`` is the SHA-256 of ``text`` in UTF-8, lower-case hex. ``depends_on_standing`` says
    whether any rule reads a peer's standing, so that decisions must be made again when it changes.
    """

    text: str
    digest: str
    depends_on_standing: bool
    _rules: tuple[_RuleText, ...] = field(repr=False, compare=False)
    _handle: cedarpy.PolicySet = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read and check a policy. An empty one is a policy too: it gives nothing to anyone.

        Raises:
            LimitExceeded: over MAX_POLICY_BYTES.
            BadPolicy: names line, column and reason: not Cedar; does not fit the schema; a rule
                without ``@id``, with one of another rule, or with one of the baseline's; a
                ``@reason`` with an unknown placeholder; a template; a rule about recall.

        """
        data = text.encode()
        if len(data) > MAX_POLICY_BYTES:
            raise LimitExceeded(
                "MAX_POLICY_BYTES", MAX_POLICY_BYTES, len(data), "bytes", field="policy"
            )
        rules = read_rules(text)
        parsed = [_parsed(rule) for rule in rules]
        _check_schema(text, rules)
        texts = tuple(_check_rule(*pair) for pair in zip(rules, parsed, strict=True))
        _check_unique(rules, texts)
        baseline = _baseline()
        # Concatenated, so that the engine numbers the rules in the order of the text.
        handle = cedarpy.PolicySet.from_str(f"{baseline.text}\n{text}")
        digest = hashlib.sha256(data).hexdigest()
        return cls(text, digest, _reads_standing(parsed), baseline.rules + texts, handle)

    def decide(
        self, peer: PeerFacts, part: PartFacts, action: Action = Action.REPLICATE
    ) -> Verdict:
        """Decide one part; see ``decide_many``."""
        return self.decide_many(peer, [part], action)[0]

    def decide_many(
        self, peer: PeerFacts, parts: Sequence[PartFacts], action: Action = Action.REPLICATE
    ) -> list[Verdict]:
        """Decide each part by itself, in one call of the engine; verdicts in the parts' order.

        The standing is taken as it is before any of the parts is given. A section is decided
        without regard to its header: that it only goes where its header goes is the caller's part.
        """
        handle = _baseline().handle if action is Action.RECALL else self._handle
        results = cedarpy.is_authorized_batch(
            engine.requests(peer, parts, action), handle, engine.entities(peer, parts)
        )
        return [
            self._verdict(result, peer, part, action)
            for result, part in zip(results, parts, strict=True)
        ]

    def _verdict(
        self, result: cedarpy.AuthzResult, peer: PeerFacts, part: PartFacts, action: Action
    ) -> Verdict:
        if result.diagnostics.errors:
            errors = "; ".join(self._named(error) for error in result.diagnostics.errors)
            return Verdict(False, (), f"denied, because a rule failed: {errors}")
        numbers = sorted(int(r.removeprefix("policy")) for r in result.diagnostics.reasons)
        rules = [self._rules[number] for number in numbers]
        if not rules:
            return Verdict(False, (), wording.not_permitted(peer, part, action))
        verb = "permitted" if result.allowed else "forbidden"
        because = "; ".join(
            f"by {rule.rule_id}: {wording.fill(rule.reason, peer, part, action)}".rstrip(": ")
            for rule in rules
        )
        ids = tuple(rule.rule_id for rule in rules)
        return Verdict(result.allowed, ids, f"{verb} {because}")

    def _named(self, error: str) -> str:
        return _NUMBER.sub(lambda match: self._rules[int(match[1])].rule_id, error)


@dataclass(frozen=True, slots=True)
class _Baseline:
    text: str
    rules: tuple[_RuleText, ...]
    handle: cedarpy.PolicySet


@cache
def _baseline() -> _Baseline:
    text = engine.read_resource("baseline.cedar")
    rules = tuple(_rule_text(_parsed(rule)) for rule in read_rules(text))
    return _Baseline(text, rules, cedarpy.PolicySet.from_str(text))


def _parsed(rule: Rule) -> dict[str, Any]:
    """Return a rule in Cedar's JSON form."""
    try:
        found = json.loads(cedarpy.policies_to_json_str(rule.prefix(len(rule.tokens))))
    except RecursionError as error:
        message = "expected a shorter chain of operators"
        raise refuse(rule.text, rule.start, message, "split the rule, or use a set") from error
    if found["templates"]:
        message = "expected a rule without ?principal and ?resource, got a template"
        hint = "a template decides nothing until it is linked"
        raise refuse(rule.text, rule.find("?"), message, hint)
    item: dict[str, Any] = found["staticPolicies"]["policy0"]
    return item


def _check_schema(text: str, rules: list[Rule]) -> None:
    errors = cedarpy.validate_policies(text, engine.schema()).errors
    for error in sorted(errors, key=lambda e: int(e.policy_id.removeprefix("policy"))):
        rule = rules[int(error.policy_id.removeprefix("policy"))]
        reason = _ENGINE_PREFIX.sub("", error.error)
        quoted = _QUOTED.search(reason)
        offset = rule.find(quoted[1]) if quoted else rule.start
        raise refuse(text, offset, f"expected what the schema allows, got: {reason}")


def _check_rule(rule: Rule, parsed: dict[str, Any]) -> _RuleText:
    found = _rule_text(parsed)
    if not _RULE_ID.fullmatch(found.rule_id):
        message = (
            'expected @id("...") of 1 to 128 letters, digits, "-", "_" and "." before the rule, '
            f"got {found.rule_id!r:.80}"
        )
        raise refuse(rule.text, rule.start, message)
    if found.rule_id.startswith(BASELINE_PREFIX):
        message = f'expected an @id that does not begin with "{BASELINE_PREFIX}"'
        raise refuse(rule.text, rule.start, f"{message}, got {found.rule_id!r}")
    for name in wording.unknown_placeholders(found.reason):
        known = ", ".join(sorted(wording.PLACEHOLDERS))
        raise refuse(rule.text, rule.find("reason"), f"expected one of {known}, got {{{name}}}")
    if '"recall"' in json.dumps(parsed["action"]):
        hint = "a recall goes to everyone that was given the record; the baseline decides it"
        raise refuse(rule.text, rule.find('"recall"'), "expected no rule about recall", hint)
    return found


def _check_unique(rules: list[Rule], texts: tuple[_RuleText, ...]) -> None:
    seen: set[str] = set()
    for rule, found in zip(rules, texts, strict=True):
        if found.rule_id in seen:
            message = f"expected each @id once, got {found.rule_id!r} again"
            raise refuse(rule.text, rule.start, message)
        seen.add(found.rule_id)


def _rule_text(parsed: dict[str, Any]) -> _RuleText:
    annotations = parsed.get("annotations", {})
    return _RuleText(annotations.get("id") or "", annotations.get("reason") or "")


def _reads_standing(parsed: list[dict[str, Any]]) -> bool:
    # The request's context holds nothing but standing.
    return any(
        pair in (("Var", "context"), ("attr", "standing"))
        for rule in parsed
        for pair in _pairs(rule)
    )


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
