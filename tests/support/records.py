"""Records for tests: their signer, their time, and the bundle by which they verify."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from comity.client.connection.profile import Profile
from comity.node.home.certificate_authority import Authority
from comity.record import ijson
from comity.record.bundle import PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import SpiffeId

UK = SpiffeId.parse("spiffe://uk.aisi.example/operator/bo")
NOW = datetime(2026, 5, 21, 9, tzinfo=UTC)


def bundle_of(institute: str, *keys: SigningKey) -> TrustBundle:
    """Return a bundle with these record keys and nothing else of use."""
    listed = tuple(PublicRecordKey(keyid=k.key.keyid, public_key=k.key.pem) for k in keys)
    return TrustBundle(
        institute=institute,
        names={"en": institute},
        address="127.0.0.1:1",
        spiffe=SpiffeBundle(keys=()),
        record_keys=listed,
    )


def resigned(record: Record, key: SigningKey, **changes: Any) -> Record:
    """Sign a record's header again, with fields of its predicate changed."""
    statement = json.loads(record.envelope.payload)
    statement["predicate"].update(changes)
    return Record(
        Envelope.sign(STATEMENT_TYPE, ijson.canonical(statement), key), record.disclosures
    )


def profile_of(identity: str, key: SigningKey, *, also: str = "") -> Profile:
    """Return a profile for a person; ``also`` is whom the certificate names instead."""
    who = SpiffeId.parse(identity)
    authority = Authority.create(who.institute)
    svid = authority.issue(SpiffeId.parse(also) if also else who)
    bundle = bundle_of(who.institute, key)
    return Profile(who, bundle, svid.certificate.decode(), svid.private_key.decode())
