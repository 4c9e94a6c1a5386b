"""A forger, which signs records that are wrong in one way with a key its institute has published.

All of its records carry the tag ``forged``, so that any trace they leave behind can be found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from comity.record import ijson
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.section import Disclosure
from comity.record.spiffe import SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2
from tests.support.drafts import card

TAG: Final = "forged"


@dataclass(frozen=True)
class Forger:
    """Signs what it likes, as ``issuer`` with ``key``."""

    issuer: SpiffeId
    key: SigningKey

    def record(self, **more: Any) -> Record:
        """Return a good record."""
        return card(tags=[TAG], **more).sign(self.issuer, self.key)

    def payload(self, old: bytes, new: bytes) -> record_pb2.Record:
        """Return a record with bytes of its payload replaced before it is signed."""
        record = self.record()
        assert old in record.envelope.payload
        return self.sign(record.envelope.payload.replace(old, new, 1), record.disclosures)

    def statement(self, change: Callable[[dict[str, Any]], object]) -> record_pb2.Record:
        """Return a record whose statement was changed before it was signed."""
        record = self.record()
        statement = json.loads(record.envelope.payload)
        change(statement)
        return self.sign(ijson.canonical(statement), record.disclosures)

    def predicate(self, **changes: Any) -> record_pb2.Record:
        """Return a record with fields of its predicate changed before it was signed."""
        return self.statement(lambda statement: statement["predicate"].update(changes))

    def section(self, encoded: bytes, name: str = "risks") -> record_pb2.Record:
        """Return a record that commits to and discloses just these bytes."""
        digest = Disclosure(encoded, name, None).digest
        sections = [{"name": name, "mediaType": "application/json", "digest": {"sha256": digest}}]
        record = self.predicate(sections=sections)
        return record_pb2.Record(envelope=record.envelope, disclosures=[encoded])

    def sign(self, payload: bytes, disclosures: tuple[bytes, ...] = ()) -> record_pb2.Record:
        """Return a record of any payload."""
        return record_to_proto(
            Record(Envelope.sign(STATEMENT_TYPE, payload, self.key), disclosures)
        )


@dataclass(frozen=True)
class Defect:
    """How to make a bad record, and how it must be refused."""

    make: Callable[[Forger], record_pb2.Record]
    reason: str
    field: str
    limit: str = ""


Make = Callable[[Forger], record_pb2.Record]


def registering(defects: dict[str, Defect]) -> Callable[..., Callable[[Make], Make]]:
    """Return a decorator that keeps a bad record under its name, with how it must be refused."""

    def defect(reason: str, field: str, limit: str = "") -> Callable[[Make], Make]:
        def keep(make: Make) -> Make:
            defects[make.__name__] = Defect(make, reason, field, limit)
            return make

        return keep

    return defect
