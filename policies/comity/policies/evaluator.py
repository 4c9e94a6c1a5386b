"""The one evaluator: facts about a peer and a part in, a decision out.

Release, preview, explanation, query and simulation all ask ``Policy.decide_many``, so they cannot
disagree. Invariants: the baseline takes part in every decision and no policy can override it; a
part that no rule permits is denied; a rule that fails while it is evaluated denies the part,
whatever the other rules say; the baseline alone decides a recall; equal facts give equal decisions;
a treaty affects only decisions about its own party.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Final

import cedarpy

from comity.policies.cedar import engine, reasons
from comity.policies.cedar.rules import Rule, check_rules, parse_rules
from comity.policies.facts import Action, PartFacts, PeerFacts
from comity.policies.treaty import Treaty, check_treaties
from comity.record import ijson
from comity.record.limits import MAX_POLICY_BYTES

# the engine's name of a rule: its number in the text, then a slash and the treaty's id if linked
_ENGINE_ID: Final = re.compile(r"`policy(\d+)(?:/([A-Za-z0-9._-]+))?`")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision, and the rules that made it.

    ``rules`` are the ids of the deciding rules, the baseline's first, in the order of the text: the
    permits if the part is allowed, the forbids if a forbid matched, and none if no rule permits the
    part or a rule failed. A rule that was linked for a treaty is named with the treaty, as
    ``treaty-exchange[uk-ca-2026]``. ``message`` is a sentence for the operator; it tells lists and
    standing and must not be shown to the peer.
    """

    allowed: bool
    rules: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Policy:
    """An institute's policy together with the baseline, parsed once and reused.

    ``digest`` is the SHA-256 of ``text`` in UTF-8, lower-case hex. ``depends_on_standing`` is True
    if any rule reads a peer's standing, so that a change of standing needs new decisions, and
    ``depends_on_giving`` is True if giving a record may itself change decisions. ``treaties`` are
    the linked treaties, ordered by id. ``rules`` are the institute's own rules, in the order of the
    text.
    """

    text: str
    digest: str
    depends_on_standing: bool
    depends_on_giving: bool
    treaties: tuple[Treaty, ...]
    rules: tuple[Rule, ...] = field(repr=False, compare=False)
    _handle: cedarpy.PolicySet = field(repr=False, compare=False)
    _linked: Mapping[str, cedarpy.PolicySet] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read and check a policy. An empty text is a policy too: it gives nothing to anyone.

        Raises:
            LimitExceeded: over MAX_POLICY_BYTES.
            BadPolicy: names line, column and reason: not Cedar; does not fit the schema; a rule
                without ``@id``, with one of another rule, or with one of the baseline's; a
                ``@reason`` with an unknown placeholder; a rule about recall, or one that names a
                part or a treaty by id; a template that is no permit of the form
                ``principal == ?principal, resource in ?resource``, or more than MAX_TEMPLATES.

        """
        data = text.encode()
        MAX_POLICY_BYTES.check(len(data), "policy")
        rules = check_rules(text)
        # concatenated, so that the engine numbers the rules in the order of the text
        handle = cedarpy.PolicySet.from_str(f"{_baseline().text}\n{text}")
        standing = any(rule.reads_standing for rule in rules)
        giving = standing and any(rule.reads_giving for rule in rules)
        digest = hashlib.sha256(data).hexdigest()
        return cls(text, digest, standing, giving, (), rules, handle, MappingProxyType({}))

    @property
    def has_templates(self) -> bool:
        """True if treaties can change decisions: the policy has a template to link for them."""
        return any(rule.is_template for rule in self.rules)

    @property
    def gives_nothing(self) -> bool:
        """True if the policy has no permit, so that it gives nothing to anyone."""
        return not any(rule.is_permit for rule in self.rules)

    def with_treaties(self, treaties: Sequence[Treaty]) -> Policy:
        """Return this policy with its templates linked for these treaties and for no others.

        Their start and end are not looked at: the caller passes only treaties that are in force.

        Raises:
            LimitExceeded: more than MAX_TREATIES.
            Conflict: two treaties have one id.

        """
        ordered = check_treaties(treaties)
        by_party = groupby(sorted(ordered, key=_party), key=_party)
        # one handle for each party, so that a decision costs only as much as its peer's treaties
        linked = {party: self._link(tuple(some)) for party, some in by_party}
        return replace(self, treaties=ordered, _linked=MappingProxyType(linked))

    def terms_digest(self, peer: str) -> str:
        """Return a SHA-256 in hex, which changes if the policy changes for one institute.

        It equals ``digest`` if the institute has no treaty or the policy has no template.
        """
        terms = [treaty.terms() for treaty in self._treaties_with(peer)]
        if not terms:
            return self.digest
        value = {"policy": self.digest, "treaties": terms}
        return hashlib.sha256(ijson.canonical(value)).hexdigest()

    def decide(
        self, peer: PeerFacts, part: PartFacts, action: Action = Action.REPLICATE
    ) -> Decision:
        """Decide one part; see ``decide_many``."""
        return self.decide_many(peer, [part], action)[0]

    def decide_many(
        self, peer: PeerFacts, parts: Sequence[PartFacts], action: Action = Action.REPLICATE
    ) -> list[Decision]:
        """Decide each part by itself, in one call of the engine; decisions in the parts' order.

        Every decision is made with the standing as it is before any of the parts is given. A
        section is decided without its header: the caller must see to it that a section only goes
        to a peer that has the header or gets it as well.
        """
        handle = self._linked.get(peer.institute, self._handle)
        # no policy may hold back a recall
        if action is Action.RECALL:
            handle = _baseline().handle

        results = cedarpy.is_authorized_batch(
            engine.requests(peer, parts, action),
            handle,
            engine.entities(peer, parts, self._treaties_with(peer.institute)),
        )

        return [
            self._decision(result, peer, part, action)
            for result, part in zip(results, parts, strict=True)
        ]

    def _treaties_with(self, peer: str) -> tuple[Treaty, ...]:
        if not self.has_templates:
            return ()
        return tuple(treaty for treaty in self.treaties if treaty.party == peer)

    def _link(self, treaties: tuple[Treaty, ...]) -> cedarpy.PolicySet:
        # the engine numbers the rules of the whole text, and the baseline stands first in it
        first = len(_baseline().rules)

        links = [
            {
                "template_id": f"policy{number}",
                "new_id": f"policy{number}/{treaty.treaty_id}",
                "values": {
                    "?principal": {"type": "Peer", "id": treaty.party},
                    "?resource": {"type": "Treaty", "id": treaty.treaty_id},
                },
            }
            for number, rule in enumerate(self.rules, first)
            for treaty in treaties
            if rule.is_template
        ]
        return self._handle.with_linked_batch(links)

    def _decision(
        self, result: cedarpy.AuthzResult, peer: PeerFacts, part: PartFacts, action: Action
    ) -> Decision:
        # (1) a rule that failed denies, whatever the others say
        if result.diagnostics.errors:
            errors = "; ".join(self._named(error) for error in result.diagnostics.errors)
            return Decision(False, (), f"denied, because a rule failed: {errors}")

        # (2) without a rule that matched nothing is permitted
        deciding = sorted(_place(engine_id) for engine_id in result.diagnostics.reasons)
        if not deciding:
            return Decision(False, (), reasons.not_permitted(peer, part, action))

        # (3) the rules that decided, each with its reason
        verb = "permitted" if result.allowed else "forbidden"
        names = tuple(self._name(*place) for place in deciding)
        given = (
            reasons.fill(self._rule(number).reason, peer, part, action, treaty)
            for number, treaty in deciding
        )
        because = "; ".join(
            f"by {name}: {reason}".rstrip(": ") for name, reason in zip(names, given, strict=True)
        )
        return Decision(result.allowed, names, f"{verb} {because}")

    def _rule(self, number: int) -> Rule:
        baseline = _baseline().rules
        own = number - len(baseline)
        return self.rules[own] if own >= 0 else baseline[number]

    def _name(self, number: int, treaty: str) -> str:
        rule_id = self._rule(number).rule_id
        return f"{rule_id}[{treaty}]" if treaty else rule_id

    def _named(self, error: str) -> str:
        return _ENGINE_ID.sub(lambda match: self._name(int(match[1]), match[2] or ""), error)


def _party(treaty: Treaty) -> str:
    return treaty.party


def _place(engine_id: str) -> tuple[int, str]:
    number, _, treaty = engine_id.removeprefix("policy").partition("/")
    return int(number), treaty


@dataclass(frozen=True, slots=True)
class _Baseline:
    text: str
    rules: tuple[Rule, ...]
    handle: cedarpy.PolicySet


@cache
def _baseline() -> _Baseline:
    text = engine.read_resource("baseline.cedar")
    return _Baseline(text, parse_rules(text), cedarpy.PolicySet.from_str(text))


def baseline_rules() -> tuple[Rule, ...]:
    """Return the rules of the baseline, in the order of its text."""
    return _baseline().rules
