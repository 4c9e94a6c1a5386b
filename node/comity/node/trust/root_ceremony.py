"""The root's ceremony on the node's side: what the holders of the offline keys are asked to sign.

A version is prepared as a file, signed where the offline keys are, and published here:

    prepare     the version after the published one, from what the home has and what was asked for
    sign        by enough old and new keys, on other machines; ``comity.record.root``
    publish     checked once more, kept, logged, and in force from then on

Invariants: nothing that is prepared is in force; preparing again amends the file, and drops its
signatures, since they were for something else; nothing is published that this node could not work
under, or that names another's authority.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlmodel import Session, func, select

from comity.client.files import naming, read_file, write_file
from comity.node.database.clock import to_datetime
from comity.node.database.tables import LogEntryRow, RecordRow
from comity.node.home.files import replace_file
from comity.node.trust.key_revocation import BundleChange, check_certified
from comity.node.trust.peers import check_authorities
from comity.node.trust.root_chains import newest_root, publish_root
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, InvalidInput, NotFound
from comity.record.keys import RecordKey
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root

DEFAULT_ROOT_DAYS: Final = 365
MAX_ROOT_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class RootRequest:
    """What the next version is to have; None leaves what the one before has.

    ``days`` is how long it is valid from now, 1 to MAX_ROOT_DAYS.
    """

    threshold: int | None = None
    add_keys: tuple[RecordKey, ...] = ()
    remove_keys: tuple[str, ...] = ()
    days: int | None = None


@dataclass(frozen=True, slots=True)
class RevokedRecords:
    """Own records that a revocation takes with it: those the key signed from its index on."""

    keyid: str
    revoked_from: int
    records: int


def read_root(path: Path) -> Root:
    """Read a root's file.

    Raises:
        BadConfig, LimitExceeded, MalformedJson, BadRoot: names the file.
    """
    data = read_file(path, MAX_ROOT_BYTES)
    with naming(path):
        return Root.parse(data)


def prepare_first(site: Site, keys: Iterable[RecordKey], threshold: int, days: int) -> Root:
    """Return version 1 of the root, unsigned: all keys of the home.

    Raises:
        BadConfig: there is a root already.
        BadRoot, LimitExceeded: as ``Root.draft``.
    """
    if site.own.root is not None:
        hint = "comity-node root next prepares the next version"
        raise BadConfig("this institute has a root already", field="root", hint=hint)
    bundle = site.own.keychain.bundle(site.home.settings)
    return Root.draft(bundle, keys, threshold, _until(site, days))


def prepare_next(
    site: Site, draft: Root | None, request: RootRequest, change: BundleChange | None = None
) -> Root:
    """Return the version after the published one, unsigned; ``draft`` is what is there of it.

    It lists what the version before lists and the home's newer keys, and is then changed.

    Raises:
        BadConfig: there is no root, and no draft of a first one.
        BadRoot, LimitExceeded: a threshold that the keys cannot meet, or too many of them.
        NotFound: a key to be removed is not there.
    """
    published = site.own.root
    before = draft or published
    if before is None:
        hint = "comity-node root init prepares the first version"
        raise BadConfig("this institute has no root", field="root", hint=hint)
    version = published.version + 1 if published else 1
    bundle = site.own.keychain.bundle(site.home.settings, before.profile, version)
    keys = dict(before.keys) | {key.keyid: key for key in request.add_keys}
    for keyid in request.remove_keys:
        if keyid not in keys:
            raise NotFound(f"no root key {keyid!r:.80}", field="--remove-key")
        del keys[keyid]
    if draft is not None and request.days is None:
        expires = draft.expires
    else:
        expires = _until(site, DEFAULT_ROOT_DAYS if request.days is None else request.days)
    return Root.draft(
        change(bundle) if change else bundle,
        keys.values(),
        before.threshold if request.threshold is None else request.threshold,
        expires,
        version,
    )


def read_draft(site: Site, path: Path) -> Root | None:
    """Return the draft of the next version that a file holds; None where there is no file.

    Raises:
        BadConfig: the file holds something else, which is not overwritten.
    """
    if not path.exists():
        return None
    published = site.own.root
    version = published.version + 1 if published else 1
    try:
        draft = read_root(path)
    except InvalidInput as error:
        raise BadConfig("exists already and is not overwritten", field=str(path)) from error
    if (draft.institute, draft.version) != (site.institute, version):
        message = f"expected version {version} of {site.institute}"
        got = f"got version {draft.version} of {draft.institute}"
        hint = "name another file with --output"
        raise BadConfig(f"{message}, {got}; not overwritten", field=str(path), hint=hint)
    return draft


def save_draft(root: Root, path: Path) -> None:
    """Write a draft's file, or put it in place of what is there, for the same readers.

    Raises:
        BadConfig: it cannot be written.
    """
    if path.exists():
        replace_file(path, root.document, stat.S_IMODE(path.stat().st_mode))
    else:
        write_file(path, root.document)


def publish_signed_root(site: Site, root: Root) -> tuple[bool, list[RevokedRecords]]:
    """Publish a version; return whether it is new, and what its revocations take with them.

    Raises:
        BadRoot, ExpiredRoot, Conflict: as ``roots.publish_root`` and ``check_authorities``.
        BadConfig: this node could not work under it.
    """
    _check_workable(site, root)
    check_authorities(root.profile, site.bundles())
    with site.store.write() as session:
        before = newest_root(session, site.institute)
        is_new = publish_root(session, root, site.institute, site.clock())
        losses = revoked_records(session, root.profile, before.profile if before else None)
    return is_new, losses if is_new else []


def revoked_records(
    session: Session, after: TrustBundle, before: TrustBundle | None
) -> list[RevokedRecords]:
    """Return what the revocations in ``after`` take with them that ``before`` did not."""
    known = {key.keyid: key.revoked_from for key in before.record_keys} if before else {}
    found = []
    for key in after.record_keys:
        if key.revoked_from is not None and known.get(key.keyid) != key.revoked_from:
            count = (
                select(func.count())
                .select_from(RecordRow)
                .join(LogEntryRow, LogEntryRow.record_id == RecordRow.record_id)
                .where(RecordRow.keyid == key.keyid, LogEntryRow.log_index >= key.revoked_from)
            )
            found.append(RevokedRecords(key.keyid, key.revoked_from, session.exec(count).one()))
    return found


def _check_workable(site: Site, root: Root) -> None:
    site.own.keychain.check(root.profile)
    check_certified(site, root.profile)


def _until(site: Site, days: int) -> datetime:
    if not 1 <= days <= MAX_ROOT_DAYS:
        raise InvalidInput(
            f"expected 1 to {MAX_ROOT_DAYS} days, got {days}", field="--expires-days"
        )
    return to_datetime(site.clock()) + timedelta(days=days)
