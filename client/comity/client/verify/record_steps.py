"""Offline verification of a record, step by step, for an auditor to read.

(1) envelope     sizes, payloadType, exactly one signature with a keyid
(2) key          the keyid is in a trust bundle at hand
(3) signature    ECDSA P-256 over the pre-authentication encoding verifies under that key
(4) statement    the payload is a Comity statement
(5) issuer       the issuer's own bundle lists the key
(6) issue time   does not lie ahead of this clock
(7) disclosures  each one is committed to by a digest in the header
(8) content      each disclosed section follows its content model

``open_record`` stops at the first fault; here every step that can still be taken is taken, so a
broken disclosure is named while the signature stands. ``key_steps`` follow if the key or the
issuer's root calls for them. The steps cannot show that no later version or withdrawal exists, nor,
without evidence (``log_steps``), that the record is in its issuer's log.

Invariant: no record is valid unless its signature was checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Final

from comity.client.verify.key_steps import check_keys
from comity.client.verify.record_view import view_sections
from comity.client.verify.steps import Verification, Walk
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring, TrustBundle
from comity.record.content import check_content
from comity.record.envelope import STATEMENT_TYPE
from comity.record.errors import (
    BadContent,
    BadDisclosure,
    InvalidInput,
    WrongIssuer,
)
from comity.record.record import Record, check_issue_time, match_disclosures
from comity.record.root import Root
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.times import format_time


def verify_record(
    record: Record, bundles: Iterable[TrustBundle], now: datetime, roots: Iterable[Root] = ()
) -> Verification:
    """Take all steps; never raises for anything that is wrong with the record.

    Only keys in ``bundles`` count. ``roots`` say until when the bundles that are their profiles
    hold.
    """
    trust = Trust(tuple(bundles), tuple(roots))
    return check_keys(check_record(record, trust, now), trust, now)


def check_record(record: Record, trust: Trust, now: datetime) -> Verification:
    """Take steps (1) to (8), which need nothing but the record and its key."""
    return _Verifier(record, Keyring(trust.bundles), now).verify()


class _Verifier:
    """The steps, and what each finds out for those after it."""

    def __init__(self, record: Record, keyring: Keyring, now: datetime) -> None:
        self._record = record
        self._keyring = keyring
        self._now = now
        self._institutes: frozenset[str] = frozenset()
        self._statement: Statement | None = None
        self._disclosures: dict[int, Disclosure] = {}
        self._problems: dict[int, str] = {}

    def verify(self) -> Verification:
        walk = Walk()
        for name, spec, needs, check in _STEPS:
            walk.take(name, spec, partial(check, self), *needs)

        # what could be read is shown also if a step failed
        sections = (
            view_sections(self._statement, self._disclosures, self._problems)
            if self._statement
            else ()
        )
        institutes = tuple(sorted(self._institutes))
        return Verification(self._record, walk.steps, institutes, self._statement, sections)

    def envelope(self) -> str:
        # (1) DSSE v1, envelope: sizes first, before anything is decoded or hashed
        self._record.check_size()
        self._record.envelope.check_form(STATEMENT_TYPE)
        return f"a payload of {len(self._record.envelope.payload)} bytes"

    def key(self) -> str:
        # (2) no signature counts by a key that merely lies beside it
        keyid = self._record.envelope.keyid
        self._institutes, _ = self._keyring.find(keyid)
        return f"{keyid} of {', '.join(sorted(self._institutes))}"

    def signature(self) -> str:
        # (3) DSSE v1, PAE: the signature covers the payload's type and the payload
        _, key = self._keyring.find(self._record.envelope.keyid)
        self._record.envelope.verify(key)
        return "verifies"

    def statement(self) -> str:
        # (4) the payload is read once its form was checked, whether or not its key is at hand
        self._statement = Statement.from_payload(self._record.envelope.payload)
        count = len(self._statement.predicate.sections)
        return f"{self._statement.kind} with {count} sections"

    def issuer(self) -> str:
        # (5) a key speaks for an issuer only if the issuer's own bundle lists it
        issuer = self._read().issuer
        if issuer.institute not in self._institutes:
            owners = ", ".join(sorted(self._institutes))
            message = f"expected an issuer of {owners}, whose key signed, got {issuer}"
            raise WrongIssuer(message, field="predicate.issuer")
        return str(issuer)

    def issue_time(self) -> str:
        # (6) only a time ahead is wrong: an old record stays valid
        check_issue_time(self._read(), self._now)
        return format_time(self._read().predicate.issue_time)

    def disclosures(self) -> str:
        # (7) RFC 9901: the header holds the SHA-256 of each disclosure; one at a time, so that a
        # broken disclosure does not hide the others
        statement = self._read()
        faults: list[str] = []
        for position, encoded in enumerate(self._record.disclosures):
            try:
                found = match_disclosures(statement, [encoded])
            except InvalidInput as error:
                faults.append(f"disclosures[{position}]: {self._blame(encoded, error.message)}")
                continue
            if found.keys() & self._disclosures.keys():
                fault = self._blame(encoded, "is disclosed twice")
                faults.append(f"disclosures[{position}]: {fault}")
            self._disclosures.update(found)

        if faults:
            raise BadDisclosure("; ".join(faults))
        present = len(self._disclosures)
        return f"{present} present, {len(statement.predicate.sections) - present} withheld"

    def content(self) -> str:
        # (8) each section that is disclosed follows the model of its name
        kind = self._read().kind
        faults: list[str] = []
        for index, disclosure in self._disclosures.items():
            try:
                check_content(kind, disclosure.name, disclosure.value)
            except BadContent as error:
                self._problems[index] = str(error)
                faults.append(str(error))

        if faults:
            raise BadContent("; ".join(faults))
        return "follows the models"

    def _read(self) -> Statement:
        if self._statement is None:
            raise AssertionError("a step that reads the statement needs step (4)")
        return self._statement

    def _blame(self, encoded: bytes, fault: str) -> str:
        """Note the fault of a disclosure at the section that it was meant for; return its text.

        If the section cannot be told, the fault is only returned.
        """
        index = self._meant(encoded)
        if index is None:
            return fault
        self._problems[index] = fault
        name = self._read().predicate.sections[index].name
        return f"section {name or index}: {fault}"

    def _meant(self, encoded: bytes) -> int | None:
        """Return the index of the section that has a disclosure's digest or else its name."""
        sections = self._read().predicate.sections
        digest = hashlib.sha256(encoded).hexdigest()
        try:
            name = Disclosure.parse(encoded).name
        except InvalidInput:
            name = ""

        for index, section in enumerate(sections):
            if section.digest.sha256 == digest or (name and section.name == name):
                return index
        return None


_Check = Callable[[_Verifier], str]
_STEPS: Final[tuple[tuple[str, str, tuple[str, ...], _Check], ...]] = (
    ("envelope", "DSSE v1.0.2, envelope.md", (), _Verifier.envelope),
    ("key", "OpenSSH fingerprint in a trust bundle", ("envelope",), _Verifier.key),
    ("signature", "DSSE v1.0.2, protocol.md; FIPS 186-5", ("key",), _Verifier.signature),
    ("statement", "in-toto Statement v1; RFC 7493", ("envelope",), _Verifier.statement),
    ("issuer", "SPIFFE-ID", ("key", "statement"), _Verifier.issuer),
    ("issue time", "RFC 3339", ("statement",), _Verifier.issue_time),
    ("disclosures", "RFC 9901, section 4.2", ("statement",), _Verifier.disclosures),
    ("content", "Comity content models", ("statement",), _Verifier.content),
)
