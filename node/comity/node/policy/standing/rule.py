"""Standing: what this node knows of a peer's reciprocity, by kind of record.

This is the whole rule; policies and their authors may rely on it:

1. *Subjects count, not records.* A record is about one subject (a model, a data set, …). Two
   records of the same issuer and kind are about the same subject if they give the same digest for
   it, or the same name. A subject counts once for each kind, however many records there are about
   it, and however many versions each record has had.
2. *Received.* A subject counts as received from a peer while this node holds a record about it that
   the peer issued and that is verified, current and of substance. It counts from the time at which
   this node first received that record; if there are several such records, from the earliest time.
3. *Current.* A record is current until its issuer supersedes or withdraws it. A new version then
   counts in its place, from the time of its own arrival. It does not count if it has no substance.
4. *Substance.* A record has substance once its disclosed sections hold SUBSTANCE_CHARS characters
   of text, not counting white space. Its title, its summary, its withheld sections and the section
   that only names sources do not count. So near-empty cards, or many cards about one model, earn
   nothing.
5. *Given.* A subject counts as given from the release by which the peer has a record about it that
   this institute issued and that has substance. It counts as given once the peer has signed for
   that release; until then it is *pending*. A policy's ``given`` is the sum of given and pending,
   so a peer that does not answer cannot be given more than the policy allows. Sections that are
   under embargo when their header is released count with the header, since they follow it by
   themselves. What was given stays given: a newer version does not count again, and it does not
   free what the first version has used up. It does not wait for standing either: policy is asked
   for it with ``given`` less one. Only what is withdrawn no longer counts.
6. *Rejected.* Records from the peer that were refused and are in quarantine here count as rejected,
   by the kind that they claim. Quarantine holds a bounded number. A record that waits is not
   rejected until it is given up. A record of an unknown key is never rejected: that its issuer is
   not pinned here is not the peer's fault.
7. *Window.* Everything is counted twice: since the beginning, and within the last ``window_days``
   of the settings. A subject leaves the window that many days after it began to count.
8. *Credit.* The credit for a kind is a sum over all other kinds: what was received within the
   window, times the weight of its kind in the settings. A kind without a weight earns no credit, so
   by default each kind stands by itself.
9. *Relaying.* A record counts for its issuer, whichever peer brings it. Passing on another
   institute's records counts for nobody.

Invariant: the counters equal what a recount of the ledger gives; ``entries``, ``window`` and
``given`` keep them so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlmodel import Session, select

from comity.node.database import tables
from comity.node.database.sessions import WriteSession
from comity.policies.facts import Standing, earned
from comity.record.kind import Kind

SUBSTANCE_CHARS: Final = 200
"""A record counts if its disclosed sections hold this many characters: two or three sentences."""

DAY_MS: Final = 86_400_000


def load_standing(session: Session, peer: str) -> Standing:
    """Return a peer's standing as policy sees it: within the window, and since the beginning."""
    rows = {Kind(row.kind): row for row in standing_rows(session, peer) if row.kind}
    received = {kind: row.received for kind, row in rows.items()}
    weights = weights_of(session)

    # pending counts as given (rule 5)
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
    """Return a peer's counters, ordered by kind.

    The first row may have an empty kind: it counts rejected records that claim no known kind.
    """
    query = select(tables.StandingRow).where(tables.StandingRow.peer == peer)
    return list(session.exec(query.order_by(tables.StandingRow.kind)))


def weights_of(session: Session) -> Mapping[Kind, int]:
    """Return the weight of each kind towards the credit for every other kind (rule 8).

    A kind that is missing has the weight 0.
    """
    weights = session.exec(select(tables.NodeRow.weights)).one()
    return {Kind(kind): weight for kind, weight in weights.items()}


def window_of(session: Session) -> int:
    """Return the length of the window in milliseconds (rule 7)."""
    return session.exec(select(tables.NodeRow.window)).one()


def keep_standing_settings(
    session: WriteSession, window_days: int, weights: Mapping[Kind, int]
) -> None:
    """Store the settings of standing in the database, beside the counters that follow from them.

    So all processes on one database count alike.
    """
    state = session.exec(select(tables.NodeRow)).one()
    state.window = window_days * DAY_MS
    state.weights = {str(kind): weights[kind] for kind in sorted(weights)}
    session.add(state)
    session.flush()
