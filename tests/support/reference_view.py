"""What an institute knows when it decides whether to give a part to a peer, written down plainly.

The node decides by Cedar, handling classes, watermarks and SQL. These modules say the same once
more, for one part and one moment at a time, without the node's code: this one says what is held,
what handling admits and how standing counts (ARCHITECTURE.md, and the rule of standing), and
``reference_policies`` says what each policy lets. Nothing here is quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

NAMES: Final = ("uk.aisi.example", "ca.aisi.example", "jp.aisi.example")
PURPOSES: Final = {NAMES[0]: ("research",), NAMES[1]: ("research", "policy"), NAMES[2]: ()}
"""The purposes to which every institute binds each of its peers."""

ABOVE_GREEN: Final = ("RED", "AMBER+STRICT", "AMBER")

Key = tuple[str, str]
"""Record id and section name; the name of a header is empty."""


@dataclass(frozen=True)
class Record:
    """A record as its issuer wrote it. ``name`` and ``digest`` are those of its subject.

    ``substance`` is the section that is long enough to count, or "none". ``withdraws`` has the
    ids that a notice names, whether or not the issuer signed these records.
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
    """A treaty with a peer. No kinds or sections means all. Times are Unix milliseconds."""

    party: str
    kinds: frozenset[str]
    sections: frozenset[str]
    start: int
    end: int | None
    ended: bool = False


@dataclass
class Holder:
    """An institute: its policy, its treaties, and by part the institute that it came from."""

    name: str
    policy: str = "nothing"
    treaties: dict[str, Agreement] = field(default_factory=dict)
    origin: dict[Key, str] = field(default_factory=dict)


@dataclass
class Peer:
    """A peer as a holder sees it, with the queue of the parts that it was given, in order.

    ``promised`` has the records that the peer got while their substance was under embargo.
    """

    name: str
    status: str = "member"
    groups: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()
    queue: list[Key] = field(default_factory=list)
    promised: set[str] = field(default_factory=set)


@dataclass
class View:
    """What ``holder`` knows of its records and of ``peer`` at ``now``, Unix milliseconds."""

    parts: dict[Key, Facts]
    holder: Holder
    peer: Peer
    now: int

    def has_header(self, record_id: str, given: Iterable[Key]) -> bool:
        """True if the peer was given a record's header, or brought it."""
        return (record_id, "") in given or self.holder.origin[record_id, ""] == self.peer.name

    def is_embargoed(self, key: Key) -> bool:
        """True until the time at which the embargo of a part ends."""
        embargo = self.parts[key].embargo
        return embargo is not None and embargo > self.now

    def promises(self, record_id: str) -> bool:
        """True if a record's substance is under embargo, and so will follow its header."""
        key = (record_id, self.parts[record_id, ""].record.substance)
        return key in self.parts and self.is_embargoed(key)

    def handling_admits(self, part: Facts) -> bool:
        """True if TLP 2.0, the list, onward release, purposes and the peer's status admit it."""
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
        """True if the holder issued the part."""
        return part.record.issuer == self.holder.name

    @cached_property
    def held(self) -> list[Record]:
        """The records of the holder, in the order in which they came."""
        keys = self.holder.origin
        return [self.parts[record_id, ""].record for record_id, section in keys if not section]

    @cached_property
    def withdrawn(self) -> set[str]:
        """The records that their issuer withdrew by a notice that the holder has."""
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
        """The records of which the holder has a newer version by the same issuer."""
        return {
            record.record_id
            for newer in self.held
            for record in self.held
            if newer.supersedes == record.record_id and newer.issuer == record.issuer
        }

    def received(self, kind: str) -> int:
        """Count subjects about which the holder has a current record with substance by the peer.

        It does not matter which institute brought the record.
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
        """Count subjects about which the holder gave the peer a record of its own with substance.

        The peer got the substance with that section, or with the header while the section was
        under embargo. A newer version takes nothing from the count; a withdrawal does.
        """
        return _subjects(
            record
            for record in (self.parts[key].record for key in given if self._gives_substance(key))
            if record.issuer == self.holder.name
            and record.kind == kind
            and record.record_id not in self.withdrawn
        )

    def corrects(self, record: Record, given: Sequence[Key]) -> bool:
        """True if a record supersedes another, and its subject counts as given."""
        counted = (self.parts[key].record for key in given if self._gives_substance(key))
        return record.supersedes is not None and any(
            before.issuer == record.issuer == self.holder.name
            and before.kind == record.kind
            and before.record_id not in self.withdrawn
            and (before.name == record.name or before.digest == record.digest)
            for before in counted
        )

    def _gives_substance(self, key: Key) -> bool:
        record_id, section = key
        return section == self.parts[key].record.substance or (
            not section and record_id in self.peer.promised
        )


def _subjects(records: Iterable[Record]) -> int:
    """Count the subjects of records. The same name, or the same digest, is the same subject."""
    seen: set[str] = set()
    count = 0
    for record in records:
        count += seen.isdisjoint((record.name, record.digest))
        seen |= {record.name, record.digest}
    return count
