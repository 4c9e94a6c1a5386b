"""Measures release: ratios to bare SQL, and to the same with fewer records held.

record    publishing one card and deciding on it for 12 peers, with many parts held, against few
policy    a policy that newly allows half of all parts, in 300 classes, to 12 peers, against one
bare INSERT … SELECT of as many rows plus the decisions (peers times classes)
standing  the same for one peer whose standing changes

The parts are headers of cards. Sections of cards that are issued here count towards standing once
they are released; counting 125,000 such cards takes about two seconds for a peer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import text
from sqlmodel import Session, col, select

from comity.node.classes import ClassIndex, ClassKey
from comity.node.decisions import judge
from comity.node.node import Node
from comity.node.peers import facts_of, pinned_peers
from comity.node.policy import policy_in_force
from comity.node.tables import HandlingClass, PeerRow, Standing
from comity.policies.facts import PartFacts
from comity.record.content import Kind
from comity.record.handling import Tlp
from tests.bench.cards import draft
from tests.network import make_home

PARTS = int(os.environ.get("COMITY_BENCH_PARTS", "1000000"))
SMALL = 10_000
CLASSES = 300
PEERS = 12
EVEN = """
@id("even")
permit (principal, action == Action::"replicate", resource)
when { principal.status == Status::"member" && resource.tags.contains("even") };
"""
RECIPROCAL = """
@id("reciprocal")
permit (principal, action == Action::"replicate", resource)
when { principal.standing.received["evaluation"] >= 1 && resource.tags.contains("even") };
"""


def measure(root: Path, report: Callable[[str, float, float], None]) -> None:
    """Run every measurement; ``report`` takes a name, seconds, and the seconds of its floor."""
    with (
        closing(_filled(root / "few", SMALL)) as few,
        closing(_filled(root / "many", PARTS)) as many,
    ):
        held, floor = _publishing(many, few)
        report(f"a new record, {PARTS:,} parts held against {SMALL:,}", held, floor)
        rows = PEERS * PARTS // 2
        floor = _bare_insert(many, rows) + _decisions(many, PEERS)
        report(f"a policy that allows {rows:,} parts", _set_policy(many, EVEN), floor)
    with closing(_filled(root / "standing", PARTS)) as node:
        _set_policy(node, RECIPROCAL)
        floor = _bare_insert(node, PARTS // 2) + _decisions(node, 1)
        report(f"a standing that allows {PARTS // 2:,} parts", _gain(node), floor)


def _publishing(*nodes: Node) -> list[float]:
    """Return for each node the median seconds of publishing a card, decided for every peer.

    They take turns, so that whatever else the machine does is the same for all.
    """
    seconds: list[list[float]] = [[] for _ in nodes]
    for number in range(31):
        for node, taken in zip(nodes, seconds, strict=True):
            card = draft(number).sign(node.home.node_id, node.key)
            taken.append(_timed(partial(node.publish, card)))
    return [median(taken) for taken in seconds]


def _filled(root: Path, parts: int) -> Node:
    """Return a node that holds ``parts`` parts, in CLASSES classes, and has PEERS peers."""
    root.mkdir()
    node = Node(make_home(root, "a.aisi.example"))
    for number in range(PEERS):
        node.add_peer(make_home(root, f"p{number}.aisi.example").bundle())
    keys: list[ClassKey] = [(_facts(number), None) for number in range(CLASSES)]
    with node.store.write() as session:
        ClassIndex().resolve(session, keys)
        for statement in (_RECORDS, _PARTS):
            session.connection().execute(text(statement), {"count": parts, "classes": CLASSES})
    node.release()
    return node


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
_RECORDS = f"""
INSERT INTO record (record_seq, record_id, kind, issuer, issue_time, subject, model, superseded,
                    origin, received_time, keyid, signature, payload)
{_NUMBERS} SELECT i, printf('%064x', i), 'model-card', 'a.aisi.example', 0, '', '', 0,
                  'a.aisi.example', 0, '', x'', x'' FROM n
"""
_PARTS = f"""
INSERT INTO part (part_id, record_seq, section, name, class_id, origin, severity, content, words,
                  size)
{_NUMBERS} SELECT i, i, -1, '', i % :classes + 1, 'a.aisi.example', 0, 0, '', 100 FROM n
"""


def _facts(number: int) -> PartFacts:
    return PartFacts(
        kind=Kind.MODEL_CARD,
        issuer="a.aisi.example",
        section="",
        tlp=Tlp.CLEAR,
        releasable_to=None,
        onward=False,
        purposes=frozenset(),
        tags=frozenset({f"tag-{number}", "odd" if number % 2 else "even"}),
        domains=frozenset(),
        severity=0,
        own=True,
    )


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _set_policy(node: Node, policy: str) -> float:
    return _timed(lambda: node.set_policy(policy))


def _gain(node: Node) -> float:
    def gain() -> None:
        with node.store.write() as session:
            session.add(Standing(peer="p0.aisi.example", kind="evaluation", received=1))
            session.flush()
        node.release()

    return _timed(gain)


def _decisions(node: Node, peers: int) -> float:
    def decide(session: Session, row: PeerRow) -> None:
        classes = list(session.exec(select(HandlingClass).order_by(col(HandlingClass.class_id))))
        judge(session, classes, facts_of(session, row), policy_in_force(session).policy)

    with node.store.read() as session:
        rows = pinned_peers(session)[:peers]
        return sum(_timed(partial(decide, session, row)) for row in rows)


def _bare_insert(node: Node, rows: int) -> float:
    """Insert as many rows as a release would into a table just like that of releases, but empty."""
    with node.store.write() as session:
        connection = session.connection()
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'release'")
        connection.exec_driver_sql(made.scalar_one().replace("TABLE release", "TABLE bare"))
        connection.exec_driver_sql("INSERT OR IGNORE INTO ruling VALUES (0, '', '', '')")
    statement = text(
        "INSERT INTO bare SELECT p.institute, part_id, part_id, 0, 0 FROM part, peer p "
        "WHERE class_id % 2 = 1 ORDER BY p.institute, part_id LIMIT :rows"
    )

    def insert() -> None:
        with node.store.write() as session:
            session.connection().execute(statement, {"rows": rows})

    seconds = _timed(insert)
    with node.store.write() as session:
        session.connection().exec_driver_sql("DROP TABLE bare")
    return seconds
