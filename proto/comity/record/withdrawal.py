"""Notices of withdrawal: an issuer's signed word that a record of its own holds no more.

A notice is a record of kind ``withdrawal`` that names other records by the relation ``withdraws``.
Its title and summary give the reason. Invariant: a notice counts only for records of the institute
that signed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comity.record.envelope import Envelope
from comity.record.errors import BadEvidence, WrongIssuer
from comity.record.record import FindKey, OpenedRecord, Record, open_record
from comity.record.statement import Predicate
from comity.record.times import format_time


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A notice whose signature was checked, and that withdraws a certain record."""

    notice: OpenedRecord

    @property
    def issuer(self) -> str:
        """The SPIFFE id of the issuer of the notice."""
        return str(self.notice.statement.issuer)

    @property
    def time(self) -> datetime:
        """The time at which the issuer withdrew the record, in UTC."""
        return self._predicate.issue_time

    @property
    def title(self) -> dict[str, str]:
        """The notice's title by BCP 47 language tag."""
        return dict(self._predicate.title)

    @property
    def summary(self) -> dict[str, str]:
        """The reason by BCP 47 language tag."""
        return dict(self._predicate.summary)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "notice": self.notice.record_id,
            "issuer": self.issuer,
            "time": format_time(self.time),
            "title": self.title,
            "summary": self.summary,
        }

    @property
    def _predicate(self) -> Predicate:
        return self.notice.statement.predicate


def open_withdrawal(notice: Envelope, record: OpenedRecord, find_key: FindKey) -> Withdrawal:
    """Check that a notice withdraws a record; ``find_key`` knows the trusted keys.

    Raises:
        WrongIssuer: the notice is another institute's.
        BadEvidence: the notice withdraws other records.
        InvalidInput: as ``open_record`` for the notice.
    """
    # (1) the notice is a record like any other; its header says all that is needed
    opened = open_record(Record(notice, ()), find_key)

    # (2) only the issuer withdraws a record
    expected, got = record.statement.issuer.institute, opened.statement.issuer.institute
    if got != expected:
        raise WrongIssuer(f"expected a notice of {expected}, got one of {got}")

    # (3) the notice names the record
    if record.record_id not in opened.statement.withdraws:
        raise BadEvidence(f"expected a notice that withdraws {record.record_id}, got another")
    return Withdrawal(opened)
