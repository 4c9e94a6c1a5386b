"""Policies beside their texts: which parts each lets, and what therefore goes to a peer.

Each function is meant to be compared line by line with the policy's own page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from comity.policies.preset import load_preset
from tests.support.reference_view import Facts, Key, View


def may_give(view: View, key: Key, given: Sequence[Key]) -> bool:
    """True if a part may follow the parts that were ``given`` already, whatever its header.

    No institute gets back a part that it issued or brought.
    """
    part = view.parts[key]
    return (
        view.peer.name not in (part.record.issuer, view.holder.origin[key])
        and not view.is_embargoed(key)
        and part.record.record_id not in view.withdrawn
        and view.handling_admits(part)
        and POLICIES[view.holder.policy].lets(view, part, given)
    )


def goes(view: View, key: Key, given: Sequence[Key]) -> bool:
    """True if a part goes. A section goes only to a peer that has the header or gets it too."""
    header = (key[0], "")
    has = view.has_header(key[0], given)
    return may_give(view, key, given) and (has or may_give(view, header, given))


def _nothing(view: View, part: Facts, given: Sequence[Key]) -> bool:
    return False


def _open(view: View, part: Facts, given: Sequence[Key]) -> bool:
    status = view.peer.status
    return status == "member" or (status == "probation" and part.handling["tlp"] == "CLEAR")


def _balanced(view: View, part: Facts, given: Sequence[Key]) -> bool:
    if not _open(view, part, given):
        return False
    kind = part.record.kind
    if part.section or not view.is_own(part) or kind == "withdrawal":
        return True
    # a new version of what the peer has goes as if its subject had not been given
    counted = view.given(kind, given) - view.corrects(part.record, given)
    return counted * 8 < view.received(kind) * 10 + 16


def _like_for_like(view: View, part: Facts, given: Sequence[Key]) -> bool:
    is_member, kind = view.peer.status == "member", part.record.kind
    if kind == "withdrawal":
        return True
    if not view.is_own(part):
        return is_member
    return view.received(kind) > 0 and (is_member or part.handling["tlp"] == "CLEAR")


def _graduated(view: View, part: Facts, given: Sequence[Key]) -> bool:
    peer = view.peer
    if peer.status == "probation":
        if part.handling["tlp"] != "CLEAR" or part.section not in ("", "limitations"):
            return False
    elif peer.status != "member":
        return False
    if part.severity < 4 or part.section == "limitations":
        return True
    is_cleared = bool(part.domains) and part.domains <= peer.clearances
    return is_cleared or "joint-testing" in peer.groups


def _treaty(view: View, part: Facts, given: Sequence[Key]) -> bool:
    if part.handling["tlp"] == "CLEAR" or part.record.kind == "withdrawal":
        return True
    return view.is_own(part) and any(
        treaty.party == view.peer.name
        and not treaty.ended
        and treaty.start <= view.now
        and (treaty.end is None or view.now < treaty.end)
        and (not treaty.kinds or part.record.kind in treaty.kinds)
        and (not part.section or not treaty.sections or part.section in treaty.sections)
        for treaty in view.holder.treaties.values()
    )


def _tagged(view: View, part: Facts, given: Sequence[Key]) -> bool:
    return "share" in part.record.tags and part.severity < 3


def _trusted(view: View, part: Facts, given: Sequence[Key]) -> bool:
    is_bio = "bio" in part.domains
    return "joint-testing" in view.peer.groups and (not is_bio or "bio" in view.peer.clearances)


@dataclass(frozen=True)
class PlainPolicy:
    """The text of a policy, and a function that lets the same parts."""

    text: str
    lets: Callable[[View, Facts, Sequence[Key]], bool]


POLICIES: Final = {
    "nothing": PlainPolicy("", _nothing),
    "open": PlainPolicy(load_preset("open"), _open),
    # an allowance of 2 instead of 20
    "balanced": PlainPolicy(load_preset("balanced").replace("+ 160", "+ 16"), _balanced),
    "like-for-like": PlainPolicy(load_preset("like-for-like"), _like_for_like),
    "graduated": PlainPolicy(load_preset("graduated"), _graduated),
    "treaty": PlainPolicy(load_preset("treaty"), _treaty),
    "tagged": PlainPolicy(
        """
        @id("tagged") permit (principal, action, resource) when { resource.tags.contains("share") };
        @id("grave") forbid (principal, action, resource) when { resource.severity >= 3 };
        """,
        _tagged,
    ),
    "trusted": PlainPolicy(
        """
        @id("group") permit (principal, action, resource)
        when { principal.groups.contains("joint-testing") };
        @id("bio") forbid (principal, action, resource) when { resource.domains.contains("bio") }
        unless { principal.clearances.contains("bio") };
        """,
        _trusted,
    ),
}
