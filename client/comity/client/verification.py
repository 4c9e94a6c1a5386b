"""Offline verification of a record, step by step, for an auditor to read.

(1) envelope     sizes, payloadType, exactly one signature with a keyid
(2) key          the keyid is in a trust bundle at hand
(3) signature    ECDSA P-256 over the pre-authentication encoding verifies under that key
(4) statement    the payload is a Comity statement
(5) issuer       the issuer's own bundle lists the key
(6) issue time   does not lie ahead of this clock
(7) disclosures  each one is committed to by a digest in the header
(8) content      each disclosed section follows its content model

Unlike ``open_record``, which stops at the first fault, every step that can still be taken is
taken: a broken disclosure is named while the signature stands. What this cannot show: that the
record is in the issuer's log, and that no later version or withdrawal exists. Invariants: nothing
is valid whose signature was not checked; a step is skipped only because a step it needs failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from comity.client.view import RecordView, SectionView, view_sections
from comity.record.bundle import Keyring, TrustBundle
from comity.record.content import check_content
from comity.record.envelope import STATEMENT_TYPE
from comity.record.errors import (
    BadContent,
    BadDisclosure,
    ComityError,
    InvalidInput,
    UnknownKey,
    WrongIssuer,
)
from comity.record.record import Record, check_issue_time, match_disclosures
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.times import format_time


class Outcome(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What the steps come to. Unverifiable: nothing is wrong, but the key is in no bundle."""

    VALID = "valid"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``reason`` is the error's reason (BAD_SIGNATURE, …), empty unless it failed."""

    number: int
    name: str
    spec: str
    outcome: Outcome
    detail: str
    reason: str = ""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Verification:
    """All steps, and what could be read on the way.

    ``institutes`` are those whose bundles list the signing key, empty if none does. ``statement``
    is None where step 4 failed, and not to be believed unless the verdict is valid.
    """

    record: Record
    steps: tuple[Step, ...]
    institutes: tuple[str, ...]
    statement: Statement | None
    sections: tuple[SectionView, ...]

    @property
    def verdict(self) -> Verdict:
        """Invalid if anything failed, except for want of a key: then unverifiable."""
        failures = {step.reason for step in self.steps if step.outcome is Outcome.FAILED}
        if failures - {UnknownKey.reason}:
            return Verdict.INVALID
        return Verdict.UNVERIFIABLE if failures else Verdict.VALID

    @property
    def view(self) -> RecordView | None:
        """The record as far as it can be read; None where there is no statement."""
        if self.statement is None:
            return None
        keyid = self.record.envelope.keyid
        return RecordView(self.record.record_id, keyid, self.statement, self.sections)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, without the sections' content."""
        return {
            "recordId": self.record.record_id,
            "verdict": str(self.verdict),
            "keyid": self.record.envelope.keyid,
            "institutes": list(self.institutes),
            "issuer": str(self.statement.issuer) if self.statement else None,
            "steps": [step.to_value() for step in self.steps],
            "sections": [
                {"index": s.index, "name": s.name or None, "status": s.status, "problem": s.problem}
                for s in self.sections
            ],
        }


def verify_record(record: Record, bundles: Iterable[TrustBundle], now: datetime) -> Verification:
    """Take all steps; never raises for anything that is wrong with the record."""
    return _Verifier(record, Keyring(bundles), now).verify()


class _Verifier:
    """State that the steps hand on to each other."""

    def __init__(self, record: Record, keyring: Keyring, now: datetime) -> None:
        self._record = record
        self._keyring = keyring
        self._now = now
        self._institutes: frozenset[str] = frozenset()
        self._statement: Statement | None = None
        self._disclosures: dict[int, Disclosure] = {}
        self._problems: dict[int, str] = {}

    def verify(self) -> Verification:
        steps: list[Step] = []
        outcomes: dict[str, Outcome] = {}
        for number, (name, spec, needs, check) in enumerate(_STEPS, start=1):
            missing = [other for other in needs if outcomes[other] is not Outcome.OK]
            if missing:
                detail, outcome, reason = f"needs: {', '.join(missing)}", Outcome.SKIPPED, ""
            else:
                try:
                    detail, outcome, reason = check(self), Outcome.OK, ""
                except ComityError as error:
                    detail, outcome, reason = str(error), Outcome.FAILED, error.reason
            outcomes[name] = outcome
            steps.append(Step(number, name, spec, outcome, detail, reason))
        sections = (
            view_sections(self._statement, self._disclosures, self._problems)
            if self._statement
            else ()
        )
        institutes = tuple(sorted(self._institutes))
        return Verification(self._record, tuple(steps), institutes, self._statement, sections)

    def envelope(self) -> str:
        self._record.check_size()
        self._record.envelope.check_form(STATEMENT_TYPE)
        return f"a payload of {len(self._record.envelope.payload)} bytes"

    def key(self) -> str:
        keyid = self._record.envelope.keyid
        self._institutes, _ = self._keyring.find(keyid)
        return f"{keyid} of {', '.join(sorted(self._institutes))}"

    def signature(self) -> str:
        _, key = self._keyring.find(self._record.envelope.keyid)
        self._record.envelope.verify(key)
        return "verifies"

    def statement(self) -> str:
        self._statement = Statement.from_payload(self._record.envelope.payload)
        count = len(self._statement.predicate.sections)
        return f"{self._statement.kind} with {count} sections"

    def issuer(self) -> str:
        issuer = self._read().issuer
        if issuer.institute not in self._institutes:
            owners = ", ".join(sorted(self._institutes))
            message = f"expected an issuer of {owners}, whose key signed, got {issuer}"
            raise WrongIssuer(message, field="predicate.issuer")
        return str(issuer)

    def issue_time(self) -> str:
        check_issue_time(self._read(), self._now)
        return format_time(self._read().predicate.issue_time)

    def disclosures(self) -> str:
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
            raise AssertionError("a step that reads the statement needs step 4")
        return self._statement

    def _blame(self, encoded: bytes, fault: str) -> str:
        """Note a bad disclosure against the section it was meant for, as far as that shows."""
        index = self._meant(encoded)
        if index is None:
            return fault
        self._problems[index] = fault
        name = self._read().predicate.sections[index].name
        return f"section {name or index}: {fault}"

    def _meant(self, encoded: bytes) -> int | None:
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
