"""Reasons: sentences that explain a decision, filled in with the facts.

A rule may carry ``@reason("{peer} is {status}")``. Invariants: only the names in ``PLACEHOLDERS``
are filled in, and only once; a reason is never evaluated, and a value that is filled in is never
read as a reason. Messages tell lists and standing: they are for the operator and not for the peer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from comity.policies.cedar.engine import reciprocity
from comity.policies.facts import Action, PartFacts, PeerFacts

PLACEHOLDERS: Final = (
    *("action", "peer", "status", "groups", "clearances", "peerPurposes"),
    *("received", "given", "credit", "rejected", "receivedEver", "givenEver"),
    *("kind", "issuer", "part", "tlp", "releasableTo", "onward", "purposes"),
    *("tags", "domains", "severity", "treaty"),
)
"""Names that a reason may hold in braces; names of attributes are spelt as in the schema. The
treaty is "none" unless the rule is linked for a treaty."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_SHOWN: Final = 5


def unknown_placeholders(reason: str) -> list[str]:
    """Return the names in braces that are no placeholders."""
    return [name for name in _PLACEHOLDER.findall(reason) if name not in PLACEHOLDERS]


def fill(reason: str, peer: PeerFacts, part: PartFacts, action: Action, treaty: str = "") -> str:
    """Return the reason with every placeholder replaced, on one line; ``treaty`` is an id."""
    words = _words(peer, part, action) | {"treaty": treaty or "none"}
    # splitting and joining also removes line breaks, which a rule's text may hold
    return " ".join(_PLACEHOLDER.sub(lambda match: words[match[1]], reason).split())


def not_permitted(peer: PeerFacts, part: PartFacts, action: Action) -> str:
    """Return the message for a part that no rule permits, with the facts that rules often read."""
    reason = (
        "no rule permits to {action} {part} of this {kind} (TLP:{tlp}, issued by {issuer}) to "
        "{peer} ({status}; of kind {kind}: received {received}, given {given}, credit {credit}, "
        "rejected {rejected})"
    )
    return fill(reason, peer, part, action)


def _words(peer: PeerFacts, part: PartFacts, action: Action) -> dict[str, str]:
    counts = {name: str(count) for name, count in reciprocity(peer, part.kind).items()}

    return counts | {
        "action": action.value,
        "peer": peer.institute,
        "status": peer.status.value,
        "groups": _listed(peer.groups),
        "clearances": _listed(peer.clearances),
        "peerPurposes": _listed(peer.purposes),
        "kind": part.kind.value,
        "issuer": part.issuer,
        "part": f"the section {part.section}" if part.section else "the header",
        "tlp": part.tlp.value,
        "releasableTo": _listed(part.releasable_to or ()),
        "onward": "yes" if part.onward else "no",
        "purposes": _listed(part.purposes),
        "tags": _listed(part.tags),
        "domains": _listed(part.domains),
        "severity": str(part.severity),
    }


def _listed(values: Iterable[str]) -> str:
    names = sorted(values)
    shown = ", ".join(names[:_SHOWN]) or "none"
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
