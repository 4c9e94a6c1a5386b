"""One run of release: applies decisions to parts, and appends the allowed ones to a peer's queue.

Three kinds of parts can become releasable: those stored since the peer was last considered, those
whose embargo has ended since, and those of classes that were denied and are allowed now (the
backlog). A section whose class is allowed, while its header's is not, goes only to a peer that has
the header.

Where the policy asks for standing, giving uses standing up. Records of other institutes use nothing
up and come first. Then come the classes that standing limits, in the order in which ``allowance``
reckoned with them, each with as many records as it says. If less was used up than it reckoned with,
release runs again. New versions of what the peer already has use nothing up either, and go also
where standing is used up.

Invariants: nothing is appended that policy or handling denies at that time (invariant 1);
everything allowed is appended in the end (invariant 2); what was appended stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import select

from comity.node.database.owner import OWN_INSTITUTE
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import HEADER, DecisionRow, HandlingClassRow, PartRow, PeerRow
from comity.node.policy.decisions import Backlog, decide_anew, decide_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import allowances, last_covered
from comity.node.policy.standing.given import update_standing
from comity.node.policy.standing.window import move_window
from comity.node.release.offer_queue import Queue
from comity.node.release.parts import has_header, is_correction, is_given, is_known_section
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus


def release_to(session: WriteSession, row: PeerRow, policy: Policy, now: int) -> int:
    """Append to a peer's queue what it may have now; return the number of parts."""
    if row.status == PeerStatus.REMOVED:
        return 0

    # what was given before is counted before the policy is asked for it
    if policy.depends_on_giving:
        update_standing(session, row, now)
    else:
        move_window(session, row.institute, now)

    peer = facts_of(session, row)
    decide_classes(session, row, peer, policy)
    return _Run(session, row, now).append_all(peer, policy)


