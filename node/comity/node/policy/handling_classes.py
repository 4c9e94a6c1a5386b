"""Handling classes: parts that policy cannot tell apart share a class, and with it a decision.

Invariants: a class is determined by the facts of a part and of its record's header; classes are
never changed or removed; nothing per record (title, time, embargo) enters a class.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import event, func, insert
from sqlmodel import Session, select

from comity.node.database.rows import last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import HandlingClassRow
from comity.policies.facts import PartFacts
from comity.record.limits import MAX_CLASSES

MAX_KNOWN: Final = 4096
"""Classes that are remembered. Institutes use dozens, but a peer may make up any number."""

ClassKey = tuple[PartFacts, PartFacts | None]
"""The facts of a part, and for a section those of its header."""


class ClassIndex:
    """Finds or makes classes. It remembers only committed classes, which never change."""

    def __init__(self) -> None:
        self._known: dict[ClassKey, int] = {}

    def resolve(self, session: WriteSession, keys: Iterable[ClassKey]) -> dict[ClassKey, int]:
        """Return the class ids of ``keys``; classes that are missing are made.

        The header of each section must be among ``keys`` or in the database.
        """
        # (1) what is remembered
        found: dict[ClassKey, int] = {}
        missing: dict[ClassKey, None] = {}
        for key in keys:
            class_id = self._known.get(key)
            if class_id is None:
                missing[key] = None
            else:
                found[key] = class_id

        # (2) what is in the database or is made, headers first, since sections refer to them
        if missing:
            found |= self._load(session, list(missing))
            fresh = [key for key in missing if key not in found]
            found |= self._make(session, sorted(fresh, key=lambda k: k[1] is not None), found)
            event.listen(session, "after_commit", lambda _: self._remember(found), once=True)
        return found

    def over_limit(self, session: Session, wanted: Sequence[Sequence[ClassKey]]) -> list[bool]:
        """Return, for each record, True if it would give its issuer more than MAX_CLASSES classes.

        A record is given by the keys of its parts. An issuer that has MAX_CLASSES classes may only
        use these. Without the limit, an issuer whose records never share a class would make the
        number of decisions grow with the number of its records.
        """
        unknown = {key for keys in wanted for key in keys if key not in self._known}
        if not unknown:
            return [False] * len(wanted)
        unknown -= self._load(session, list(unknown)).keys()

        # classes that an earlier record of the batch is going to make are counted with it
        counts = Counter(_count_classes(session, {key[0].issuer for key in unknown}))
        planned: set[ClassKey] = set()
        over = []
        for keys in wanted:
            fresh = unknown.intersection(keys) - planned
            issuers = Counter(key[0].issuer for key in fresh)
            is_over = any(counts[issuer] + n > MAX_CLASSES for issuer, n in issuers.items())
            if not is_over:
                counts += issuers
                planned |= fresh
            over.append(is_over)
        return over

    def _remember(self, committed: dict[ClassKey, int]) -> None:
        if len(self._known) + len(committed) > MAX_KNOWN:
            self._known.clear()
        self._known.update(committed)

    def _load(self, session: Session, keys: list[ClassKey]) -> dict[ClassKey, int]:
        by_digest = {_digest(key): key for key in keys}
        query = select(HandlingClassRow.digest, HandlingClassRow.class_id).where(
            HandlingClassRow.digest.in_(list(by_digest))
        )
        return {by_digest[digest]: class_id for digest, class_id in session.exec(query)}

    def _make(
        self, session: WriteSession, keys: list[ClassKey], found: dict[ClassKey, int]
    ) -> dict[ClassKey, int]:
        """Insert classes and return their ids; headers are among ``found``, or earlier keys."""
        made: dict[ClassKey, int] = {}
        known = dict(found)
        last = last_number(session, HandlingClassRow.class_id)
        rows = []
        for class_id, key in enumerate(keys, start=last + 1):
            made[key] = known[key] = class_id
            header = None if key[1] is None else (key[1], None)
            rows.append(
                {
                    "class_id": class_id,
                    "digest": _digest(key),
                    "issuer": key[0].issuer,
                    "facts": key[0].to_json().decode(),
                    "header_class_id": None if header is None else known[header],
                }
            )
        if rows:
            session.connection().execute(insert(HandlingClassRow), rows)
        return made


def _count_classes(session: Session, issuers: set[str]) -> dict[str, int]:
    query = select(HandlingClassRow.issuer, func.count()).group_by(HandlingClassRow.issuer)
    return dict(session.exec(query.where(HandlingClassRow.issuer.in_(issuers))).all())


def _digest(key: ClassKey) -> str:
    part, header = key
    # JCS (RFC 8785) has no line break, so the two texts cannot run into each other
    return hashlib.sha256(
        part.to_json() + b"\n" + (header.to_json() if header else b"")
    ).hexdigest()
