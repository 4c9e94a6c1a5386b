"""A site: one institute's home, database, keys and pins, which all folders above use.

The methods block, so the server calls them on worker threads. Invariant: a site keeps nothing in
memory that another process on the same database would miss.
"""

from __future__ import annotations

from comity.node.database.clock import Clock, system_clock
from comity.node.database.progress_mark import Mark
from comity.node.database.store import Store
from comity.node.database.tables import PeerRow
from comity.node.home.folder import Home
from comity.node.log.checkpoints import Signer
from comity.node.trust.known_keys import check_known_keys, check_log_key, note_log_key
from comity.node.trust.own_keys import OwnKeys
from comity.node.trust.peers import bundle_of, former_peers, get_peer, pinned_peers
from comity.policies.facts import PeerStatus
from comity.record.bundle import Keyring, TrustBundle
from comity.record.errors import BadConfig, NotFound
from comity.record.keys import SigningKey


class Site:
    """One institute's home, database and keys, and the peers it trusts. ``close`` it after use.

    Raises:
        BadConfig: the home or the database cannot be used; nothing stays open.
    """

    def __init__(self, home: Home, clock: Clock = system_clock) -> None:
        self.home = home
        self.institute = home.institute
        self.clock = clock
        self.store = Store(home.settings.database_url)
        self.mark = Mark(home.state)
        self._log_key_noted = False

        try:
            self._open()
        except BaseException:
            self.store.close()
            raise

        self.own = OwnKeys(home, self.store)
        try:
            self._check_keys()
        except BaseException:
            self.store.close()
            raise
        self.signer = Signer(self.store, self.own.log_signers, clock, self.keep_mark)

    def _open(self) -> None:
        # before the file is made: a database that was lost must not leave an empty one behind
        self.mark.check_file(self.store)
        self.store.upgrade()
        self.store.claim(self.institute)

        # a database that is empty, or behind its mark, was lost or restored from a backup: nothing
        # may be signed or numbered; without a mark, opening would take the database for a new one
        if self.mark.read() is None:
            check_log_key(self.store, self.home.keys)
        self.mark.open(self.store)

    def _check_keys(self) -> None:
        try:
            keychain = self.own.keychain
        except BadConfig:
            # a key that cannot be read is told where it is needed: not every command needs it
            return
        check_known_keys(self.store, self.home.path, keychain)

    def close(self) -> None:
        """Write the mark of the database's progress, and close the database."""
        try:
            self.keep_mark()
        finally:
            self.store.close()

    def keep_mark(self) -> None:
        """Write the mark of the database's progress; see ``Mark.keep``."""
        self.mark.keep(self.store)
        if self.mark.signed and not self._log_key_noted:
            note_log_key(self.home.keys)
            self._log_key_noted = True

    @property
    def bundle(self) -> TrustBundle:
        """The present bundle of this institute, which peers pin."""
        return self.own.bundle

    @property
    def key(self) -> SigningKey:
        """The key that signs records and receipts at present."""
        return self.own.record_key

    def bundles(self) -> list[TrustBundle]:
        """Return this institute's bundle and those of the pinned peers."""
        own = self.bundle
        with self.store.read() as session:
            return [own, *(bundle_of(row) for row in pinned_peers(session))]

    def former_bundles(self) -> list[TrustBundle]:
        """Return the bundles of removed peers, by which their records can still be verified."""
        with self.store.read() as session:
            return [bundle_of(row) for row in former_peers(session)]

    def find_bundle(self, institute: str) -> TrustBundle | None:
        """Return the bundle of this institute or of a peer; None if unknown or removed.

        A suspended peer still has a bundle.
        """
        if institute == self.institute:
            return self.bundle

        # suspended is not removed: what the peer signed must stay verifiable
        with self.store.read() as session:
            row = session.get(PeerRow, institute)
        return None if row is None or row.status == PeerStatus.REMOVED else bundle_of(row)

    def is_suspended(self, institute: str) -> bool:
        """Return True if the institute is a peer that is suspended."""
        if institute == self.institute:
            return False
        with self.store.read() as session:
            row = session.get(PeerRow, institute)
        return row is not None and row.status == PeerStatus.SUSPENDED

    def keyring(self) -> Keyring:
        """Return the record keys of this institute and of all peers that are not removed."""
        return Keyring(self.bundles())

    def active_peer(self, institute: str) -> PeerRow:
        """Return a peer that is a member or on probation.

        Raises:
            NotFound: there is no such peer, or it is suspended or removed.
        """
        with self.store.read() as session:
            row = get_peer(session, institute)
        if row.status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
            raise NotFound(f"{institute} is {row.status}", field="peer")
        return row
