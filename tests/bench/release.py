"""Measures release: ratios to bare SQL, and to the same with fewer records held.

record    publishing one card and deciding on it for 12 peers, with many parts held, against few
policy    a policy that newly allows half of all parts, in 300 classes, to 12 peers, against one
bare INSERT … SELECT of as many rows plus the decisions (peers times classes)
standing  the same for one peer whose standing changes
counting  what was released, as counted towards standing in the transactions after it, against the
same floor

A record is a header and four sections, and has substance only by two sections together. Changes are
measured several times, each with its floor after it, and the best of either counts. A floor's table
is kept: so everything finds a database without free pages, and grows it.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import text
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import HandlingClassRow, PeerRow, StandingRow
from comity.node.node import Node
from comity.node.policy.decisions import evaluate_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.handling_classes import ClassIndex, ClassKey
from comity.node.policy.versions import policy_in_force, set_policy
from comity.node.release.schedule import Schedule
from comity.node.trust.peers import pinned_peers
from comity.policies.facts import PartFacts
from comity.record.handling import Tlp
from comity.record.kind import Kind
from tests.bench.cards import draft
from tests.support.network import make_home

PARTS = int(os.environ.get("COMITY_BENCH_PARTS", "1000000"))
SMALL = 10_000
CLASSES = 300
PARTS_EACH = 5
HEADERS = CLASSES // PARTS_EACH
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
    runs = [_policy(root / f"policy{number}") for number in range(2)]
    _report_best(report, f"a policy that allows {PEERS * PARTS // 2:,} parts", runs)
    with closing(_filled(root / "standing", PARTS)) as node:
        node.set_policy(RECIPROCAL)
        runs = [_standing(node, f"p{number}.aisi.example") for number in range(5)]
        _report_best(report, f"a standing that allows {PARTS // 2:,} parts", runs)


def _policy(root: Path) -> tuple[float, float, float]:
    """Return the seconds of releasing, of counting, and of the floor."""
    with closing(_filled(root, PARTS)) as node:
        done = _applying(node, partial(_put_in_force, node=node))
        return *done, _bare_insert(node, PEERS * PARTS // 2) + _decisions(node, PEERS)


def _standing(node: Node, peer: str) -> tuple[float, float, float]:
    """Return the seconds of releasing, of counting, and of the floor."""
    done = _applying(node, partial(_gain, peer=peer))
    return *done, _bare_insert(node, PARTS // 2) + _decisions(node, 1)


def _report_best(
    report: Callable[[str, float, float], None], name: str, runs: list[tuple[float, float, float]]
) -> None:
    released, counted, floor = map(min, zip(*runs, strict=True))
    report(name, released, floor)
    report("  counting them towards standing", counted, floor)


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
    with node.store.write() as session:
        ClassIndex().resolve(session, list(_keys()))
        for statement in (_RECORDS, _PARTS):
            session.connection().execute(text(statement), {"count": parts})
    node.release()
    return node


def _keys() -> Iterator[ClassKey]:
    """Yield the keys of all headers' classes, then, header by header, of their sections'."""
    headers = [_facts(number) for number in range(CLASSES // PARTS_EACH)]
    yield from ((header, None) for header in headers)
    for header in headers:
        for section in range(1, PARTS_EACH):
            yield replace(header, section=f"section-{section}"), header


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)"
_RECORDS = f"""
INSERT INTO record (record_seq, record_id, kind, issuer, issue_time, subject_seq, model,
                    superseded, withdrawn, origin, received_time, keyid, signature, payload)
{_NUMBERS} SELECT i / 5 + 1, printf('%064x', i), 'model-card', 'a.aisi.example', 0, i / 5 + 1, '',
                  0, 0, 'a.aisi.example', 0, '', x'', x''
FROM n WHERE i % 5 = 0
"""
# the classes are numbered as _keys yields them
_PARTS = f"""
INSERT INTO part (part_id, record_seq, section, name, class_id, origin, severity, content, words,
                  size)
{_NUMBERS} SELECT i + 1, i / 5 + 1, i % 5 - 1, '',
                  iif(i % 5, {HEADERS} + i / 5 % {HEADERS} * 4 + i % 5, i / 5 % {HEADERS} + 1),
                  'a.aisi.example', 0, iif(i % 5, 150, 0), '', 100 FROM n
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


def _put_in_force(session: WriteSession, node: Node) -> None:
    set_policy(session, EVEN, node.clock())


def _gain(session: WriteSession, peer: str) -> None:
    session.add(StandingRow(peer=peer, kind="evaluation", received=1))
    session.flush()


def _applying(node: Node, change: Callable[[WriteSession], object]) -> tuple[float, float]:
    """Make a change, release and count as a node does; return the seconds of either.

    What a transaction releases is in the queues, and on disk, when it ends.
    """
    gc.collect()
    start = time.perf_counter()
    with node.store.write() as session:
        change(session)
    with node.store.read() as session:
        schedule = Schedule(session, node.clock())
    seconds = [time.perf_counter() - start, 0.0]
    while schedule.more_to_do:
        start = time.perf_counter()
        with node.store.write() as session:
            released = schedule.do_next(session, node.clock())
        seconds[released == 0] += time.perf_counter() - start
    return seconds[0], seconds[1]


def _decisions(node: Node, peers: int) -> float:
    def decide(session: Session, row: PeerRow) -> None:
        classes = list(session.exec(select(HandlingClassRow).order_by(HandlingClassRow.class_id)))
        evaluate_classes(session, classes, facts_of(session, row), policy_in_force(session).policy)

    with node.store.read() as session:
        rows = pinned_peers(session)[:peers]
        return sum(_timed(partial(decide, session, row)) for row in rows)


def _bare_insert(node: Node, rows: int) -> float:
    """Insert as many rows as a release would into a table just like that of releases, but empty."""
    with node.store.write() as session:
        connection = session.connection()
        made = connection.exec_driver_sql(
            "SELECT sql, (SELECT count(*) FROM sqlite_master WHERE name LIKE 'bare%') "
            "FROM sqlite_master WHERE name = 'release'"
        )
        [(definition, others)] = made
        connection.exec_driver_sql(definition.replace("TABLE release", f"TABLE bare{others}"))
        connection.exec_driver_sql(
            "INSERT OR IGNORE INTO ruling (ruling_id, digest, policy_digest, rules) "
            "VALUES (0, '', '', '[]')"
        )
    statement = text(
        f"INSERT INTO bare{others} SELECT p.institute, part_id, part_id, 0, 0 FROM part, peer p "
        "WHERE class_id % 2 = 1 ORDER BY p.institute, part_id LIMIT :rows"
    )

    def insert() -> None:
        with node.store.write() as session:
            session.connection().execute(statement, {"rows": rows})

    return _timed(insert)
