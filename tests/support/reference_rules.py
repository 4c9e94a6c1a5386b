"""The plain reading: what an institute may give to a peer, for one part and one moment at a time.

What the node decides by Cedar, handling classes, watermarks and SQL is written here once more from
DESIGN sections 5 and 7, the policies' own pages and the rule of standing, without a word of the
node's code. It is meant to be checked line by line beside them. Nothing here is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from comity.policies.preset import load_preset

NAMES: Final = ("uk.aisi.example", "ca.aisi.example", "jp.aisi.example")
PURPOSES: Final = {NAMES[0]: ("research",), NAMES[1]: ("research", "policy"), NAMES[2]: ()}
"""What every institute binds the others to."""

ABOVE_GREEN: Final = ("RED", "AMBER+STRICT", "AMBER")

Key = tuple[str, str]
"""Record id and section name; the name of a header is empty."""


@dataclass(frozen=True)
class Record:
    """What its issuer wrote. ``name`` and ``digest`` are those of what it is about.

    ``substance`` is the section that is long enough to count; no section where it is "none".
    ``withdraws`` has the ids that a notice names, be they of the issuer's records or not.
    """

    record_id: str
    kind: str
    issuer: str
    name: str
    digest: str
    tags: frozenset[str]
    substance: str
    supersedes: str | None
    withdraws: frozenset[str]


@dataclass(frozen=True)
class Facts:
    """A header or a section. ``embargo`` is Unix milliseconds, ``severity`` 0 to 4 (critical)."""

    record: Record
    section: str
    handling: dict[str, Any]
    embargo: int | None
    severity: int = 0
    domains: frozenset[str] = frozenset()


@dataclass
class Agreement:
    """A treaty with a peer; no kinds or sections are all. Times are Unix milliseconds."""

    party: str
    kinds: frozenset[str]
    sections: frozenset[str]
    start: int
    end: int | None
    ended: bool = False


@dataclass
class Holder:
    """An institute: its policy, its treaties, and what it holds, with who each part came from."""

    name: str
    policy: str = "nothing"
    treaties: dict[str, Agreement] = field(default_factory=dict)
    origin: dict[Key, str] = field(default_factory=dict)


@dataclass
class Peer:
    """A peer, as a holder sees it, and the queue of what it was given, in order.

    ``promised`` has the records that came to the peer while their substance was under embargo.
    """

    name: str
    status: str = "member"
    groups: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()
    queue: list[Key] = field(default_factory=list)
    promised: set[str] = field(default_factory=set)


@dataclass
class Reading:
    """What ``holder`` may give to ``peer`` at ``now``, Unix milliseconds."""

    parts: dict[Key, Facts]
    holder: Holder
    peer: Peer
    now: int

    def may_give(self, key: Key, given: Sequence[Key]) -> bool:
        """Whether a part may follow what was ``given`` already. It is not asked for its header.

        Nobody gets back what it issued or brought.
        """
        part = self.parts[key]
        return (
            self.peer.name not in (part.record.issuer, self.holder.origin[key])
            and not self.is_embargoed(key)
            and part.record.record_id not in self.withdrawn
            and self._handling_lets(part)
            and POLICIES[self.holder.policy].lets(self, part, given)
        )

    def has_header(self, record_id: str, given: Iterable[Key]) -> bool:
        """Whether the peer has a record's header: it was given, or is where it came from."""
        return (record_id, "") in given or self.holder.origin[record_id, ""] == self.peer.name

    def goes(self, key: Key, given: Sequence[Key]) -> bool:
        """Whether a part goes: a section only to who has the header, or gets it as well."""
        header = (key[0], "")
        has = self.has_header(key[0], given)
        return self.may_give(key, given) and (has or self.may_give(header, given))

    def is_embargoed(self, key: Key) -> bool:
        """Whether an embargo has not ended; it ends at its time."""
        embargo = self.parts[key].embargo
        return embargo is not None and embargo > self.now

    def promises(self, record_id: str) -> bool:
        """Whether a record's substance is under embargo: it follows its header by itself."""
        key = (record_id, self.parts[record_id, ""].record.substance)
        return key in self.parts and self.is_embargoed(key)

    def _handling_lets(self, part: Facts) -> bool:
        """Read TLP 2.0, the list, onward release and purposes, and who the peer is."""
        handling, tlp = part.handling, part.handling["tlp"]
        listed, purposes = handling.get("releasableTo"), handling.get("purposes", [])
        return (
            self.peer.status in ("member", "probation")
            and not (tlp == "GREEN" and self.peer.status != "member")
            and not (tlp in ABOVE_GREEN and listed is None)
            and (listed is None or self.peer.name in listed)
            and (self.is_own(part) or handling.get("onward", False))
            and (not purposes or bool(set(purposes) & set(PURPOSES[self.peer.name])))
        )

    def is_own(self, part: Facts) -> bool:
        """Whether the holder issued it."""
        return part.record.issuer == self.holder.name

    # --- what is held, and what its issuer has said of it since ---------------------------------

    @cached_property
    def held(self) -> list[Record]:
        """The records that the holder holds, in the order in which they came."""
        keys = self.holder.origin
        return [self.parts[record_id, ""].record for record_id, section in keys if not section]

    @cached_property
    def withdrawn(self) -> set[str]:
        """The records that a notice withdraws which the holder holds and their issuer signed."""
        return {
            record.record_id
            for notice in self.held
            for record in self.held
            if notice.kind == "withdrawal"
            and record.record_id in notice.withdraws
            and record.issuer == notice.issuer
        }

    @cached_property
    def superseded(self) -> set[str]:
        """The records of which the holder holds a newer version that their issuer signed."""
        return {
            record.record_id
            for newer in self.held
            for record in self.held
            if newer.supersedes == record.record_id and newer.issuer == record.issuer
        }

    # --- standing ------------------------------------------------------------------------------

    def received(self, kind: str) -> int:
        """Count subjects of which a current record with substance, that the peer issued, is here.

        Who brought it does not matter.
        """
        return _subjects(
            record
            for record in self.held
            if record.issuer == self.peer.name
            and record.kind == kind
            and (record.record_id, record.substance) in self.holder.origin
            and record.record_id not in self.superseded | self.withdrawn
        )

    def given(self, kind: str, given: Sequence[Key]) -> int:
        """Count subjects of which the peer was given an own record with substance.

        It was if it got that section, or the header while the section was under embargo. That
        stays, whatever the newer versions, but for what is withdrawn.
        """
        return _subjects(
            record
            for record in (self.parts[key].record for key in given if self._gives_substance(key))
            if record.issuer == self.holder.name
            and record.kind == kind
            and record.record_id not in self.withdrawn
        )

    def _gives_substance(self, key: Key) -> bool:
        record_id, section = key
        return section == self.parts[key].record.substance or (
            not section and record_id in self.peer.promised
        )


