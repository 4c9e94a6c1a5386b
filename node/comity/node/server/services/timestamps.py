"""Times on the wire: ``google.protobuf.Timestamp``, where the tables hold Unix milliseconds."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def to_timestamp(milliseconds: int) -> Timestamp:
    """Return the wire form of a time in Unix milliseconds."""
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def from_timestamp(message: Timestamp) -> int:
    """Return a time of a peer's in Unix milliseconds; 0 for one that is unset or out of range."""
    # year 9999 (google/protobuf/timestamp.proto)
    return message.seconds * 1000 if 0 < message.seconds < 253_402_300_800 else 0


def to_optional_timestamp(milliseconds: int | None) -> Timestamp | None:
    """Return the wire form of a time; None, which leaves a field unset, for None and for 0."""
    return to_timestamp(milliseconds) if milliseconds else None
