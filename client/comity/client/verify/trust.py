"""The trust of a person: trust bundles, and roots, whose profiles are bundles with an expiry.

A person pins a file by naming it on the command line, after comparing its fingerprint. Invariant:
there is one bundle of each institute, and it is never merged with another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from comity.client.files import BUNDLE_SUFFIX, ROOT_SUFFIX, naming, read_file
from comity.record import ijson, log
from comity.record.bundle import TrustBundle
from comity.record.cosignature import witness_name
from comity.record.errors import BadConfig, Conflict
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.note import Verifier
from comity.record.root import Root, first


@dataclass(frozen=True, slots=True)
class Trust:
    """Bundles, one for each institute. The profile of each of the ``roots`` is among them."""

    bundles: tuple[TrustBundle, ...] = ()
    roots: tuple[Root, ...] = ()

    def bundle(self, institute: str) -> TrustBundle | None:
        """Return an institute's bundle; None if it is not at hand."""
        return next((b for b in self.bundles if b.institute == institute), None)

    def root(self, institute: str) -> Root | None:
        """Return an institute's root; None if it is not at hand."""
        return next((root for root in self.roots if root.institute == institute), None)

    def log_keys(self, institute: str) -> list[Verifier]:
        """Return the keys of an institute's logs. A key under another log's name does not count.

        Raises:
            BadNote: the bundle lists a key that is no verifier key (C2SP signed-note).
        """
        bundle = self.bundle(institute)
        keys = [Verifier.parse(key) for key in bundle.log_keys] if bundle else []
        return [key for key in keys if log.is_log_of(institute, key.name)]

    def witnesses(self, institute: str) -> list[Verifier]:
        """Return the keys of all witnesses of an institute's log.

        The institute's own witness is left out, since its word adds nothing to the log's. A key
        counts only under the name of the institute whose bundle lists it.

        Raises:
            BadNote: a bundle lists a key that is no verifier key (C2SP signed-note).
        """
        others = (bundle for bundle in self.bundles if bundle.institute != institute)
        listed = ((bundle, Verifier.parse(key)) for bundle in others for key in bundle.witness_keys)
        return [key for bundle, key in listed if key.name == witness_name(bundle.institute)]


def load_trust(paths: Iterable[Path]) -> Trust:
    """Read bundles and roots from files and from folders of ``*.bundle.json`` and ``*.root.json``.

    Raises:
        BadConfig: a path is missing or unreadable, or a folder holds neither.
        LimitExceeded, MalformedJson, BadBundle, BadRoot: a file is neither a bundle nor a root.
        Conflict: two bundles of one institute differ.
    """
    bundles: dict[str, TrustBundle] = {}
    roots: dict[str, Root] = {}
    for path in (file for given in paths for file in _files(given)):
        data = read_file(path, MAX_ROOT_BYTES)
        with naming(path):
            root = first(Root.parse(data)) if _is_root(data) else None
            bundle = root.profile if root else TrustBundle.from_json(data)

        # a bundle and the root that it is the profile of may lie side by side
        other = bundles.setdefault(bundle.institute, bundle)
        if other.fingerprint != bundle.fingerprint:
            message = f"expected one bundle of {bundle.institute}, got two that differ"
            raise Conflict(message, field=str(path))

        # of several versions of a root with the same profile, the newest says how long it holds
        if root and root.version >= roots.get(root.institute, root).version:
            roots[root.institute] = root
    return Trust(tuple(bundles.values()), tuple(roots.values()))


def _is_root(data: bytes) -> bool:
    value = ijson.loads(data, field="bundle")
    return isinstance(value, dict) and "signed" in value


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted([*path.glob(f"*{BUNDLE_SUFFIX}"), *path.glob(f"*{ROOT_SUFFIX}")])
    if not files:
        message = f"expected *{BUNDLE_SUFFIX} or *{ROOT_SUFFIX} files in it, got none"
        raise BadConfig(message, field=str(path))
    return files
