"""Facts as the Cedar engine reads them: entities and requests, typed by ``comity.cedarschema``.

Invariant: every attribute of the schema is always written, so no rule fails because one is missing;
a test validates what this module writes against the schema. Kinds follow ``comity.record.content``,
so a new kind is added to the schema and not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import cedarpy

from comity.policies.facts import Action, Counts, PartFacts, PeerFacts
from comity.policies.treaty import Treaty
from comity.record.kind import Kind

CACHED_SETS: Final = 8
"""Sets of parts whose parsed form is kept: the same classes are decided for one peer after the
other, and parsing them again for each peer would cost as much again as deciding."""


@cache
def cedar_schema() -> cedarpy.Schema:
    """Return the schema, parsed once."""
    return cedarpy.Schema.from_str(read_resource("comity.cedarschema"))


def read_resource(path: str) -> str:
    """Return a text file of ``comity.policies``; ``path`` is relative to it, with slashes."""
    return resources.files("comity.policies").joinpath(path).read_text(encoding="utf-8")


def entities(
    peer: PeerFacts, parts: Sequence[PartFacts], treaties: tuple[Treaty, ...] = ()
) -> cedarpy.Entities:
    """Return the peer and the parts as entities; a part's id is its position.

    ``treaties`` are the peer's. Each part has those that cover it as its parents, which is what
    ``resource in ?resource`` of a linked template asks.
    """
    principal = _entity("Peer", peer.institute, _peer(peer))
    return _parts(tuple(parts), treaties).with_added_json_str(f"[{principal}]")


def requests(peer: PeerFacts, parts: Sequence[PartFacts], action: Action) -> list[dict[str, Any]]:
    """Return one request for each part, in order; its context is the standing for the kind."""
    principal = {"type": "Peer", "id": peer.institute}
    verb = {"type": "Action", "id": action.value}
    # parts of one kind share their context
    context = {kind: reciprocity(peer, kind) for kind in {part.kind for part in parts}}

    return [
        {
            "principal": principal,
            "action": verb,
            "resource": {"type": "Part", "id": str(i)},
            "context": context[part.kind],
        }
        for i, part in enumerate(parts)
    ]


def reciprocity(peer: PeerFacts, kind: Kind) -> dict[str, int]:
    """Return the peer's standing for one kind, by the names of the schema's ``Reciprocity``."""
    return {column: counts.get(kind, 0) for column, counts in _columns(peer).items()}


def _columns(peer: PeerFacts) -> dict[str, Counts]:
    standing = peer.standing
    return {
        "received": standing.received,
        "given": standing.given,
        "credit": standing.credit,
        "rejected": standing.rejected,
        "receivedEver": standing.ever(standing.received, standing.received_ever),
        "givenEver": standing.ever(standing.given, standing.given_ever),
    }


def _entity(
    entity_type: str, entity_id: str, attributes: str, treaties: Iterable[Treaty] = ()
) -> str:
    uid = json.dumps({"type": entity_type, "id": entity_id})
    parents = json.dumps([{"type": "Treaty", "id": treaty.treaty_id} for treaty in treaties])
    return f'{{"uid":{uid},"attrs":{attributes},"parents":{parents}}}'


def _peer(peer: PeerFacts) -> str:
    return json.dumps(
        {
            "institute": peer.institute,
            "status": _choice("Status", peer.status.value),
            "groups": _set(peer.groups),
            "clearances": _set(peer.clearances),
            "purposes": _set(peer.purposes),
            "standing": {name: _counts(counts) for name, counts in _columns(peer).items()},
        }
    )


@lru_cache(maxsize=CACHED_SETS)
def _parts(parts: tuple[PartFacts, ...], treaties: tuple[Treaty, ...]) -> cedarpy.Entities:
    items = (
        _entity("Part", str(i), _part(part), (t for t in treaties if t.covers(part)))
        for i, part in enumerate(parts)
    )
    return cedarpy.Entities.from_json_str(f"[{','.join(items)}]")


def _part(part: PartFacts) -> str:
    return json.dumps(
        {
            "kind": _choice("Kind", part.kind.value),
            "issuer": part.issuer,
            "section": part.section,
            "tlp": _choice("Tlp", part.tlp.value),
            # Cedar has no null: a list that was not given and an empty one differ in "listed"
            "listed": part.releasable_to is not None,
            "releasableTo": _set(part.releasable_to or ()),
            "onward": part.onward,
            "purposes": _set(part.purposes),
            "tags": _set(part.tags),
            "domains": _set(part.domains),
            "severity": part.severity,
            "own": part.own,
            "withdrawn": part.withdrawn,
        }
    )


def _choice(entity_type: str, value: str) -> dict[str, dict[str, str]]:
    """Return a value of one of the schema's enumerations, which Cedar writes as an entity."""
    return {"__entity": {"type": entity_type, "id": value}}


def _set(values: Iterable[str]) -> list[str]:
    return sorted(values)


def _counts(counts: Counts) -> dict[str, int]:
    # all kinds, so that a rule that reads the count of a kind never fails
    return {kind.value: counts.get(kind, 0) for kind in Kind}
