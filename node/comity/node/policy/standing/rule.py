"""Standing: what this node knows of a peer's reciprocity, by kind of record.

The rule, for those who have to rely on it:

1. *Subjects count, not records.* A record is about one subject (a model, a data set, …). Records of
   an issuer and a kind are about the same subject if they give the same digest for it, or the same
   name. Of each kind, a subject counts once, however many records there are about it, and however
   many versions each of them has had.
2. *Received.* A subject counts as received from a peer while this node holds a record about it that
   the peer issued, that was verified, that is current and that has substance. It counts from the
   time at which this node first received that record; if there are several, the earliest.
3. *Current.* A record is current until its issuer supersedes or withdraws it. A new version counts
   in its place, from the time of its own arrival, or not at all if it has no substance.
4. *Substance.* A record has substance once the sections that are disclosed hold SUBSTANCE_CHARS
   characters of text, white space left out. Its title and summary, sections that are withheld, and
   the section that only names sources do not count. So near-empty cards, or many cards about one
   model, buy nothing.
5. *Given.* A subject counts as given from the release by which the peer has got a record about it
   with substance that this institute issued, once the peer has signed for that. Until then it is
   *pending*. A policy's ``given`` is given and pending together, so that a peer that does not
   answer cannot be given ahead of what the policy allows. Sections that are under embargo when the
   header goes count with the header, since they follow it by themselves. What was given stays
   given: a newer version neither counts again nor frees what the first has used up, whether the
   peer gets it or not. Only what is withdrawn no longer counts.
6. *Rejected.* What the peer sent and is in quarantine here, which holds a bounded number, by the
   kind that it claims to be. What only waits for its issuer's bundle is not rejected.
7. *Window.* Everything is counted twice: since the beginning, and within the last ``window_days``
   of the settings. A subject leaves the window when so much time has passed since it began to
   count.
8. *Credit.* The credit for a kind is the sum, over all other kinds, of what was received within the
   window times the weight of its kind in the settings. A kind without a weight earns none: by
   default, each kind stands by itself.
9. A record counts for its issuer, whoever brought it; passing on the records of others counts for
   nobody.

Invariant: the counters equal what a recount of the ledger gives; ``reckoning`` keeps them so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlmodel import Session, select

from comity.node.database import tables
from comity.node.database.store import WriteSession
from comity.policies.facts import Standing, earned
from comity.record.content import Kind

SUBSTANCE_CHARS: Final = 200
"""Characters of text in disclosed sections that make a record count: two or three sentences."""

DAY_MS: Final = 86_400_000


def load_standing(session: Session, peer: str) -> Standing:
    """Return a peer's standing as policy sees it."""
    rows = {Kind(row.kind): row for row in standing_rows(session, peer) if row.kind}
    received = {kind: row.received for kind, row in rows.items()}
    weights = weights_of(session)
    return Standing(
        received=received,
        given={kind: row.given + row.pending for kind, row in rows.items()},
        credit=earned(received, weights),
        rejected={kind: row.rejected for kind, row in rows.items()},
        received_ever={kind: row.received_ever for kind, row in rows.items()},
        given_ever={kind: row.given_ever + row.pending_ever for kind, row in rows.items()},
        weights=weights,
    )


def standing_rows(session: Session, peer: str) -> list[tables.StandingRow]:
    """Return the counters of a peer, by kind; what was rejected without a kind comes first."""
    query = select(tables.StandingRow).where(tables.StandingRow.peer == peer)
    return list(session.exec(query.order_by(tables.StandingRow.kind)))


def weights_of(session: Session) -> Mapping[Kind, int]:
    """Return what a record of a kind is worth towards every other kind; 0 where it is missing."""
    weights = session.exec(select(tables.NodeRow.weights)).one()
    return {Kind(kind): weight for kind, weight in weights.items()}


def window_of(session: Session) -> int:
    """Return the length of the window in milliseconds."""
    return session.exec(select(tables.NodeRow.window)).one()


def set_terms(session: WriteSession, window_days: int, weights: Mapping[Kind, int]) -> None:
    """Keep the settings of standing in the database, beside the counts that follow from them.

    So every process on the database, and everything that asks for a decision, counts alike.
    """
    state = session.exec(select(tables.NodeRow)).one()
    state.window = window_days * DAY_MS
    state.weights = {str(kind): weights[kind] for kind in sorted(weights)}
    session.add(state)
    session.flush()
