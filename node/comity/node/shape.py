"""The shape of the real network, as a scenario: this institute, its peers, and what each issued.

Known here are the terms set for each peer, what this institute issued, and of what the peers issued
that part which they gave it; of what passes between peers nothing is known, so the scenario has
none of it. Records that were superseded are left out. Invariant: nothing is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlmodel import Session, col, select

from comity.node.peers import facts_of, pinned_peers
from comity.node.standing import DAY_MS, weights_of, window_of
from comity.node.tables import HandlingClass, Part, RecordRow
from comity.policies.facts import PartFacts
from comity.policies.simulation.issuing import Issues, Section
from comity.policies.simulation.scenario import MAX_DAYS, Institute, Scenario

_CHUNK: Final = 10_000
"""Rows of parts that are read at a time."""

Signature = tuple[str, tuple[int, ...]]
"""An issuer, and the classes of a record's header and held sections."""


def network_scenario(
    session: Session, institute: str, policy: str, peer_policy: str, now: int
) -> Scenario:
    """Return the scenario from the first record's day to today; policies are given by name.

    The policies' names are not looked up here. Days before the last MAX_DAYS count as the first.
    """
    today = now // DAY_MS
    made = _made(session)
    first = min((min(days) for days in made.values()), default=today)
    start = max(first, today - MAX_DAYS + 1)
    issues = _issues(session, made, start)
    peers = [facts_of(session, row) for row in pinned_peers(session)]
    own = Institute(id=institute, policy=policy, issues=tuple(issues[institute]))
    others = [
        Institute(
            id=peer.institute,
            policy=peer_policy,
            issues=tuple(issues[peer.institute]),
            peers=frozenset({institute}),
            status=peer.status,
            groups=peer.groups,
            clearances=peer.clearances,
            purposes=peer.purposes,
        )
        for peer in peers
    ]
    return Scenario(
        title=f"{institute} and its peers",
        days=max(today - start + 1, 1),
        window_days=min(max(window_of(session) // DAY_MS, 1), MAX_DAYS),
        weights=dict(weights_of(session)),
        institute=(own, *others),
    )


def _made(session: Session) -> dict[Signature, list[int]]:
    """Return the days (since 1970) on which records were issued, by what policy sees of them."""
    query = (
        select(RecordRow.record_seq, RecordRow.issuer, RecordRow.issue_time, Part.class_id)
        .join(Part, col(Part.record_seq) == RecordRow.record_seq)
        .where(~col(RecordRow.superseded))
        .order_by(col(RecordRow.record_seq), col(Part.section))
        .execution_options(yield_per=_CHUNK)
    )
    made: dict[Signature, list[int]] = defaultdict(list)
    for _, parts in groupby(session.exec(query), key=itemgetter(0)):
        rows = list(parts)
        _, issuer, issue_time, _ = rows[0]
        made[issuer, tuple(row[3] for row in rows)].append(issue_time // DAY_MS)
    return made


def _issues(
    session: Session, made: dict[Signature, list[int]], start: int
) -> dict[str, list[Issues]]:
    rows = session.exec(select(HandlingClass.class_id, HandlingClass.facts))
    facts = {class_id: PartFacts.from_json(text.encode()) for class_id, text in rows}
    issues: dict[str, list[Issues]] = defaultdict(list)
    for (issuer, classes), days in made.items():
        header, *sections = (facts[class_id] for class_id in classes)
        if not header.withdrawn:
            on = tuple(max(day - start, 0) + 1 for day in days)
            issues[issuer].append(_line(header, sections, on))
    return issues


def _line(header: PartFacts, sections: list[PartFacts], on: tuple[int, ...]) -> Issues:
    return Issues(
        kind=header.kind,
        tags=header.tags,
        sections=tuple(_sections(sections)),
        on=on,
        **_handling(header),
    )


def _sections(sections: list[PartFacts]) -> Iterator[Section]:
    for part in sections:
        yield Section(
            name=part.section, domains=part.domains, severity=part.severity, **_handling(part)
        )


def _handling(part: PartFacts) -> dict[str, object]:
    listed = part.releasable_to
    return {
        "tlp": part.tlp,
        "releasable_to": None if listed is None else tuple(sorted(listed)),
        "onward": part.onward,
        "purposes": tuple(sorted(part.purposes)),
    }
