"""The real network as a scenario: this institute, its peers, and the records that each issued.

This node knows the terms of each peer, the records that this institute issued, and those that peers
gave it. It does not know what passes between peers, so the scenario has none of that. Superseded
records are left out. For all others, embargo, subject and substance are those of the database, so
that they count towards standing as they do here. This institute is assumed to be bound to the
purposes of the records that peers gave it.

Invariant: nothing is changed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from sqlmodel import Session

from comity.node.policy.facts import facts_of
from comity.node.policy.issued_records import (
    ScenarioCalendar,
    current_records,
    issued_records,
)
from comity.node.policy.standing.rule import DAY_MS, weights_of, window_of
from comity.node.policy.treaties import list_treaties, over_time
from comity.node.trust.peers import pinned_peers
from comity.policies.simulation.issuing import IssuedRecords
from comity.policies.simulation.members import MAX_DAYS, Agreement, Institute
from comity.policies.simulation.scenario import Scenario


def network_scenario(
    session: Session, institute: str, policy: str, peer_policy: str, now: int
) -> Scenario:
    """Return the scenario from the day of the first record to today.

    ``policy`` and ``peer_policy`` are names of policies, which are not looked up here. Days before
    the last MAX_DAYS are taken together as the first day.
    """
    # (1) all records that are held, by the days on which they were issued
    held = list(current_records(session))
    first = min((record.issue_time for record in held), default=now) // DAY_MS
    calendar = ScenarioCalendar(max(first, now // DAY_MS - MAX_DAYS + 1), now)
    issues = issued_records(session, held, calendar)

    # (2) this institute, and its peers by their terms
    peers = [facts_of(session, row) for row in pinned_peers(session)]
    own = Institute(
        id=institute,
        policy=policy,
        issues=tuple(issues[institute]),
        purposes=_purposes(one for peer in peers for one in issues[peer.institute]),
    )
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

    # (3) standing as it is set here, and the treaties of both sides
    return Scenario(
        title=f"{institute} and its peers",
        days=calendar.days,
        window_days=min(max(window_of(session) // DAY_MS, 1), MAX_DAYS),
        weights=dict(weights_of(session)),
        institute=(own, *others),
        treaty=tuple(_treaties(session, institute, {peer.institute for peer in peers}, calendar)),
    )


def _purposes(given: Iterable[IssuedRecords]) -> frozenset[str]:
    """Return the purposes to which peers bind this institute, by the records that they gave."""
    return frozenset(
        purpose
        for issues in given
        for handling in (issues, *issues.sections)
        for purpose in handling.purposes or ()
    )


def _treaties(
    session: Session, institute: str, peers: Container[str], calendar: ScenarioCalendar
) -> Iterator[Agreement]:
    """Yield the treaties with peers, for the days on which they were in force.

    A treaty lasts until the day before it was over, so today has only the treaties in force now.
    Both sides are assumed to keep a treaty.
    """
    for row in list_treaties(session):
        over = over_time(row)
        last = None if over is None or over > calendar.now else calendar.day(over) - 1
        first = calendar.day(row.start_time)
        played = first <= calendar.days and (last is None or last >= first)
        if row.party in peers and played:
            yield Agreement.model_validate(
                {
                    "id": row.treaty_id,
                    "parties": (institute, row.party),
                    "kinds": frozenset(row.kinds),
                    "sections": frozenset(row.sections),
                    "from": first,
                    "to": last,
                }
            )
