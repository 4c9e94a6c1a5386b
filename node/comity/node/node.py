"""A node: what an institute does with records, peers, treaties and its policy.

Services and commands turn each request into a call of ``Node``. Its methods block, so services call
them on worker threads. It keeps nothing in memory that another process on the same database would
miss.

Invariant: a method that changes records, peers, treaties or policy also releases all parts that
follow from the change, before it returns (invariant 2).
"""

from __future__ import annotations

from collections.abc import Sequence

from comity.node.database.alarms import raise_alarm
from comity.node.database.clock import Clock, system_clock
from comity.node.database.tables import PeerRow, TreatyRow
from comity.node.home.folder import Home
from comity.node.policy.standing.given import standing_is_behind, update_standing
from comity.node.policy.standing.rule import DAY_MS, keep_standing_settings, weights_of, window_of
from comity.node.policy.treaties import add_treaty, end_treaty
from comity.node.policy.versions import PolicyInForce, set_policy
from comity.node.records.admission import Intake
from comity.node.records.examination import Examiner
from comity.node.records.publishing import Published, publish_records
from comity.node.records.search_index import complete_index
from comity.node.release.schedule import Schedule
from comity.node.replication.inbox import Inbox
from comity.node.replication.waiting_records import WaitingRecords
from comity.node.trust.peers import (
    AgreedTerms,
    change_peer,
    check_authorities,
    pinned_peers,
)
from comity.node.trust.pins import (
    ROOT_REFUSED,
    Pin,
    bundle_of_pin,
    follow_peer_root,
    pin_peer,
    watch_expiry,
)
from comity.node.trust.root_chains import newest_version
from comity.node.trust.site import Site
from comity.policies.facts import PeerStatus
from comity.policies.treaty import Treaty
from comity.record.bundle import Keyring
from comity.record.errors import ComityError, Conflict, InvalidInput
from comity.record.record import Record