def _subjects(records: Iterable[Record]) -> int:
    """Count what records are about: what gives the same name, or the same digest, is the same."""
    seen: set[str] = set()
    count = 0
    for record in records:
        count += seen.isdisjoint((record.name, record.digest))
        seen |= {record.name, record.digest}
    return count


# --- policies, each beside its text ------------------------------------------------------------


def _nothing(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    return False


def _open(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    status = reading.peer.status
    return status == "member" or (status == "probation" and part.handling["tlp"] == "CLEAR")


def _balanced(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    if not _open(reading, part, given):
        return False
    kind = part.record.kind
    if part.section or not reading.is_own(part) or kind == "withdrawal":
        return True
    return reading.given(kind, given) * 8 < reading.received(kind) * 10 + 16


def _like_for_like(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    is_member, kind = reading.peer.status == "member", part.record.kind
    if kind == "withdrawal":
        return True
    if not reading.is_own(part):
        return is_member
    return reading.received(kind) > 0 and (is_member or part.handling["tlp"] == "CLEAR")


def _graduated(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    peer = reading.peer
    if peer.status == "probation":
        if part.handling["tlp"] != "CLEAR" or part.section not in ("", "limitations"):
            return False
    elif peer.status != "member":
        return False
    if part.severity < 4 or part.section == "limitations":
        return True
    is_cleared = bool(part.domains) and part.domains <= peer.clearances
    return is_cleared or "joint-testing" in peer.groups


def _treaty(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    if part.handling["tlp"] == "CLEAR" or part.record.kind == "withdrawal":
        return True
    return reading.is_own(part) and any(
        treaty.party == reading.peer.name
        and not treaty.ended
        and treaty.start <= reading.now
        and (treaty.end is None or reading.now < treaty.end)
        and (not treaty.kinds or part.record.kind in treaty.kinds)
        and (not part.section or not treaty.sections or part.section in treaty.sections)
        for treaty in reading.holder.treaties.values()
    )


def _tagged(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    return "share" in part.record.tags and part.severity < 3


def _trusted(reading: Reading, part: Facts, given: Sequence[Key]) -> bool:
    is_bio = "bio" in part.domains
    return "joint-testing" in reading.peer.groups and (
        not is_bio or "bio" in reading.peer.clearances
    )


@dataclass(frozen=True)
class PlainPolicy:
    """A policy's text, and what it lets, read once more."""

    text: str
    lets: Callable[[Reading, Facts, Sequence[Key]], bool]


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
