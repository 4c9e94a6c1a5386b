"""Preparing and publishing versions of this institute's root.

    prepare     the node writes the next version to a file, unsigned
    sign        holders sign the file with their offline keys, elsewhere; see ``comity.record.root``
    publish     the node checks the file again, stores it, logs it, and works by it from then on

Invariants: a prepared version is not in force. Preparing again amends the file and drops its
signatures, which were for another content. A version is published only if this node can work under
it, and if no authority in it has the name of another institute's.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlmodel import Session, func, select

from comity.client.files import naming, read_file, replace_file, write_file
from comity.node.database.clock import to_datetime
from comity.node.database.tables import LogEntryRow, RecordRow
from comity.node.log.new_log import begin_log
from comity.node.trust.key_revocation import BundleChange, check_certified
from comity.node.trust.peers import check_authorities
from comity.node.trust.root_chains import list_roots, newest_root, publish_root
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
    """Changes that an operator asks of the next version; None means as in the version before.

    ``threshold`` is the number of keys that must sign. ``remove_keys`` are keyids. ``days`` is how
    long the version is valid from now, 1 to MAX_ROOT_DAYS.
    """

    threshold: int | None = None
    add_keys: tuple[RecordKey, ...] = ()
    remove_keys: tuple[str, ...] = ()
    days: int | None = None


@dataclass(frozen=True, slots=True)
class RevokedRecords:
    """The number of own records that a revoked key signed, logged at ``revoked_from`` or later."""

    keyid: str
    revoked_from: int
    records: int


def read_root(path: Path) -> Root:
    """Read the file of a root.

    Raises:
        BadConfig: the file cannot be read; names it.
        LimitExceeded, MalformedJson, BadRoot: as ``Root.parse``; names the file.
    """
    data = read_file(path, MAX_ROOT_BYTES)
    with naming(path):
        return Root.parse(data)


def prepare_first(site: Site, keys: Iterable[RecordKey], threshold: int, days: int) -> Root:
    """Return version 1 of the root, unsigned, which lists all keys of the home.

    ``days`` is how long it is valid from now, 1 to MAX_ROOT_DAYS.

    Raises:
        BadConfig: there is a root already.
        InvalidInput: ``days`` is out of range.
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
    """Return the version after the published one, unsigned.

    It lists the keys of ``draft``, or else of the published version, and the home's newer keys.
    ``change`` is applied to its bundle last.

    Raises:
        BadConfig: there is neither a root nor a draft of its first version.
        BadRoot, LimitExceeded: the keys cannot meet the threshold, or are too many.
        NotFound: a key to be removed is not in the version before.
        InvalidInput: ``request.days`` is out of range.
    """
    # (1) the version before, and the number of the next one
    published = site.own.root
    before = draft or published
    if before is None:
        hint = "comity-node root init prepares the first version"
        raise BadConfig("this institute has no root", field="root", hint=hint)
    version = published.version + 1 if published else 1

    # (2) the profile, and the holders' keys
    with site.store.read() as session:
        profiles = [root.profile for root, _ in list_roots(session, site.institute)]
    bundle = site.own.keychain.bundle(site.home.settings, before.profile, version, profiles)
    keys = dict(before.keys) | {key.keyid: key for key in request.add_keys}
    for keyid in request.remove_keys:
        if keyid not in keys:
            raise NotFound(f"no root key {keyid!r:.80}", field="--remove-key")
        del keys[keyid]

    # (3) amending a draft does not extend its time unless that is asked for
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
    """Return the draft of the next version in a file; None if there is no file.

    Raises:
        BadConfig: the file has another content, which must not be overwritten.
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
    """Write a draft to a file; a file that exists is replaced and keeps its mode.

    Raises:
        BadConfig: the file cannot be written.
    """
    if path.exists():
        replace_file(path, root.document, stat.S_IMODE(path.stat().st_mode))
    else:
        write_file(path, root.document)


def publish_signed_root(site: Site, root: Root) -> tuple[bool, list[RevokedRecords]]:
    """Publish a signed version of this institute's root.

    Returns True and the own records that its revocations affect, or False and an empty list if
    the version was published before.

    Raises:
        BadRoot, ExpiredRoot, Conflict: as ``publish_root`` and ``check_authorities``.
        BadConfig: the version lists no key of some use that the home has, or not the authority
            that signed the node's certificate.
    """
    # a node that could not sign or be authenticated under the root would be cut off by it
    _check_workable(site, root)
    check_authorities(root.profile, site.bundles())

    # losses are counted in the same transaction, before another version can come in between
    with site.store.write() as session:
        before = newest_root(session, site.institute)
        is_new = publish_root(session, root, site.institute, site.clock())
        # a log that the version names first begins with it
        begin_log(session, site.own.keychain.newest_log(root.profile), site.clock())
        losses = revoked_records(session, root.profile, before.profile if before else None)
    return is_new, losses if is_new else []


def revoked_records(
    session: Session, after: TrustBundle, before: TrustBundle | None
) -> list[RevokedRecords]:
    """Return the own records that revocations in ``after``, but not in ``before``, affect."""
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
        message = f"expected 1 to {MAX_ROOT_DAYS} days, got {days}"
        raise InvalidInput(message, field="--expires-days")
    return to_datetime(site.clock()) + timedelta(days=days)
