"""A world of institutes for property tests, with a second, plain reading of handling and policy.

What a node may give is decided in the node by Cedar, classes, watermarks and SQL. Here it is read
once more from DESIGN, for one part and one peer at a time, and compared after every step.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Final

from sqlmodel import col, select

from comity.node.explain import explain
from comity.node.home import Home
from comity.node.node import Node
from comity.node.tables import HEADER, Part, PeerRow, Quarantine, ReceiptRow, RecordRow, Release
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from tests.exchange import HandClock, Institute
from tests.network import card, make_home

NAMES: Final = ("uk.aisi.example", "ca.aisi.example", "jp.aisi.example")
PURPOSES: Final = {NAMES[0]: ("research",), NAMES[1]: ("research", "policy"), NAMES[2]: ()}
"""What every institute binds the others to."""

POLICIES: Final = {
    "nothing": "",
    "open": load_preset("open"),
    # an allowance of 2 instead of 20
    "balanced": load_preset("balanced").replace("+ 160", "+ 16"),
    "tagged": """
        @id("tagged") permit (principal, action, resource) when { resource.tags.contains("share") };
        @id("grave") forbid (principal, action, resource) when { resource.severity >= 3 };
    """,
}

STRICTEST: Final = ("RED", "AMBER+STRICT", "AMBER")
SUBSTANTIAL: Final = "It happens, and this is told at length. " * 8
FIRST_STATUS: Final = PeerStatus.MEMBER

Key = tuple[str, str]
"""Record id and section name; the name of a header is empty."""


@dataclass(frozen=True)
class Facts:
    """What the plain reading knows of a part. ``embargo`` is Unix milliseconds.

    A record has substance where the section that is ``substantial`` was disclosed.
    """

    kind: str
    issuer: str
    tags: frozenset[str]
    handling: dict[str, Any]
    embargo: int | None
    grave: bool
    substantial: bool


class Homes:
    """Homes and befriended, empty databases, made once and copied for each world."""

    def __init__(self, root: Path) -> None:
        self._homes = [make_home(root, name) for name in NAMES]
        nodes = [Node(home) for home in self._homes]
        for one, other in permutations(nodes, 2):
            one.add_peer(other.bundle, FIRST_STATUS, PURPOSES[other.institute])
        for node in nodes:
            node.close()

    @contextmanager
    def world(self) -> Iterator[World]:
        """Yield a world in which nothing has happened."""
        clock = HandClock()
        made = [Institute(Node(self._fresh(home), clock)) for home in self._homes]
        try:
            yield World(made, clock)
        finally:
            for one in made:
                one.node.close()

    def _fresh(self, home: Home) -> Home:
        origin, copy = home.path, home.path.with_suffix(".copy")
        if copy.exists():
            shutil.rmtree(copy)
        shutil.copytree(origin, copy)
        return Home(copy)


class World:
    """Institutes, what they published, and what has been seen of their queues."""

    def __init__(self, made: list[Institute], clock: HandClock) -> None:
        self.institutes, self.clock = {one.name: one for one in made}, clock
        self.pairs = list(permutations(NAMES, 2))
        self._facts: dict[Key, Facts] = {}
        self._payloads: dict[str, bytes] = {}
        self._policy = dict.fromkeys(NAMES, "nothing")
        self._status = dict.fromkeys(self.pairs, FIRST_STATUS)
        self._origin: dict[tuple[str, Key], str] = {}
        self._queue: dict[tuple[str, str], list[Key]] = {pair: [] for pair in self.pairs}
        self._started_anew: set[tuple[str, str]] = set()

    # --- what can happen ---------------------------------------------------------------------

    def publish(
        self,
        issuer: str,
        kind: str,
        tags: list[str],
        handling: dict[str, Any],
        risks: dict[str, Any],
        substance: str,
        count: int,
    ) -> None:
        """Publish some records alike, about a model each; embargoes are in seconds from now.

        ``substance`` names the section that is long; "none" is none of them.
        """
        one = self.institutes[issuer]
        records = []
        for number in range(count):
            draft = card(
                f"model-{len(self._payloads) + number}",
                kind=kind,
                tags=tags,
                handling=self._dated(handling),
                section_handling={"risks": self._dated(risks)},
                sections=_sections(substance),
            )
            records.append(one.sign(draft))
        one.node.publish_all(records)
        for record in records:
            self._payloads[record.record_id] = record.envelope.payload
            for name, rules in (("", {}), ("limitations", {}), ("risks", risks)):
                key, merged = (record.record_id, name), handling | rules
                embargo = merged.get("embargo")
                ends = None if embargo is None else self.clock() // 1000 * 1000 + embargo * 1000
                grave = kind == "model-card" and name == "risks"
                self._facts[key] = Facts(
                    kind, issuer, frozenset(tags), merged, ends, grave, name == substance
                )
                self._origin[issuer, key] = issuer

    def pull(self, receiver: str, sender: str, *, lose_receipts: bool = False) -> int:
        """Pull if both sides let it, and release what follows; return how many batches came."""
        active = (PeerStatus.MEMBER, PeerStatus.PROBATION)
        if not {self._status[receiver, sender], self._status[sender, receiver]} <= set(active):
            return 0
        one = self.institutes[receiver]
        batches = one.pull(self.institutes[sender], lose_receipts=lose_receipts)
        for key in one.held():
            self._origin.setdefault((receiver, key), sender)
        return batches

    def start_anew(self, receiver: str, sender: str) -> None:
        """Let a receiver forget where it was."""
        self._started_anew.add((sender, receiver))
        with self.institutes[receiver].node.store.write() as session:
            session.get_one(PeerRow, sender).cursor = ""
            session.flush()

    def set_policy(self, holder: str, name: str) -> None:
        """Put one of POLICIES in force."""
        self._policy[holder] = name
        self.institutes[holder].node.set_policy(POLICIES[name])

    def set_status(self, holder: str, peer: str, status: PeerStatus) -> None:
        """Change what a peer is to a holder."""
        self._status[holder, peer] = status
        self.institutes[holder].node.set_peer_status(peer, status)

    def turn(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.turn(seconds)

    def work(self) -> None:
        """Let the nodes do what they do every second, and check what came of it."""
        self.check_queues()
        for one in self.institutes.values():
            while one.node.release():
                self.check_queues()

    def come_to_rest(self) -> None:
        """Resume everyone, let every embargo end, and pull until nothing moves."""
        for holder, peer in self.pairs:
            self.set_status(holder, peer, PeerStatus.MEMBER)
        self.turn(1000)
        self.work()
        while any(self.pull(receiver, sender) for receiver, sender in self.pairs):
            self.work()

    # --- what must hold ----------------------------------------------------------------------

    def check_queues(self) -> None:
        """(1) What was released since the last check, was allowed; offers have no gaps."""
        for holder, peer in self.pairs:
            queue = self._read_queue(holder, peer)
            before = self._queue[holder, peer]
            assert queue[: len(before)] == before
            for position in range(len(before), len(queue)):
                record_id, section = queue[position]
                given = queue[:position]
                assert self._may(holder, peer, queue[position], given), (holder, peer, section)
                # a section goes only to who has the header, or gets it as well
                header = (record_id, "")
                assert header in queue or self._origin[holder, header] == peer
            self._queue[holder, peer] = queue

    def check_stores(self) -> None:
        """(3) Bytes are the same everywhere; (5) nothing is held twice; nobody was refused."""
        for one in self.institutes.values():
            records, parts = one.rows(RecordRow), one.rows(Part)
            assert {r.record_id: r.payload for r in records}.items() <= self._payloads.items()
            assert len({r.record_id for r in records}) == len(records)
            assert len({(part.record_seq, part.section) for part in parts}) == len(parts)
            assert one.rows(Quarantine) == []

    def check_explanations(self) -> None:
        """What is explained as allowed has been released."""
        for holder, peer in self.pairs:
            node = self.institutes[holder].node
            with node.store.read() as session:
                for record in session.exec(select(RecordRow)):
                    for part in explain(session, peer, record, self.clock()):
                        assert not part.allowed or part.release_time is not None, part

    def check_at_rest(self) -> None:
        """(2) Everything allowed was delivered; (6) the ledgers of both sides agree."""
        for holder, peer in self.pairs:
            queue = self._queue[holder, peer]
            held = self.institutes[peer].held()
            for key in self.institutes[holder].held() - set(queue):
                header = (key[0], "")
                allowed = self._may(holder, peer, key, queue)
                goes = self._has(holder, peer, header) or self._may(holder, peer, header, queue)
                assert not (allowed and goes), (holder, peer, key)
            assert set(queue) <= held
            self._check_ledgers(holder, peer)

    # --- the plain reading -------------------------------------------------------------------

    def _may(self, holder: str, peer: str, key: Key, given: Iterable[Key]) -> bool:
        """Whether a part may be given, after what was ``given``, header or not."""
        facts, status = self._facts[key], self._status[holder, peer]
        if self._origin[holder, key] == peer or facts.issuer == peer:
            return False
        if facts.embargo is not None and facts.embargo > self.clock():
            return False
        return _handling_lets(facts, holder, peer, status) and self._policy_lets(
            facts, key, holder, peer, given
        )

    def _has(self, holder: str, peer: str, header: Key) -> bool:
        """Whether a peer has a header: given by the holder, or where the holder has it from."""
        return header in self._queue[holder, peer] or self._origin[holder, header] == peer

    def _policy_lets(
        self, facts: Facts, key: Key, holder: str, peer: str, given: Iterable[Key]
    ) -> bool:
        policy, status = self._policy[holder], self._status[holder, peer]
        if policy == "nothing":
            return False
        if policy == "tagged":
            return "share" in facts.tags and not facts.grave
        public = facts.handling["tlp"] == "CLEAR"
        if not (status is PeerStatus.MEMBER or (status is PeerStatus.PROBATION and public)):
            return False
        if policy == "open" or key[1] or facts.issuer != holder:
            return True
        given_count = self._count(given, holder, facts.kind)
        received = self._count(self.institutes[holder].held(), peer, facts.kind)
        return given_count * 8 < received * 10 + 16

    def _count(self, keys: Iterable[Key], issuer: str, kind: str) -> int:
        """Count records with substance; here each is about a subject of its own."""
        found = (self._facts[key] for key in keys)
        return sum(f.issuer == issuer and f.kind == kind and f.substantial for f in found)

    # --- what nodes say ----------------------------------------------------------------------

    def _read_queue(self, holder: str, peer: str) -> list[Key]:
        query = (
            select(Release.offer_number, RecordRow.record_id, Part.section, Part.name)
            .join(Part, col(Part.part_id) == Release.part_id)
            .join(RecordRow, col(RecordRow.record_seq) == Part.record_seq)
            .where(Release.peer == peer)
            .order_by(col(Release.offer_number))
        )
        with self.institutes[holder].node.store.read() as session:
            rows = list(session.exec(query))
        assert [number for number, *_ in rows] == list(range(1, len(rows) + 1))
        return [(i, "" if section == HEADER else name) for _, i, section, name in rows]

    def _check_ledgers(self, sender: str, receiver: str) -> None:
        [row] = self.institutes[sender].rows(PeerRow, institute=receiver)
        assert row.receipted == row.offered == len(self._queue[sender, receiver])
        theirs = self._receipts(sender, receiver, ours=False)
        ours = self._receipts(receiver, sender, ours=True)
        if (sender, receiver) in self._started_anew:
            assert set(theirs) <= set(ours)
        else:
            assert theirs == ours

    def _receipts(self, one: str, peer: str, *, ours: bool) -> list[bytes]:
        rows = self.institutes[one].rows(ReceiptRow, peer=peer, ours=ours)
        return [row.payload + row.signature for row in rows]

    def _dated(self, handling: dict[str, Any]) -> dict[str, Any]:
        seconds = handling.get("embargo")
        return handling if seconds is None else handling | {"embargo": self._in(seconds)}

    def _in(self, seconds: int) -> str:
        return self.clock.in_seconds(seconds)


def _sections(substance: str) -> dict[str, Any]:
    statement = SUBSTANTIAL if substance == "limitations" else "Forgets."
    scenario = SUBSTANTIAL if substance == "risks" else "Uplift."
    return {
        "limitations": [{"statement": statement, "severity": "moderate"}],
        "risks": [{"domain": "bio", "scenario": scenario, "severity": "high"}],
    }


def _handling_lets(facts: Facts, holder: str, peer: str, status: PeerStatus) -> bool:
    """Read TLP 2.0, the list, onward release and purposes."""
    handling, tlp = facts.handling, facts.handling["tlp"]
    listed, purposes = handling.get("releasableTo"), handling.get("purposes", [])
    return (
        status is not PeerStatus.SUSPENDED
        and not (tlp == "GREEN" and status is not PeerStatus.MEMBER)
        and not (tlp in STRICTEST and listed is None)
        and (listed is None or peer in listed)
        and (facts.issuer == holder or handling.get("onward", False))
        and (not purposes or bool(set(purposes) & set(PURPOSES[peer])))
    )
