"""The two holders of an institute's offline keys, who sign any version of its root."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from comity.node.database.tables import RootVersionRow
from comity.node.home.key_files import KeyUse, make_key
from comity.node.node import Node
from comity.node.trust.key_revocation import BundleChange, revoking_change
from comity.node.trust.root_ceremony import (
    RootRequest,
    prepare_first,
    prepare_next,
    publish_signed_root,
)
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.root import Root
from tests.support.institutes import Institute
from tests.support.network import Running

DAYS = 365


class RootSigners:
    """Two people, both of whom must sign."""

    def __init__(self) -> None:
        self.keys = (SigningKey.generate(), SigningKey.generate())

    def draft(self, bundle: TrustBundle, version: int = 1, days: int = DAYS) -> Root:
        """Return a version of any institute's root, unsigned."""
        expires = datetime.now(UTC) + timedelta(days=days)
        return Root.draft(bundle, [key.key for key in self.keys], 2, expires, version)

    def sign(self, root: Root) -> Root:
        """Return it with their signatures."""
        for key in self.keys:
            root = root.sign(key)
        return root

    def found(self, node: Node) -> Root:
        """Publish the first version of a node's root."""
        return self._publish(node, prepare_first(node, [k.key for k in self.keys], 2, DAYS))

    def renew(self, node: Node, change: BundleChange | None = None) -> Root:
        """Publish the next version: what the home has, and a change of it."""
        return self._publish(node, prepare_next(node, None, RootRequest(), change))

    def rotate(self, node: Node, sort: KeyUse) -> Root:
        """Make a new key and publish a version that lists it."""
        make_key(node.home.path, node.institute, sort)
        return self.renew(node)

    def revoke(self, node: Node, sort: KeyUse, keyid: str, index: int = 0) -> Root:
        """Publish a version that revokes a key."""
        return self.renew(node, revoking_change(node, sort, keyid, index))

    def give_way(self, node: Node, others: RootSigners) -> Root:
        """Publish a version that puts others in their place, signed by both."""
        request = RootRequest(
            add_keys=tuple(key.key for key in others.keys),
            remove_keys=tuple(key.key.keyid for key in self.keys),
        )
        root = self.sign(others.sign(prepare_next(node, None, request)))
        publish_signed_root(node, root)
        return root

    def _publish(self, node: Node, draft: Root) -> Root:
        root = self.sign(draft)
        publish_signed_root(node, root)
        return root


def pin_root(at: Institute, of: Institute) -> RootSigners:
    """Give one a root, and pin it at another."""
    root_signers = RootSigners()
    at.node.add_peer(root_signers.found(of.node))
    return root_signers


def chain(of: Institute, after: int = 1) -> list[bytes]:
    """Return the files of an institute's own root after a version."""
    rows = of.rows(RootVersionRow, institute=of.name)
    return [row.document for row in sorted(rows, key=lambda row: row.version)][after:]


def held(one: Running | Institute, peer: str) -> int:
    """Return the newest version of a peer's root that one holds."""
    return max((row.version for row in one.rows(RootVersionRow, institute=peer)), default=0)
