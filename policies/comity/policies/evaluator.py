"""The one evaluator: facts about a peer and a part in, a decision out.

Release, preview, explanation, query and simulation all ask ``Policy.decide_many``, so that they
cannot disagree. Invariants: the baseline takes part in every decision and no policy can undo it;
what no rule permits is denied; a rule that fails while it is evaluated denies, whatever the others
say; recall is decided by the baseline alone; equal facts give equal decisions; a treaty bears on
decisions about its own party alone.
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

# The engine's name of a rule: its number in the text and, linked, the treaty's id after a slash.
_ENGINE_ID: Final = re.compile(r"`policy(\d+)(?:/([A-Za-z0-9._-]+))?`")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and why.

    ``rules`` are the ids of the rules that decided, in the order of the text with the baseline
    first: the permits when allowed, the forbids when one of them decided, none when no rule permits
    or a rule failed. A rule that was linked for a treaty is named with it, as
    ``treaty-exchange[uk-ca-2026]``. ``message`` is a sentence for the operator; it names lists and
    standing and is not for the peer.
    """

    allowed: bool
    rules: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Policy:
    """An institute's policy together with the baseline, parsed once and reused.

    ``digest`` is the SHA-256 of ``text`` in UTF-8, lower-case hex. ``depends_on_standing`` says
    whether any rule reads a peer's standing, so that decisions must be made again when it changes,
    and ``depends_on_giving`` whether giving itself may change them.
    ``treaties`` are those that are linked, by id. ``rules`` are the institute's own, in the order
    of the text.
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
        """Read and check a policy. An empty one is a policy too: it gives nothing to anyone.

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
        # Concatenated, so that the engine numbers the rules in the order of the text.
        handle = cedarpy.PolicySet.from_str(f"{_baseline().text}\n{text}")
        standing = any(rule.reads_standing for rule in rules)
        giving = standing and any(rule.reads_giving for rule in rules)
        digest = hashlib.sha256(data).hexdigest()
        return cls(text, digest, standing, giving, (), rules, handle, MappingProxyType({}))

    @property
    def has_templates(self) -> bool:
        """Whether treaties make a difference to it."""
        return any(rule.is_template for rule in self.rules)

    @property
    def gives_nothing(self) -> bool:
        """Whether it has no permit, so that nothing is given to anyone."""
        return not any(rule.is_permit for rule in self.rules)

    def with_treaties(self, treaties: Sequence[Treaty]) -> Policy:
        """Return this policy with its templates linked for these treaties and for no others.

        All of them count, whatever their time: the caller hands in those that are active.

        Raises:
            LimitExceeded: more than MAX_TREATIES.
            Conflict: two of one id.

        """
        ordered = check_treaties(treaties)
        by_party = groupby(sorted(ordered, key=_party), key=_party)
        # A handle for each party: the cost of a decision grows with the treaties of one peer only.
        linked = {party: self._link(tuple(some)) for party, some in by_party}
        return replace(self, treaties=ordered, _linked=MappingProxyType(linked))

    def terms_digest(self, peer: str) -> str:
        """Return the SHA-256, in hex, of all of this policy that bears on one institute.

        It is ``digest`` without treaties, or where there is no template to link them to.
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

        The standing is taken as it is before any of the parts is given. A section is decided
        without regard to its header: that it only goes where its header goes is the caller's part.
        """
        handle = self._linked.get(peer.institute, self._handle)
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
        if result.diagnostics.errors:
            errors = "; ".join(self._named(error) for error in result.diagnostics.errors)
            return Decision(False, (), f"denied, because a rule failed: {errors}")
        deciding = sorted(_place(engine_id) for engine_id in result.diagnostics.reasons)
        if not deciding:
            return Decision(False, (), reasons.not_permitted(peer, part, action))
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
    """Return the baseline's rules, in the order of its text."""
    return _baseline().rules
