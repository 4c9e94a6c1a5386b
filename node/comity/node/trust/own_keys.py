"""This institute's own bundle and the keys that are in force by it, as they are at the moment.

With a root it is the profile of the newest published version, of the database; without one, all
keys of the home. Invariants: what was published, and a key that was added to the home, count from
the next question on, in every process, without a restart; nothing is signed with a key that the
bundle does not list.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.home.key_files import key_folder_times
from comity.node.home.keychain import Keychain
from comity.node.home.settings import Settings
from comity.node.trust.root_chains import newest_root
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.note import NoteSigner
from comity.record.root import Root


@dataclass(frozen=True)
class _Seen:
    """The home's keys when they were last read."""

    stamp: tuple[int, int]
    keychain: Keychain
    settings: Settings

    @cached_property
    def bundle(self) -> TrustBundle:
        """What they make without a root."""
        return self.keychain.bundle(self.settings)


class OwnKeys:
    """The bundle and keys of the institute of ``home``."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home, self._store = home, store
        self._seen: _Seen | None = None

    @property
    def root(self) -> Root | None:
        """The newest published version of the root; None where there is none."""
        with self._store.read() as session:
            return newest_root(session, self._home.institute)

    @property
    def bundle(self) -> TrustBundle:
        """What peers pin of this institute.

        Raises:
            BadConfig: a key of the home cannot be read; so for everything here.
        """
        root = self.root
        return self._look().bundle if root is None else root.profile

    @property
    def keychain(self) -> Keychain:
        """All keys of the home."""
        return self._look().keychain

    @property
    def record_key(self) -> SigningKey:
        """What signs records and receipts."""
        return self.keychain.record_key(self.bundle)

    def log_signers(self) -> list[NoteSigner]:
        """Return what signs checkpoints of this institute's log, the newest key first."""
        return self.keychain.log_signers(self.bundle)

    def witness_signers(self) -> list[NoteSigner]:
        """Return what cosigns checkpoints of other logs, the newest key first."""
        return self.keychain.witness_signers(self.bundle)

    def check(self) -> None:
        """Check that this institute can sign all that it has to, before it serves.

        Raises:
            BadConfig: a key is missing, or the bundle lists none of a use that is here.
        """
        self.keychain.check(self.bundle)

    def _look(self) -> _Seen:
        now, seen = key_folder_times(self._home.path), self._seen
        if seen is None or seen.stamp != now:
            seen = self._seen = _Seen(now, self._home.keychain(), self._home.settings)
        return seen
