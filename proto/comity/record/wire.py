"""Conversion between records in memory and records on the wire (``comity.v1``).

Invariant: payloads, signatures and disclosures are copied byte for byte, never serialised again.
"""

from __future__ import annotations

from comity.record.envelope import Envelope
from comity.record.errors import MalformedEnvelope
from comity.record.record import Record
from comity.v1 import record_pb2


def envelope_to_proto(envelope: Envelope) -> record_pb2.Envelope:
    """Return the wire form of an envelope."""
    signature = record_pb2.Signature(sig=envelope.signature, keyid=envelope.keyid)
    return record_pb2.Envelope(
        payload=envelope.payload, payload_type=envelope.payload_type, signatures=[signature]
    )


def envelope_from_proto(message: record_pb2.Envelope) -> Envelope:
    """Read the wire form of an envelope.

    Raises:
        MalformedEnvelope: not exactly one signature.
    """
    # repeated on the wire as in DSSE, but never more than one (see ``Envelope``)
    if len(message.signatures) != 1:
        got = len(message.signatures)
        raise MalformedEnvelope(f"expected exactly 1 signature, got {got}", field="signatures")
    signature = message.signatures[0]
    return Envelope(message.payload_type, message.payload, signature.keyid, signature.sig)


def record_to_proto(record: Record) -> record_pb2.Record:
    """Return the wire form of a record."""
    return record_pb2.Record(
        envelope=envelope_to_proto(record.envelope),
        disclosures=record.disclosures,
        inclusion=record.inclusion,
    )


def record_from_proto(message: record_pb2.Record) -> Record:
    """Read the wire form of a record. Nothing is verified.

    Raises:
        MalformedEnvelope: not exactly one signature.
    """
    envelope = envelope_from_proto(message.envelope)
    return Record(envelope, tuple(message.disclosures), message.inclusion)


def record_to_bytes(record: Record) -> bytes:
    """Return the serialised wire form of a record."""
    data: bytes = record_to_proto(record).SerializeToString()
    return data


def record_from_bytes(data: bytes) -> Record:
    """Read what ``record_to_bytes`` returned; nothing is verified yet.

    Raises:
        MalformedEnvelope: not exactly one signature.
    """
    return record_from_proto(record_pb2.Record.FromString(data))