class _Run:
    """One run of release for one peer."""

    def __init__(self, session: WriteSession, row: PeerRow, now: int) -> None:
        self._session, self._row = session, row
        self._queue = Queue(session, row, now)

    def append_all(self, peer: PeerFacts, policy: Policy) -> int:
        """Append all that may go; return the number of parts.

        (1) if standing limits any class, what others issued, since that uses nothing up
        (2) the limited classes, in order, each as far as standing allows
        (3) all other allowed classes
        (4) corrections in classes that standing limits or denies
        (5) sections that may go only to a peer that has their header
        (6) what may still wait is noted; if something does, and giving has changed the peer's
            standing, its classes are decided anew by another run
        """
        # (1)
        limited = self._limits(peer, policy) if policy.depends_on_giving else {}
        if limited:
            relayed = DecisionRow.allowed & self._relayed()
            self._queue.append(relayed, among=self._queue.backlog.keys())

        # (2)
        for class_id, allowance in limited.items():
            self._append_first(class_id, allowance)

        # (3)
        done = self._with_sections(limited)
        others = DecisionRow.allowed & DecisionRow.class_id.not_in(done)
        if limited:
            others &= ~self._relayed()
        self._queue.append(others, among=self._queue.backlog.keys() - done)

        # (4)
        held_back = {class_id for class_id, some in limited.items() if some is not None}
        held_family = self._with_sections(held_back)
        corrected = policy.depends_on_giving and self._append_corrections(held_family)

        # (5)
        held_sections = held_family - held_back
        allowed_held = DecisionRow.allowed & DecisionRow.class_id.in_(held_sections)
        follows = or_(DecisionRow.follows, allowed_held)
        # a correction's header may be the one that a section has waited for
        self._append_following(follows, Backlog.HEADERLESS if corrected else Backlog.SOME)

        # (6)
        self._keep_backlog(held_back, follows, corrected=corrected)
        self._queue.close()
        if held_back and self._queue.appended:
            decide_anew(self._row)
        return self._queue.appended

    def _append_corrections(self, held: Collection[int]) -> bool:
        """Append corrections, and of their sections those that the peer has in another version.

        ``held`` are allowed classes of which standing holds back a part. Returns True if anything
        was appended.
        """
        peer, before = self._row.institute, self._queue.appended
        barred = or_(~DecisionRow.allowed, DecisionRow.class_id.in_(held))
        barred &= DecisionRow.correction_ruling_id.is_not(None)
        query = select(DecisionRow.class_id).where(DecisionRow.peer == peer, barred)
        if self._session.exec(query.limit(1)).first() is None:
            return False

        # the headers first, since a section follows its header
        correction = is_correction(peer)
        self._queue.append_corrections(barred, correction, PartRow.section == HEADER)
        known = (PartRow.section != HEADER, is_known_section(peer), has_header(peer))
        self._queue.append_corrections(barred, correction, *known)
        return self._queue.appended > before

    def _limits(self, peer: PeerFacts, policy: Policy) -> Mapping[int, int | None]:
        """Return how many records of each class go, for the classes that standing limits."""
        return allowances(self._session, self._own_headers(), self._queue.waits, peer, policy)

    def _relayed(self) -> ColumnElement[bool]:
        """True if a ``DecisionRow`` is about records of other institutes."""
        classes = select(HandlingClassRow.class_id).where(HandlingClassRow.issuer != OWN_INSTITUTE)
        return DecisionRow.class_id.in_(classes)

    def _append_first(self, class_id: int, allowance: int | None) -> None:
        """Append the records of a class, up to the last that its allowance covers."""
        if allowance == 0:
            return
        family = self._with_sections([class_id])
        which = [PartRow.class_id.in_(family), ~is_given(self._row.institute)]
        if allowance is not None:
            waits = self._queue.waits(class_id)
            last = last_covered(self._session, self._row.institute, waits, allowance)
            which.append(PartRow.record_seq <= last)

        decided = DecisionRow.allowed & DecisionRow.class_id.in_(family)
        self._queue.append(decided, *which, among=family)

    def _append_following(self, follows: ColumnElement[bool], least: Backlog) -> None:
        """Append sections that may go only to a peer that has their header, if this one has it."""
        query = select(DecisionRow.class_id).where(DecisionRow.peer == self._row.institute, follows)
        among = set(self._session.exec(query))
        if among:
            # the others wait for a new decision, and are not looked at until then
            which = (has_header(self._row.institute), ~is_given(self._row.institute))
            self._queue.append(follows, *which, among=among, least=least)

    def _keep_backlog(
        self, held_back: Collection[int], follows: ColumnElement[bool], *, corrected: bool
    ) -> None:
        """Note which parts of each class may still wait, never less than do (invariant 2)."""
        allowed, before = DecisionRow.allowed, DecisionRow.backlog
        new = self._queue.has_new()
        held: ColumnElement[bool] = DecisionRow.class_id.in_(held_back)
        denied = ~or_(allowed, DecisionRow.follows)
        if corrected:
            # ALL stands for a class of which nothing was ever given
            was_all = denied & (before == Backlog.ALL)
            held = or_(held, was_all & DecisionRow.correction_ruling_id.is_not(None))

        # of what had no header yet, the header may have been given now: another policy than the one
        # that denied it can deny the section instead
        waits_on = denied & or_(new, before == Backlog.HEADERLESS) & (before < Backlog.SOME)

        for which, backlog in (
            (or_(held, waits_on), Backlog.SOME),
            (follows & or_(new, before > Backlog.NONE), Backlog.HEADERLESS),
            (allowed & ~held & ~follows, Backlog.NONE),
        ):
            change = update(DecisionRow).where(DecisionRow.peer == self._row.institute, which)
            change = change.where(before != backlog).values(backlog=backlog)
            self._session.connection().execute(change)

    def _with_sections(self, headers: Iterable[int]) -> set[int]:
        """Return the classes of headers together with those of their sections."""
        wanted = set(headers)
        if not wanted:
            return wanted
        query = select(HandlingClassRow.class_id).where(
            HandlingClassRow.header_class_id.in_(wanted)
        )
        return wanted | set(self._session.exec(query))

    def _own_headers(self) -> dict[int, PartFacts]:
        """Return the allowed classes of headers of this institute's records that may wait."""
        query = (
            select(HandlingClassRow)
            .join(DecisionRow, DecisionRow.class_id == HandlingClassRow.class_id)
            .where(DecisionRow.peer == self._row.institute, DecisionRow.allowed)
            .where(
                HandlingClassRow.header_class_id.is_(None), HandlingClassRow.issuer == OWN_INSTITUTE
            )
            .where(or_(DecisionRow.backlog > Backlog.NONE, self._queue.has_new()))
        )
        return {
            c.class_id: PartFacts.from_json(c.facts.encode()) for c in self._session.exec(query)
        }