class Node(Site):
    """One institute's node. ``close`` it after use."""

    def __init__(self, home: Home, clock: Clock = system_clock) -> None:
        super().__init__(home, clock)
        try:
            self._keep_standing_settings()
            complete_index(self.store)
        except BaseException:
            self.store.close()
            raise

        self.examiner = Examiner(self.institute, clock)
        self.intake = Intake(self.institute, clock)
        self.inbox = Inbox(self, self.examiner, self.intake)
        self.waiting = WaitingRecords(self, self.examiner, self.intake)

    def _keep_standing_settings(self) -> None:
        """Store the settings of standing in the database if they have changed."""
        standing = self.home.settings.standing
        with self.store.read() as session:
            kept = window_of(session), weights_of(session)
        # compared before it writes: most commands change nothing and need no lock
        if kept != (standing.window_days * DAY_MS, standing.weights):
            with self.store.write() as session:
                keep_standing_settings(session, standing.window_days, standing.weights)

    def publish(self, record: Record) -> Published:
        """Store a record that this institute issued; on return it is on disk and logged.

        Raises:
            InvalidInput, LogHalted: of the class that names the reason; nothing has changed.
        """
        return self.publish_all([record])[0]

    def publish_all(self, records: Sequence[Record], *, again: bool = True) -> list[Published]:
        """Store several own records in one transaction, all or none (invariant 4).

        With ``again`` False, a record that says the same as one that stands is refused.

        Raises:
            Conflict, LogHalted: see ``publishing.publish_records``.
            InvalidInput: as ``publish``.
        """
        # trust boundary 4: only this institute's own keys speak for it
        keyring = Keyring([self.bundle])
        arrivals = [self.examiner.examine(r, self.institute, keyring) for r in records]
        with self.store.write() as session:
            published = publish_records(session, self.intake, arrivals, self.clock(), again=again)
        self.release()
        return published

    def release(self) -> int:
        """Append to each peer's queue the parts that it may have now; return their number.

        The write lock is taken only if something is due to a peer. It is given up between
        transactions, so that other writers get their turn.
        """
        with self.store.read() as session:
            schedule = Schedule(session, self.clock())

        released = 0
        while schedule.more_to_do:
            with self.store.write() as session:
                released += schedule.do_next(session, self.clock())
        return released

    def update_standing(self) -> None:
        """Count standing up to now, which a running node may not have done yet."""
        with self.store.read() as session:
            now, peers = self.clock(), pinned_peers(session)
            late = [row.institute for row in peers if standing_is_behind(session, row, now)]
        if late:
            with self.store.write() as session:
                for peer in late:
                    update_standing(session, session.get_one(PeerRow, peer), now)

    def set_policy(self, text: str, name: str = "") -> PolicyInForce:
        """Put a policy in force, and release the parts that it newly allows.

        ``name`` is the preset or file that the text came from.

        Raises:
            BadPolicy, LimitExceeded: see ``versions.set_policy``; nothing has changed.
        """
        with self.store.write() as session:
            in_force = set_policy(session, text, self.clock(), name)
        self.release()
        return in_force

    def add_peer(
        self,
        pin: Pin,
        status: PeerStatus | None = None,
        purposes: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        clearances: Sequence[str] | None = None,
        *,
        older: bool = False,
    ) -> PeerRow:
        """Pin a peer, take records that waited for its keys, and release what it may have.

        ``purposes``, ``groups`` and ``clearances`` are the terms agreed with it. None leaves them
        as they are, if the peer was pinned before. ``status`` and ``older`` are as in
        ``pins.pin_peer``.

        Raises: as ``peers.check_authorities`` and ``pins.pin_peer``.
        """
        check_authorities(bundle_of_pin(pin), self.bundles())
        with self.store.write() as session:
            row = pin_peer(
                session,
                pin,
                self.clock(),
                own_institute=self.institute,
                status=status,
                terms=AgreedTerms(purposes, groups, clearances),
                older=older,
            )

        # first the records that waited for the peer's keys, so that one release covers them too
        self.waiting.retry()
        self.release()
        return row

    def follow(self, peer: str, documents: Sequence[bytes]) -> int:
        """Follow a peer's root through newer versions; return the version held now, or 0 if none.

        If one of them is not valid, nothing changes and an alarm is raised.
        """
        others = self.bundles()
        try:
            with self.store.write() as session:
                root = follow_peer_root(session, peer, documents, others, self.clock())
                if root is not None:
                    watch_expiry(session, root, self.clock())
        except (InvalidInput, Conflict) as error:
            self.refuse_root(peer, error)
            with self.store.read() as session:
                return newest_version(session, peer)

        # records may have waited for the newer keys
        if root is not None and documents:
            self.waiting.retry()
            self.release()
        return root.version if root else 0

    def refuse_root(self, peer: str, error: ComityError) -> None:
        """Raise the alarm that a newer root of a peer was refused."""
        message = f"{error}; version and keys stay as they were: ask {peer} what has happened"
        with self.store.write() as session:
            raise_alarm(session, peer, ROOT_REFUSED, message, self.clock())

    def set_peer_status(self, institute: str, status: PeerStatus) -> PeerRow:
        """Change a peer's status; see ``peers.change_peer``."""
        return self.change_peer(institute, status, AgreedTerms())

    def change_peer(self, institute: str, status: PeerStatus | None, terms: AgreedTerms) -> PeerRow:
        """Change a peer's status and terms, and release what follows; see ``peers.change_peer``.

        ``status`` None leaves the status as it is.
        """
        with self.store.write() as session:
            row = change_peer(session, institute, status, terms)
        self.release()
        return row

    def add_treaty(self, treaty: Treaty) -> TreatyRow:
        """Store a treaty, and release the parts that it allows now; see ``treaties.add_treaty``."""
        with self.store.write() as session:
            row = add_treaty(session, treaty, self.clock())
        self.release()
        return row

    def end_treaty(self, treaty_id: str) -> TreatyRow:
        """End a treaty now; see ``treaties.end_treaty``."""
        with self.store.write() as session:
            row = end_treaty(session, treaty_id, self.clock())
        self.release()
        return row
