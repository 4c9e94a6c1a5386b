"""This institute's own bundle, and the keys that the bundle has in force.

With a root, the bundle is the profile of the newest published version, which is in the database.
Without a root, the bundle lists all keys of the home.

Invariants: a published version and a new key in the home take effect at the next call, in every
process and without a restart. Nothing is signed with a key that the bundle does not list.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.home.key_files import key_folder_times
from comity.node.home.keychain import Keychain
from comity.node.home.settings import Settings
from comity.node.log.head import log_head
from comity.node.trust.root_chains import newest_root
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.note import NoteSigner
from comity.record.root import Root


@dataclass(frozen=True)
class _Seen:
    """The home's keys and settings as they were last read."""

    folder_times: tuple[int, int]
    keychain: Keychain
    settings: Settings

    @cached_property
    def bundle(self) -> TrustBundle:
        """The bundle of these keys if the institute has no root."""
        return self.keychain.bundle(self.settings)


class OwnKeys:
    """The bundle and keys of the institute that ``home`` belongs to."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home, self._store = home, store
        self._seen: _Seen | None = None

    @property
    def root(self) -> Root | None:
        """The newest published version of the root; None if no version was published."""
        with self._store.read() as session:
            return newest_root(session, self._home.institute)

    @property
    def bundle(self) -> TrustBundle:
        """The bundle that peers pin of this institute.

        Raises:
            BadConfig: a key of the home cannot be read. All other members raise this too.
        """
        # read on each call: another process may have published a version
        root = self.root
        return self._look().bundle if root is None else root.profile

    @property
    def keychain(self) -> Keychain:
        """All keys of the home."""
        return self._look().keychain

    @property
    def record_key(self) -> SigningKey:
        """The key that signs records and receipts."""
        return self.keychain.record_key(self.bundle)

    def log_signers(self) -> list[NoteSigner]:
        """Return the keys that sign checkpoints of this institute's present log, newest first."""
        with self._store.read() as session:
            number = log_head(session).log_number
        return self.keychain.log_signers(self.bundle, number)

    def witness_signers(self) -> list[NoteSigner]:
        """Return the keys that cosign checkpoints of other logs, newest first."""
        return self.keychain.witness_signers(self.bundle)

    def check(self) -> None:
        """Check before serving that the home has a listed key of each use that signs.

        Raises:
            BadConfig: for some use, the home has no key that the bundle has in force.
        """
        self.keychain.check(self.bundle)

    def _look(self) -> _Seen:
        # a file is never overwritten here, so the times of the folders tell of every new key
        now, seen = key_folder_times(self._home.path), self._seen
        if seen is None or seen.folder_times != now:
            seen = self._seen = _Seen(now, self._home.keychain(), self._home.settings)
        return seen
